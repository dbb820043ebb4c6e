//! Checks, ready to be made.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use proxy::exchange::{Checks, Guarded};

use super::outside::Outside;
use crate::fleet::Model;
use crate::guard::words::Words;
use crate::guard::{Kinds, Scan};
use crate::prompts::Schema;

/// The checks of one side.
pub(super) struct Checked {
    pub(super) checks: Box<[Check]>,
    /// Their names and what they do, for the log.
    pub(super) names: Checks,
}

/// One check.
pub(super) struct Check {
    pub(super) name: Arc<str>,
    pub(super) what: What,
    pub(super) act: Act,
    /// What it found, over all calls.
    pub(super) tally: Arc<AtomicU64>,
}

/// What is looked for.
pub(super) enum What {
    /// Personal data and secrets.
    Personal(Kinds),
    /// Words and patterns, so many of them.
    Words(Box<Words>, u32),
    /// Injection, from this score on.
    Injection(u8),
    /// Languages: those allowed (or all), and those denied.
    Languages { allow: Box<[&'static str]>, deny: Box<[&'static str]> },
    /// More than so many bytes of text.
    Size(u64),
    /// JSON that does not keep to a schema; how often the model is asked again.
    Schema(Box<Schema>, u8),
    /// Whatever somebody else says.
    Outside(Box<Outside>),
}

/// What is done about it.
#[derive(Clone)]
pub(super) enum Act {
    /// The call is refused, or its answer ended.
    Block,
    /// It is masked.
    Mask,
    /// It is noted, and passes.
    Flag,
    /// It goes to another model.
    Route(Arc<Model>),
}

impl Checked {
    pub(super) fn new(checks: Vec<Check>, word: impl Fn(&Check) -> &'static str) -> Self {
        let names = checks.iter().map(|check| (check.name.clone(), word(check))).collect();
        Self { checks: checks.into(), names }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    pub(super) fn asks_outside(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.what, What::Outside(_)))
    }
}

impl Check {
    /// It found something.
    pub(super) fn found(&self, at: usize, times: u32, guarded: &Guarded) {
        if times > 0 {
            self.tally.fetch_add(u64::from(times), Relaxed);
            guarded.found(at, times);
        }
    }

    /// What it looks for within a text, where that is what it does.
    pub(super) fn scan(&self) -> Option<Scan<'_>> {
        match &self.what {
            What::Personal(kinds) => Some(Scan { kinds: *kinds, words: None }),
            What::Words(words, _) => Some(Scan { kinds: Kinds::NONE, words: Some(words) }),
            _ => None,
        }
    }

    /// From how many findings on it acts.
    pub(super) const fn least(&self) -> u32 {
        if let What::Words(_, least) = &self.what { *least } else { 1 }
    }
}

impl What {
    /// Whether a language is one that the check is against; none, when it cannot be told, never is.
    pub(super) fn is_against(&self, language: Option<&'static str>) -> bool {
        let (Self::Languages { allow, deny }, Some(language)) = (self, language) else { return false };
        deny.contains(&language) || !allow.is_empty() && !allow.contains(&language)
    }
}
