//! The ways to all destinations: one each, as long as any program writes there, and what became of all lines.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::file::Destination;
use super::sink::{GATHER, Shared, Sink, Tally};

/// The ways to all destinations of the process.
pub struct Sinks {
    workers: usize,
    /// What stands for standard output.
    standard: Destination,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sinks: Vec<(Weak<Sink>, Arc<Shared>)>,
    /// What became of the lines of those that are gone.
    past: Tally,
}

impl Sinks {
    /// None yet. `standard` is what stands for standard output.
    pub(crate) fn new(workers: usize, standard: Destination) -> Self {
        Self { workers, standard, known: Mutex::default() }
    }

    /// The way to a destination, the same as long as any program has it.
    pub(super) fn get(&self, destination: Destination) -> Arc<Sink> {
        let destination = if destination == Destination::Standard { self.standard.clone() } else { destination };
        let mut known = self.known.lock();
        known.sweep();
        let same = known.sinks.iter().filter(|(_, shared)| shared.destination == destination);
        if let Some(sink) = same.filter_map(|(sink, _)| sink.upgrade()).next() {
            return sink;
        }
        let sink = Arc::new(Sink::new(destination, self.workers, GATHER));
        known.sinks.push((Arc::downgrade(&sink), sink.shared.clone()));
        sink
    }

    /// Opens every file anew, as after it was moved away.
    pub(crate) fn reopen(&self) {
        for (_, shared) in &self.known.lock().sinks {
            shared.order(|orders| orders.reopen = true);
        }
    }

    /// Waits until every line so far is written or counted; false when that takes longer.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let all: Vec<_> = self.known.lock().sinks.iter().map(|(_, shared)| shared.clone()).collect();
        // All of them are asked, whoever is late.
        all.iter().filter(|shared| !shared.flush(until)).count() == 0
    }

    /// What became of all lines.
    pub(crate) fn tally(&self) -> Tally {
        let mut known = self.known.lock();
        known.sweep();
        let mut tally = known.past;
        known.sinks.iter().for_each(|(_, shared)| tally += shared.tally());
        tally
    }
}

impl Known {
    /// Forgets those whose last line is written, but not what became of their lines.
    fn sweep(&mut self) {
        let past = &mut self.past;
        self.sinks.retain(|(_, shared)| {
            let finished = shared.orders.lock().finished;
            if finished {
                *past += shared.tally();
            }
            !finished
        });
    }
}
