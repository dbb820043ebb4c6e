//! Every meter that there is, found by account and window.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::Mutex;

use super::GRACE;
use super::account::{Account, Asked, Key, Window};
use super::journal::Journal;
use super::meter::{Meter, Total};
use crate::error::{Error, Kind};
use crate::{Clock, Result};

/// Parts that are locked apart.
const SHARDS: usize = 32;

type Shard = Mutex<HashMap<Key, Arc<Meter>, DefaultHashBuilder>>;

pub(crate) struct Meters {
    shards: [Shard; SHARDS],
    hasher: DefaultHashBuilder,
    count: AtomicUsize,
    most: usize,
    journal: Option<Arc<Journal>>,
    clock: Clock,
}

impl Meters {
    pub(super) fn new(most: usize, journal: Option<Arc<Journal>>, clock: Clock) -> Self {
        let hasher = DefaultHashBuilder::default();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(hasher.clone())));
        Self { shards, hasher, count: AtomicUsize::new(0), most, journal, clock }
    }

    /// The meter, made where there is none.
    pub(super) fn get(&self, account: Account<'_>, window: Window) -> Result<Arc<Meter>> {
        let asked = Asked(account, window);
        let mut shard = self.shard(&asked).lock();
        if let Some(meter) = shard.get(&asked) {
            return Ok(meter.clone());
        }
        // Its total may be on the disk alone: a meter that began at nothing would let all of it be used again.
        if window.ends <= self.ended() {
            return Err(Error::new(Kind::Ended, "the window ended too long ago to be counted on"));
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::new(Kind::Full, format!("there are {} meters, as many as may be", self.most)));
        }
        let key = Key::from(&asked);
        let meter = Arc::new(Meter::new(key.clone(), self.journal.clone(), Total::default()));
        shard.insert(key, meter.clone());
        Ok(meter)
    }

    /// Puts in what the disk knows, whatever the bound says: it still counts.
    pub(super) fn load(&self, key: Key, total: Total) {
        let asked = Asked(key.account(), key.window);
        let meter = Arc::new(Meter::new(key.clone(), self.journal.clone(), total));
        let replaced = self.shard(&asked).lock().insert(key.clone(), meter);
        if replaced.is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Windows that ended until then take no counts any more.
    pub(super) fn ended(&self) -> i64 {
        self.clock.now().saturating_sub(GRACE)
    }

    /// Takes away what cannot be counted on any more and nobody holds.
    pub(crate) fn forget(&self) {
        let ended = self.ended();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.len();
            shard.retain(|key, meter| key.window.ends > ended || !meter.is_idle());
            self.count.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }

    /// Readings of an account's windows between two times.
    pub(super) fn between(&self, account: Account<'_>, from: i64, to: i64) -> Vec<(Window, Total)> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let fits = |key: &&Key| key.account() == account && key.window.starts >= from && key.window.ends <= to;
            found.extend(shard.keys().filter(fits).filter_map(|key| Some((key.window, shard.get(key)?.total()))));
        }
        found.sort_by_key(|(window, _)| *window);
        found
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shard(&self, asked: &Asked<'_>) -> &Shard {
        // The low bits choose the bucket within; these are others.
        let at = usize::try_from(self.hasher.hash_one(asked) >> 40).unwrap_or(0) % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
        &self.shards[at]
    }
}
