//! The inside of lists, maps and enums.
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::super::{Entry, Node, Span, Value};
use super::error::{Error, Wrong, list};
use super::key::Key;
use super::probe::Probe;
use super::{Context, Step, id};

/// Lists and maps from this length on remember which of their elements are good.
const LONG: usize = 16;

/// The elements of a list, without those that are left out.
pub(super) struct Elements<'n, 'c> {
    items: std::iter::Enumerate<std::slice::Iter<'n, Node>>,
    /// Whether an element's position has a meaning, so that none may be left out.
    fixed: bool,
    /// Whether this is one value outside of a list.
    alone: bool,
    long: bool,
    cx: &'c mut Context<'n>,
}

impl<'n, 'c> Elements<'n, 'c> {
    pub(super) fn new(items: &'n [Node], fixed: bool, cx: &'c mut Context<'n>) -> Self {
        let long = items.len() >= LONG && !fixed;
        Self { items: items.iter().enumerate(), fixed, alone: false, long, cx }
    }

    /// One value, read as a list of one.
    pub(super) fn alone(node: &'n Node, cx: &'c mut Context<'n>) -> Self {
        let items = std::slice::from_ref(node).iter().enumerate();
        Self { items, fixed: true, alone: true, long: false, cx }
    }

    /// How many were not asked for.
    pub(super) fn left(&self) -> usize {
        self.items.len()
    }
}

impl<'n> SeqAccess<'n> for Elements<'n, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        for (index, node) in self.items.by_ref() {
            if !self.fixed && self.cx.leaves_out(node) {
                continue;
            }
            let step = if self.alone { Step::Same } else { Step::Index(index) };
            let value = self.cx.descend(step, node, None, seed)?;
            if self.long {
                self.cx.good.insert(id(node));
            }
            return Ok(Some(value));
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The entries of a map, without those that are left out. Keys that a struct does not know are reported and skipped.
pub(super) struct Entries<'n, 'c> {
    node: &'n Node,
    entries: std::slice::Iter<'n, Entry>,
    fields: Option<&'static [&'static str]>,
    current: Option<&'n Entry>,
    /// How many of the missing keys have got a value.
    probed: usize,
    long: bool,
    cx: &'c mut Context<'n>,
}

impl<'n, 'c> Entries<'n, 'c> {
    pub(super) fn new(node: &'n Node, fields: Option<&'static [&'static str]>, cx: &'c mut Context<'n>) -> Self {
        let entries = node.entries();
        let long = entries.len() >= LONG && fields.is_none();
        Self { node, entries: entries.iter(), fields, current: None, probed: 0, long, cx }
    }

    /// The first key that was not asked for.
    pub(super) fn left(&mut self) -> Option<&'n str> {
        self.entries.find(|entry| !self.cx.is_ignored(&entry.value)).map(|entry| entry.key.as_str())
    }

    fn is_unknown(&mut self, entry: &'n Entry) -> bool {
        match self.fields {
            None if self.cx.is_ignored(&entry.value) => {
                // A visitor of its own may now miss what the key was meant to be.
                self.cx.counts.absent += 1;
                true
            }
            Some(_) if self.cx.is_ignored(&entry.value) => true,
            Some(fields) if !fields.contains(&entry.key.as_str()) => {
                self.cx.unknown_key(self.node, entry, fields);
                true
            }
            _ => false,
        }
    }
}

