//! What a route matches on.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::Pairs;
use crate::load::Spanned;

/// Which requests a route takes. Everything given must hold. Paths are relative to the api's `path`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// A path template: `/{id}` takes one segment, `{rest*}` at the end takes what remains (at least one character).
    /// Without braces it is the exact path.
    pub path: Option<Spanned<String>>,
    /// A prefix by whole segments.
    pub prefix: Option<Spanned<String>>,
    /// A regular expression over the whole path (anchored at both ends); named groups become captures.
    pub regex: Option<Spanned<String>>,
    /// Methods; none means all. `GET` also takes `HEAD`.
    pub methods: Vec<Spanned<String>>,
    /// Conditions on headers, by name.
    pub headers: Pairs<StringMatch>,
    /// Conditions on query parameters, by name (case-sensitive, percent-decoded).
    pub query: Pairs<StringMatch>,
    /// Conditions on cookies, by name (case-sensitive).
    pub cookies: Pairs<StringMatch>,
    /// Client addresses (CIDR), one of which must hold the client.
    pub client: Vec<Spanned<String>>,
    /// A CEL expression over the request head and the connection.
    pub when: Option<Spanned<String>>,
}

/// A condition on a header, query parameter or cookie. A plain string is an exact value.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// Exactly this value.
    Exact(Spanned<String>),
    /// Begins with this.
    Prefix(Spanned<String>),
    /// Matches this regular expression, whole.
    Regex(Spanned<String>),
    /// Is there, with any value.
    Present,
    /// Is not there.
    Absent,
    /// Does not match; an absent value satisfies it.
    Not(Box<StringMatch>),
}

impl<'de> Deserialize<'de> for StringMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatchReader)
    }
}

struct MatchReader;

impl<'de> Visitor<'de> for MatchReader {
    type Value = StringMatch;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value, `present`/`absent` as `{ is: present }`, or one of `{ exact: … }`, `{ prefix: … }`, `{ regex: … }`, `{ not: … }`")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<StringMatch, E> {
        Ok(StringMatch::Exact(Spanned::from(text.to_owned())))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StringMatch, A::Error> {
        const KINDS: &[&str] = &["exact", "prefix", "regex", "is", "not"];
        let Some(kind) = map.next_key::<String>()? else {
            return Err(de::Error::custom("a condition needs one of `exact`, `prefix`, `regex`, `is`, `not`"));
        };
        let found = match kind.as_str() {
            "exact" => StringMatch::Exact(map.next_value()?),
            "prefix" => StringMatch::Prefix(map.next_value()?),
            "regex" => StringMatch::Regex(map.next_value()?),
            "not" => StringMatch::Not(Box::new(map.next_value()?)),
            "is" => match map.next_value::<Presence>()? {
                Presence::Present => StringMatch::Present,
                Presence::Absent => StringMatch::Absent,
            },
            other => return Err(de::Error::unknown_field(other, KINDS)),
        };
        match map.next_key::<String>()? {
            None => Ok(found),
            Some(more) => Err(de::Error::custom(format!("a condition is one thing; `{kind}` and `{more}` are two"))),
        }
    }
}

/// Whether it is there.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Presence {
    Present,
    Absent,
}

impl JsonSchema for StringMatch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringMatch".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let inner = generator.subschema_for::<StringMatch>();
        let one = |key: &str, schema: serde_json::Value| {
            serde_json::json!({
                "type": "object", "properties": { key: schema }, "required": [key], "additionalProperties": false
            })
        };
        let text = serde_json::json!({ "type": "string" });
        schemars::json_schema!({
            "description": "A condition on a value. A plain string is the exact value.",
            "oneOf": [
                text, one("exact", text.clone()), one("prefix", text.clone()), one("regex", text.clone()),
                one("is", serde_json::json!({ "enum": ["present", "absent"] })), one("not", inner.into())
            ]
        })
    }
}
