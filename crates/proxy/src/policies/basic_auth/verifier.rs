//! Checks passwords against slow hashes without becoming a lever against the gateway: beside the traffic, few at a time,
//! with a bounded queue in which no client has more than a few places; and what was right is remembered, so that only the
//! first request of a user pays.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_lc_rs::{hmac, rand};
use model::value::Secret;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::policies::password_queue::Queue;
use crate::program::Hashed;

/// Right passwords that are remembered.
const MOST_KNOWN: usize = 65_536;

type Fingerprint = [u8; 32];

/// A password that is to be checked.
pub(super) struct Attempt {
    hash: Arc<Hashed>,
    user: Box<[u8]>,
    password: Secret<Box<[u8]>>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Right,
    Wrong,
    /// It was not checked: there are too many.
    Busy,
}

/// Checks passwords and remembers those that were right.
pub(super) struct Verifier {
    /// Of this process alone, so that what is remembered is of no use to anyone who reads it.
    key: hmac::Key,
    known: Mutex<Known>,
    waiting: Queue,
    /// Checks at a time.
    places: Arc<Semaphore>,
    #[cfg(test)]
    pub(super) runs: AtomicU64,
}

/// Fingerprints of right passwords, in two generations: when the young one is full, the old one is forgotten.
#[derive(Default)]
struct Known {
    young: HashSet<Fingerprint>,
    old: HashSet<Fingerprint>,
}

impl Attempt {
    pub(super) fn new(hash: Arc<Hashed>, user: &[u8], password: &[u8]) -> Self {
        Self { hash, user: user.into(), password: Secret::new(password.into()) }
    }
}

impl Default for Verifier {
    fn default() -> Self {
        let mut key = [0; 32];
        // Without randomness nothing is remembered under a key that could be known: the key then is of the machine's
        // hasher, which has its own source.
        if rand::fill(&mut key).is_err() {
            use std::hash::{BuildHasher as _, RandomState};
            for (at, chunk) in key.chunks_mut(8).enumerate() {
                chunk.copy_from_slice(&RandomState::new().hash_one(at).to_be_bytes());
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            known: Mutex::default(),
            waiting: Queue::default(),
            places: Arc::new(Semaphore::new((cores / 2).max(1))),
            #[cfg(test)]
            runs: AtomicU64::new(0),
        }
    }
}

impl Verifier {
    /// Whether this very password was right for this very hash.
    pub(super) fn knows(&self, attempt: &Attempt) -> bool {
        let fingerprint = self.fingerprint(attempt);
        let mut known = self.known.lock();
        if known.young.contains(&fingerprint) {
            return true;
        }
        let found = known.old.remove(&fingerprint);
        if found {
            known.add(fingerprint);
        }
        found
    }

    /// Checks a password, when its turn comes.
    pub(super) async fn verify(&self, attempt: Attempt, client: IpAddr) -> Checked {
        let Some(waited) = self.waiting.enter(client) else { return Checked::Busy };
        let Ok(place) = self.places.clone().acquire_owned().await else { return Checked::Busy };
        // Others may have waited with the same password.
        if self.knows(&attempt) {
            return Checked::Right;
        }
        #[cfg(test)]
        self.runs.fetch_add(1, Relaxed);
        let fingerprint = self.fingerprint(&attempt);
        let checked = tokio::task::spawn_blocking(move || {
            let right = attempt.hash.is_of(attempt.password.expose());
            // A client that leaves does not make room before its check is over.
            drop((place, waited));
            right
        });
        match checked.await {
            Ok(true) => {
                self.known.lock().add(fingerprint);
                Checked::Right
            }
            Ok(false) => Checked::Wrong,
            Err(_) => Checked::Busy,
        }
    }

    /// Keeps every check waiting.
    #[cfg(test)]
    pub(super) async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.places.available_permits()).unwrap();
        self.places.clone().acquire_many_owned(all).await.unwrap()
    }

    /// Of hash, user and password, so that a changed hash forgets by itself.
    fn fingerprint(&self, attempt: &Attempt) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [attempt.hash.bytes(), &*attempt.user, attempt.password.expose()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        fingerprint
    }
}

impl Known {
    fn add(&mut self, fingerprint: Fingerprint) {
        if self.young.len() >= MOST_KNOWN / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(fingerprint);
    }
}
