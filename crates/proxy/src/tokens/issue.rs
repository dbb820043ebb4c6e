//! Tokens that this gateway itself issues: the keys that sign them, and those that were taken back.
//!
//! Where the gateway has a data directory, both outlive the process: keys are sealed in the vault before they are
//! published, and a token is on the list on the disk before anyone is told that it was taken back. Without one they are
//! in memory, and end with the process.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::rand::fill;
use parking_lot::Mutex;
use serde_json::{Value, json};
use store::secrets::Vault;
use store::{MOST_REVOKED, Revoked};

use super::base64;
use super::key::Key;
use super::keys::Keys;
use super::signing::{Ring, Schedule, Signing};

/// The longest that a token for an upstream lives, in seconds.
pub(crate) const MOST_IDENTITY_LIFE: u64 = 3600;
/// Seconds after which what failed is tried again.
const AGAIN: u64 = 60;

/// What this gateway issues tokens with, by one name. It outlives programs.
pub(crate) struct OwnIssuer {
    name: Box<str>,
    keys: Mutex<Held>,
    /// When the ring is to be looked at, in seconds since 1970.
    due: AtomicU64,
    turning: AtomicBool,
    /// Counts how often the user gave other keys.
    given: AtomicU64,
    verifying: ArcSwap<Verifying>,
    /// When each is over anyway.
    revoked: Mutex<HashMap<Box<str>, u64>>,
    disk: ArcSwapOption<Disk>,
}

/// The keys.
enum Held {
    /// The user's; the first one signs.
    Given(Vec<Arc<Signing>>),
    /// The gateway's own.
    Own { ring: Ring, schedule: Schedule },
}

/// Where they are kept.
struct Disk {
    vault: Arc<Vault>,
    revoked: Revoked,
    /// The name of the ring in the vault.
    name: String,
}

/// What its tokens are verified with.
pub(crate) struct Verifying {
    /// The keys.
    pub(crate) keys: Arc<Keys>,
    /// Counts what changed: keys, and tokens that were taken back.
    pub(crate) generation: u64,
}

/// What became of a token that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was good until now.
    Now,
    /// It had been taken back before.
    Before,
    /// There are too many to remember another.
    Full,
}

impl OwnIssuer {
    /// An issuer of this name, without keys yet.
    pub(crate) fn new(name: &str) -> Self {
        let verifying = Verifying { keys: Arc::default(), generation: 0 };
        Self {
            name: name.into(),
            keys: Mutex::new(Held::Given(Vec::new())),
            due: AtomicU64::new(u64::MAX),
            turning: AtomicBool::new(false),
            given: AtomicU64::new(0),
            verifying: ArcSwap::from_pointee(verifying),
            revoked: Mutex::default(),
            disk: ArcSwapOption::empty(),
        }
    }

    /// What its tokens are verified with now.
    pub(crate) fn verifying(&self) -> Arc<Verifying> {
        self.verifying.load_full()
    }

    /// Signs with these keys from now on, the first one first.
    pub(crate) fn give(&self, keys: Vec<Signing>) {
        let mut held = self.keys.lock();
        let same = match &*held {
            Held::Given(old) => old.len() == keys.len() && old.iter().zip(&keys).all(|(old, new)| old.id == new.id),
            Held::Own { .. } => false,
        };
        if !same {
            let keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
            self.publish(&keys);
            *held = Held::Given(keys);
            self.due.store(u64::MAX, SeqCst);
            self.given.fetch_add(1, SeqCst);
        }
    }

    /// Counts how often the user gave other keys: tokens signed before it changed may be good for nobody. Keys of the
    /// gateway's own stay until their tokens are over.
    pub(crate) fn given(&self) -> u64 {
        self.given.load(SeqCst)
    }

    /// Signs with keys of the gateway's own, which change by this schedule. They are made when they are needed first, or
    /// read from the disk by [`OwnIssuer::restore`].
    pub(crate) fn make(&self, schedule: Schedule) {
        let mut held = self.keys.lock();
        let ring = match &*held {
            Held::Own { ring, .. } => ring.clone(),
            Held::Given(_) => {
                self.given.fetch_add(1, SeqCst);
                Ring::default()
            }
        };
        self.due.store(ring.due(schedule), SeqCst);
        *held = Held::Own { ring, schedule };
    }

    /// Takes up what the disk has of it, and from now on keeps there what changes. Waits for the disk.
    pub(crate) fn restore(&self, vault: &Arc<Vault>, revoked: &Revoked, now: u64) -> Result<(), String> {
        let hash = crate::program::sha256(self.name.as_bytes());
        let disk = Disk { vault: vault.clone(), revoked: revoked.clone(), name: format!("issuer/{}", base64(hash)) };
        let first = self.disk.load().is_none();
        if first {
            let taken = revoked.load(&self.name, now).map_err(|error| error.to_string())?;
            let mut known = self.revoked.lock();
            known.extend(taken.into_iter().map(|(id, until)| (id.into_boxed_str(), until)));
        }
        let schedule = match &*self.keys.lock() {
            Held::Own { ring, schedule } if first || ring.keys().is_empty() => Some(*schedule),
            Held::Own { .. } | Held::Given(_) => None,
        };
        if let Some(schedule) = schedule {
            let sealed = vault.get(&disk.name).map_err(|error| format!("its signing keys cannot be read: {error}"))?;
            let ring = match sealed {
                Some(sealed) => Ring::from_bytes(sealed.expose()).ok_or("its signing keys are not readable")?,
                None => Ring::default(),
            };
            let turned = ring.turned(now, schedule)?;
            disk.keep(&turned)?;
            self.turn_to(turned);
        }
        self.disk.store(Some(Arc::new(disk)));
        Ok(())
    }

