//! Nonces that were used, remembered for as long as a signature with them could be good.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::program::sha256;

/// Nonces that are remembered.
const MOST: usize = 1 << 20;

/// Nonces that were used. They are kept in two generations of one validity each, so that none is forgotten sooner, and none
/// is looked at one by one.
#[derive(Default)]
pub(in crate::policies) struct Replay(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashSet<[u8; 16]>,
    old: HashSet<[u8; 16]>,
    /// When the young one began, in seconds.
    since: i64,
}

/// What is known of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policies) enum Nonce {
    /// It was not used before, and is now.
    New,
    /// It was.
    Used,
    /// There is no room to remember it, so that it cannot be let pass.
    Full,
}

impl Replay {
    /// Uses a nonce of a key whose signatures are good for so many seconds.
    pub(in crate::policies) fn use_up(&self, key: &str, nonce: &str, now: i64, validity: i64) -> Nonce {
        let mut print = [0; 16];
        let whole = sha256(&[key.as_bytes(), &[0], nonce.as_bytes()].concat());
        for (to, from) in print.iter_mut().zip(whole) {
            *to = from;
        }
        let mut known = self.0.lock();
        if now - known.since >= validity {
            let young = std::mem::take(&mut known.young);
            known.old = if now - known.since >= 2 * validity { HashSet::new() } else { young };
            known.since = now;
        }
        if known.old.contains(&print) || known.young.contains(&print) {
            Nonce::Used
        } else if known.young.len() >= MOST / 2 {
            Nonce::Full
        } else {
            known.young.insert(print);
            Nonce::New
        }
    }
}
