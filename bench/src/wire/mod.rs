//! The two ends of every measurement: a fixed upstream and a load generator, on one thread over one epoll.
//!
//! They are hand-written so that both together cost less than the cheapest proxy between them: answers and requests are
//! prebuilt bytes, sockets are edge-triggered, nothing is allocated a request.

pub(crate) mod chunked;
pub(crate) mod clock;
pub(crate) mod load;
pub(crate) mod poll;
pub(crate) mod rig;
pub(crate) mod slots;
pub(crate) mod upstream;

#[cfg(test)]
mod tests;
