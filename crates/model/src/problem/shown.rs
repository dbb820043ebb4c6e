//! The line that a message shows, with its secrets masked.
use std::ops::Range;

use crate::load::{Position, Sources, Span};
use crate::value::is_secretive;

use super::Problems;

/// A line as it is shown, and where the caret goes.
pub(super) struct Shown {
    pub(super) file: u32,
    pub(super) position: Position,
    pub(super) text: String,
    /// The bytes of `text` that are wrong; one line of them.
    pub(super) range: Range<usize>,
}

/// So many bytes of a line are shown on each side of what is wrong.
const SIDE: usize = 200;
const MASK: &str = "***";

impl Shown {
    pub(super) fn new(at: Span, problems: &Problems, sources: &Sources) -> Option<Self> {
        let position = sources.line_column(at)?;
        let (start, line) = sources.line(at.file, at.start)?;
        let start = start as usize;
        let from = (at.start as usize).saturating_sub(start).min(line.len());
        let to = (at.end as usize).saturating_sub(start).clamp(from, line.len());
        let mut masked = secrets(line);
        for span in problems.hidden.iter().filter(|span| span.file == at.file) {
            let (first, last) = (span.start as usize, span.end as usize);
            if last > start && first < start + line.len() && !is_reference(sources.text(at.file), first, last) {
                masked.push(first.saturating_sub(start)..(last - start).min(line.len()));
            }
        }
        let shown = Self { file: at.file, position, text: String::new(), range: 0..0 };
        Some(shown.masked(line, from..to, masked))
    }

    /// Copies what is near `wrong`, with a mask in place of each secret.
    fn masked(self, line: &str, wrong: Range<usize>, mut masked: Vec<Range<usize>>) -> Self {
        masked.sort_by_key(|range| range.start);
        let near = wrong.start.saturating_sub(SIDE)..wrong.start.saturating_add(2 * SIDE);
        let mut shown = self;
        let mut begun = false;
        let mut masks = masked.into_iter().peekable();
        let mut hidden_to = 0;
        for (at, c) in line.char_indices() {
            if !begun && at >= wrong.start {
                shown.range.start = shown.text.len();
                begun = true;
            }
            while let Some(mask) = masks.next_if(|mask| mask.start <= at) {
                if mask.end > at && at >= hidden_to && near.contains(&at) {
                    shown.text.push_str(MASK);
                }
                hidden_to = hidden_to.max(mask.end);
            }
            if at >= hidden_to && near.contains(&at) {
                shown.text.push(c);
            }
            if at < wrong.end {
                shown.range.end = shown.text.len();
            }
        }
        if !begun {
            shown.range.start = shown.text.len();
        }
        // A caret in the middle of a mask is under all of it; one behind the line is under nothing.
        if begun && shown.range.end <= shown.range.start {
            shown.range.start = shown.range.start.saturating_sub(if wrong.start < hidden_to { MASK.len() } else { 0 });
        }
        shown.range.end = shown.range.end.max(shown.range.start);
        shown
    }
}

/// Whether all that is written is a reference, which tells nothing. One with a default may.
fn is_reference(text: &str, start: usize, end: usize) -> bool {
    let written = text.get(start..end).unwrap_or_default().trim_matches(['"', '\'', ' ']);
    written.starts_with("${") && written.find('}') == Some(written.len() - 1) && !written.contains(":-")
}

/// Where a line says secrets, told by the names of keys: it may not have been read far enough to know their types.
fn secrets(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(colon) = line.get(from..).and_then(|rest| rest.find(':')).map(|at| from + at) {
        from = colon + 1;
        let before = line.get(..colon).unwrap_or_default().trim_end().trim_end_matches(['"', '\'']);
        let word = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).map_or(0, |at| at + 1);
        let key = before.get(word..).or_else(|| before.split_whitespace().next_back()).unwrap_or_default();
        let after = line.get(from..).unwrap_or_default();
        let value = after.trim_start();
        let start = line.len() - value.len();
        // A map's own keys tell what in it is secret.
        let holds_maps = value.trim_start_matches('[').trim_start().starts_with('{');
        if !is_secretive(key) || value.is_empty() || holds_maps {
            continue;
        }
        let end = start + value_length(value);
        if !is_reference(line, start, end) {
            found.push(start..end);
        }
        from = end;
    }
    found
}

/// How long a value is that begins a text: to its closing quote or bracket, or to what separates it from the next.
fn value_length(value: &str) -> usize {
    let first = value.chars().next().unwrap_or_default();
    let ends_with = match first {
        '"' | '\'' => first,
        '[' => ']',
        _ => {
            let flow = value.find([',', '}', ']']).unwrap_or(value.len());
            let comment = value.find(" #").unwrap_or(value.len());
            let end =
                if value.starts_with("${") { value.find('}').map_or(flow, |at| at + 1) } else { flow.min(comment) };
            return value.get(..end).map_or(end, |text| text.trim_end().len());
        }
    };
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if first == '"' => escaped = true,
            c if c == ends_with => return at + c.len_utf8(),
            _ => {}
        }
    }
    value.len()
}