    /// A signed token of this kind (`typ`), by the key of this second.
    pub(crate) fn sign(self: &Arc<Self>, kind: &str, claims: &[u8], now: u64) -> Option<String> {
        self.turn(now);
        let key = match &*self.keys.lock() {
            Held::Given(keys) => keys.first().cloned()?,
            Held::Own { ring, .. } => ring.signing(now).cloned()?,
        };
        key.sign(kind, claims)
    }

    /// The public halves, as a set.
    pub(crate) fn jwks(self: &Arc<Self>, now: u64) -> Value {
        self.turn(now);
        let held = self.keys.lock();
        let keys = match &*held {
            Held::Given(keys) => keys.as_slice(),
            Held::Own { ring, .. } => ring.keys(),
        };
        let keys: Vec<_> = keys.iter().map(|key| Value::Object(key.jwk.clone())).collect();
        json!({ "keys": keys })
    }

    /// Makes the next key, or forgets an old one, when that is due. Where it has to be kept first, that is done beside the
    /// traffic: there is time, as the next key does not sign yet.
    fn turn(self: &Arc<Self>, now: u64) {
        if now < self.due.load(SeqCst) || self.turning.swap(true, SeqCst) {
            return;
        }
        let own = self.clone();
        let disk = self.disk.load_full();
        match (disk.is_some(), tokio::runtime::Handle::try_current()) {
            (true, Ok(runtime)) => drop(runtime.spawn_blocking(move || own.turn_now(now, disk.as_deref()))),
            _ => own.turn_now(now, disk.as_deref()),
        }
    }

    fn turn_now(&self, now: u64, disk: Option<&Disk>) {
        let held = match &*self.keys.lock() {
            Held::Own { ring, schedule } => Some((ring.clone(), *schedule)),
            Held::Given(_) => None,
        };
        if let Some((ring, schedule)) = held {
            let turned = ring.turned(now, schedule).and_then(|turned| match disk {
                Some(disk) => disk.keep(&turned).map(|()| turned),
                None => Ok(turned),
            });
            match turned {
                Ok(turned) => self.turn_to(turned),
                Err(error) => {
                    tracing::error!(target: "tollgate::tokens", issuer = &*self.name, %error, "no new signing key; the old one goes on");
                    self.due.store(now.saturating_add(AGAIN), SeqCst);
                }
            }
        }
        self.turning.store(false, SeqCst);
    }

    fn turn_to(&self, turned: Ring) {
        let mut held = self.keys.lock();
        if let Held::Own { ring, schedule } = &mut *held {
            self.due.store(turned.due(*schedule), SeqCst);
            self.publish(turned.keys());
            *ring = turned;
        }
    }

    fn publish(&self, signing: &[Arc<Signing>]) {
        let keys = signing.iter().filter_map(|key| Key::jwk(&key.jwk).ok()).collect();
        match Keys::new(keys) {
            Ok(keys) => {
                let keys = Arc::new(keys);
                self.verifying.rcu(|now| Verifying { keys: keys.clone(), generation: now.generation + 1 });
            }
            Err(error) => {
                tracing::error!(target: "tollgate::tokens", issuer = &*self.name, %error, "keys are not published");
            }
        }
    }

    /// Takes a token back; `until` is when it would be over. Decided at once and in memory; [`OwnIssuer::keep`] makes it
    /// last.
    pub(crate) fn revoke(&self, id: &str, until: u64, now: u64) -> Taken {
        let mut revoked = self.revoked.lock();
        if revoked.contains_key(id) {
            return Taken::Before;
        }
        if revoked.len() >= MOST_REVOKED {
            revoked.retain(|_, until| now < *until);
        }
        // To forget another would make it good again.
        if revoked.len() >= MOST_REVOKED {
            return Taken::Full;
        }
        revoked.insert(id.into(), until);
        drop(revoked);
        // What was remembered of the token anywhere is not believed any more.
        self.verifying.rcu(|now| Verifying { keys: now.keys.clone(), generation: now.generation + 1 });
        Taken::Now
    }

    /// Waits until it is on the disk, where there is one, that these tokens were taken back.
    pub(crate) async fn keep(&self, tokens: Vec<(String, u64)>) -> Result<(), String> {
        let Some(disk) = self.disk.load_full() else { return Ok(()) };
        let (revoked, issuer) = (disk.revoked.clone(), self.name.clone());
        let kept = tokio::task::spawn_blocking(move || {
            tokens.iter().try_for_each(|(id, until)| revoked.add(&issuer, id, *until))
        });
        kept.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Whether a token was taken back.
    pub(crate) fn is_revoked(&self, id: &str) -> bool {
        self.revoked.lock().contains_key(id)
    }
}

impl Disk {
    fn keep(&self, ring: &Ring) -> Result<(), String> {
        let bytes = ring.to_bytes().ok_or("a key cannot be written")?;
        self.vault.put(&self.name, &bytes).map_err(|error| format!("signing keys cannot be kept: {error}"))
    }
}

/// A name for a token that nobody guesses.
pub(crate) fn token_id() -> Option<String> {
    let mut bytes = [0; 16];
    fill(&mut bytes).ok()?;
    Some(base64(bytes))
}
