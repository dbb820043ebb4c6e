//! Where the numbers of a limit are kept. A set of counters outlives the programs that use it; which one a request counts on is its
//! [`Key`].

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::keyed::Keyed;
use super::rule::{Rule, State, Taken};
use crate::limit::by::Of;
use crate::program::ConsumerSlot;

/// The numbers of one limit.
#[derive(Default)]
pub(super) struct Counters {
    /// The one for all.
    single: Cell,
    /// By consumer slot.
    pages: Mutex<Vec<Option<Arc<Page>>>>,
    /// By anything else.
    keyed: Keyed,
    seeds: OnceLock<Seeds>,
}

/// What nobody outside knows.
struct Seeds {
    hash: [RandomState; 2],
    mask: u128,
    factors: [u128; 2],
}

/// As many consumers share a page: 4 KiB.
const PAGE: usize = 256;
type Page = [Cell; PAGE];
/// The two numbers of a key.
type Cell = [AtomicU64; 2];

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
    /// The key of what an exchange counts on.
    pub(super) fn key(&self, of: &Of<'_>) -> Key {
        match of {
            Of::Single => Key::Single,
            Of::Consumer(slot) => Key::Consumer(*slot),
            // As the IPv6 address that stands for it (RFC 4291 section 2.5.5.2).
            Of::V4(bits) => self.mix(0xffff_0000_0000 | u128::from(*bits)),
            Of::V6(bits) => self.mix(*bits),
            other => self.hash(other),
        }
    }

    /// The key of anything that can be hashed.
    pub(super) fn hash(&self, value: impl Hash) -> Key {
        let [one, two] = &self.seeds.get_or_init(Seeds::new).hash;
        Key::Hash(u128::from(one.hash_one(&value)) << 64 | u128::from(two.hash_one(&value)))
    }

    /// The key of an address. No two have the same, as every step can be undone.
    fn mix(&self, address: u128) -> Key {
        let Seeds { mask, factors: [one, two], .. } = self.seeds.get_or_init(Seeds::new);
        let mixed = (address ^ mask).wrapping_mul(*one).swap_bytes().wrapping_mul(*two);
        Key::Hash(mixed ^ (mixed >> 64))
    }

    /// The most keys that are remembered one by one.
    pub(super) fn bound(&self, most: usize) {
        self.keyed.bound(most);
    }
}

impl Seeds {
    fn new() -> Self {
        let hash = [RandomState::new(), RandomState::new()];
        let [one, two] = &hash;
        let random = |at: u8| u128::from(one.hash_one(at)) << 64 | u128::from(two.hash_one(at));
        // An odd factor can be undone.
        Self { mask: random(0), factors: [random(1) | 1, random(2) | 1], hash }
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

    /// The numbers of a key.
    pub(super) fn state(&self, key: Key) -> State {
        match key {
            Key::Single => read(&self.counters.single),
            Key::Consumer(slot) => self.page(slot, read).unwrap_or_default(),
            Key::Hash(hash) => self.counters.keyed.state(hash),
        }
    }

    /// How many more a key may use at once, and how long until nothing counts any more.
    pub(super) fn stand(&self, key: Key, rule: &Rule, now: u64) -> (u64, u64) {
        let [even, odd] = self.state(key);
        let (own, other) = if rule.slot(now) == 0 { (even, odd) } else { (odd, even) };
        (rule.left(own, other, now), rule.reset(own, now))
    }

    /// Counts a request, or says how long to wait.
    pub(super) fn take(&self, key: Key, rule: &Rule, now: u64, cost: u64) -> Result<Taken, u64> {
        self.update(key, rule.slot(now), cost, |own, other| rule.take(own, other, now, cost))
    }

    /// Looks whether a request has room, counting nothing.
    pub(super) fn look(&self, key: Key, rule: &Rule, now: u64, cost: u64) -> Result<(), u64> {
        let [even, odd] = self.state(key);
        let (own, other) = if rule.slot(now) == 0 { (even, odd) } else { (odd, even) };
        rule.take(own, other, now, cost).map(drop)
    }

    /// Lets a request that took something have counted `cost`. `now` is this moment, not that of the request.
    pub(super) fn settle(&self, key: Key, rule: &Rule, taken: &Taken, cost: u64, now: u64) {
        let _ = match cost.checked_sub(taken.cost) {
            Some(0) => return,
            Some(more) => self.update(key, rule.slot(now), more, |own, _| Ok(rule.charge(own, now, more))),
            None => self.update(key, taken.slot, cost, |current, _| Ok(rule.give_back(current, taken, cost, now))),
        };
    }

    fn update(
        &self,
        key: Key,
        slot: usize,
        cost: u64,
        step: impl Fn(u64, u64) -> Result<u64, u64>,
    ) -> Result<Taken, u64> {
        match key {
            Key::Single => update(&self.counters.single, slot, cost, step),
            Key::Consumer(place) => self.page(place, |cell| update(cell, slot, cost, &step)).unwrap_or(Err(0)),
            Key::Hash(hash) => self.counters.keyed.update(hash, slot, cost, step),
        }
    }

    /// Does something with a consumer's numbers. Every consumer of the program has one.
    fn page<T>(&self, slot: ConsumerSlot, act: impl FnOnce(&Cell) -> T) -> Option<T> {
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
            Some(place) => {
                place.get_or_insert_with(|| Arc::new([const { [const { AtomicU64::new(0) }; 2] }; PAGE])).clone()
            }
            None => Arc::new([const { [const { AtomicU64::new(0) }; 2] }; PAGE]),
        }
    }
}

fn read([even, odd]: &Cell) -> State {
    [even.load(Acquire), odd.load(Acquire)]
}

/// Changes one of two numbers, again from the start where another thread was faster.
fn update(
    [even, odd]: &Cell,
    slot: usize,
    cost: u64,
    step: impl Fn(u64, u64) -> Result<u64, u64>,
) -> Result<Taken, u64> {
    let (own, other) = if slot == 0 { (even, odd) } else { (odd, even) };
    let mut before = own.load(Relaxed);
    loop {
        let other = other.load(Relaxed);
        let after = step(before, other)?;
        match own.compare_exchange_weak(before, after, Release, Relaxed) {
            Ok(_) => return Ok(Taken { slot, before, after, other, cost }),
            Err(current) => before = current,
        }
    }
}
