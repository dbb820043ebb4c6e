//! Connections kept open to one address: a shard a worker, so that no two cores meet in it. What is idle is taken last in,
//! first out, and looked at when it is taken; a reaper, there only while something is idle, closes the rest in time.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{AcqRel, Release},
};
use std::time::Duration;

use parking_lot::Mutex;

use super::gate::Gate;
use super::h1::H1;
use crate::clock::{Clock, Time};

/// What may be kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Connections to one address, over all workers.
    pub(super) connections: u32,
    /// Idle connections kept by each worker.
    pub(super) idle: usize,
    /// How long one may be idle.
    pub(super) idle_timeout: Duration,
    /// How old one may become.
    pub(super) max_age: Option<Duration>,
    /// Requests of one.
    pub(super) max_requests: u32,
}

impl Terms {
    /// What a user wrote, with "no bound" spelt out.
    pub(super) fn of(pool: &model::resource::Pool) -> Self {
        Self {
            connections: pool.connections,
            idle: pool.idle as usize,
            idle_timeout: pool.idle_timeout.get(),
            max_age: (!pool.max_age.is_zero()).then(|| pool.max_age.get()),
            max_requests: if pool.max_requests == 0 { u32::MAX } else { pool.max_requests },
        }
    }

    /// Whether a connection may serve another request.
    fn allow(&self, connection: &H1, now: Time) -> bool {
        connection.requests < self.max_requests
            && now.since(connection.idle_since) < self.idle_timeout
            && self.max_age.is_none_or(|age| now.since(connection.opened) < age)
    }
}

/// The connections to one address, with one protocol and one TLS configuration.
pub(super) struct Pool {
    /// Bounds them, over all workers.
    pub(super) gate: Arc<Gate>,
    /// One a worker.
    pub(super) shards: Box<[Arc<Shard>]>,
}

impl Pool {
    /// A pool with nothing in it.
    pub(super) fn new(workers: usize, clock: &Clock) -> Self {
        let gate = Gate::new(workers.max(1));
        let shard = |worker| {
            Arc::new(Shard {
                worker,
                gate: gate.clone(),
                clock: clock.clone(),
                idle: Mutex::new(Vec::new()),
                reaped: AtomicBool::new(false),
            })
        };
        let shards = (0..workers.max(1)).map(shard).collect();
        Self { gate, shards }
    }
}

/// What one worker keeps open. Aligned so that no two workers share a line of cache.
#[repr(align(128))]
pub(super) struct Shard {
    worker: usize,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Clock,
    idle: Mutex<Vec<Box<H1>>>,
    /// Whether a reaper is at work.
    reaped: AtomicBool,
}

impl Shard {
    /// How many are idle.
    pub(super) fn idle(&self) -> usize {
        self.idle.lock().len()
    }

    /// The idle connection that was used last; what is too old is dropped on the way. Whether the target has closed it
    /// shows when the request is sent, which then comes back unsent.
    pub(super) fn take(&self, terms: &Terms, now: Time) -> Option<Box<H1>> {
        loop {
            let connection = self.idle.lock().pop()?;
            if terms.allow(&connection, now) {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose exchange is over, or closes it.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<H1>, terms: &Terms) {
        let now = self.clock.now();
        connection.rest(now);
        if !terms.allow(&connection, now) || !connection.is_free() {
            return;
        }
        {
            let mut idle = self.idle.lock();
            if idle.len() >= terms.idle && !self.gate.has_waiting() {
                return;
            }
            idle.push(connection);
        }
        // Whoever waits on another worker cannot use this one: closing it lets them open their own.
        if self.gate.has_waiting() && !self.gate.wake(self.worker) {
            drop(self.idle.lock().pop());
        }
        self.reap(terms.idle_timeout);
    }

    /// Sets a reaper to work unless one is.
    fn reap(self: &Arc<Self>, idle_timeout: Duration) {
        if self.reaped.load(std::sync::atomic::Ordering::Relaxed) || self.reaped.swap(true, AcqRel) {
            return;
        }
        let reaping = Reaping { shard: Arc::downgrade(self) };
        let period = (idle_timeout / 4).clamp(Duration::from_millis(100), Duration::from_secs(5));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(period).await;
                    let Some(shard) = reaping.shard.upgrade() else { return };
                    if !shard.sweep(idle_timeout) {
                        return;
                    }
                }
            });
        }
    }

    /// Drops what has been idle for too long or was closed by the target; `false` when nothing is left.
    fn sweep(&self, idle_timeout: Duration) -> bool {
        let now = self.clock.now();
        let mut kept = std::mem::take(&mut *self.idle.lock());
        kept.retain_mut(|connection| now.since(connection.idle_since) < idle_timeout && connection.is_open());
        let mut idle = self.idle.lock();
        kept.append(&mut idle);
        *idle = kept;
        !idle.is_empty()
    }
}

/// Says that the reaper is gone, however it goes: done, or with its runtime.
struct Reaping {
    shard: std::sync::Weak<Shard>,
}

impl Drop for Reaping {
    fn drop(&mut self) {
        if let Some(shard) = self.shard.upgrade() {
            shard.reaped.store(false, Release);
        }
    }
}