impl<'n> MapAccess<'n> for Entries<'n, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        while let Some(entry) = self.entries.next() {
            if self.is_unknown(entry) || self.cx.leaves_out(&entry.value) {
                continue;
            }
            self.current = Some(entry);
            return match seed.deserialize(Key { text: &entry.key, span: entry.key_span }) {
                Ok(key) => Ok(Some(key)),
                Err(error) => Err(self.cx.wrong_key(error, entry)),
            };
        }
        let missing = self.cx.missing.get(&id(self.node)).and_then(|missing| missing.get(self.probed));
        let Some(missing) = missing.copied() else { return Ok(None) };
        self.probed += 1;
        seed.deserialize(Key { text: missing, span: Span::NONE }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'n>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some(entry) = self.current.take() else { return seed.deserialize(Probe) };
        let value = self.cx.descend(Step::Key(&entry.key), &entry.value, Some(entry.key_span), seed)?;
        if self.long {
            self.cx.good.insert(id(&entry.value));
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

impl<'n> Context<'n> {
    /// Notes an error about a key; its entry is left out from now on.
    fn wrong_key(&mut self, error: Error, entry: &'n Entry) -> Error {
        let Error::Wrong(wrong) = error else { return error };
        // A visitor that knows its keys goes through the map's own handling of unknown ones.
        if let Wrong::UnknownKey(..) = *wrong {
            return Error::Wrong(wrong);
        }
        self.hunting = true;
        self.absent.insert(id(&entry.value));
        let key = Node { span: entry.key_span, value: Value::String(entry.key.clone()), secret: false };
        let problem = wrong.problem(&key, entry.key_span, false);
        self.path.push(Step::Key(&entry.key));
        self.report(problem);
        self.path.pop();
        Error::Noted
    }
}

/// An enum: a name alone, or a map of one name and its content.
pub(super) struct OneOf<'n, 'c> {
    name: &'n str,
    content: Option<&'n Entry>,
    cx: &'c mut Context<'n>,
}

impl<'n, 'c> OneOf<'n, 'c> {
    pub(super) fn new(
        node: &'n Node,
        variants: &'static [&'static str],
        cx: &'c mut Context<'n>,
    ) -> Result<Self, Error> {
        let (name, content) = match &node.value {
            Value::String(name) => (name, None),
            Value::Map(entries) => match entries.as_slice() {
                [entry] => (&entry.key, Some(entry)),
                [] => return Err(Wrong::Custom(format!("expected one of {}, found none", list(variants))).into()),
                several => {
                    let keys: Vec<&str> = several.iter().take(LONG).map(|entry| entry.key.as_str()).collect();
                    let message = format!("expected only one of {}, found {}", list(variants), list(&keys));
                    return Err(Wrong::Custom(message).into());
                }
            },
            _ => {
                let expected = format!("one of {}", list(variants));
                return Err(Wrong::Kind { expected, found: node.kind().to_owned() }.into());
            }
        };
        if !variants.contains(&name.as_str()) {
            return Err(Wrong::UnknownName(name.clone(), variants).into());
        }
        Ok(Self { name, content, cx })
    }
}

impl<'n, 'c> EnumAccess<'n> for OneOf<'n, 'c> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'n>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let span = self.content.map(|entry| entry.key_span).unwrap_or_default();
        Ok((seed.deserialize(Key { text: self.name, span })?, self))
    }
}

impl<'n> OneOf<'n, '_> {
    fn content<S: DeserializeSeed<'n>>(self, seed: S) -> Result<S::Value, Error> {
        match self.content {
            Some(entry) => self.cx.descend(Step::Key(&entry.key), &entry.value, Some(entry.key_span), seed),
            None => Err(Wrong::Custom(format!("`{0}` needs its settings: write `{0}: …`", self.name)).into()),
        }
    }
}

impl<'n> VariantAccess<'n> for OneOf<'n, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content.map(|entry| &entry.value.value) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Map(entries)) if entries.is_empty() => Ok(()),
            Some(_) => Err(Wrong::Custom(format!("`{0}` has no settings: write only `{0}`", self.name)).into()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'n>>(self, seed: S) -> Result<S::Value, Error> {
        self.content(seed)
    }

    fn tuple_variant<V: Visitor<'n>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.content(Content::Tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'n>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content(Content::Struct(fields, visitor))
    }
}

/// What a variant with several fields is made of, as a seed.
enum Content<V> {
    Tuple(usize, V),
    Struct(&'static [&'static str], V),
}

impl<'n, V: Visitor<'n>> DeserializeSeed<'n> for Content<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'n>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        match self {
            Self::Tuple(length, visitor) => deserializer.deserialize_tuple(length, visitor),
            Self::Struct(fields, visitor) => deserializer.deserialize_struct("", fields, visitor),
        }
    }
}
