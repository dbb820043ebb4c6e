//! Bytes of any protocol become one [`crate::exchange::Exchange`].
//!
//! A [`Gateway`] has workers, one thread and event loop each. Every listener has a door on every worker, each with a
//! socket of its own (`SO_REUSEPORT`), so that a connection lives and dies on one core: [`door`] accepts it, [`tally`]
//! says whether there is room, [`tls`] secures it, [`connection`] drives it, [`watch`] bounds its waiting, and
//! [`service`] makes exchanges of its requests.

mod check;
mod connection;
mod door;
mod gateway;
mod h1;
mod h2;
mod life;
mod listeners;
mod panics;
mod retired;
mod rules;
mod service;
mod socket;
mod streams;
mod tally;
#[cfg(test)]
mod tests;
pub mod tls;
mod transport;
mod watch;

mod worker;

pub(crate) use check::check;
pub use gateway::{Drained, Gateway};
pub(crate) use h1::request as requests;
pub use socket::BindError;
