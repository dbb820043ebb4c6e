//! Whose what is counted, and when.

use std::fmt;
use std::hash::{Hash, Hasher};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Requests, one each.
    Requests,
    /// Bytes.
    Bytes,
    /// Tokens of models.
    Tokens,
    /// Money in billionths of its unit: a token of a model costs down to some ten billionths of a dollar. The currency is
    /// the book's.
    Money,
}

impl Measure {
    pub(super) const ALL: [Self; 4] = [Self::Requests, Self::Bytes, Self::Tokens, Self::Money];

    /// Its name where it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Tokens => "tokens",
            Self::Money => "money",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }
}

/// Whose what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Account<'a> {
    /// What is counted.
    pub measure: Measure,
    /// For which rule: names, never numbers, so that a changed limit does not refill.
    pub book: &'a str,
    /// Whose it is: a consumer's name, an address, a header's value.
    pub owner: &'a str,
}

/// A stretch of time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Its first second.
    pub starts: i64,
    /// The first second that is no longer in it.
    pub ends: i64,
}

impl Window {
    /// The whole window of this length that a time lies in, counted from 1970 in UTC.
    pub fn aligned(now: i64, length: i64) -> Self {
        let length = length.max(1);
        let starts = now.div_euclid(length).saturating_mul(length);
        Self { starts, ends: starts.saturating_add(length) }
    }
}

/// An account in a window, kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) measure: Measure,
    pub(super) book: Box<str>,
    pub(super) owner: Box<str>,
    pub(super) window: Window,
}

/// An account in a window, asked for: found without copying it.
pub(super) struct Asked<'a>(pub(super) Account<'a>, pub(super) Window);

impl Key {
    pub(super) fn account(&self) -> Account<'_> {
        Account { measure: self.measure, book: &self.book, owner: &self.owner }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Asked(self.account(), self.window).hash(state);
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl hashbrown::Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.1 == key.window && self.0 == key.account()
    }
}

impl From<&Asked<'_>> for Key {
    fn from(Asked(account, window): &Asked<'_>) -> Self {
        Self { measure: account.measure, book: account.book.into(), owner: account.owner.into(), window: *window }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{} {:?}", self.measure.name(), self.book, self.owner, self.window)
    }
}
