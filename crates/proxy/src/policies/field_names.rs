//! Names of header fields that belong together.

use http::header::{HOST, HeaderMap, HeaderName};

use crate::terminals::is_framing;

/// Names of header fields, whole or by how they begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldNames {
    /// Whole names.
    pub(crate) whole: Box<[HeaderName]>,
    /// How names begin.
    pub(crate) starts: Box<[Box<str>]>,
}

impl FieldNames {
    /// Whether it is one of them.
    pub(crate) fn has(&self, name: &HeaderName) -> bool {
        self.whole.contains(name) || self.starts.iter().any(|start| name.as_str().starts_with(&**start))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.starts.is_empty()
    }

    /// These and those.
    pub(crate) fn extend(&mut self, more: Self) {
        let mut whole = std::mem::take(&mut self.whole).into_vec();
        whole.extend(more.whole);
        whole.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        whole.dedup();
        let mut starts = std::mem::take(&mut self.starts).into_vec();
        starts.extend(more.starts);
        starts.sort();
        starts.dedup();
        *self = Self { whole: whole.into(), starts: starts.into() };
    }

    /// Takes these fields out of what a client sent. `x_user` is taken for `x-user`, as many an upstream takes it (RFC 3875
    /// section 4.1.18). Framing and host are the gateway's own and stay.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        if self.starts.is_empty() && !headers.keys().any(|name| name.as_str().contains('_')) {
            for name in &self.whole {
                headers.remove(name);
            }
            return;
        }
        let own = |name: &HeaderName| !is_framing(name) && *name != HOST && self.is_like(name.as_str());
        let forged: Vec<HeaderName> = headers.keys().filter(|name| own(name)).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
    }

    fn is_like(&self, name: &str) -> bool {
        let whole = |known: &HeaderName| known.as_str().len() == name.len() && begins_like(name, known.as_str());
        self.whole.iter().any(whole) || self.starts.iter().any(|start| begins_like(name, start))
    }
}

impl FromIterator<HeaderName> for FieldNames {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        Self { whole: names.into_iter().collect(), starts: Box::default() }
    }
}

/// Whether it begins so, `_` and `-` being the same.
fn begins_like(name: &str, start: &str) -> bool {
    let dash = |byte: u8| matches!(byte, b'-' | b'_');
    name.len() >= start.len() && name.bytes().zip(start.bytes()).all(|(a, b)| a == b || (dash(a) && dash(b)))
}
