//! Black-box scenarios against the real binary: this is their kit. A [`Gate`] is a running `tollgate` on free ports; an
//! [`Upstream`] is a small server under a test's control; [`client`] speaks to both.

pub mod client;
mod gate;
mod upstream;

pub use gate::{Gate, Left, PATIENCE, binary};
pub use upstream::{Seen, Upstream, response};
