//! The bound on connections to one address, over all workers, and who waits for one.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, SeqCst},
};

use tokio::sync::Notify;

/// Counts the open connections to one address.
#[derive(Debug)]
pub(super) struct Gate {
    open: AtomicU32,
    /// How many wait, over all workers.
    waiting: AtomicU32,
    workers: Box<[Waiting]>,
}

#[derive(Debug, Default)]
struct Waiting {
    count: AtomicU32,
    notify: Notify,
}

/// The right to hold one connection open.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, AcqRel);
        self.gate.wake_one();
    }
}

impl Gate {
    /// A gate for so many workers.
    pub(super) fn new(workers: usize) -> Arc<Self> {
        let workers = (0..workers).map(|_| Waiting::default()).collect();
        Arc::new(Self { open: AtomicU32::new(0), waiting: AtomicU32::new(0), workers })
    }

    /// How many connections are open or being opened.
    pub(super) fn open(&self) -> u32 {
        self.open.load(Acquire)
    }

    /// The right to open one more, unless there are `limit`.
    pub(super) fn enter(self: &Arc<Self>, limit: u32) -> Option<Permit> {
        let more = |open: u32| (open < limit).then_some(open + 1);
        self.open.fetch_update(AcqRel, Acquire, more).ok().map(|_| Permit { gate: self.clone() })
    }

    /// How many requests wait, on all workers.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(SeqCst)
    }

    /// Whether requests wait, on this worker or another.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Wakes one that waits on this worker; `false` when none does.
    pub(super) fn wake(&self, worker: usize) -> bool {
        let Some(waiting) = self.workers.get(worker).filter(|waiting| waiting.count.load(SeqCst) > 0) else {
            return false;
        };
        waiting.notify.notify_one();
        true
    }

    /// Wakes all that wait on this worker.
    pub(super) fn wake_all(&self, worker: usize) {
        if let Some(waiting) = self.workers.get(worker).filter(|waiting| waiting.count.load(SeqCst) > 0) {
            waiting.notify.notify_waiters();
        }
    }

    /// Wakes one that waits on any worker.
    fn wake_one(&self) {
        if self.has_waiting() {
            let _ = (0..self.workers.len()).any(|worker| self.wake(worker));
        }
    }

    /// Waits on this worker until `attempt` gives something; it is tried again whenever a connection becomes free.
    pub(super) async fn wait<T>(&self, worker: usize, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let waiting = self.workers.get(worker)?;
        let _counted = Counted::new(self, waiting);
        loop {
            let mut notified = std::pin::pin!(waiting.notify.notified());
            notified.as_mut().enable();
            if let Some(got) = attempt() {
                return Some(got);
            }
            notified.await;
        }
    }
}

/// Counts a waiting request, however it stops waiting.
struct Counted<'a> {
    gate: &'a Gate,
    waiting: &'a Waiting,
}

impl<'a> Counted<'a> {
    fn new(gate: &'a Gate, waiting: &'a Waiting) -> Self {
        gate.waiting.fetch_add(1, SeqCst);
        waiting.count.fetch_add(1, SeqCst);
        Self { gate, waiting }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.gate.waiting.fetch_sub(1, SeqCst);
        self.waiting.count.fetch_sub(1, SeqCst);
    }
}
