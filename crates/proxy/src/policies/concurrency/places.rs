//! Places in flight, by key. Only keys with a request in flight are there, so their number is bounded by that.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::limit::by::Of;

/// As many threads count at once without meeting each other, if keys are spread.
const SHARDS: usize = 16;

/// How many are in flight of each key.
#[derive(Default)]
pub(super) struct Places {
    shards: [Mutex<HashMap<u128, u64>>; SHARDS],
    seeds: [RandomState; 2],
}

/// One request in flight, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    key: u128,
}

impl Places {
    /// A place, if fewer than so many are taken.
    pub(super) fn take(self: &Arc<Self>, of: &Of<'_>, most: u64) -> Option<Place> {
        let [one, two] = &self.seeds;
        // A hash that nobody outside can foresee.
        let key = u128::from(one.hash_one(of)) << 64 | u128::from(two.hash_one(of));
        let mut shard = self.shard(key).lock();
        let taken = shard.entry(key).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Place { places: self.clone(), key })
    }

    fn shard(&self, key: u128) -> &Mutex<HashMap<u128, u64>> {
        #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
        &self.shards[(key >> 64) as usize % SHARDS]
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().values().sum::<u64>()).sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shard = self.places.shard(self.key).lock();
        if let Some(taken) = shard.get_mut(&self.key) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                shard.remove(&self.key);
            }
        }
    }
}
