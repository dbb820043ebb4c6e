//! One address of a target as its upstream uses it: the pool behind it and what is counted, a lane a worker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::h1::H1;
use super::pool::{Pool, Shard, Terms};

/// One address of a target.
pub(super) struct Endpoint {
    /// The address.
    pub(super) address: SocketAddr,
    /// Its connections.
    pub(super) pool: Arc<Pool>,
    lanes: Box<[Arc<Lane>]>,
}

/// What one worker has to do with an address.
#[repr(align(128))]
pub(super) struct Lane {
    /// The connections it keeps.
    pub(super) shard: Arc<Shard>,
    in_flight: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
}

impl Endpoint {
    /// An address with the pool that is kept for it.
    pub(super) fn new(address: SocketAddr, pool: Arc<Pool>) -> Self {
        let lane = |shard: &Arc<Shard>| {
            let zero = || AtomicU64::new(0);
            Arc::new(Lane { shard: shard.clone(), in_flight: zero(), requests: zero(), errors: zero() })
        };
        let lanes = pool.shards.iter().map(lane).collect();
        Self { address, pool, lanes }
    }

    /// The lane of a worker.
    pub(super) fn lane(&self, worker: usize) -> Option<&Arc<Lane>> {
        self.lanes.get(worker).or_else(|| self.lanes.first())
    }

    /// Requests without a whole response yet.
    pub(super) fn in_flight(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.in_flight.load(Relaxed)).sum()
    }

    /// Requests sent.
    pub(super) fn requests(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.requests.load(Relaxed)).sum()
    }

    /// Requests that failed for the target's sake.
    pub(super) fn errors(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.errors.load(Relaxed)).sum()
    }
}

/// A request in flight on a lane: counted until it is dropped.
pub(super) struct InFlight {
    lane: Arc<Lane>,
}

impl InFlight {
    /// Counts a request on this lane.
    pub(super) fn on(lane: &Arc<Lane>) -> Self {
        lane.in_flight.fetch_add(1, Relaxed);
        lane.requests.fetch_add(1, Relaxed);
        Self { lane: lane.clone() }
    }

    /// Counts its failure.
    pub(super) fn failed(&self) {
        self.lane.errors.fetch_add(1, Relaxed);
    }

    /// Gives its connection back.
    pub(super) fn give_back(&self, connection: Box<H1>, terms: &Terms) {
        self.lane.shard.put(connection, terms);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.lane.in_flight.fetch_sub(1, Relaxed);
    }
}
