//! Tokens that were verified, so that a hot one is not verified with every request.
//!
//! A token is known again by all its bytes, compared whole, after a keyed hash has found the place: two tokens can share a
//! place and never an entry, whatever the hash is, so a fast one serves where a digest would cost more than all the rest of
//! finding it. Places cannot be crowded from outside: the hash has a key of this process, and only tokens with a good
//! signature get in.
//!
//! Two generations bound it: when the young one is full it becomes the old one, and the old one is dropped. What is used
//! moves to the young, so that it stays.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;

/// Locks, so that workers seldom meet.
const SHARDS: usize = 16;

/// Verified tokens with what they mean.
pub struct Cache<T> {
    hasher: RandomState,
    shards: Box<[Mutex<Shard<T>>]>,
}

struct Shard<T> {
    young: HashTable<Entry<T>>,
    old: HashTable<Entry<T>>,
    /// Bytes of tokens in each generation.
    young_bytes: usize,
    /// What a generation may hold.
    most: usize,
    most_bytes: usize,
}

struct Entry<T> {
    hash: u64,
    token: Box<[u8]>,
    value: Arc<T>,
}

impl<T> Cache<T> {
    /// A cache of at most so many tokens with so many bytes in all; 0 tokens keeps none.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        let shard = |_| {
            let per = |all: usize| all.div_ceil(SHARDS * 2);
            Mutex::new(Shard {
                young: HashTable::new(),
                old: HashTable::new(),
                young_bytes: 0,
                most: per(most),
                most_bytes: per(most_bytes),
            })
        };
        Self { hasher: RandomState::default(), shards: (0..SHARDS).map(shard).collect() }
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<Shard<T>>> {
        // The table's place comes from other bits of it.
        self.shards.get((hash >> 32) as usize % SHARDS)
    }

    /// What this token means, if it was verified.
    pub fn get(&self, token: &[u8]) -> Option<Arc<T>> {
        let hash = self.hasher.hash_one(token);
        let mut shard = self.shard(hash)?.lock();
        let same = |entry: &Entry<T>| *entry.token == *token;
        if let Some(entry) = shard.young.find(hash, same) {
            return Some(entry.value.clone());
        }
        let entry = shard.old.find_entry(hash, same).ok()?.remove().0;
        let value = entry.value.clone();
        shard.insert(entry);
        Some(value)
    }

    /// Remembers a verified token.
    pub fn put(&self, token: &[u8], value: Arc<T>) {
        let hash = self.hasher.hash_one(token);
        let Some(shard) = self.shard(hash) else { return };
        shard.lock().insert(Entry { hash, token: token.into(), value });
    }

    /// Forgets a token.
    pub fn forget(&self, token: &[u8]) {
        let hash = self.hasher.hash_one(token);
        let Some(shard) = self.shard(hash) else { return };
        let mut shard = shard.lock();
        let same = |entry: &Entry<T>| *entry.token == *token;
        let length = shard.young.find_entry(hash, same).ok().map(|found| found.remove().0.token.len());
        match length {
            Some(length) => shard.young_bytes = shard.young_bytes.saturating_sub(length),
            None => drop(shard.old.find_entry(hash, same).map(|found| found.remove())),
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock()).map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Shard<T> {
    fn insert(&mut self, entry: Entry<T>) {
        let length = entry.token.len();
        if self.most == 0 || length > self.most_bytes {
            return;
        }
        if self.young.len() >= self.most || self.young_bytes + length > self.most_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        match self.young.find_mut(entry.hash, |other| other.token == entry.token) {
            Some(known) => known.value = entry.value,
            None => {
                self.young_bytes += length;
                self.young.insert_unique(entry.hash, entry, |entry| entry.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_all_is_bounded() {
        let cache = Cache::new(320, 1 << 20);
        let hot = b"a.hot.token".as_slice();
        cache.put(hot, Arc::new(0));
        for number in 1..10_000_u32 {
            cache.put(format!("a.{number}.token").as_bytes(), Arc::new(number));
            assert_eq!(cache.get(hot).as_deref(), Some(&0), "after {number}");
        }
        assert!((100..=320).contains(&cache.len()), "{}", cache.len());
        assert_eq!(cache.get(b"a.9999.token").as_deref(), Some(&9999));
        assert_eq!(cache.get(b"a.1.token"), None);
        assert_eq!(cache.get(b"a.hot.toke"), None);
        cache.forget(hot);
        assert_eq!(cache.get(hot), None);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let cache = Cache::new(1 << 20, 64 << 10);
        for number in 0..10_000_u32 {
            cache.put(format!("{number:0>1000}").as_bytes(), Arc::new(number));
        }
        assert!((16..=64).contains(&cache.len()), "{}", cache.len());
        cache.put(&[b'x'; 100_000], Arc::new(1));
        assert_eq!(cache.get(&[b'x'; 100_000]), None, "what is larger than all of it is not kept");
        let none = Cache::new(0, 1 << 20);
        none.put(b"a.b.c", Arc::new(1));
        assert!(none.is_empty());
    }

    #[test]
    fn a_token_that_comes_back_is_moved_with_its_bytes_counted_once() {
        let cache = Cache::new(32, 1 << 20);
        for round in 0..100 {
            for number in 0..8_u32 {
                let token = format!("a.{number}.c");
                if cache.get(token.as_bytes()).is_none() {
                    cache.put(token.as_bytes(), Arc::new(round));
                }
                cache.forget(b"a.other.c");
            }
        }
        let bytes: usize = cache.shards.iter().map(|shard| shard.lock().young_bytes).sum();
        let young: usize = cache.shards.iter().map(|shard| shard.lock().young.len()).sum();
        assert_eq!(bytes, young * 5);
    }
}
