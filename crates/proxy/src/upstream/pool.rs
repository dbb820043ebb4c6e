//! Connections kept open to one address: a shard a worker, so that no two cores meet in it. What is idle is taken last in,
//! first out, and looked at when it is taken; a reaper, there only while something is kept, closes the rest in time.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32,
    Ordering::{AcqRel, Relaxed, Release},
};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::gate::Gate;
use super::h1::H1;
use super::h2::{H2, H2Stream};
use super::target::Speaks;
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
    /// Streams of an HTTP/2 connection at a time.
    pub(super) streams: u32,
    /// Bytes of a response head.
    pub(super) header_bytes: usize,
    /// How long a request waits for a connection.
    pub(super) queue_timeout: Duration,
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
            streams: pool.streams,
            header_bytes: usize::try_from(pool.header_bytes.get()).unwrap_or(usize::MAX),
            queue_timeout: pool.queue_timeout.get(),
        }
    }

    /// Whether a connection may serve another request.
    fn allow(&self, connection: &H1, now: Time) -> bool {
        self.allow_next(connection, now) && now.since(connection.idle_since) < self.idle_timeout
    }

    /// The same for one that was not idle.
    fn allow_next(&self, connection: &H1, now: Time) -> bool {
        connection.requests < self.max_requests && self.max_age.is_none_or(|age| now.since(connection.opened) < age)
    }
}

/// The connections to one address, with one protocol and one TLS configuration.
pub(super) struct Pool {
    /// One a worker.
    pub(super) shards: Box<[Arc<Shard>]>,
}

impl Pool {
    /// A pool with nothing in it.
    pub(super) fn new(speaks: Speaks, workers: usize, clock: &Clock) -> Self {
        let gate = Gate::new(workers.max(1));
        let known = Arc::new(Known { speaks, learnt: AtomicU8::new(0) });
        let shard = |worker| {
            Arc::new(Shard {
                worker,
                gate: gate.clone(),
                known: known.clone(),
                clock: clock.clone(),
                idle: Mutex::new(Vec::new()),
                shared: Mutex::new(Vec::new()),
                opening: AtomicU32::new(0),
                reaped: AtomicBool::new(false),
            })
        };
        Self { shards: (0..workers.max(1)).map(shard).collect() }
    }
}

/// What is known of the protocol at an address.
pub(super) struct Known {
    /// What configuration says.
    pub(super) speaks: Speaks,
    /// What TLS agreed on last: nothing yet, HTTP/1.1 or HTTP/2.
    learnt: AtomicU8,
}

impl Known {
    /// Notes what TLS agreed on.
    pub(super) fn learn(&self, h2: bool) {
        self.learnt.store(if h2 { 2 } else { 1 }, Relaxed);
    }

    /// Whether connections of the next request may be HTTP/1.1.
    fn may_h1(&self) -> bool {
        self.speaks != Speaks::H2
    }

    /// Whether they may be HTTP/2, so that it is worth waiting for one that is being opened.
    fn may_h2(&self) -> bool {
        match self.speaks {
            Speaks::H1 => false,
            Speaks::H2 => true,
            Speaks::Alpn => self.learnt.load(Relaxed) != 1,
        }
    }
}

/// What one worker keeps open. Aligned so that no two workers share a line of cache.
#[repr(align(128))]
pub(super) struct Shard {
    worker: usize,
    pub(super) gate: Arc<Gate>,
    pub(super) known: Arc<Known>,
    pub(super) clock: Clock,
    #[expect(clippy::vec_box, reason = "a connection goes between pool and exchange as one pointer")]
    idle: Mutex<Vec<Box<H1>>>,
    shared: Mutex<Vec<Arc<H2>>>,
    /// Connections being opened that others wait for.
    opening: AtomicU32,
    /// Whether a reaper is at work.
    reaped: AtomicBool,
}

/// What a shard gives to a request.
pub(super) enum Got {
    /// An idle connection.
    Idle(Box<H1>),
    /// A place on a shared one.
    Stream(Box<H2Stream>),
    /// The right to open one.
    Open(super::gate::Permit, Opening),
}

/// A connection is being opened; others that could share it wait until this is dropped.
pub(super) struct Opening {
    shard: Option<Arc<Shard>>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(shard) = &self.shard {
            shard.opening.fetch_sub(1, AcqRel);
            shard.gate.wake_all(shard.worker);
        }
    }
}

