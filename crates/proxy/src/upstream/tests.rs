//! Upstreams by real sockets.

mod again;
mod balance;
mod bodies;
mod bounds;
mod cancel;
mod configuration;
mod failures;
mod forwarding;
mod h2;
mod health;
mod names;
mod reuse;
mod timeouts;
mod tls;
mod tunnels;
