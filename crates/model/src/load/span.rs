//! Places: where in which file something was said, so that every message can point at it.
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use crate::value::transparent_visits;

/// A range of bytes in one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file's number in [`Sources`].
    pub file: u32,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// No place at all: a value that was not read from a file.
    pub const NONE: Self = Self { file: u32::MAX, start: 0, end: 0 };

    /// A range in a file.
    #[must_use]
    pub fn new(file: u32, start: u32, end: u32) -> Self {
        Self { file, start, end: end.max(start) }
    }

    /// Whether there is no place.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.file == u32::MAX
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::NONE
    }
}

/// A value together with where it was said. It reads, compares, hashes and serializes as the value alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spanned<T> {
    /// What was said.
    pub value: T,
    /// Where; [`Span::NONE`] when it did not come from a file.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The value without its place.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Self { value, span: Span::NONE }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Spanned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: Hash> Hash for Spanned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The newtype name by which our deserializer recognises a [`Spanned`].
pub(super) const SPANNED: &str = "$tollgate::Spanned";

thread_local! {
    /// serde's data model cannot carry a place, so our deserializer leaves it here just before it calls the visitor,
    /// which takes it away at once.
    static HANDED_OVER: Cell<Span> = const { Cell::new(Span::NONE) };
}

/// Hands a place to the visitor of [`Spanned`]'s `Deserialize`, which is to be called next.
pub(super) fn hand_over(span: Span) {
    HANDED_OVER.set(span);
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SPANNED, SpannedVisitor(PhantomData))
    }
}

struct SpannedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let span = HANDED_OVER.take();
        T::deserialize(deserializer).map(|value| Spanned { value, span })
    }

    transparent_visits!(T => Spanned::from; visit_seq);
}

/// A line and a column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// The texts that were read, kept so that messages can show them.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: String,
    /// Where each line starts.
    lines: Vec<u32>,
}

impl Sources {
    /// Keeps a text and returns its number. The text must be under 4 GiB, which the loader's size budget ensures.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u32 {
        let text = text.into();
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| offset(i + 1));
        let lines = std::iter::once(0).chain(starts).collect();
        self.files.push(Source { name: name.into(), text, lines });
        offset(self.files.len() - 1)
    }

    /// The name a file was added with, or nothing for an unknown number.
    #[must_use]
    pub fn name(&self, file: u32) -> &str {
        self.get(file).map_or("", |source| &source.name)
    }

    /// A file's whole text, or nothing for an unknown number.
    #[must_use]
    pub fn text(&self, file: u32) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// What a span holds, or nothing for an unknown one.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The number of the file that was added under this path.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<u32> {
        self.files.iter().position(|source| Path::new(&source.name) == path).map(offset)
    }

    /// Where a span begins.
    #[must_use]
    pub fn line_column(&self, span: Span) -> Option<Position> {
        self.position(span.file, span.start)
    }

    /// Where a span ends (after its last character).
    #[must_use]
    pub fn end_line_column(&self, span: Span) -> Option<Position> {
        self.position(span.file, span.end)
    }

    /// A place in words, for a message about another place: `line 3` in the same file, else `file:3:1`.
    #[must_use]
    pub fn describe(&self, span: Span, from: Span) -> String {
        match self.line_column(span) {
            Some(Position { line, .. }) if span.file == from.file => format!("line {line}"),
            Some(Position { line, column }) => format!("{}:{line}:{column}", self.name(span.file)),
            None => "an unknown place".to_owned(),
        }
    }

    /// The bytes of the line that holds an offset, without its line break.
    pub(crate) fn line(&self, file: u32, at: u32) -> Option<(u32, &str)> {
        let source = self.get(file)?;
        let index = source.lines.partition_point(|start| *start <= at).checked_sub(1)?;
        let start = *source.lines.get(index)?;
        let rest = source.text.get(start as usize..)?;
        let line = rest.split('\n').next().unwrap_or(rest);
        Some((start, line.strip_suffix('\r').unwrap_or(line)))
    }

    fn position(&self, file: u32, at: u32) -> Option<Position> {
        let source = self.get(file)?;
        let line = source.lines.partition_point(|start| *start <= at);
        let start = *source.lines.get(line.checked_sub(1)?)? as usize;
        let end = floor_char(&source.text, at as usize);
        let column = source.text.get(start..end)?.chars().count();
        Some(Position { line: offset(line), column: offset(column + 1) })
    }

    fn get(&self, file: u32) -> Option<&Source> {
        self.files.get(file as usize)
    }
}

/// The nearest character boundary at or before an offset.
fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A byte offset as a span holds it. Texts over 4 GiB are refused long before.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
