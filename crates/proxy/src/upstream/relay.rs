//! The waker of a connection that has no task of its own. Whoever uses the connection drives it; the relay notes that
//! something happened on it and wakes the one who waits, if anyone does. A connection in the pool wakes nobody.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Acquire, Release},
};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// Notes that something happened on a connection, and wakes who waits for it.
#[derive(Debug)]
pub(super) struct Relay {
    happened: AtomicBool,
    waits: AtomicWaker,
}

impl Relay {
    /// A relay for a new connection, which has something to do at once.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { happened: AtomicBool::new(true), waits: AtomicWaker::new() })
    }

    /// Whether something happened since the last call.
    pub(super) fn take(&self) -> bool {
        self.happened.load(Acquire) && self.happened.swap(false, AcqRel)
    }

    /// Whether something happened and was not taken yet.
    pub(super) fn happened(&self) -> bool {
        self.happened.load(Acquire)
    }

    /// Who is woken from now on.
    pub(super) fn wait(&self, waker: &Waker) {
        self.waits.register(waker);
    }

    /// Nobody is woken from now on.
    pub(super) fn leave(&self) {
        self.waits.take();
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.happened.store(true, Release);
        self.waits.wake();
    }
}
