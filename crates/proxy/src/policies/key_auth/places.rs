//! The places of a request that a key may stand in: to find it, and to take it out of what the upstream sees.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use http::{HeaderMap, Uri, request};
use model::load::Spanned;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::exchange::cookies;
use crate::policies::query;
use crate::program::Compile;

/// A place as a user writes it.
#[derive(Clone, Debug)]
pub(crate) struct PlaceSpec {
    kind: Kind,
    name: Spanned<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Header,
    Bearer,
    Query,
    Cookie,
}

const KINDS: [(&str, Kind); 4] =
    [("header", Kind::Header), ("bearer", Kind::Bearer), ("query", Kind::Query), ("cookie", Kind::Cookie)];
const KEYS: &[&str] = &["header", "bearer", "query", "cookie"];

impl PlaceSpec {
    /// The header of this name.
    pub(crate) fn header(name: &str) -> Self {
        Self { kind: Kind::Header, name: Spanned::from(name.to_owned()) }
    }

    /// Compiles the place.
    pub(crate) fn compile(self, cx: &mut Compile<'_>) -> Option<Place> {
        if self.name.is_empty() || self.name.len() > 256 {
            cx.problem(self.name.span, "a name has from 1 to 256 characters", "mend the name");
            return None;
        }
        cx.sensitive(&self.name);
        Some(match self.kind {
            Kind::Bearer => Place::Bearer(cx.header_name(&self.name)?),
            Kind::Header => match cx.header_name(&self.name)? {
                name if name == AUTHORIZATION || name == PROXY_AUTHORIZATION => Place::Bearer(name),
                name if name == COOKIE => {
                    cx.problem(self.name.span, "a key is one cookie, not the whole header", "write `{ cookie: NAME }`");
                    return None;
                }
                name => Place::Header(name),
            },
            Kind::Query => Place::Query(self.name.value.into()),
            Kind::Cookie => Place::Cookie(self.name.value.into()),
        })
    }
}

impl<'de> Deserialize<'de> for PlaceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: (kind, name), span } =
            Spanned::<Written>::deserialize(deserializer)?.map(|written| written.0);
        let name = if name.span.is_none() { Spanned::new(name.value, span) } else { name };
        Ok(Self { kind, name })
    }
}

struct Written((Kind, Spanned<String>));

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Written;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a header, or one of `{ bearer: NAME }`, `{ query: NAME }`, `{ cookie: NAME }`")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<Written, E> {
        Ok(Written((Kind::Header, Spanned::from(name.to_owned()))))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(de::Error::custom("a place is one of `header`, `bearer`, `query`, `cookie`"));
        };
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == key) else {
            return Err(de::Error::unknown_field(&key, KEYS));
        };
        let name = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(Written((*kind, name))),
            Some(more) => Err(de::Error::custom(format!("a place is one thing; `{key}` and `{more}` are two"))),
        }
    }
}

impl JsonSchema for PlaceSpec {
    fn schema_name() -> Cow<'static, str> {
        "KeyPlace".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = serde_json::json!({ "type": "string", "minLength": 1, "maxLength": 256 });
        let one = |key: &str| {
            serde_json::json!({
                "type": "object", "properties": { key: name }, "required": [key], "additionalProperties": false
            })
        };
        schemars::json_schema!({
            "description": "A place that a key stands in: a header's name, or what kind of place and its name.",
            "oneOf": [name, one("header"), one("bearer"), one("query"), one("cookie")]
        })
    }
}

/// A place that a key may stand in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A header whose value is the key.
    Header(HeaderName),
    /// A header with `Bearer KEY`.
    Bearer(HeaderName),
    /// A query parameter.
    Query(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
}

/// The keys of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'x> {
    /// None; an empty one is none.
    None,
    /// One, be it in several places.
    One(Cow<'x, [u8]>),
    /// Several that differ.
    Differing,
}

impl<'x> Found<'x> {
    fn add(&mut self, key: Cow<'x, [u8]>) {
        if key.is_empty() {
            return;
        }
        match self {
            Found::None => *self = Found::One(key),
            Found::One(known) if *known != key => *self = Found::Differing,
            Found::One(_) | Found::Differing => {}
        }
    }
}

/// The key in a request.
pub(crate) fn find<'x>(places: &[Place], request: &'x request::Parts) -> Found<'x> {
    let mut found = Found::None;
    for place in places {
        match place {
            Place::Header(name) => {
                request.headers.get_all(name).iter().for_each(|value| found.add(value.as_bytes().into()));
            }
            Place::Bearer(name) => {
                request.headers.get_all(name).iter().filter_map(bearer).for_each(|key| found.add(key.into()));
            }
            Place::Query(name) => {
                let pairs = request.uri.query().map(query::pairs).into_iter().flatten();
                for (_, value) in pairs.filter(|(key, _)| query::decode(key) == **name) {
                    found.add(match query::decode(value) {
                        Cow::Borrowed(value) => Cow::Borrowed(value.as_bytes()),
                        Cow::Owned(value) => Cow::Owned(value.into_bytes()),
                    });
                }
            }
            Place::Cookie(name) => {
                let named = cookies::cookies(&request.headers).filter(|(key, _)| *key == name.as_bytes());
                named.for_each(|(_, key)| found.add(key.into()));
            }
        }
    }
    found
}

/// The token of `Bearer TOKEN`; other schemes are for others.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Whether a part of a cookie field is the cookie of this name.
fn is_cookie(crumb: &[u8], name: &str) -> bool {
    cookies::cookie(crumb).is_some_and(|(key, _)| key == name.as_bytes())
}

impl Place {
    /// Takes the key out of what the upstream sees.
    pub(crate) fn hide(&self, request: &mut request::Parts) {
        match self {
            Place::Header(name) => {
                request.headers.remove(name);
            }
            Place::Bearer(name) => {
                if request.headers.get_all(name).iter().any(|value| bearer(value).is_some()) {
                    request.headers.remove(name);
                }
            }
            Place::Query(name) => strip_query(&mut request.uri, name),
            Place::Cookie(name) => strip_cookie(&mut request.headers, name),
        }
    }

    /// Takes the key out of what is remembered of the target: no log may hold it.
    pub(crate) fn forget(&self, target: &mut Uri) {
        if let Place::Query(name) = self {
            strip_query(target, name);
        }
    }
}

fn strip_query(uri: &mut Uri, name: &str) {
    let Some(text) = uri.query().filter(|text| query::pairs(text).any(|(key, _)| query::decode(key) == name)) else {
        return;
    };
    let kept = query::without(text, |key| key == name);
    if let Some(stripped) = query::with_path_and_query(uri, uri.path(), Some(&kept)) {
        *uri = stripped;
    }
}

fn strip_cookie(headers: &mut HeaderMap, name: &str) {
    let held = |value: &HeaderValue| cookies::crumbs(value.as_bytes()).any(|crumb| is_cookie(crumb, name));
    if !headers.get_all(COOKIE).iter().any(held) {
        return;
    }
    let mut kept = Vec::new();
    for value in headers.get_all(COOKIE) {
        for crumb in cookies::crumbs(value.as_bytes()).filter(|crumb| !is_cookie(crumb, name)) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(crumb.trim_ascii());
        }
    }
    headers.remove(COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(COOKIE, value);
    }
}
