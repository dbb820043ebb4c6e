//! Server-sent events, read from any cut of the bytes.

/// Longest event that is read, in bytes.
pub const EVENT: usize = 4 << 20;
