//! Counters of listeners: connections that came, stayed and were turned away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::stripes::Stripes;
use crate::program::ListenerSlot;

/// The counters of a listener, the same over reloads.
pub struct ListenerMetrics {
    pub(super) name: Arc<str>,
    workers: usize,
    stripes: Stripes<Connections>,
}

#[derive(Default)]
struct Connections {
    accepted: AtomicU64,
    closed: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

/// Why a connection was closed before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The listener has all the connections that it may have.
    ListenerLimit,
    /// The client's address has.
    ClientLimit,
    /// The TLS handshake failed or took too long.
    Handshake,
    /// The PROXY protocol or the first bytes made no sense.
    Malformed,
    /// The process is out of files or memory.
    Resources,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 5] =
        [Refusal::ListenerLimit, Refusal::ClientLimit, Refusal::Handshake, Refusal::Malformed, Refusal::Resources];

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::ListenerLimit => "listener_limit",
            Refusal::ClientLimit => "client_limit",
            Refusal::Handshake => "handshake",
            Refusal::Malformed => "malformed",
            Refusal::Resources => "resources",
        }
    }
}

impl ListenerMetrics {
    /// A connection was accepted by this worker. It is open until [`closed`](Self::closed) says so.
    pub fn accepted(&self, worker: usize) {
        if let Some(counts) = self.stripes.of(worker, self.workers) {
            counts.accepted.fetch_add(1, Relaxed);
        }
    }

    /// An accepted connection was closed.
    pub fn closed(&self, worker: usize) {
        if let Some(counts) = self.stripes.of(worker, self.workers) {
            counts.closed.fetch_add(1, Relaxed);
        }
    }

    /// A connection was closed before a request, whether it had been counted as accepted or not.
    pub fn refused(&self, worker: usize, reason: Refusal) {
        if let Some(count) =
            self.stripes.of(worker, self.workers).and_then(|counts| counts.refused.get(reason as usize))
        {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Connections that were accepted and are not closed.
    pub fn open(&self) -> u64 {
        // Closed before accepted: one that comes and goes meanwhile must not count as minus one.
        let closed: u64 = self.stripes.iter().map(|counts| counts.closed.load(Relaxed)).sum();
        self.accepted_total().saturating_sub(closed)
    }

    pub(super) fn accepted_total(&self) -> u64 {
        self.stripes.iter().map(|counts| counts.accepted.load(Relaxed)).sum()
    }

    pub(super) fn refused_total(&self, reason: Refusal) -> u64 {
        let of = |counts: &Connections| counts.refused.get(reason as usize).map_or(0, |count| count.load(Relaxed));
        self.stripes.iter().map(of).sum()
    }
}

/// Every listener's counters, by slot. Slots are never used again, and there are as many as names were ever used.
#[derive(Default)]
pub(super) struct Listeners {
    slots: Mutex<Vec<Option<Arc<ListenerMetrics>>>>,
}

impl Listeners {
    /// The counters of the listener in this slot.
    pub(super) fn get(&self, slot: ListenerSlot, name: &str, workers: usize) -> Arc<ListenerMetrics> {
        let make = || Arc::new(ListenerMetrics { name: name.into(), workers, stripes: Stripes::default() });
        let at = slot.0 as usize;
        let mut slots = self.slots.lock();
        if slots.len() <= at {
            slots.resize_with(at + 1, || None);
        }
        match slots.get_mut(at) {
            Some(place) => place.get_or_insert_with(make).clone(),
            None => make(),
        }
    }

    /// All of them, by slot.
    pub(super) fn all(&self) -> Vec<Option<Arc<ListenerMetrics>>> {
        self.slots.lock().clone()
    }
}
