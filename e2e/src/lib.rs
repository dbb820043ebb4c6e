//! Black-box scenarios against the real binary: this is their kit. A [`Gate`] is a running `tollgate` on free ports; an
//! [`Upstream`] is a small server under a test's control, [`Held`] one whose every byte is the test's, [`Nginx`] a real
//! one, a [`provider`] serves models; [`client`] and [`frames`] speak to all of them.

mod authority;
pub mod client;
pub mod frames;
mod gate;
mod held;
mod nginx;
pub mod provider;
mod redis;
mod slapd;
mod upstream;

pub use authority::Authority;
pub use gate::{Gate, Left, PATIENCE, binary, until};
pub use held::{Held, read_head};
pub use nginx::Nginx;
pub use redis::Redis;
pub use slapd::Slapd;
pub use upstream::{Seen, Upstream, response};
