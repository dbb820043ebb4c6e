//! Keys that callers were given while the gateway runs. They are in the data directory, by their hashes; what decides is an
//! index in memory, in parts that are swapped whole, so that a request neither waits nor sees half of a change. Where there
//! are none, to look is to read one number.

mod desk;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use hashbrown::HashTable;
use model::resource::KeyTerms;
use model::value::Timestamp;
use parking_lot::Mutex;
use store::keys::{Keys, StoredKey, Uses};
use subtle::ConstantTimeEq as _;

use crate::program::KeyHash;

pub use desk::{KeyStatus, Refused};

/// What the use of such a key is remembered under.
pub(crate) const KIND: &str = "caller_key";
/// Parts of the index: a change copies one.
const PARTS: usize = 64;

/// A key of a caller.
pub struct CallerKey {
    /// What it is known by outside, the same for good.
    pub id: Box<str>,
    /// The name of the consumer whose it is.
    pub consumer: Box<str>,
    /// Its name within the consumer.
    pub name: Arc<str>,
    /// What it is good for.
    pub terms: KeyTerms,
    /// Whether it is good.
    pub enabled: bool,
    /// When it ends to be good.
    pub expires: Option<Timestamp>,
    created: Timestamp,
    rotated: Option<Timestamp>,
    begins: Box<str>,
    hash: KeyHash,
    /// The hash of the one that it replaced, and up to which second that is good too.
    before: Option<(KeyHash, u64)>,
    /// When it was last shown: seconds since 1970, 0 for never. The same over changes.
    used: Arc<AtomicU64>,
    made: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl CallerKey {
    /// What another crate makes of it, once: the next change is another key.
    pub fn made<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        self.made.get_or_init(|| Arc::new(make())).clone().downcast().ok()
    }

    /// Whether what calls by it take is counted.
    pub fn is_counted(&self) -> bool {
        !self.terms.budgets.is_empty() || !self.terms.tokens.is_empty()
    }

    /// Whether it is not good for every model.
    pub fn is_for_models(&self) -> bool {
        !self.terms.models.allow.is_empty() || !self.terms.models.deny.is_empty()
    }

    /// Remembers that it was shown. To the second, so that workers seldom write to the same place.
    pub(crate) fn mark_used(&self, now: Duration) {
        let now = now.as_secs();
        if self.used.load(Relaxed) != now {
            self.used.store(now, Relaxed);
        }
    }

    /// When it was last shown, to the second.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    fn read(stored: StoredKey) -> Result<Self, serde_json::Error> {
        Ok(Self {
            terms: serde_json::from_str(&stored.terms)?,
            id: stored.id.into(),
            consumer: stored.consumer.into(),
            name: stored.name.into(),
            enabled: stored.enabled,
            expires: stored.expires.map(moment),
            created: moment(stored.created),
            rotated: stored.rotated.map(moment),
            begins: stored.begins.into(),
            hash: stored.hash,
            before: stored.before.map(|(hash, until)| (hash, u64::try_from(until).unwrap_or(0))),
            used: Arc::default(),
            made: OnceLock::new(),
        })
    }
}

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallerKey").field(&self.id).finish()
    }
}

impl PartialEq for CallerKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

/// A place of the index.
#[derive(Clone)]
struct Entry {
    hash: KeyHash,
    /// Up to which second it is good, where it was replaced.
    until: Option<u64>,
    key: Arc<CallerKey>,
}

/// The keys of a gateway.
pub struct CallerKeys {
    parts: Box<[ArcSwap<HashTable<Entry>>]>,
    /// Places of the index.
    count: AtomicUsize,
    /// All of them by their ids. Held while one is changed, so that changes come one after the other.
    all: Mutex<BTreeMap<Box<str>, Arc<CallerKey>>>,
    disk: OnceLock<Keys>,
}

