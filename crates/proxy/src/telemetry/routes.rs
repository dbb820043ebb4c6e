//! Counters of apis and routes. They are found by name when a program is compiled, so that they go on over reloads, and
//! go away with the last program that has them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use model::resource::Switch;
use parking_lot::Mutex;

use super::histogram::{DURATION, Histogram, OVERHEAD, Sums};
use super::stripes::Stripes;
use crate::exchange::{Exchange, Upgraded};
use crate::program::ListenerSlot;

/// The counters of a route, as its plan holds them.
#[derive(Clone)]
pub struct RouteMetrics {
    counters: Arc<RouteCounters>,
    by_route: Switch,
}

/// What is counted by route.
pub(super) struct RouteCounters {
    pub(super) name: Arc<str>,
    pub(super) api: Arc<ApiCounters>,
    pub(super) requests: Stripes<Requests>,
    /// Used where the api tells its routes apart.
    pub(super) times: Stripes<Times>,
}

/// What is counted by api.
pub(super) struct ApiCounters {
    pub(super) name: Arc<str>,
    pub(super) times: Stripes<Times>,
}

/// Buckets of [`DURATION`], with the last one.
pub(super) type Duration = Histogram<17>;
/// Buckets of [`OVERHEAD`], with the last one.
pub(super) type Overhead = Histogram<14>;

/// Where the time went.
#[derive(Default)]
pub(super) struct Times {
    duration: Duration,
    overhead: Overhead,
}

/// Requests and bytes of one worker on one route.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) seen: Seen,
}

impl RouteMetrics {
    /// Counts an exchange that is over, by a worker among so many.
    pub(super) fn count(&self, x: &Exchange, workers: usize) {
        let record = &x.record;
        let worker = x.local.worker;
        if let Some(requests) = self.counters.requests.of(worker, workers) {
            requests.seen.count(x.connection.listener, record.status);
            let bytes_in = x.bytes_in();
            if bytes_in > 0 {
                requests.bytes_in.fetch_add(bytes_in, Relaxed);
            }
            if record.bytes_out > 0 {
                requests.bytes_out.fetch_add(record.bytes_out, Relaxed);
            }
        }
        let times = match self.by_route {
            Switch::On => self.counters.times.of(worker, workers),
            Switch::Off => self.counters.api.times.of(worker, workers),
        };
        if let Some(times) = times
            && x.notes.upgraded == Upgraded::No
        {
            times.duration.observe(&DURATION, record.ended.since(record.started));
            if let Some(overhead) = record.overhead() {
                times.overhead.observe(&OVERHEAD, overhead);
            }
        }
    }
}

/// Counts by listener and status. Few of them are ever seen on a route, so they stand in a short list that is searched
/// from the front; the usual one is the first.
#[derive(Default)]
pub(super) struct Seen {
    cells: [Cell; 3],
    more: OnceLock<Box<Seen>>,
    /// What came when the list was full.
    other: AtomicU64,
}

#[derive(Default)]
struct Cell {
    /// Listener slot and status, plus 1; 0 is free.
    key: AtomicU64,
    count: AtomicU64,
}

/// The longest list, in cells times three. Reached only by an upstream that makes statuses up, on many listeners.
const MOST: usize = 256;
/// What stands for statuses that are none (RFC 9110 section 15).
const OTHER: u64 = 1000;

impl Seen {
    fn count(&self, listener: ListenerSlot, status: u16) {
        let status = if status < 600 { u64::from(status) } else { OTHER };
        let key = ((u64::from(listener.0) << 10) | status) + 1;
        let mut part = self;
        for _ in 0..MOST {
            for cell in &part.cells {
                let mut known = cell.key.load(Relaxed);
                if known == 0 {
                    known = cell.key.compare_exchange(0, key, Relaxed, Relaxed).map_or_else(|taken| taken, |_| key);
                }
                if known == key {
                    cell.count.fetch_add(1, Relaxed);
                    return;
                }
            }
            part = part.more.get_or_init(Box::default);
        }
        self.other.fetch_add(1, Relaxed);
    }

    /// Adds everything to `sums`, by listener slot and status; none stands for `other`.
    pub(super) fn add_to(&self, sums: &mut HashMap<Option<(u32, u16)>, u64>) {
        let mut part = Some(self);
        while let Some(seen) = part {
            for cell in &seen.cells {
                let count = cell.count.load(Relaxed);
                if let Some(key) = cell.key.load(Relaxed).checked_sub(1)
                    && count > 0
                {
                    *sums.entry(Some(((key >> 10) as u32, (key & 1023) as u16))).or_default() += count;
                }
            }
            let other = seen.other.load(Relaxed);
            if other > 0 {
                *sums.entry(None).or_default() += other;
            }
            part = seen.more.get().map(|more| &**more);
        }
    }
}

/// A status as a label.
pub(super) fn status_label(status: u16, buffer: &mut itoa::Buffer) -> &str {
    if u64::from(status) == OTHER { "other" } else { buffer.format(status) }
}

/// Adds up the stripes of a histogram pair.
pub(super) fn sums(times: &Stripes<Times>) -> (Sums<17>, Sums<14>) {
    let (mut duration, mut overhead) = (Sums::default(), Sums::default());
    for stripe in times.iter() {
        duration.add(&stripe.duration);
        overhead.add(&stripe.overhead);
    }
    (duration, overhead)
}

/// Every route's counters, by name.
#[derive(Default)]
pub(super) struct Routes {
    apis: Mutex<HashMap<Arc<str>, Known>>,
}

struct Known {
    api: Weak<ApiCounters>,
    routes: HashMap<Arc<str>, Weak<RouteCounters>>,
}

impl Routes {
    /// The counters of a route, the same as long as any program has them.
    pub(super) fn get(&self, api: &str, route: &str, by_route: Switch) -> RouteMetrics {
        let mut apis = self.apis.lock();
        if let Some(counters) = apis.get(api).and_then(|known| known.routes.get(route)?.upgrade()) {
            return RouteMetrics { counters, by_route };
        }
        if !apis.contains_key(api) {
            apis.insert(api.into(), Known { api: Weak::new(), routes: HashMap::new() });
        }
        let known = apis.get_mut(api);
        let parent = known.as_ref().and_then(|known| known.api.upgrade());
        let parent = parent.unwrap_or_else(|| Arc::new(ApiCounters { name: api.into(), times: Stripes::default() }));
        let name: Arc<str> = route.into();
        let counters = Arc::new(RouteCounters {
            name: name.clone(),
            api: parent.clone(),
            requests: Stripes::default(),
            times: Stripes::default(),
        });
        if let Some(known) = known {
            known.api = Arc::downgrade(&parent);
            known.routes.insert(name, Arc::downgrade(&counters));
        }
        RouteMetrics { counters, by_route }
    }

    /// All that live, in order of their names; forgets the others.
    pub(super) fn all(&self) -> Vec<Arc<RouteCounters>> {
        let mut all = Vec::new();
        self.apis.lock().retain(|_, known| {
            known.routes.retain(|_, route| match route.upgrade() {
                Some(route) => {
                    all.push(route);
                    true
                }
                None => false,
            });
            !known.routes.is_empty()
        });
        all.sort_by(|a, b| (&a.api.name, &a.name).cmp(&(&b.api.name, &b.name)));
        all
    }
}
