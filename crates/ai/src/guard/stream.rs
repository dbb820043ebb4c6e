//! A text in pieces: masked, watched or unmasked as it comes. What might still become a finding is held back and nothing
//! else; the pieces that come out, put together, are what the whole text would give, however it was cut.

use super::detect::{Finding, Scan};
use super::mask::{Masks, Within};
use super::text::BEHIND;

/// Finds in a text that comes in pieces.
#[derive(Debug, Default)]
pub struct Finder {
    /// What was handed on but may still speak for what follows, then what is held back.
    held: String,
    /// Where what is held back begins.
    from: usize,
}

/// What to do with a part of the text.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Nothing was found in it.
    Plain(&'a str),
    /// It is a finding.
    Found(&'a Finding, &'a str),
}

impl Finder {
    /// Takes a piece and tells the parts that are decided, in order.
    pub fn push(&mut self, scan: &Scan<'_>, piece: &str, tell: impl FnMut(Piece<'_>)) {
        self.held.push_str(piece);
        self.tell(scan, false, tell);
    }

    /// The text has ended: tells what is held.
    pub fn finish(&mut self, scan: &Scan<'_>, tell: impl FnMut(Piece<'_>)) {
        self.tell(scan, true, tell);
        self.held.clear();
        self.from = 0;
    }

    /// How many bytes are held back: less than [`super::text::MOST`] beyond the piece that was last pushed.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len() - self.from
    }

    fn tell(&mut self, scan: &Scan<'_>, whole: bool, mut tell: impl FnMut(Piece<'_>)) {
        let mut found = Vec::new();
        let end = scan.scan(&self.held, self.from, whole, &mut found);
        let mut at = self.from;
        let text = |from: usize, to: usize| self.held.get(from..to).unwrap_or_default();
        for finding in &found {
            if finding.range.start > at {
                tell(Piece::Plain(text(at, finding.range.start)));
            }
            tell(Piece::Found(finding, text(finding.range.start, finding.range.end)));
            at = finding.range.end;
        }
        if end > at {
            tell(Piece::Plain(text(at, end)));
        }
        let mut past = end.saturating_sub(BEHIND + 3);
        while !self.held.is_char_boundary(past) {
            past += 1;
        }
        self.held.drain(..past);
        self.from = end - past;
    }
}

/// Masks a text that comes in pieces.
#[derive(Debug, Default)]
pub struct Masker {
    finder: Finder,
}

impl Masker {
    /// Takes a piece and appends what may go on; what was found is counted in `found`.
    pub fn push(&mut self, scan: &Scan<'_>, masks: &mut Masks, piece: &str, out: &mut String) -> usize {
        let mut found = 0;
        self.finder.push(scan, piece, |piece| found += masked(masks, &piece, out));
        found
    }

    /// Appends what was held back.
    pub fn finish(&mut self, scan: &Scan<'_>, masks: &mut Masks, out: &mut String) -> usize {
        let mut found = 0;
        self.finder.finish(scan, |piece| found += masked(masks, &piece, out));
        found
    }
}

fn masked(masks: &mut Masks, piece: &Piece<'_>, out: &mut String) -> usize {
    match piece {
        Piece::Plain(text) => {
            out.push_str(text);
            0
        }
        Piece::Found(finding, text) => {
            out.push_str(&masks.placeholder(finding.kind, text));
            1
        }
    }
}

/// Puts back what was masked into a text that comes in pieces.
#[derive(Debug, Default)]
pub struct Unmasker {
    held: String,
    within: Within,
}

impl Unmasker {
    /// For a text that stands where `within` says.
    #[must_use]
    pub const fn new(within: Within) -> Self {
        Self { held: String::new(), within }
    }

    /// Takes a piece and appends what may go on: all but the beginning of a placeholder.
    pub fn push(&mut self, masks: &Masks, piece: &str, out: &mut String) {
        if self.held.is_empty() && !piece.contains('[') {
            out.push_str(piece);
            return;
        }
        self.held.push_str(piece);
        let left = masks.pass(&self.held, self.within, out);
        self.held.drain(..left);
    }

    /// Appends what was held back.
    pub fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }
}
