//! What token limits and budgets are counted by: what other limits are, and what calls of models have besides.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use proxy::exchange::Exchange;
use proxy::limit::{Whose, WhoseSpec};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::call::AiCall;
use crate::meter::{groups, team};

/// The most groups of a caller that count.
const MOST_GROUPS: usize = 16;

/// As a user writes it.
#[derive(Clone, Debug)]
pub(super) enum BySpec {
    /// Each model, by the name that callers use.
    Model,
    /// Each group: a caller of several counts on every one.
    Group,
    /// Each team.
    Team,
    /// What other limits are counted by.
    Other(WhoseSpec),
}

impl Default for BySpec {
    fn default() -> Self {
        Self::Other(WhoseSpec::default())
    }
}

impl BySpec {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Group => "group",
            Self::Team => "team",
            Self::Other(other) => other.word(),
        }
    }

    pub(super) fn identity(&self) -> String {
        match self {
            Self::Other(other) => other.identity(),
            own => own.word().to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for BySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = BySpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "one of global, api, route, consumer, credential, client, model, group, team, or `{ claim: NAME }`, \
                     `{ header: NAME }` or `{ cel: \"…\" }`",
                )
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<BySpec, E> {
                Ok(match word {
                    "model" => BySpec::Model,
                    "group" => BySpec::Group,
                    "team" => BySpec::Team,
                    _ => BySpec::Other(WhoseSpec::deserialize(BorrowedStrDeserializer::new(word))?),
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BySpec, A::Error> {
                WhoseSpec::deserialize(MapAccessDeserializer::new(map)).map(BySpec::Other)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for BySpec {
    fn schema_name() -> Cow<'static, str> {
        "AiLimitBy".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let other = generator.subschema_for::<WhoseSpec>();
        schemars::json_schema!({
            "description": "What is counted together.",
            "anyOf": [{ "enum": ["model", "group", "team"] }, other]
        })
    }
}

/// The same, compiled.
pub(super) enum By {
    Model,
    Group,
    Team,
    /// Always the same.
    Single(String),
    Other(Whose),
}

impl By {
    pub(super) fn compile(written: &BySpec, cx: &mut Compile<'_>) -> Option<Self> {
        Some(match written {
            BySpec::Model => Self::Model,
            BySpec::Group => Self::Group,
            BySpec::Team => Self::Team,
            BySpec::Other(other) => Self::Other(Whose::compile(other, cx)?),
        })
    }

    /// The keys that this call counts on: one, but for a caller in several groups. Who has no group or team counts with all
    /// such callers.
    pub(super) fn keys(&self, x: &Exchange) -> Vec<String> {
        match self {
            Self::Model => vec![format!("model:{}", AiCall::past(x).map_or("", |call| &call.model.name))],
            Self::Single(key) => vec![key.clone()],
            Self::Team => vec![format!("team:{}", team(x).unwrap_or_default())],
            Self::Group => {
                let mut keys: Vec<String> = groups(x).take(MOST_GROUPS).map(|group| format!("group:{group}")).collect();
                keys.sort_unstable();
                keys.dedup();
                if keys.is_empty() { vec!["group:".to_owned()] } else { keys }
            }
            Self::Other(other) => {
                let mut key = String::with_capacity(48);
                other.write(x, &mut key);
                vec![key]
            }
        }
    }
}

/// A name that clients and metrics see, derived where none is given.
pub(super) fn name(given: Option<&str>, by: &BySpec, time: &str) -> String {
    let mut name = String::new();
    let _ = match given {
        Some(given) => name.write_str(given),
        None => write!(name, "{}-{time}", by.word()),
    };
    name
}
