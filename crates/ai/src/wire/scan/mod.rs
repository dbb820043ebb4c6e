//! Where the few fields stand that routing and policies care for, found in one pass without building a tree: for calls whose
//! format is the same on both sides, which otherwise pass byte for byte.
//!
//! Only the top level is looked at. What is inside values is skipped, its strings and brackets checked; the provider reads
//! the rest. Readers differ over keys given twice, keys with escapes and keys in another case (Go's takes `Model` for
//! `model`), so none of these pass: what was checked here must be what the provider reads.

mod skip;
mod tap;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

use crate::translate::Refused;
pub(crate) use skip::{Cursor, once};
pub use tap::{HideUsage, Tap, answer_usage};

/// Most fields at the top of a request.
pub const FIELDS: usize = 128;

/// A body, and where its fields stand.
#[derive(Debug, Clone)]
pub struct Scan {
    body: Bytes,
    members: Vec<Member>,
    /// Where the object ends.
    close: usize,
    /// Elements of `messages`, `contents` or `input`.
    messages: usize,
}

#[derive(Debug, Clone)]
struct Member {
    /// Without its quotes.
    key: Range<usize>,
    value: Range<usize>,
}

/// What is to become of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit<'a> {
    /// This JSON text stands for its value; the field is added if it is not there.
    Set(&'a str),
    /// It is not there.
    Remove,
}

impl Scan {
    /// Looks through a request.
    ///
    /// # Errors
    /// When it is not a JSON object, has a key twice (in whatever case) or with an escape, nests deeper than 128, or has
    /// more than [`FIELDS`] fields.
    pub fn of(body: Bytes) -> Result<Self, Refused> {
        if std::str::from_utf8(&body).is_err() {
            return Err(Refused::malformed("", "not valid UTF-8"));
        }
        let mut scan = Self { body: Bytes::new(), members: Vec::with_capacity(16), close: 0, messages: 0 };
        let found = scan.read(&body);
        scan.body = body;
        found.map(|()| scan)
    }

    fn read(&mut self, body: &[u8]) -> Result<(), Refused> {
        let broken = || Refused::malformed("", "not a JSON object");
        let mut cursor = Cursor::new(body);
        cursor.token(b'{').ok_or_else(broken)?;
        if cursor.token(b'}').is_none() {
            loop {
                let quoted = cursor.string().ok_or_else(broken)?;
                let key = quoted.start + 1..quoted.end.saturating_sub(1);
                self.check(body, &key)?;
                cursor.token(b':').ok_or_else(broken)?;
                let (value, elements) = cursor.value().ok_or_else(broken)?;
                if matches!(body.get(key.clone()), Some(b"messages" | b"contents" | b"input")) {
                    self.messages = elements;
                }
                self.members.push(Member { key, value });
                if cursor.token(b',').is_none() {
                    break;
                }
            }
            cursor.token(b'}').ok_or_else(broken)?;
        }
        self.close = cursor.at() - 1;
        if cursor.ended() { Ok(()) } else { Err(broken()) }
    }

    fn check(&self, body: &[u8], key: &Range<usize>) -> Result<(), Refused> {
        let name = body.get(key.clone()).unwrap_or_default();
        let told = || String::from_utf8_lossy(name.get(..64).unwrap_or(name)).into_owned();
        if name.contains(&b'\\') {
            return Err(Refused::malformed(told(), "keys of a request are written without escapes"));
        }
        let same = |member: &Member| body.get(member.key.clone()).is_some_and(|known| known.eq_ignore_ascii_case(name));
        if self.members.iter().any(same) {
            return Err(Refused::malformed(told(), "stands twice"));
        }
        if self.members.len() >= FIELDS {
            return Err(Refused::malformed(told(), "a request has at most 128 fields"));
        }
        Ok(())
    }

