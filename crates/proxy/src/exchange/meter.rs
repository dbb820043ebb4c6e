//! Counts a request body that moved away with the request, while its exchange stays.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What was read of a request body.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
}

impl Meter {
    /// Adds bytes and gives the sum.
    pub fn add(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Relaxed) + bytes
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}
