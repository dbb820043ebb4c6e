//! Who may call: credentials by hash, consumers by slot, subscriptions by api.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::ConsumerSlot;

/// SHA-256 of an API key.
pub type KeyHash = [u8; 32];

/// Every consumer of a program.
#[derive(Default)]
pub struct Consumers {
    by_key: KeyTable,
    by_name: HashTable<ConsumerSlot>,
    slots: Vec<Option<Arc<Consumer>>>,
}

/// A consumer at run time.
#[derive(Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Arc<str>,
    /// Its slot.
    pub slot: ConsumerSlot,
    /// Whether its credentials are good.
    pub enabled: bool,
    /// Its default plan, as an index of the snapshot's plans.
    pub plan: Option<u32>,
    /// Groups it belongs to.
    pub groups: Vec<Arc<str>>,
    /// Words it is found by.
    pub tags: Vec<String>,
    /// Facts about it.
    pub metadata: Vec<(String, String)>,
    /// The plan of each api it is subscribed to.
    pub subscriptions: HashMap<u32, Option<u32>>,
}

/// Keys are hashes, so the table needs no hasher of its own.
#[derive(Default)]
struct KeyTable {
    table: HashTable<(KeyHash, ConsumerSlot, Arc<str>)>,
}

/// Names are the operator's own, so no key keeps their hashes from being guessed.
fn hash_of(name: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(name)
}

fn named(slots: &[Option<Arc<Consumer>>], slot: ConsumerSlot) -> Option<&str> {
    Some(&*slots.get(slot.0 as usize)?.as_ref()?.name)
}

fn spread(key: &KeyHash) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_le_bytes(first)
}

impl Consumers {
    /// Adds a consumer in its slot.
    pub fn add(&mut self, consumer: Consumer) {
        let at = consumer.slot.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        let hash = hash_of(&consumer.name);
        let slot = consumer.slot;
        if let Some(place) = self.slots.get_mut(at) {
            *place = Some(Arc::new(consumer));
        }
        let slots = &self.slots;
        self.by_name.insert_unique(hash, slot, |slot| named(slots, *slot).map_or(0, hash_of));
    }

    /// The consumer of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Consumer>> {
        let found = self.by_name.find(hash_of(name), |slot| named(&self.slots, *slot) == Some(name))?;
        self.get(*found)
    }

    /// Adds a key. False when another credential has it already.
    pub fn add_key(&mut self, key: KeyHash, consumer: ConsumerSlot, credential: Arc<str>) -> Result<(), ConsumerSlot> {
        if let Some((owner, _)) = self.find_key(&key) {
            return Err(owner);
        }
        self.by_key.table.insert_unique(spread(&key), (key, consumer, credential), |(key, ..)| spread(key));
        Ok(())
    }

    /// Whose key this is, and the credential's name. Keys are compared as SHA-256, whole and in constant time; the place
    /// in the table tells nothing of a key, as its hash cannot be chosen.
    pub fn find_key(&self, key: &KeyHash) -> Option<(ConsumerSlot, &Arc<str>)> {
        use subtle::ConstantTimeEq;
        let (_, slot, credential) = self.by_key.table.find(spread(key), |(known, ..)| known.ct_eq(key).into())?;
        Some((*slot, credential))
    }

    /// The consumer in this slot.
    pub fn get(&self, slot: ConsumerSlot) -> Option<&Arc<Consumer>> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Consumer>> {
        self.slots.iter().flatten()
    }

    /// How many slots there are: the size of a dense table by consumer.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }
}
