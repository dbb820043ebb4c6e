//! Forms (`application/x-www-form-urlencoded`, as WHATWG's URL standard reads them) as documents.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::parse::Fault;
use super::tree::{Name, Tree, escaped};

/// The most fields of a form.
const MOST_FIELDS: usize = 1_000;

/// The document of a form.
pub(super) fn read(text: &str) -> Result<Tree<'static>, Fault> {
    let mut entries: Vec<(Name<'static>, Tree<'static>)> = Vec::new();
    let mut at = 0;
    for (nth, field) in text.split('&').enumerate() {
        if nth >= MOST_FIELDS {
            return Err(Fault::new(at, format!("more than {MOST_FIELDS} fields")));
        }
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        if !field.is_empty() {
            let value = Tree::text(&plain(value, at + name.len() + 1)?);
            let name = Name(Cow::Owned(escaped(&plain(name, at)?).into_owned()));
            match entries.iter_mut().find(|(known, _)| known.0 == name.0) {
                Some((_, Tree::List(values))) => values.push(value),
                Some((_, known)) => {
                    let first = std::mem::replace(known, Tree::NULL);
                    *known = Tree::List(vec![first, value]);
                }
                None => entries.push((name, value)),
            }
        }
        at += field.len() + 1;
    }
    Ok(Tree::Map(entries))
}

fn plain(written: &str, at: usize) -> Result<String, Fault> {
    let spaced = written.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| Fault::new(at, "an escape that is not UTF-8"))
}
