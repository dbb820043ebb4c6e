//! Real sockets against a gateway in this process.

mod address;
mod drain;
mod http1;
mod http2;
mod kit;
mod limits;
mod panic;
mod publish;
mod tls;
