//! What is known of a request body that moved away with the request, while its exchange stays.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::BodyError;

/// What was read of a request body, and why that failed.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    failure: Mutex<Option<BodyError>>,
    ended: Mutex<Option<Instant>>,
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

    /// Notes that nothing more of the body goes out.
    pub fn end(&self) {
        *self.ended.lock() = Some(Instant::now());
    }

    /// When the last of the body went out, if it did.
    pub fn ended(&self) -> Option<Instant> {
        *self.ended.lock()
    }

    /// Why the body failed, if it did; given once.
    pub fn failure(&self) -> Option<BodyError> {
        self.failure.lock().take()
    }
}
