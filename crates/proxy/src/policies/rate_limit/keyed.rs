//! Numbers by a key from the request: an address, a header. There may be more keys than memory, and whoever calls can
//! make them up, so the number kept is bounded.
//!
//! A key that is put out of a full table must not come back with nothing owed. So each shard remembers the latest moments
//! that it put out, and a key that it does not know is taken to owe until then. That never admits more than a table
//! without a bound; under a flood of new keys it admits less, until what was put out would have been paid off. As the
//! entry to go is the least owing one of a few, that is soon.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hashbrown::HashTable;
use parking_lot::Mutex;

use super::rule::{State, Taken};

/// As many threads count at once without meeting each other, if keys are spread.
const SHARDS: usize = 32;
/// As many entries are looked at to find one to put out.
const LOOKED_AT: usize = 16;

/// A bounded table of numbers.
#[derive(Default)]
pub(super) struct Keyed {
    shards: OnceLock<Box<[Mutex<Shard>]>>,
    /// Entries a shard.
    most: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    /// Places in `entries` by key. Keys are hashes already.
    index: HashTable<u32>,
    entries: Vec<Entry>,
    /// Where the next search for an entry to put out begins.
    hand: usize,
    /// The latest moments that were put out.
    floor: State,
}

#[derive(Clone, Copy)]
struct Entry {
    key: u128,
    state: State,
}

impl Keyed {
    /// The most keys that are remembered one by one. Fewer than there are put the others out as new ones come.
    pub(super) fn bound(&self, most: usize) {
        self.most.store(most.div_ceil(SHARDS).max(1), Relaxed);
    }

    /// The numbers of a key.
    pub(super) fn state(&self, key: u128) -> State {
        self.shard(key).map_or([0; 2], |shard| {
            let shard = shard.lock();
            shard.find(key).and_then(|at| shard.entries.get(at)).map_or(shard.floor, |entry| entry.state)
        })
    }

    /// Changes one of a key's numbers by what `step` makes of it and the other one. A refusal changes nothing, and takes no
    /// place.
    pub(super) fn update(
        &self,
        key: u128,
        slot: usize,
        cost: u64,
        step: impl Fn(u64, u64) -> Result<u64, u64>,
    ) -> Result<Taken, u64> {
        let Some(shard) = self.shard(key) else { return Err(0) };
        let mut shard = shard.lock();
        let found = shard.find(key);
        if let Some(entry) = found.and_then(|at| shard.entries.get_mut(at)) {
            return change(&mut entry.state, slot, cost, step);
        }
        let mut state = shard.floor;
        let taken = change(&mut state, slot, cost, step)?;
        shard.insert(Entry { key, state }, self.most.load(Relaxed).max(1));
        Ok(taken)
    }

    fn shard(&self, key: u128) -> Option<&Mutex<Shard>> {
        let shards = self.shards.get_or_init(|| std::iter::repeat_with(Mutex::default).take(SHARDS).collect());
        shards.get((key >> 64) as usize % SHARDS)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.get().map_or(0, |shards| shards.iter().map(|shard| shard.lock().entries.len()).sum())
    }
}

impl Shard {
    fn find(&self, key: u128) -> Option<usize> {
        let same = |at: &u32| self.entries.get(*at as usize).is_some_and(|entry| entry.key == key);
        self.index.find(key as u64, same).map(|at| *at as usize)
    }

    fn insert(&mut self, entry: Entry, most: usize) {
        // Two may go for one that comes, so that a lowered bound is reached.
        if self.entries.len() > most {
            self.put_out();
        }
        if self.entries.len() >= most {
            self.put_out();
        }
        let Self { index, entries, .. } = self;
        let at = entries.len() as u32;
        entries.push(entry);
        index.insert_unique(entry.key as u64, at, |at| key_at(entries, *at));
    }

    /// Puts the least owing of the next few entries out.
    fn put_out(&mut self) {
        let count = self.entries.len();
        let looked_at = (0..LOOKED_AT.min(count)).map(|step| (self.hand + step) % count.max(1));
        let Some(goes) = looked_at.min_by_key(|at| self.entries.get(*at).map(|entry| entry.state.into_iter().max()))
        else {
            return;
        };
        self.hand = (self.hand + LOOKED_AT) % count.max(1);
        self.unlink(goes);
        // The last entry takes its place.
        let moved = count - 1;
        if goes != moved
            && let Some(last) = self.entries.get(moved).map(|entry| entry.key)
            && let Ok(mut found) = self.index.find_entry(last as u64, |at| *at as usize == moved)
        {
            *found.get_mut() = goes as u32;
        }
        let gone = self.entries.swap_remove(goes);
        for (floor, moment) in self.floor.iter_mut().zip(gone.state) {
            *floor = moment.max(*floor);
        }
    }

    fn unlink(&mut self, at: usize) {
        if let Some(entry) = self.entries.get(at)
            && let Ok(found) = self.index.find_entry(entry.key as u64, |place| *place as usize == at)
        {
            found.remove();
        }
    }
}

fn change(
    state: &mut State,
    slot: usize,
    cost: u64,
    step: impl Fn(u64, u64) -> Result<u64, u64>,
) -> Result<Taken, u64> {
    let [even, odd] = state;
    let (own, other) = if slot == 0 { (even, *odd) } else { (odd, *even) };
    let before = *own;
    *own = step(before, other)?;
    Ok(Taken { slot, before, after: *own, other, cost })
}

fn key_at(entries: &[Entry], at: u32) -> u64 {
    entries.get(at as usize).map_or(0, |entry| entry.key as u64)
}
