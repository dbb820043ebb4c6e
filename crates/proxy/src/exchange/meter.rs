//! What is known of a request body that moved away with the request, while its exchange stays.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::BodyError;

/// What was read of a request body, and why that failed.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    failure: Mutex<Option<BodyError>>,
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

    /// Notes why the body failed; the first reason stays.
    pub fn fail(&self, error: BodyError) {
        self.failure.lock().get_or_insert(error);
    }

    /// Why the body failed, if it did; given once.
    pub fn failure(&self) -> Option<BodyError> {
        self.failure.lock().take()
    }
}
