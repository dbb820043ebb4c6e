//! A place in a text of which more may come: how detectors read.

use std::cell::Cell;

/// The furthest that a detector reads ahead: a private key in PEM.
pub const MOST: usize = 8 << 10;

/// How much before a finding may speak for it or against it.
pub const BEHIND: usize = 64;

/// A place in a text. Reading past the end of a text that goes on is noted: what was then decided has to be asked again.
pub(crate) struct Look<'a> {
    bytes: &'a [u8],
    at: usize,
    whole: bool,
    short: Cell<bool>,
}

impl<'a> Look<'a> {
    /// The place `at`; `whole` says that nothing comes after the text.
    pub(crate) const fn new(text: &'a str, at: usize, whole: bool) -> Self {
        Self { bytes: text.as_bytes(), at, whole, short: Cell::new(false) }
    }

    /// Whether something was asked that only more text can answer.
    pub(crate) const fn is_short(&self) -> bool {
        self.short.get()
    }

    /// The byte so far ahead of the place.
    pub(crate) fn byte(&self, ahead: usize) -> Option<u8> {
        let found = self.bytes.get(self.at + ahead).copied();
        if found.is_none() && !self.whole {
            self.short.set(true);
        }
        found
    }

    /// The byte so far behind; 1 is the one just before.
    pub(crate) fn before(&self, behind: usize) -> Option<u8> {
        self.at.checked_sub(behind).and_then(|at| self.bytes.get(at)).copied()
    }

    /// The bytes from `from` up to `to`, which were read before.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(self.at + from..self.at + to).unwrap_or_default()
    }

    /// How many bytes from `from` on are of a kind, up to `most` (and one more is looked at).
    pub(crate) fn run(&self, from: usize, most: usize, of: impl Fn(u8) -> bool) -> usize {
        let mut length = 0;
        while length <= most && self.byte(from + length).is_some_and(&of) {
            length += 1;
        }
        length
    }

    /// Whether `word` stands at `from`. Reads no further than to the first difference.
    pub(crate) fn has(&self, from: usize, word: &[u8]) -> bool {
        word.iter().enumerate().all(|(n, byte)| self.byte(from + n) == Some(*byte))
    }

    /// What stands before the place, at most [`BEHIND`] bytes.
    pub(crate) fn behind(&self) -> &'a [u8] {
        self.bytes.get(self.at.saturating_sub(BEHIND)..self.at).unwrap_or_default()
    }

    /// Whether the place is joined to a word before it: `x-1`, `a/b`, `1.2`, but not `No.4` nor `tel:030`.
    pub(crate) fn joined(&self) -> bool {
        let Some(before) = self.before(1) else { return false };
        match before {
            b'-' | b'/' => self.before(2).is_some_and(is_word),
            b'.' | b':' | b',' => self.before(2).is_some_and(|byte| byte.is_ascii_digit()),
            _ => is_word(before),
        }
    }

    /// Whether a number or a code may end before `end`: what follows does not belong to it.
    pub(crate) fn ends(&self, end: usize) -> bool {
        let Some(next) = self.byte(end) else { return true };
        match next {
            b'-' => !self.byte(end + 1).is_some_and(is_word),
            b'.' | b':' | b',' => !self.byte(end + 1).is_some_and(|byte| byte.is_ascii_digit()),
            b'@' => false,
            _ => !is_word(next),
        }
    }

    /// Whether what stands before speaks for a finding (`for_it`) rather than against it: the last word said counts.
    pub(crate) fn says(&self, for_it: &str, against: &str) -> Said {
        let behind = self.behind();
        match (last(behind, for_it), last(behind, against)) {
            (Some(yes), Some(no)) if yes >= no => Said::For,
            (Some(_), None) => Said::For,
            (_, Some(_)) => Said::Against,
            (None, None) => Said::Nothing,
        }
    }
}

/// What stands before a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// A word that announces it.
    For,
    /// A word that announces something else.
    Against,
    /// Neither.
    Nothing,
}

/// A letter or a digit of ASCII, or `_`.
pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the last of the words begins, which stand with `|` between. A word begins where no letter stands before it and may
/// go on (`phone` is found in `phones`) unless it is written with a `$` at its end. Words that begin beyond ASCII may stand
/// anywhere.
fn last(text: &[u8], words: &str) -> Option<usize> {
    let words = words.split('|').filter(|word| !word.is_empty());
    words.filter_map(|word| (0..text.len()).rev().find(|&at| stands(text, at, word))).max()
}

fn stands(text: &[u8], at: usize, word: &str) -> bool {
    let (word, whole) = word.strip_suffix('$').map_or((word, false), |word| (word, true));
    let Some(found) = text.get(at..at + word.len()) else { return false };
    if !found.eq_ignore_ascii_case(word.as_bytes()) {
        return false;
    }
    let letter = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphabetic());
    if word.starts_with(|first: char| first.is_ascii()) && letter(at.checked_sub(1).and_then(|at| text.get(at))) {
        return false;
    }
    !(whole && letter(text.get(at + word.len())))
}
