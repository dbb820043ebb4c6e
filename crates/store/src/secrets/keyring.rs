//! The keys of an installation: one that seals, and older ones that still open.

use super::Plain;
use super::envelope::Envelope;
use super::key::{Key, KeyId, KeySource};
use crate::Result;
use crate::error::{Error, Kind};

/// Keys that there may be.
const MOST_KEYS: usize = 16;

/// The keys: the first seals, all open.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// Of at least one key, each another, the current one first.
    pub fn new(keys: Vec<Key>) -> Result<Self> {
        if keys.is_empty() || keys.len() > MOST_KEYS {
            return Err(Error::new(Kind::Key, format!("a keyring has from 1 to {MOST_KEYS} keys, not {}", keys.len())));
        }
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|other| other.id() == key.id()) {
                return Err(Error::new(Kind::Key, format!("the key {} is there twice", key.id())));
            }
        }
        Ok(Self { keys })
    }

    /// Reads each key from where it is.
    pub fn read(sources: &[KeySource]) -> Result<Self> {
        Self::new(sources.iter().map(Key::read).collect::<Result<_>>()?)
    }

    /// The key that seals.
    pub fn current(&self) -> Option<KeyId> {
        self.keys.first().map(Key::id)
    }

    /// Seals a secret under a name.
    pub fn seal(&self, name: &str, secret: &[u8]) -> Result<Envelope> {
        Envelope::seal(self.first()?, name, secret)
    }

    /// Opens what was sealed under this name.
    pub fn open(&self, name: &str, envelope: &Envelope) -> Result<Plain> {
        envelope.open(self.find(envelope.key())?, name)
    }

    /// The same secret under the current key, unless it is already.
    pub fn rewrap(&self, name: &str, envelope: &Envelope) -> Result<Option<Envelope>> {
        let current = self.first()?;
        if envelope.key() == current.id() {
            return Ok(None);
        }
        envelope.rewrap(self.find(envelope.key())?, current, name).map(Some)
    }

    fn first(&self) -> Result<&Key> {
        self.keys.first().ok_or_else(|| Error::new(Kind::Key, "there is no key"))
    }

    fn find(&self, id: KeyId) -> Result<&Key> {
        self.keys.iter().find(|key| key.id() == id).ok_or_else(|| {
            Error::new(Kind::Key, format!("it is sealed with the key {id}, which is not among the keys given"))
        })
    }
}
