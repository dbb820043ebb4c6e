//! The data that is compiled in: a JSON document that holds one model a line, in order, so that it can be searched as text.

use memchr::{memchr, memrchr};
use serde::Deserialize;

const TEXT: &str = include_str!("../../data/models.json");

/// Where the data comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The file in it.
    pub file: String,
    /// The day on which it was read.
    pub date: String,
}

/// Where the data comes from; None only if the head of the file is broken, which a test rules out.
pub fn source() -> Option<Source> {
    let head = TEXT.lines().nth(1)?.strip_prefix("\"source\":")?.strip_suffix(',')?;
    serde_json::from_str(head).ok()
}

/// Every model's line, a JSON object.
pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    TEXT.lines().map(|line| line.trim_end_matches(',')).filter(|line| key(line).is_some())
}

/// The line of one model.
pub(super) fn line(provider: &str, model: &str) -> Option<&'static str> {
    search(TEXT, (provider, model))
}

/// Halves what lies between the head and the foot until the line is found.
fn search<'a>(text: &'a str, wanted: (&str, &str)) -> Option<&'a str> {
    let first = text.find("\n{\"provider\"").map_or(text.len(), |at| at + 1);
    let (mut low, mut high) = (first, text.rfind("\n]").map_or(text.len(), |at| at + 1));
    while low < high {
        let middle = low + (high - low) / 2;
        let before = text.as_bytes().get(low..middle)?;
        let start = memrchr(b'\n', before).map_or(low, |at| low + at + 1);
        let rest = text.as_bytes().get(start..high)?;
        let end = start + memchr(b'\n', rest).unwrap_or(rest.len());
        let line = text.get(start..end)?;
        match key(line)?.cmp(&wanted) {
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
            std::cmp::Ordering::Equal => return Some(line.trim_end_matches(',')),
        }
    }
    None
}

/// The provider and the model that a line begins with.
fn key(line: &str) -> Option<(&str, &str)> {
    let (provider, rest) = line.strip_prefix("{\"provider\":\"")?.split_once("\",\"model\":\"")?;
    let (model, _) = rest.split_once('"')?;
    Some((provider, model))
}
