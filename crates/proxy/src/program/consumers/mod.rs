//! Who may call: consumers by slot and name, and their credentials by what a request shows.

mod certificates;
mod compile;
mod credential;
mod file;
mod password;
mod signing;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hashbrown::HashTable;
use model::value::Timestamp;
use smallvec::SmallVec;
use store::keys::Use;

pub(super) use compile::compile;
pub use credential::{Credential, CredentialId, CredentialKind};
pub use password::{Hashed, Password};
pub use signing::SigningKey;
pub use status::{ConsumerStatus, CredentialStatus, SubscriptionStatus};

use super::ConsumerSlot;
use crate::exchange::ClientCertificate;
use certificates::Certificates;

/// SHA-256 of an API key.
pub type KeyHash = [u8; 32];

/// Every consumer of a program.
#[derive(Default)]
pub struct Consumers {
    slots: Vec<Option<Arc<Consumer>>>,
    by_name: HashTable<ConsumerSlot>,
    credentials: Vec<Credential>,
    /// Keys are hashes, so the table needs no hasher of its own.
    keys: HashTable<(KeyHash, CredentialId)>,
    passwords: HashMap<Box<str>, (Password, CredentialId)>,
    signers: HashMap<Box<str>, (SigningKey, CredentialId)>,
    certificates: Certificates,
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
    /// When they end to be.
    pub expires: Option<Timestamp>,
    /// Its default plan, as an index of the snapshot's plans.
    pub plan: Option<u32>,
    /// Groups it belongs to.
    pub groups: Box<[Arc<str>]>,
    /// Words it is found by.
    pub tags: Box<[String]>,
    /// Facts about it.
    pub metadata: Box<[(String, String)]>,
    /// The apis it is subscribed to.
    pub subscriptions: Arc<[Subscription]>,
    /// Where its credentials begin, and how many there are.
    credentials: (u32, u32),
}

/// A consumer's subscription to an api.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The api's place in the snapshot.
    pub api: u32,
    /// The plan that applies.
    pub plan: Option<u32>,
    /// `false`: it is suspended.
    pub enabled: bool,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

impl Consumer {
    /// Its subscription to the api at this place of the snapshot.
    pub fn subscription(&self, api: u32) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.api == api)
    }
}

/// Whether the moment has come; never where there is none.
pub(crate) fn is_over(expires: Option<Timestamp>, now: impl FnOnce() -> Duration) -> bool {
    expires.is_some_and(|expires| expires.since_epoch() <= now())
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
    fn add(&mut self, consumer: Consumer) {
        let at = consumer.slot.0 as usize;
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        let (hash, slot) = (hash_of(&consumer.name), consumer.slot);
        if let Some(place) = self.slots.get_mut(at) {
            *place = Some(Arc::new(consumer));
        }
        let slots = &self.slots;
        self.by_name.insert_unique(hash, slot, |slot| named(slots, *slot).map_or(0, hash_of));
    }

    /// Adds a key; the credential that has it already, where one does.
    fn add_key(&mut self, key: KeyHash, credential: CredentialId) -> Result<(), CredentialId> {
        match self.find_key(&key) {
            Some(owner) => Err(owner),
            None => {
                self.keys.insert_unique(spread(&key), (key, credential), |(key, _)| spread(key));
                Ok(())
            }
        }
    }

    /// Whose key this is. Keys are compared as SHA-256, whole and in constant time; the place in the table tells nothing
    /// of a key, as its hash cannot be chosen.
    pub fn find_key(&self, key: &KeyHash) -> Option<CredentialId> {
        use subtle::ConstantTimeEq;
        let (_, credential) = self.keys.find(spread(key), |(known, _)| known.ct_eq(key).into())?;
        Some(*credential)
    }

    /// The password of a user, and whose it is.
    pub fn password(&self, username: &str) -> Option<(&Password, CredentialId)> {
        self.passwords.get(username).map(|(password, credential)| (password, *credential))
    }

    /// All passwords.
    pub fn passwords(&self) -> impl Iterator<Item = &Password> {
        self.passwords.values().map(|(password, _)| password)
    }

    /// What a signature by this id is checked with, and whose it is.
    pub fn signer(&self, id: &str) -> Option<(&SigningKey, CredentialId)> {
        self.signers.get(id).map(|(key, credential)| (key, *credential))
    }

    /// Whose certificate it is: by its fingerprint, else by its names, else by its subject. Several where several of its
    /// names are known.
    pub fn certificate(&self, shown: &ClientCertificate) -> SmallVec<[CredentialId; 2]> {
        self.certificates.find(shown)
    }

    /// The credential of this id.
    pub fn credential(&self, id: CredentialId) -> Option<&Credential> {
        self.credentials.get(id.0 as usize)
    }

    /// A consumer's credentials, in the order of the file.
    pub fn credentials_of(&self, consumer: &Consumer) -> &[Credential] {
        let (start, count) = consumer.credentials;
        let start = start as usize;
        self.credentials.get(start..start + count as usize).unwrap_or_default()
    }

    /// The credential of this consumer, kind and name was shown at this second, before this program.
    pub(crate) fn was_used(&self, (consumer, kind, credential): (&str, &str, &str), at: u64) {
        let Some(consumer) = self.by_name(consumer) else { return };
        let mut known = self.credentials_of(consumer).iter();
        if let Some(known) = known.find(|known| *known.name == *credential && known.kind.as_str() == kind) {
            known.used.fetch_max(at, Relaxed);
        }
    }

    /// The credentials that were shown at this second or later.
    pub(crate) fn used_since(&self, second: u64) -> Vec<Use> {
        let shown = self.credentials.iter().filter_map(|credential| {
            let at = credential.used.load(Relaxed);
            let consumer = self.get(credential.consumer).filter(|_| at > 0 && at >= second)?.name.clone();
            Some(Use { consumer, kind: credential.kind.as_str(), credential: credential.name.clone(), at })
        });
        shown.collect()
    }

    /// The consumer in this slot.
    pub fn get(&self, slot: ConsumerSlot) -> Option<&Arc<Consumer>> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    /// The consumer of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Consumer>> {
        let found = self.by_name.find(hash_of(name), |slot| named(&self.slots, *slot) == Some(name))?;
        self.get(*found)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Consumer>> {
        self.slots.iter().flatten()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many slots there are: the size of a dense table by consumer.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }
}
