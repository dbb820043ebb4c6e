//! Bytes of any protocol become one [`crate::exchange::Exchange`].

pub mod tls;