impl Default for CallerKeys {
    fn default() -> Self {
        Self {
            parts: (0..PARTS).map(|_| ArcSwap::default()).collect(),
            count: AtomicUsize::new(0),
            all: Mutex::default(),
            disk: OnceLock::new(),
        }
    }
}

impl CallerKeys {
    /// The key with this hash, if it is good but for its expiry. Keys are compared as SHA-256, whole and in constant time;
    /// the place in the table tells nothing of a key, as its hash cannot be chosen.
    pub(crate) fn find(&self, hash: &KeyHash, now: impl FnOnce() -> Duration) -> Option<Arc<CallerKey>> {
        if self.count.load(Acquire) == 0 {
            return None;
        }
        let part = self.part(hash)?.load();
        let entry = part.find(spread(hash), |entry| entry.hash.ct_eq(hash).into())?;
        if entry.until.is_some_and(|until| until <= now().as_secs()) {
            return None;
        }
        Some(entry.key.clone())
    }

    /// Takes up what the data directory has.
    pub(crate) fn open(&self, keys: Keys, uses: &Uses) -> store::Result<()> {
        let mut all = self.all.lock();
        for stored in keys.load()? {
            let id = stored.id.clone();
            match CallerKey::read(stored) {
                Ok(key) => {
                    let key = Arc::new(key);
                    self.publish(None, Some(&key));
                    all.insert(key.id.clone(), key);
                }
                // It is not good here, and stays on the disk for who can read it.
                Err(error) => tracing::error!(target: "tollgate::store", key = id, %error, "a key cannot be read"),
            }
        }
        uses.load(|_, kind, id, at| {
            if let Some(key) = (kind == KIND).then(|| all.get(id)).flatten() {
                key.used.fetch_max(at, Relaxed);
            }
        })?;
        let _ = self.disk.set(keys);
        Ok(())
    }

    /// Gives each key.
    pub(crate) fn each(&self, mut take: impl FnMut(&CallerKey)) {
        self.all.lock().values().for_each(|key| take(key));
    }

    fn part(&self, hash: &KeyHash) -> Option<&ArcSwap<HashTable<Entry>>> {
        let [.., last] = hash;
        self.parts.get(usize::from(*last) % PARTS)
    }

    /// Puts a key in the place of one, each hash in one go. Under the lock of `all`.
    fn publish(&self, before: Option<&Arc<CallerKey>>, after: Option<&Arc<CallerKey>>) {
        let places = |key: &Arc<CallerKey>| {
            let own = Entry { hash: key.hash, until: None, key: key.clone() };
            let old = key.before.map(|(hash, until)| Entry { hash, until: Some(until), key: key.clone() });
            if key.enabled { [Some(own), old] } else { [None, None] }
        };
        let new: Vec<Entry> = after.map(places).into_iter().flatten().flatten().collect();
        let gone = before.map(places).into_iter().flatten().flatten();
        let gone: Vec<KeyHash> =
            gone.map(|entry| entry.hash).filter(|hash| new.iter().all(|entry| entry.hash != *hash)).collect();
        for entry in new {
            let hash = entry.hash;
            self.put(&hash, Some(entry));
        }
        gone.iter().for_each(|hash| self.put(hash, None));
    }

    fn put(&self, hash: &KeyHash, entry: Option<Entry>) {
        let Some(part) = self.part(hash) else { return };
        let mut table = HashTable::clone(&part.load());
        let before = table.len();
        if let Ok(known) = table.find_entry(spread(hash), |known| known.hash == *hash) {
            known.remove();
        }
        if let Some(entry) = entry {
            table.insert_unique(spread(hash), entry, |entry| spread(&entry.hash));
        }
        let (more, fewer) = (table.len().saturating_sub(before), before.saturating_sub(table.len()));
        part.store(Arc::new(table));
        self.count.fetch_add(more, Release);
        self.count.fetch_sub(fewer, Release);
    }
}

fn spread(hash: &KeyHash) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(hash) {
        *to = *from;
    }
    u64::from_le_bytes(first)
}
