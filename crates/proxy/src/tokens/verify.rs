//! The way of a token: read, a key found, signature checked, rules kept. What it says is believed only at the end.

use std::sync::Arc;

use super::keys::{Candidates, Keys};
use super::rules::{Broken, Rules};
use super::token::{Token, Unreadable};

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot be read.
    Unreadable(Unreadable),
    /// No key has its `kid`. The issuer may have a new one.
    UnknownKey,
    /// The key is for other algorithms.
    Algorithm,
    /// The signature is not the key's.
    Signature,
    /// It breaks a rule.
    Broken(Broken),
}

impl From<Unreadable> for Refusal {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Algorithm => Refusal::Algorithm,
            other => Refusal::Unreadable(other),
        }
    }
}

/// Checks signature and rules of a token that was read. Gives the second from which it is good no more. The signature
/// comes first, so that nobody learns from a token of his own making what the rules are.
pub fn verify(token: &Token<'_>, keys: &Arc<Keys>, rules: &Rules, now: u64) -> Result<u64, Refusal> {
    let header = &token.header;
    match keys.candidates(header.id.as_deref(), header.algorithm) {
        Candidates::UnknownId => return Err(Refusal::UnknownKey),
        Candidates::OtherAlgorithm => return Err(Refusal::Algorithm),
        Candidates::Some(keys) => {
            if !keys.iter().any(|key| key.verifies(header.algorithm, token.signed, &token.signature)) {
                return Err(Refusal::Signature);
            }
        }
    }
    rules.check(header.kind.as_deref(), &token.claims, now).map_err(Refusal::Broken)
}
