//! Upstreams by real sockets.

mod reuse;
