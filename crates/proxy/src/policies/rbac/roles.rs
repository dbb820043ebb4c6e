//! Roles as sets of bits, and where those of a caller come from.

use serde_json::Value;

use crate::exchange::{Exchange, Identity};
use crate::policies::claims::Path;

/// The most roles of a policy.
pub(super) const MOST_ROLES: usize = 256;

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask([u64; MOST_ROLES / 64]);

impl Mask {
    /// The set of one role.
    pub(super) fn of(role: usize) -> Self {
        let mut mask = Self::default();
        if let Some(word) = mask.0.get_mut(role / 64) {
            *word = 1 << (role % 64);
        }
        mask
    }

    /// Whether a role is in it.
    pub(super) fn has(self, role: usize) -> bool {
        self.meets(Self::of(role))
    }

    /// Adds all of another set.
    pub(super) fn add(&mut self, more: Self) {
        self.0.iter_mut().zip(more.0).for_each(|(word, more)| *word |= more);
    }

    /// Whether some role is in both.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }
}

/// Where roles of a caller come from.
pub(super) enum Source {
    Groups,
    Tags,
    Scopes,
    Claim(Path),
}

impl Source {
    /// Each value of a caller.
    pub(super) fn each(&self, x: &Exchange, identity: &Identity, mut take: impl FnMut(&str)) {
        let consumer = || identity.consumer.and_then(|slot| x.local.program.consumers.get(slot));
        let learnt = identity.learnt.as_deref();
        match self {
            Source::Groups => {
                consumer().into_iter().flat_map(|known| &known.groups).for_each(|group| take(group));
                learnt.into_iter().flat_map(|known| &known.groups).for_each(|group| take(group));
            }
            Source::Tags => consumer().into_iter().flat_map(|known| &known.tags).for_each(|tag| take(tag)),
            Source::Scopes => learnt.into_iter().flat_map(|known| &known.scopes).for_each(|scope| take(scope)),
            Source::Claim(path) => match learnt.and_then(|known| path.get(&known.claims)) {
                Some(Value::String(text)) => text.split_ascii_whitespace().for_each(take),
                Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).for_each(take),
                _ => {}
            },
        }
    }
}