impl Shard {
    /// How many connections are idle.
    pub(super) fn idle(&self) -> usize {
        self.idle.lock().len() + self.shared.lock().iter().filter(|connection| connection.is_idle()).count()
    }

    /// Its worker.
    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    /// Whether a connection is being opened that the next request could share.
    pub(super) fn is_opening(&self) -> bool {
        self.opening.load(Relaxed) > 0
    }

    /// A connection for a request: one that is kept, or the right to open one. `None` where the request has to wait. Past
    /// `Freshness::Any`, what is kept is not trusted.
    pub(super) fn get(self: &Arc<Self>, terms: &Terms, now: Time, fresh: Freshness) -> Option<Got> {
        if fresh == Freshness::Any {
            if self.known.may_h1()
                && let Some(connection) = self.take(terms, now)
            {
                return Some(Got::Idle(connection));
            }
            if self.known.may_h2() {
                if let Some(stream) = self.share(terms, now) {
                    return Some(Got::Stream(Box::new(stream)));
                }
                if self.is_opening() {
                    return None;
                }
            }
        }
        let permit = self.gate.enter(terms.connections)?;
        let opening = if self.known.may_h2() {
            self.opening.fetch_add(1, AcqRel);
            Opening { shard: Some(self.clone()) }
        } else {
            Opening { shard: None }
        };
        Some(Got::Open(permit, opening))
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

    /// A place on a shared connection; what is too old or closed is left to those that use it.
    fn share(self: &Arc<Self>, terms: &Terms, now: Time) -> Option<H2Stream> {
        let mut shared = self.shared.lock();
        shared.retain(|connection| connection.is_good(terms, now));
        shared.iter().find_map(|connection| connection.enter(self, terms))
    }

    /// Keeps a new HTTP/2 connection and gives the first place on it.
    pub(super) fn add(self: &Arc<Self>, connection: Arc<H2>, terms: &Terms) -> Option<H2Stream> {
        let stream = connection.enter(self, terms);
        self.shared.lock().push(connection);
        self.reap(*terms);
        stream
    }

    /// Keeps a connection whose exchange is over, or closes it.
    pub(super) fn put(self: &Arc<Self>, mut connection: Box<H1>, terms: &Terms) {
        let now = self.clock.lately();
        if !connection.is_free() || !terms.allow_next(&connection, now) {
            return;
        }
        connection.rest(now);
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
        self.reap(*terms);
    }

    /// A stream ended: whoever waits on this worker may have its place.
    pub(super) fn freed(&self) {
        if self.gate.has_waiting() {
            self.gate.wake(self.worker);
        }
    }

    /// Sets a reaper to work unless one is.
    fn reap(self: &Arc<Self>, terms: Terms) {
        if self.reaped.load(Relaxed) || self.reaped.swap(true, AcqRel) {
            return;
        }
        let reaping = Reaping { shard: Arc::downgrade(self) };
        let period = (terms.idle_timeout / 4).clamp(Duration::from_millis(100), Duration::from_secs(5));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(period).await;
                    let Some(shard) = reaping.shard.upgrade() else { return };
                    if !shard.sweep(&terms) {
                        return;
                    }
                }
            });
        }
    }

    /// Drops what has been idle for too long or was closed by the target; `false` when nothing is left.
    fn sweep(&self, terms: &Terms) -> bool {
        let now = self.clock.now();
        let mut kept = std::mem::take(&mut *self.idle.lock());
        kept.retain_mut(|connection| terms.allow(connection, now) && connection.is_open());
        let mut idle = self.idle.lock();
        kept.append(&mut idle);
        *idle = kept;
        let mut shared = self.shared.lock();
        shared.retain(|connection| connection.is_good(terms, now));
        !idle.is_empty() || !shared.is_empty()
    }
}

/// Whether kept connections are trusted with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Any connection will do.
    Any,
    /// Kept ones proved stale: a new one.
    New,
}

/// Says that the reaper is gone, however it goes: done, or with its runtime.
struct Reaping {
    shard: Weak<Shard>,
}

impl Drop for Reaping {
    fn drop(&mut self) {
        if let Some(shard) = self.shard.upgrade() {
            shard.reaped.store(false, Release);
        }
    }
}
