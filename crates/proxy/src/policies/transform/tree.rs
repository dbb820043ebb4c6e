//! A JSON document as it is changed: numbers and texts stay as they were written, names keep their order.

use std::borrow::Cow;

use serde_json::Value as Json;

/// A value. What was read is borrowed from its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree<'a> {
    /// A number, a text, a boolean or null, as JSON writes it.
    Plain(Cow<'a, str>),
    /// An array.
    List(Vec<Tree<'a>>),
    /// An object.
    Map(Vec<(Name<'a>, Tree<'a>)>),
}

/// A name in an object, as JSON writes it, without its quotes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name<'a>(pub(super) Cow<'a, str>);

/// What came out is larger than it may be.
#[derive(Debug)]
pub(super) struct TooLarge;

impl<'a> Name<'a> {
    /// The name that this text is.
    pub(super) fn of(text: &'a str) -> Self {
        Self(escaped(text))
    }

    /// Whether it is this text.
    pub(super) fn is(&self, text: &str) -> bool {
        if self.0.contains('\\') { self.text() == text } else { self.0 == text }
    }

    /// What it means.
    pub(super) fn text(&self) -> Cow<'_, str> {
        unescaped(&self.0)
    }
}

impl<'a> Tree<'a> {
    /// Nothing.
    pub(super) const NULL: Tree<'static> = Tree::Plain(Cow::Borrowed("null"));

    /// A text.
    pub(super) fn text(text: &str) -> Self {
        Tree::Plain(Cow::Owned(format!("\"{}\"", escaped(text))))
    }

    /// A value from a configuration.
    pub(super) fn of(json: &Json) -> Tree<'static> {
        match json {
            Json::Array(items) => Tree::List(items.iter().map(Tree::of).collect()),
            Json::Object(entries) => {
                let own = |name: &str| Name(Cow::Owned(escaped(name).into_owned()));
                Tree::Map(entries.iter().map(|(name, value)| (own(name), Tree::of(value))).collect())
            }
            plain => Tree::Plain(Cow::Owned(plain.to_string())),
        }
    }

    /// The same, borrowed as far as that goes.
    pub(super) fn lend(&'a self) -> Tree<'a> {
        match self {
            Tree::Plain(text) => Tree::Plain(Cow::Borrowed(text)),
            Tree::List(items) => Tree::List(items.iter().map(Tree::lend).collect()),
            Tree::Map(entries) => {
                let lent = |name: &'a Name<'_>| Name(Cow::Borrowed(&*name.0));
                Tree::Map(entries.iter().map(|(name, value)| (lent(name), value.lend())).collect())
            }
        }
    }

    /// The value of a name, where this is an object that has it; of several the last, as most readers have it.
    pub(super) fn get(&self, name: &str) -> Option<&Tree<'a>> {
        let Tree::Map(entries) = self else { return None };
        entries.iter().rev().find(|(known, _)| known.is(name)).map(|(_, value)| value)
    }

    /// The same to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Tree<'a>> {
        let Tree::Map(entries) = self else { return None };
        entries.iter_mut().rev().find(|(known, _)| known.is(name)).map(|(_, value)| value)
    }

    /// Takes a name out; of several all.
    pub(super) fn take(&mut self, name: &str) -> Option<Tree<'a>> {
        let Tree::Map(entries) = self else { return None };
        let last = entries.iter().rposition(|(known, _)| known.is(name))?;
        let (_, taken) = entries.remove(last);
        // One that stands there more than once is rare, and gone from all places.
        entries.retain(|(known, _)| !known.is(name));
        Some(taken)
    }

    /// Gives a name this value: in its place, or as the last. What is no object becomes one.
    pub(super) fn put(&mut self, name: &'a str, value: Tree<'a>) {
        if let Some(known) = self.get_mut(name) {
            *known = value;
            return;
        }
        if !matches!(self, Tree::Map(_)) {
            *self = Tree::Map(Vec::new());
        }
        if let Tree::Map(entries) = self {
            entries.push((Name::of(name), value));
        }
    }

    /// How many values it has, itself among them.
    pub(super) fn count(&self) -> usize {
        match self {
            Tree::Plain(_) => 1,
            Tree::List(items) => 1 + items.iter().map(Tree::count).sum::<usize>(),
            Tree::Map(entries) => 1 + entries.iter().map(|(_, value)| value.count()).sum::<usize>(),
        }
    }

    /// What a text says; none for anything else.
    pub(super) fn as_text(&self) -> Option<Cow<'_, str>> {
        let Tree::Plain(text) = self else { return None };
        Some(unescaped(text.strip_prefix('"')?.strip_suffix('"')?))
    }

    /// What a number says; none for anything else.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Tree::Plain(text) if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                text.parse().ok()
            }
            _ => None,
        }
    }

    /// Whether both say the same, however it is written.
    pub(super) fn equals(&self, other: &Tree<'_>) -> bool {
        match (self, other) {
            (Tree::List(a), Tree::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b)),
            (Tree::Map(a), Tree::Map(b)) => {
                let same = |(name, value): &(Name<'_>, Tree<'_>)| {
                    other.get(&name.text()).is_some_and(|other| value.equals(other))
                };
                a.len() == b.len() && a.iter().all(same)
            }
            (Tree::Plain(a), Tree::Plain(b)) => {
                a == b
                    || match (self.as_text(), other.as_text()) {
                        (Some(a), Some(b)) => a == b,
                        (None, None) => self.as_number().is_some() && self.as_number() == other.as_number(),
                        _ => false,
                    }
            }
            _ => false,
        }
    }

    /// Writes it as JSON without white space, up to so many bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>, most: usize) -> Result<(), TooLarge> {
        if out.len() > most {
            return Err(TooLarge);
        }
        match self {
            Tree::Plain(text) => out.extend_from_slice(text.as_bytes()),
            Tree::List(items) => {
                let mut before = b'[';
                for item in items {
                    out.push(before);
                    item.write(out, most)?;
                    before = b',';
                }
                out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
            }
            Tree::Map(entries) => {
                let mut before = b'{';
                for (name, value) in entries {
                    out.extend_from_slice(&[before, b'"']);
                    out.extend_from_slice(name.0.as_bytes());
                    out.extend_from_slice(b"\":");
                    value.write(out, most)?;
                    before = b',';
                }
                out.extend_from_slice(if entries.is_empty() { b"{}" } else { b"}" });
            }
        }
        Ok(())
    }
}

/// A text as JSON writes it, without quotes.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        return Cow::Borrowed(text);
    }
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    Cow::Owned(inner.to_owned())
}

/// What a text means that JSON writes so, without quotes.
fn unescaped(written: &str) -> Cow<'_, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    Cow::Owned(serde_json::from_str(&format!("\"{written}\"")).unwrap_or_default())
}
