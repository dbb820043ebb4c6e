//! What a load has counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{Done, Fault, Timeline};
use crate::histogram::Histogram;
use crate::measure::{self, Gauge, Reading, Used};
use crate::wire::clock::{self, Nanos};

/// Answers kept in a timeline.
const MAX_TIMELINE: usize = 4 << 20;

/// Seen and steered from another thread while the load runs.
#[derive(Default)]
pub(crate) struct Progress {
    /// Ends the window of a load that runs until told, and any other at once.
    pub(crate) stop: AtomicBool,
    /// Answers so far.
    pub(crate) answered: AtomicU64,
    /// Whether the marker has appeared.
    pub(crate) marked: AtomicBool,
}

/// One answer, where a timeline is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// When it should have been sent.
    pub(crate) intended: Instant,
    pub(crate) latency: Duration,
}

/// The result of a load.
pub(crate) struct Outcome {
    /// Good answers in the window.
    pub(crate) requests: u64,
    /// The window's real length.
    pub(crate) elapsed: Duration,
    /// Of the good answers in the window.
    pub(crate) latency: Histogram,
    /// Of the same: from when one should have been sent to the first byte of its body.
    pub(crate) first: Histogram,
    /// Of tokens in the window: from when one was due to its arrival.
    pub(crate) late: Histogram,
    /// Failed requests of the whole run, by cause.
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Requests of an open loop that were never sent because no connection came free: the target is over its capacity.
    pub(crate) unsent: u64,
    /// Good answers of the whole run.
    pub(crate) total: u64,
    /// Connections opened after the first set.
    pub(crate) reconnects: u64,
    /// What the gauge's processes used in the window.
    pub(crate) used: Used,
    /// CPU time of the generator's own thread (the upstream's too) in the window.
    pub(crate) own_cpu: Duration,
    pub(crate) timeline: Vec<Sample>,
    /// When the marker first appeared.
    pub(crate) marked_at: Option<Instant>,
}

impl Outcome {
    fn new() -> Self {
        Self {
            requests: 0,
            elapsed: Duration::ZERO,
            latency: Histogram::new(),
            first: Histogram::new(),
            late: Histogram::new(),
            faults: BTreeMap::new(),
            unsent: 0,
            total: 0,
            reconnects: 0,
            used: Used::default(),
            own_cpu: Duration::ZERO,
            timeline: Vec::new(),
            marked_at: None,
        }
    }

    /// All failed requests.
    pub(crate) fn failed(&self) -> u64 {
        self.faults.values().sum()
    }

    /// The failures in words, empty when there are none.
    pub(crate) fn faults_text(&self) -> String {
        let parts: Vec<String> = self.faults.iter().map(|(fault, count)| format!("{count} × {fault}")).collect();
        parts.join(", ")
    }

    /// Good answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }
}

/// Counts answers by the window.
pub(super) struct Tally {
    pub(super) outcome: Outcome,
    progress: Arc<Progress>,
    timeline: Timeline,
    /// From and until when an answer counts; begins and ends in the far future.
    window: (Nanos, Nanos),
    /// The gauge and the own CPU time when the window opened.
    opened: Option<(Option<Reading>, Duration)>,
}

impl Tally {
    pub(super) fn new(progress: Arc<Progress>, timeline: Timeline) -> Self {
        Self { outcome: Outcome::new(), progress, timeline, window: (u64::MAX, u64::MAX), opened: None }
    }

    /// Whether the window has opened.
    pub(super) fn opened(&self) -> bool {
        self.opened.is_some()
    }

    pub(super) fn open(&mut self, now: Nanos, gauge: Option<&Gauge>) {
        self.opened = Some((gauge.map(Gauge::read), measure::own_cpu()));
        self.window = (now, u64::MAX);
    }

    pub(super) fn close(&mut self, end: Nanos, gauge: Option<&Gauge>) {
        self.window.1 = end;
        self.outcome.elapsed = Duration::from_nanos(end.saturating_sub(self.window.0));
        if let Some((reading, own)) = self.opened {
            self.outcome.own_cpu = measure::own_cpu().saturating_sub(own);
            let readings = reading.zip(gauge.map(Gauge::read));
            self.outcome.used = readings.map(|(first, last)| last.used_since(&first)).unwrap_or_default();
        }
    }

    /// Counts one request that has ended `now`, in the window when `counted_at` lies in it.
    pub(super) fn settle(&mut self, done: &Done, now: Nanos, counted_at: Nanos) {
        // One writer: a plain store is enough and costs nothing.
        self.progress.answered.store(self.progress.answered.load(Relaxed) + 1, Relaxed);
        if done.marked && self.outcome.marked_at.is_none() {
            self.outcome.marked_at = Some(at(now));
            self.progress.marked.store(true, Relaxed);
        }
        if let Some(fault) = done.fault {
            self.outcome.fault(fault);
            return;
        }
        self.outcome.total += 1;
        if counted_at < self.window.0 || counted_at >= self.window.1 {
            return;
        }
        let latency = now.saturating_sub(done.intended);
        self.outcome.requests += 1;
        self.outcome.latency.record(latency);
        if let Some(first) = done.first {
            self.outcome.first.record(first.saturating_sub(done.intended));
        }
        if self.timeline == Timeline::Keep && self.outcome.timeline.len() < MAX_TIMELINE {
            let sample = Sample { intended: at(done.intended), latency: Duration::from_nanos(latency) };
            self.outcome.timeline.push(sample);
        }
    }

    /// Counts one token that has come `now`.
    pub(super) fn token(&mut self, due: Nanos, now: Nanos) {
        if (self.window.0..self.window.1).contains(&now) {
            self.outcome.late.record(now.saturating_sub(due));
        }
    }
}

fn at(nanos: Nanos) -> Instant {
    clock::epoch() + Duration::from_nanos(nanos)
}
