//! What is open of a listener, on all workers, and who may come in.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::rules::Rules;
use crate::telemetry::{ListenerMetrics, Refusal};

/// Locks of the client addresses, so that workers seldom meet.
const SHARDS: usize = 16;

/// What is open of a listener, on all workers. Exact: the bounds hold for every moment.
#[derive(Default)]
pub(super) struct Tally {
    connections: AtomicUsize,
    /// Doors that accept, or still empty their backlog.
    accepting: AtomicUsize,
    clients: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
    hasher: foldhash::fast::RandomState,
}

impl Tally {
    /// Connections that are open.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Acquire)
    }

    /// Whether nothing is open and nothing will be.
    pub(super) fn is_over(&self) -> bool {
        self.accepting.load(Acquire) == 0 && self.connections() == 0
    }

    /// A door will accept, until [`Tally::shut`].
    pub(super) fn open(&self) {
        self.accepting.fetch_add(1, AcqRel);
    }

    /// A door accepts no more.
    pub(super) fn shut(&self) {
        self.accepting.fetch_sub(1, AcqRel);
    }

    /// A place for one more connection of this client, or why there is none.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr, worker: usize, rules: &Rules) -> Result<Permit, Refusal> {
        if self.connections.fetch_add(1, AcqRel) >= rules.connections {
            self.connections.fetch_sub(1, AcqRel);
            return Err(Refusal::ListenerLimit);
        }
        let client = client.to_canonical();
        if !self.count_client(client, rules.connections_per_client) {
            self.connections.fetch_sub(1, AcqRel);
            return Err(Refusal::ClientLimit);
        }
        rules.metrics.accepted(worker);
        Ok(Permit { tally: self.clone(), metrics: rules.metrics.clone(), client, worker })
    }

    /// Counts a client's connection in, unless it has `most`. 0 sets no bound; it is counted all the same, so that a
    /// bound that comes later holds at once.
    fn count_client(&self, client: IpAddr, most: u32) -> bool {
        let Some(shard) = self.shard(client) else { return true };
        let mut clients = shard.lock();
        let open = clients.entry(client).or_insert(0);
        if most > 0 && *open >= most {
            return false;
        }
        *open += 1;
        true
    }

    fn shard(&self, client: IpAddr) -> Option<&Mutex<HashMap<IpAddr, u32>>> {
        let hash = self.hasher.hash_one(client);
        self.clients.get(usize::try_from(hash >> 32).unwrap_or(0) % SHARDS)
    }
}

/// A connection's place, given back when dropped.
pub(super) struct Permit {
    tally: Arc<Tally>,
    metrics: Arc<ListenerMetrics>,
    client: IpAddr,
    worker: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shard) = self.tally.shard(self.client) {
            let mut clients = shard.lock();
            if let Some(open) = clients.get_mut(&self.client) {
                *open -= 1;
                if *open == 0 {
                    clients.remove(&self.client);
                }
            }
        }
        self.metrics.closed(self.worker);
        self.tally.connections.fetch_sub(1, AcqRel);
    }
}
