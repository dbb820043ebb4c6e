//! Where due times are kept. A set of counters outlives the programs that use it; which one a request counts on is its
//! [`Key`].

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::gcra::{Gcra, Taken};
use super::keyed::Keyed;
use crate::program::ConsumerSlot;

/// The due times of one limit.
#[derive(Default)]
pub(super) struct Counters {
    /// The one for all.
    single: AtomicU64,
    /// By consumer slot.
    pages: Mutex<Vec<Option<Arc<Page>>>>,
    /// By anything else.
    keyed: Keyed,
    seeds: OnceLock<[RandomState; 2]>,
}

/// As many consumers share a page: 4 KiB.
const PAGE: usize = 512;
type Page = [AtomicU64; PAGE];

/// What a request counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// All requests together.
    Single,
    /// A consumer.
    Consumer(ConsumerSlot),
    /// Anything else, as a hash that nobody outside can foresee.
    Hash(u128),
}

impl Counters {
    /// The key of anything that can be hashed.
    pub(super) fn hash(&self, value: impl Hash) -> Key {
        let [one, two] = self.seeds.get_or_init(Default::default);
        Key::Hash(u128::from(one.hash_one(&value)) << 64 | u128::from(two.hash_one(&value)))
    }

    /// The most keys that are remembered one by one.
    pub(super) fn bound(&self, most: usize) {
        self.keyed.bound(most);
    }
}

/// Counters as one program uses them: pages that it has met are found without a lock.
pub(super) struct View {
    counters: Arc<Counters>,
    pages: OnceLock<Box<[OnceLock<Arc<Page>>]>>,
    slots: usize,
}

impl View {
    /// For a program with so many consumer slots.
    pub(super) fn new(counters: Arc<Counters>, slots: usize) -> Self {
        Self { counters, pages: OnceLock::new(), slots }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The due time of a key.
    pub(super) fn due(&self, key: Key) -> u64 {
        match key {
            Key::Single => self.counters.single.load(Acquire),
            Key::Consumer(slot) => self.page(slot, |due| due.load(Acquire)).unwrap_or_default(),
            Key::Hash(hash) => self.counters.keyed.due(hash),
        }
    }

    /// Counts a request, or says how long to wait.
    pub(super) fn take(&self, key: Key, gcra: &Gcra, now: u64) -> Result<Taken, u64> {
        let step = |before| gcra.take(before, now);
        match key {
            Key::Single => update(&self.counters.single, step),
            Key::Consumer(slot) => self.page(slot, |due| update(due, step)).unwrap_or(Err(0)),
            Key::Hash(hash) => self.counters.keyed.update(hash, step),
        }
    }

    /// Undoes a request that another limit refused. `now` is this moment, not that of the request.
    pub(super) fn undo(&self, key: Key, taken: Taken, now: u64) {
        let step = |current| Ok(taken.undo(current, now));
        let _ = match key {
            Key::Single => update(&self.counters.single, step),
            Key::Consumer(slot) => self.page(slot, |due| update(due, step)).unwrap_or(Err(0)),
            Key::Hash(hash) => self.counters.keyed.update(hash, step),
        };
    }

    /// Does something with a consumer's due time. Every consumer of the program has one.
    fn page<T>(&self, slot: ConsumerSlot, act: impl FnOnce(&AtomicU64) -> T) -> Option<T> {
        let at = slot.0 as usize;
        let pages = self.pages.get_or_init(|| {
            let mut pages = Vec::new();
            pages.resize_with(self.slots.div_ceil(PAGE), OnceLock::new);
            pages.into()
        });
        let page = pages.get(at / PAGE)?.get_or_init(|| self.counters.page(at / PAGE));
        page.get(at % PAGE).map(act)
    }
}

impl Counters {
    fn page(&self, at: usize) -> Arc<Page> {
        let mut pages = self.pages.lock();
        if pages.len() <= at {
            pages.resize(at + 1, None);
        }
        match pages.get_mut(at) {
            Some(place) => place.get_or_insert_with(|| Arc::new([const { AtomicU64::new(0) }; PAGE])).clone(),
            None => Arc::new([const { AtomicU64::new(0) }; PAGE]),
        }
    }
}

/// Changes a due time, again from the start where another thread was faster.
fn update(due: &AtomicU64, step: impl Fn(u64) -> Result<u64, u64>) -> Result<Taken, u64> {
    let mut before = due.load(Relaxed);
    loop {
        let after = step(before)?;
        match due.compare_exchange_weak(before, after, Release, Relaxed) {
            Ok(_) => return Ok(Taken { before, after }),
            Err(current) => before = current,
        }
    }
}
