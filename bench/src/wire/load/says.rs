//! What a body says, read line by line: the words that it must have, and tokens with the times when they were due.

use super::Expect;
use crate::wire::clock::Nanos;
use crate::wire::upstream::models::due_of;

/// A line longer than this is read in pieces.
const MAX_LINE: usize = 64 << 10;

/// What was heard of one answer so far.
#[derive(Default)]
pub(super) struct Says {
    /// A line without its end yet.
    line: Vec<u8>,
    said: bool,
}

impl Says {
    /// Hears a piece of the body.
    pub(super) fn hear(&mut self, mut piece: &[u8], expect: &Expect, tokens: &mut Vec<Nanos>) {
        if expect.says.is_none() {
            return;
        }
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, rest) = piece.split_at(end + 1);
            self.line.extend_from_slice(line);
            self.line_over(expect, tokens);
            piece = rest;
        }
        self.line.extend_from_slice(piece);
        if self.line.len() > MAX_LINE {
            self.line_over(expect, tokens);
        }
    }

    /// The body is over: whether it said what it had to.
    pub(super) fn end(&mut self, expect: &Expect, tokens: &mut Vec<Nanos>) -> bool {
        self.line_over(expect, tokens);
        std::mem::take(&mut self.said) || expect.says.is_none()
    }

    fn line_over(&mut self, expect: &Expect, tokens: &mut Vec<Nanos>) {
        tokens.extend(due_of(&self.line));
        self.said |= expect.says.as_ref().is_some_and(|says| says.find(&self.line).is_some());
        self.line.clear();
    }
}
