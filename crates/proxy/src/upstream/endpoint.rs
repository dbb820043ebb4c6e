//! One address of a target as its upstream uses it: the pool behind it and what is counted, a lane a worker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::health::Vitals;
use super::pool::{Pool, Shard};
use crate::clock::Time;

/// How long an address of a name is passed over after it could not be connected to, while others can.
const AVOIDED_FOR: Duration = Duration::from_secs(30);

/// One address of a target.
pub(super) struct Endpoint {
    /// The address.
    pub(super) address: SocketAddr,
    lanes: Box<[Arc<Lane>]>,
    /// Kept for as long as the endpoint is.
    _pool: Arc<Pool>,
    /// Until when it is passed over.
    avoided: AtomicU64,
    /// How well it is.
    pub(super) vitals: Arc<Vitals>,
}

/// What one worker has to do with an address. Aligned so that no two workers share a line of cache.
#[repr(align(128))]
pub(super) struct Lane {
    /// The address.
    pub(super) address: SocketAddr,
    /// The connections it keeps.
    pub(super) shard: Arc<Shard>,
    /// How well the address is.
    pub(super) vitals: Arc<Vitals>,
    in_flight: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    connects: AtomicU64,
    connect_errors: AtomicU64,
}

/// Counts of an endpoint, over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) in_flight: u64,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) connects: u64,
    pub(super) connect_errors: u64,
    pub(super) connections: u64,
    pub(super) idle: u64,
}

impl Endpoint {
    /// An address with the pool that is kept for it.
    pub(super) fn new(address: SocketAddr, pool: Arc<Pool>) -> Self {
        let zero = || AtomicU64::new(0);
        let vitals = Arc::new(Vitals::default());
        let lane = |shard: &Arc<Shard>| {
            Arc::new(Lane {
                address,
                shard: shard.clone(),
                vitals: vitals.clone(),
                in_flight: zero(),
                requests: zero(),
                errors: zero(),
                connects: zero(),
                connect_errors: zero(),
            })
        };
        Self { address, lanes: pool.shards.iter().map(lane).collect(), _pool: pool, avoided: zero(), vitals }
    }

    /// The lane of a worker.
    pub(super) fn lane(&self, worker: usize) -> Option<&Arc<Lane>> {
        self.lanes.get(worker).or_else(|| self.lanes.first())
    }

    /// Requests without a whole response yet.
    pub(super) fn in_flight(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.in_flight.load(Relaxed)).sum()
    }

    /// Passes it over for a while.
    pub(super) fn avoid(&self, now: Time) {
        self.avoided.store((now + AVOIDED_FOR).0, Relaxed);
    }

    /// When it is passed over no more.
    pub(super) fn avoided_until(&self) -> Time {
        Time(self.avoided.load(Relaxed))
    }

    /// Requests sent to it.
    pub(super) fn requests(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.requests.load(Relaxed)).sum()
    }

    /// Whether it is passed over.
    pub(super) fn is_avoided(&self, now: Time) -> bool {
        self.avoided.load(Relaxed) > now.0
    }

    /// What was counted.
    pub(super) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for lane in &self.lanes {
            sum.in_flight += lane.in_flight.load(Relaxed);
            sum.requests += lane.requests.load(Relaxed);
            sum.errors += lane.errors.load(Relaxed);
            sum.connects += lane.connects.load(Relaxed);
            sum.connect_errors += lane.connect_errors.load(Relaxed);
            sum.idle += lane.shard.idle() as u64;
        }
        sum.connections = self.lanes.first().map_or(0, |lane| u64::from(lane.shard.gate.open()));
        sum
    }
}

impl Lane {
    /// Counts a connection that was opened.
    pub(super) fn connected(&self) {
        self.connects.fetch_add(1, Relaxed);
    }

    /// Counts one that could not be.
    pub(super) fn not_connected(&self) {
        self.connect_errors.fetch_add(1, Relaxed);
    }
}

/// A request in flight on a lane: counted until it is dropped.
pub(super) struct InFlight {
    lane: Arc<Lane>,
}

impl InFlight {
    /// Counts a request on this lane.
    pub(super) fn on(lane: Arc<Lane>) -> Self {
        lane.in_flight.fetch_add(1, Relaxed);
        lane.requests.fetch_add(1, Relaxed);
        Self { lane }
    }

    /// Its lane.
    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Counts its failure for the target's sake.
    pub(super) fn failed(&self) {
        self.lane.errors.fetch_add(1, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.lane.in_flight.fetch_sub(1, Relaxed);
    }
}
