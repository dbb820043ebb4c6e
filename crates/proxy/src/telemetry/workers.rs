//! Counters of workers: what is not told apart by route.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use crate::exchange::{Code, Exchange, Finish};

/// Every worker's counters.
pub(super) struct Workers {
    workers: Box<[Worker]>,
    /// Panics outside of exchanges.
    panics: AtomicU64,
}

/// One worker's, on cache lines of their own (two, as processors fetch them in pairs).
#[derive(Default)]
#[repr(align(128))]
struct Worker {
    begun: AtomicU64,
    ended: AtomicU64,
    aborted: AtomicU64,
    truncated: AtomicU64,
    panicked: AtomicU64,
    /// Seconds since the start, plus 1; 0 is never.
    beat: AtomicU64,
    /// Errors by code: few, so a list. Locked by its worker alone, but for scrapes.
    errors: Mutex<Vec<(&'static Code, u64)>>,
}

impl Workers {
    pub(super) fn new(count: usize) -> Self {
        Self { workers: (0..count.max(1)).map(|_| Worker::default()).collect(), panics: AtomicU64::new(0) }
    }

    pub(super) fn count(&self) -> usize {
        self.workers.len()
    }

    fn get(&self, worker: usize) -> Option<&Worker> {
        self.workers.get(worker).or_else(|| self.workers.get(worker % self.workers.len()))
    }

    pub(super) fn begin(&self, worker: usize) {
        if let Some(worker) = self.get(worker) {
            worker.begun.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn end(&self, x: &Exchange) {
        let Some(worker) = self.get(x.local.worker) else { return };
        worker.ended.fetch_add(1, Relaxed);
        match x.record.finish {
            Finish::Complete | Finish::Probed => {}
            Finish::Aborted => _ = worker.aborted.fetch_add(1, Relaxed),
            Finish::Truncated => _ = worker.truncated.fetch_add(1, Relaxed),
            Finish::Panicked => _ = worker.panicked.fetch_add(1, Relaxed),
        }
        if let Some(error) = &x.error {
            let mut errors = worker.errors.lock();
            match errors.iter_mut().find(|(code, _)| std::ptr::eq(*code, error.code)) {
                Some((_, count)) => *count += 1,
                None => errors.push((error.code, 1)),
            }
        }
    }

    pub(super) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    pub(super) fn beat(&self, worker: usize, age: Duration) {
        if let Some(worker) = self.get(worker) {
            worker.beat.store(age.as_secs() + 1, Relaxed);
        }
    }

    pub(super) fn beats(&self, age: Duration) -> Vec<Option<Duration>> {
        let since =
            |beat: u64| Some(Duration::from_secs((age.as_secs() + 1).saturating_sub(beat))).filter(|_| beat > 0);
        self.workers.iter().map(|worker| since(worker.beat.load(Relaxed))).collect()
    }

    fn sum(&self, of: impl Fn(&Worker) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| of(worker).load(Relaxed)).sum()
    }

    /// Exchanges that began and did not end.
    pub(super) fn in_flight(&self) -> u64 {
        // Ended first: one that begins and ends meanwhile must not count as minus one.
        let ended = self.sum(|worker| &worker.ended);
        self.sum(|worker| &worker.begun).saturating_sub(ended)
    }

    /// Exchanges without a whole response, by how they ended.
    pub(super) fn unfinished(&self) -> [(&'static str, u64); 3] {
        [
            ("aborted", self.sum(|worker| &worker.aborted)),
            ("truncated", self.sum(|worker| &worker.truncated)),
            ("panicked", self.sum(|worker| &worker.panicked)),
        ]
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Relaxed) + self.sum(|worker| &worker.panicked)
    }

    /// Errors by code and blame. Codes of one name are one.
    pub(super) fn errors(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        let mut errors = BTreeMap::new();
        for worker in &self.workers {
            for (code, count) in worker.errors.lock().iter() {
                *errors.entry((code.name, code.blame.as_str())).or_default() += count;
            }
        }
        errors
    }
}