    /// The body that was looked through.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    fn member(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|member| self.body.get(member.key.clone()) == Some(key.as_bytes()))
    }

    /// Where the value of a field stands.
    #[must_use]
    pub fn range(&self, key: &str) -> Option<Range<usize>> {
        self.member(key).map(|member| member.value.clone())
    }

    /// The JSON text of a field.
    #[must_use]
    pub fn raw(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.body.get(self.range(key)?)?).ok()
    }

    /// A field that is a string.
    #[must_use]
    pub fn string(&self, key: &str) -> Option<Cow<'_, str>> {
        let raw = self.raw(key)?;
        let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
    }

    /// A field that is a count.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        self.raw(key)?.parse().ok()
    }

    /// A field that is true or false.
    #[must_use]
    pub fn truth(&self, key: &str) -> Option<bool> {
        self.raw(key)?.parse().ok()
    }

    /// A field as a tree, for the small ones such as `metadata`.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Value> {
        serde_json::from_str(self.raw(key)?).ok()
    }

    /// The model that is asked for.
    #[must_use]
    pub fn model(&self) -> Option<Cow<'_, str>> {
        self.string("model")
    }

    /// Whether a stream is asked for.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.truth("stream").unwrap_or(false)
    }

    /// The limit of tokens, by any of its names: `max_completion_tokens`, `max_tokens`, `max_output_tokens`.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u64> {
        ["max_completion_tokens", "max_tokens", "max_output_tokens"].into_iter().find_map(|key| self.count(key))
    }

    /// Whether the caller asks for usage in the stream (`stream_options.include_usage`).
    #[must_use]
    pub fn include_usage(&self) -> bool {
        let options = self.value("stream_options");
        options.and_then(|options| options.get("include_usage")?.as_bool()).unwrap_or(false)
    }

    /// How many messages there are (`messages`, `contents`, or the items of `input`).
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// The body with these fields changed, and every other byte as it was (removing a field closes the gaps between
    /// fields too). `edits` are of different keys, plain ASCII.
    #[must_use]
    pub fn edited(&self, edits: &[(&str, Edit<'_>)]) -> Vec<u8> {
        let removes = |(key, edit): &(&str, Edit<'_>)| *edit == Edit::Remove && self.member(key).is_some();
        if edits.iter().any(removes) { self.rebuilt(edits) } else { self.spliced(edits) }
    }

    fn spliced(&self, edits: &[(&str, Edit<'_>)]) -> Vec<u8> {
        let more: usize = edits.iter().map(|(key, edit)| key.len() + edit.len() + 4).sum();
        let mut out = Vec::with_capacity(self.body.len() + more);
        let mut from = 0;
        for member in &self.members {
            if let Some(Edit::Set(text)) = self.edit(member, edits) {
                out.extend_from_slice(self.body.get(from..member.value.start).unwrap_or_default());
                out.extend_from_slice(text.as_bytes());
                from = member.value.end;
            }
        }
        out.extend_from_slice(self.body.get(from..self.close).unwrap_or_default());
        self.add(edits, self.members.is_empty(), &mut out);
        out.extend_from_slice(self.body.get(self.close..).unwrap_or_default());
        out
    }

    fn rebuilt(&self, edits: &[(&str, Edit<'_>)]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len());
        let mut first = true;
        out.push(b'{');
        for member in &self.members {
            let edit = self.edit(member, edits);
            if edit == Some(Edit::Remove) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            let value = self.body.get(member.value.clone()).unwrap_or_default();
            out.push(b'"');
            out.extend_from_slice(self.body.get(member.key.clone()).unwrap_or_default());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(if let Some(Edit::Set(text)) = edit { text.as_bytes() } else { value });
        }
        self.add(edits, first, &mut out);
        out.push(b'}');
        out
    }

    fn edit<'e>(&self, member: &Member, edits: &[(&str, Edit<'e>)]) -> Option<Edit<'e>> {
        let key = self.body.get(member.key.clone())?;
        edits.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, edit)| *edit)
    }

    fn add(&self, edits: &[(&str, Edit<'_>)], mut first: bool, out: &mut Vec<u8>) {
        for (key, edit) in edits {
            if let Edit::Set(text) = edit
                && self.member(key).is_none()
            {
                out.extend_from_slice(if first { b"\"" } else { b",\"" });
                first = false;
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(b"\":");
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// The body for another model, by the provider's name of it; for a stream of OpenAI's, usage is asked for too.
    #[must_use]
    pub fn for_model(&self, model: &str, ask_usage: bool) -> Vec<u8> {
        let name = Value::from(model).to_string();
        let options = ask_usage.then(|| {
            let mut options = self
                .value("stream_options")
                .filter(Value::is_object)
                .unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            if let Some(map) = options.as_object_mut() {
                map.insert("include_usage".to_owned(), Value::Bool(true));
            }
            options.to_string()
        });
        let mut edits = vec![("model", Edit::Set(&name))];
        if let Some(options) = &options {
            edits.push(("stream_options", Edit::Set(options)));
        }
        self.edited(&edits)
    }
}

impl Edit<'_> {
    const fn len(&self) -> usize {
        if let Self::Set(text) = self { text.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests;
