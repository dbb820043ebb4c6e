//! Sessions in the gateway's memory: the browser has an id of 256 random bits and nothing else.
//!
//! They are bounded by number and by bytes. When there is no room the session goes that was used longest ago. An id is kept
//! as its hash, so that nothing in memory opens a session.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::session::Session;
use crate::program::{KeyHash, sha256};

/// Sessions of one policy. They outlive programs.
#[derive(Default)]
pub(super) struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sessions: HashMap<KeyHash, Kept>,
    /// By the last use, oldest first.
    order: BTreeMap<u64, KeyHash>,
    /// The number of the next use.
    next: u64,
    bytes: usize,
}

struct Kept {
    session: Arc<Session>,
    bytes: usize,
    use_: u64,
}

/// How much is kept.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) sessions: usize,
    pub(super) bytes: usize,
}

impl Memory {
    /// The session of this id.
    pub(super) fn get(&self, id: &[u8]) -> Option<Arc<Session>> {
        let key = sha256(id);
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        let kept = inner.sessions.get_mut(&key)?;
        inner.order.remove(&kept.use_);
        kept.use_ = inner.next;
        inner.order.insert(inner.next, key);
        inner.next += 1;
        Some(kept.session.clone())
    }

    /// Keeps a session under this id.
    pub(super) fn put(&self, id: &[u8], session: Arc<Session>, room: Room) {
        let (key, bytes) = (sha256(id), size(&session));
        let mut inner = self.0.lock();
        inner.take(&key);
        let use_ = inner.next;
        inner.next += 1;
        inner.bytes += bytes;
        inner.order.insert(use_, key);
        inner.sessions.insert(key, Kept { session, bytes, use_ });
        while inner.sessions.len() > room.sessions || inner.bytes > room.bytes {
            let Some((_, oldest)) = inner.order.first_key_value().map(|(at, key)| (*at, *key)) else { return };
            inner.take(&oldest);
        }
    }

    /// Forgets the session of this id.
    pub(super) fn forget(&self, id: &[u8]) {
        self.0.lock().take(&sha256(id));
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().sessions.len()
    }
}

impl Inner {
    fn take(&mut self, key: &KeyHash) {
        if let Some(kept) = self.sessions.remove(key) {
            self.order.remove(&kept.use_);
            self.bytes = self.bytes.saturating_sub(kept.bytes);
        }
    }
}

/// About the bytes of a session.
fn size(session: &Session) -> usize {
    let tokens = &session.tokens;
    let texts = [&tokens.access, &tokens.refresh, &tokens.id].into_iter().flatten().map(String::len);
    let claims = serde_json::to_vec(&session.claims).map_or(0, |claims| claims.len());
    // Maps of JSON take about three times their text.
    512 + texts.sum::<usize>() + 3 * claims
}
