//! A part of a value: where the file has it, whatever way the value is written there.
use std::fmt;
use std::ops::Range;

use crate::load::{Position, Sources, Span};

/// A part of a text that is a value, for problems inside of it.
#[derive(Clone, PartialEq)]
pub struct Part {
    /// The value up to the end of the part.
    text: Box<str>,
    /// Where in it the part begins.
    start: usize,
}

/// The value may hold a secret.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Part").field(&(self.start..self.text.len())).finish()
    }
}

impl Part {
    /// The part of `text` in this range.
    #[must_use]
    pub fn new(text: &str, part: Range<usize>) -> Self {
        let up_to = text.get(..part.end).unwrap_or(text);
        Self { start: part.start.min(up_to.len()), text: up_to.into() }
    }

    /// The part in the file, where `at` is the whole value. None where what the file writes is not the value: a reference,
    /// or an escape that is not read here.
    pub(super) fn place(&self, at: Span, sources: &Sources) -> Option<Span> {
        let range = self.within(sources.slice(at))?;
        let offset = |within: usize| Some(at.start.saturating_add(u32::try_from(within).ok()?));
        Some(Span::new(at.file, offset(range.start)?, offset(range.end)?))
    }

    /// Where the part begins, counted in the value.
    pub(super) fn position(&self) -> Position {
        let before = self.text.get(..self.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: count(line), column: count(column) }
    }

    /// Goes along what is written and the value side by side. Blocks, folds and indentation differ in white space alone, so
    /// only the other characters are compared.
    fn within(&self, written: &str) -> Option<Range<usize>> {
        let (style, begin) = Style::of(written)?;
        let (mut end, mut start) = (begin, None);
        for (at, wanted) in self.text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let (from, to) = style.find(written, end, wanted)?;
            if at >= self.start {
                start = start.or(Some(from));
            }
            end = to;
        }
        Some(start.unwrap_or(end)..end)
    }
}

/// How a text is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As it is, on one line or several.
    Plain,
    /// In `'`, which is doubled within.
    Single,
    /// In `"`, with escapes.
    Double,
}

impl Style {
    /// The style, and where the text begins: behind a tag, an anchor and what opens it.
    fn of(written: &str) -> Option<(Self, usize)> {
        let mut text = written;
        while text.starts_with(['!', '&']) {
            text = text.split_once(char::is_whitespace)?.1.trim_start();
        }
        let (style, opening) = match text.chars().next()? {
            '|' | '>' => (Self::Plain, text.find('\n')? + 1),
            '\'' => (Self::Single, 1),
            '"' => (Self::Double, 1),
            _ => (Self::Plain, 0),
        };
        Some((style, written.len() - text.len() + opening))
    }

    /// Where this character is, if it is what comes next but for white space.
    fn find(self, written: &str, from: usize, wanted: char) -> Option<(usize, usize)> {
        let mut at = from;
        loop {
            let mut rest = written.get(at..)?.chars();
            let (found, length) = match (self, rest.next()?, rest.next()) {
                (Self::Single, '\'', Some('\'')) => ('\'', 2),
                (Self::Double, '\\', Some('n' | 't' | 'r' | ' ' | '\n' | '\r')) => (' ', 2),
                (Self::Double, '\\', Some(escaped @ ('"' | '\\' | '/'))) => (escaped, 2),
                (Self::Single, '\'', _) | (Self::Double, '"' | '\\', _) => return None,
                (_, plain, _) => (plain, plain.len_utf8()),
            };
            if !found.is_whitespace() {
                return (found == wanted).then_some((at, at + length));
            }
            at += length;
        }
    }
}
