//! Writing: objects and arrays straight to bytes, in the order they are said.

use serde::de::IgnoredAny;
use serde_json::Value;

/// Appends an object.
pub(crate) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Obj<'_>)) {
    out.push(b'{');
    fill(&mut Obj { out, first: true });
    out.push(b'}');
}

/// Whether a text is a JSON object, so that it may stand where one is needed.
pub(crate) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Strings and values hold nothing that fails to be written to memory.
fn put<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// An object being written. Keys are the formats' own words: plain ASCII that needs no escape.
pub(crate) struct Obj<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Obj<'_> {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if self.first { b"\"" } else { b",\"" });
        self.first = false;
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string.
    pub(crate) fn str(&mut self, key: &str, value: &str) {
        put(self.key(key), value);
    }

    /// A string, if there is one.
    pub(crate) fn opt_str(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.str(key, value);
        }
    }

    /// Something that is a number or a truth.
    pub(crate) fn plain(&mut self, key: &str, value: impl serde::Serialize) {
        put(self.key(key), &value);
    }

    /// The same, if there is one.
    pub(crate) fn opt(&mut self, key: &str, value: Option<impl serde::Serialize>) {
        if let Some(value) = value {
            self.plain(key, value);
        }
    }

    /// `null`.
    pub(crate) fn null(&mut self, key: &str) {
        self.key(key).extend_from_slice(b"null");
    }

    /// A tree.
    pub(crate) fn value(&mut self, key: &str, value: &Value) {
        put(self.key(key), value);
    }

    /// Text that is known to be JSON.
    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    /// A member whose key is not ours.
    pub(crate) fn pair(&mut self, key: &str, value: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        put(self.out, key);
        self.out.push(b':');
        put(self.out, value);
    }

    /// An object.
    pub(crate) fn obj(&mut self, key: &str, fill: impl FnOnce(&mut Obj<'_>)) {
        object(self.key(key), fill);
    }

    /// An array.
    pub(crate) fn arr(&mut self, key: &str, fill: impl FnOnce(&mut Arr<'_>)) {
        let out = self.key(key);
        out.push(b'[');
        fill(&mut Arr { out, first: true });
        out.push(b']');
    }
}

/// An array being written.
pub(crate) struct Arr<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Arr<'_> {
    fn next(&mut self) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out
    }

    /// An object.
    pub(crate) fn obj(&mut self, fill: impl FnOnce(&mut Obj<'_>)) {
        object(self.next(), fill);
    }

    /// A string.
    pub(crate) fn str(&mut self, value: &str) {
        put(self.next(), value);
    }
}
