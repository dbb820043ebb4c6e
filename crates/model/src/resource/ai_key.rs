//! A key of a provider: its text alone, or with what bounds it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::load::Spanned;
use crate::value::{Name, Rate, Secret, Timestamp};

/// A key of a provider.
#[derive(Clone, Debug)]
pub struct ProviderKey {
    /// The key.
    pub key: Spanned<Secret<String>>,
    /// What it is called in metrics and the log.
    pub name: Option<Spanned<Name>>,
    /// `false` leaves it out.
    pub enabled: bool,
    /// Its share beside the others.
    pub weight: Spanned<u16>,
    /// When it ends to be good.
    pub expires: Option<Spanned<Timestamp>>,
    /// The most calls.
    pub requests: Option<Spanned<Rate>>,
    /// The most tokens.
    pub tokens: Option<Spanned<Rate>>,
    /// The most calls at the same time.
    pub max_concurrent: Option<Spanned<u32>>,
}

/// A key of a provider with what bounds it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiProviderKey")]
struct Whole {
    /// The key, best `${env:NAME}` or `${store:NAME}`.
    key: Spanned<Secret<String>>,
    /// What it is called in the log; its place in the list when not given.
    name: Option<Spanned<Name>>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    enabled: bool,
    /// Its share beside the others, from 0 to 100; one of 0 is used where no other can be.
    #[serde(default = "one")]
    #[schemars(range(max = 100))]
    weight: Spanned<u16>,
    /// When it ends to be good: it is not shown from then on.
    expires: Option<Spanned<Timestamp>>,
    /// The most calls with it, such as `500/minute`, on this gateway; beyond them the others are used.
    requests: Option<Spanned<Rate>>,
    /// The most tokens that calls with it read and write, such as `200000/minute`, on this gateway.
    tokens: Option<Spanned<Rate>>,
    /// The most calls with it at the same time, on this gateway.
    max_concurrent: Option<Spanned<u32>>,
}

fn one() -> Spanned<u16> {
    Spanned::from(1)
}

impl From<Whole> for ProviderKey {
    fn from(whole: Whole) -> Self {
        let Whole { key, name, enabled, weight, expires, requests, tokens, max_concurrent } = whole;
        Self { key, name, enabled, weight, expires, requests, tokens, max_concurrent }
    }
}

impl<'de> Deserialize<'de> for ProviderKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A text is a secret as a whole; of a map the reader knows which part is.
        let Spanned { value, span } = Spanned::<Secret<Either>>::deserialize(deserializer)?;
        let Either(mut key) = value.into_inner();
        if key.key.span.is_none() {
            key.key.span = span;
        }
        Ok(key)
    }
}

struct Either(ProviderKey);

impl<'de> Deserialize<'de> for Either {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl Reader {
    fn text<E: de::Error>(key: Secret<String>) -> Result<ProviderKey, E> {
        let whole = Whole {
            key: Spanned::from(key),
            name: None,
            enabled: true,
            weight: one(),
            expires: None,
            requests: None,
            tokens: None,
            max_concurrent: None,
        };
        Ok(whole.into())
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = ProviderKey;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key, or one with its bounds such as `{ key: …, weight: 2, requests: 500/minute }`")
    }
    fn visit_str<E: de::Error>(self, key: &str) -> Result<ProviderKey, E> {
        Secret::deserialize(StrDeserializer::new(key)).and_then(Self::text)
    }
    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<ProviderKey, E> {
        Secret::deserialize(BorrowedStrDeserializer::new(key)).and_then(Self::text)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProviderKey, A::Error> {
        Whole::deserialize(MapAccessDeserializer::new(map)).map(ProviderKey::from)
    }
}

impl JsonSchema for ProviderKey {
    fn schema_name() -> Cow<'static, str> {
        "AiProviderKeyOrText".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        let (text, whole) = (generator.subschema_for::<Secret<String>>(), generator.subschema_for::<Whole>());
        schemars::json_schema!({ "description": "A key, or one with its bounds.", "anyOf": [text, whole] })
    }
}
