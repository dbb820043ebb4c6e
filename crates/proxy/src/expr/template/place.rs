//! Where things stand in a template's text: names in its tags, and a tag that is not closed.

use std::ops::Range;

/// A tag, from behind what opens it.
struct Tag {
    open: usize,
    inside: Range<usize>,
    closed: bool,
}

/// Where a name is first used, by all of its segments or else by the first one.
pub(super) fn name(text: &str, name: &str) -> Option<Range<usize>> {
    let first = name.split('.').next().unwrap_or(name);
    [name, first].into_iter().find_map(|wanted| tags(text).into_iter().find_map(|tag| used(text, &tag, wanted)))
}

/// What opens the tag that is not closed.
pub(super) fn unclosed(text: &str) -> Option<Range<usize>> {
    tags(text).into_iter().find(|tag| !tag.closed).map(|tag| tag.open..tag.inside.start)
}

/// The tags that hold names: comments and what is raw have none.
fn tags(text: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some((open, close)) = next_open(text, at) {
        let start = open + 2;
        if close == "#}" {
            match find(text, start, close) {
                Some(end) => at = end + 2,
                None => {
                    tags.push(Tag { open, inside: start..text.len(), closed: false });
                    break;
                }
            }
            continue;
        }
        let end = closing(text, start, close);
        let inside = start..end.unwrap_or(text.len());
        let raw = text.get(inside.clone()).is_some_and(|inside| inside.trim_matches(['-', '+', ' ', '\n']) == "raw");
        tags.push(Tag { open, inside, closed: end.is_some() });
        let Some(end) = end else { break };
        at = if raw { find(text, end, "endraw").unwrap_or(text.len()) } else { end + 2 };
    }
    tags
}

/// The next tag from a place on: where it opens, and what closes it.
fn next_open(text: &str, from: usize) -> Option<(usize, &'static str)> {
    let opens = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
    opens.into_iter().filter_map(|(open, close)| Some((find(text, from, open)?, close))).min()
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|at| from + at)
}

/// Where a tag is closed: not inside of quotes, nor by the end of a map.
fn closing(text: &str, from: usize, close: &str) -> Option<usize> {
    let mut braces = 0_usize;
    for (at, c, quoted) in characters(text, from) {
        match c {
            _ if quoted => {}
            _ if braces == 0 && text.get(at..).is_some_and(|rest| rest.starts_with(close)) => return Some(at),
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The characters from a place on, each with whether it is a part of a quoted text.
fn characters(text: &str, from: usize) -> impl Iterator<Item = (usize, char, bool)> {
    let mut quote = None;
    let mut escaped = false;
    text.get(from..).unwrap_or_default().char_indices().map(move |(at, c)| {
        let quoted = quote.is_some() || matches!(c, '"' | '\'');
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(end) if c == end => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        (from + at, c, quoted)
    })
}

/// Where a tag uses a name: as a word of its own, and not as a part behind a dot.
fn used(text: &str, tag: &Tag, name: &str) -> Option<Range<usize>> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let inside = characters(text, tag.inside.start).take_while(|(at, ..)| *at < tag.inside.end);
    let mut before = ' ';
    for (at, c, quoted) in inside {
        let begins = !quoted && !part_of_word(before) && before != '.';
        let rest = text.get(at..tag.inside.end).filter(|_| begins);
        let behind = rest.and_then(|rest| rest.strip_prefix(name));
        if behind.is_some_and(|behind| !behind.starts_with(part_of_word)) {
            return Some(at..at + name.len());
        }
        before = c;
    }
    None
}
