//! Real sockets against a gateway in this process.

mod kit;
mod plain;
