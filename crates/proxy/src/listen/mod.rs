//! Bytes of any protocol become one [`crate::exchange::Exchange`].
//!
//! A [`Gateway`] has workers, one thread and event loop each. Every listener has a door on every worker, each with a
//! socket of its own (`SO_REUSEPORT`), so that a connection lives and dies on one core.

mod connection;
mod door;
mod gateway;
mod life;
mod service;
mod socket;
#[cfg(test)]
mod tests;
pub mod tls;
mod worker;

pub use gateway::{Drained, Gateway};
pub use socket::BindError;
