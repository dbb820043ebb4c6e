//! What a limit is counted by.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::HeaderName;
use model::load::Spanned;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::counters::{Counters, Key};
use crate::exchange::Exchange;
use crate::expr::{Expr, Scope};
use crate::policies::Level;
use crate::program::Compile;

/// What a limit is counted by, as a user writes it.
#[derive(Clone, Debug, Default)]
pub(crate) enum BySpec {
    /// All requests that the policy sees, together.
    Global,
    /// Each api.
    Api,
    /// Each route.
    Route,
    /// Each consumer.
    #[default]
    Consumer,
    /// Each credential of each consumer.
    Credential,
    /// Each client address.
    Client,
    /// Each value of this header.
    Header(Spanned<String>),
    /// Each value of this expression.
    Cel(Spanned<String>),
}

const WORDS: &[&str] = &["global", "api", "route", "consumer", "credential", "client"];
const KEYS: &[&str] = &["header", "cel"];

impl BySpec {
    /// A short word for it, in names and messages.
    pub(super) fn word(&self) -> &'static str {
        match self {
            BySpec::Global => "global",
            BySpec::Api => "api",
            BySpec::Route => "route",
            BySpec::Consumer => "consumer",
            BySpec::Credential => "credential",
            BySpec::Client => "client",
            BySpec::Header(_) => "header",
            BySpec::Cel(_) => "cel",
        }
    }

    /// What tells it from any other in the keys of kept state.
    pub(super) fn identity(&self) -> String {
        match self {
            BySpec::Header(name) => format!("header {}", name.to_ascii_lowercase()),
            BySpec::Cel(text) => format!("cel {}", **text),
            _ => self.word().to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for BySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = BySpec;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "one of global, api, route, consumer, credential, client, or `{ header: NAME }` or `{ cel: \"…\" }`",
        )
    }
    fn visit_str<E: de::Error>(self, word: &str) -> Result<BySpec, E> {
        Ok(match word {
            "global" => BySpec::Global,
            "api" => BySpec::Api,
            "route" => BySpec::Route,
            "consumer" => BySpec::Consumer,
            "credential" => BySpec::Credential,
            "client" => BySpec::Client,
            _ => return Err(E::unknown_variant(word, WORDS)),
        })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BySpec, A::Error> {
        let by = match map.next_key::<String>()?.as_deref() {
            Some("header") => BySpec::Header(map.next_value()?),
            Some("cel") => BySpec::Cel(map.next_value()?),
            Some(other) => return Err(de::Error::unknown_field(other, KEYS)),
            None => return Err(de::Error::custom("`by` is empty; give `header` or `cel`")),
        };
        match map.next_key::<String>()? {
            None => Ok(by),
            Some(more) => Err(de::Error::custom(format!("a limit is counted by one thing; `{more}` is a second"))),
        }
    }
}

impl JsonSchema for BySpec {
    fn schema_name() -> Cow<'static, str> {
        "LimitBy".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = |key: &str, description: &str| {
            serde_json::json!({
                "type": "object",
                "properties": { key: { "type": "string", "description": description } },
                "required": [key],
                "additionalProperties": false
            })
        };
        schemars::json_schema!({
            "description": "What is counted together.",
            "oneOf": [
                { "enum": WORDS },
                one("header", "Each value of this request header."),
                one("cel", "Each value of this expression over the request.")
            ]
        })
    }
}

/// What a limit is counted by, compiled for where the policy stands.
pub(super) enum By {
    /// What is counted is all that the policy sees.
    Single,
    Api,
    Route,
    Consumer,
    Credential,
    Client,
    Header(HeaderName),
    Cel(Expr),
}

impl By {
    pub(super) fn compile(written: &BySpec, cx: &mut Compile<'_>) -> Option<Self> {
        Some(match (written, cx.owner.level) {
            (BySpec::Global, _)
            | (BySpec::Api, Level::Api | Level::Route)
            | (BySpec::Route, Level::Route)
            | (BySpec::Consumer, Level::Consumer) => By::Single,
            (BySpec::Api, _) => By::Api,
            (BySpec::Route, _) => By::Route,
            (BySpec::Consumer, _) => By::Consumer,
            (BySpec::Credential, _) => By::Credential,
            (BySpec::Client, _) => By::Client,
            (BySpec::Header(name), _) => By::Header(cx.header_name(name)?),
            (BySpec::Cel(text), _) => By::Cel(cx.expr(text, Scope::Request)?),
        })
    }

    /// What this exchange counts on. Without what the limit is counted by (nobody is known, no such header, an expression
    /// without a value) it is the client's address.
    pub(super) fn key(&self, x: &Exchange, counters: &Counters) -> Key {
        match self {
            By::Single => Key::Single,
            By::Api => counters.hash(&*x.plan().api),
            By::Route => counters.hash((&*x.plan().api, &*x.plan().name)),
            By::Client => client(x, counters),
            By::Consumer => match x.identity.as_ref().and_then(|identity| identity.consumer) {
                Some(slot) => Key::Consumer(slot),
                None => client(x, counters),
            },
            By::Credential => match x.identity.as_ref() {
                Some(identity) if identity.consumer.is_some() || identity.credential.is_some() => {
                    let credential = identity.credential.as_deref().unwrap_or_default();
                    counters.hash(("credential", identity.method, identity.consumer, credential))
                }
                _ => client(x, counters),
            },
            By::Header(name) => {
                let mut values = x.request.headers.get_all(name).iter().map(|value| value.as_bytes()).peekable();
                match values.peek() {
                    None => client(x, counters),
                    Some(_) => counters.hash(("header", values.collect::<smallvec::SmallVec<[&[u8]; 2]>>())),
                }
            }
            By::Cel(expr) => match expr.text(x) {
                Some(text) => counters.hash(("cel", &*text)),
                None => client(x, counters),
            },
        }
    }
}

/// The client: its IPv4 address, or its IPv6 network of 64 bits, as one subscriber has all addresses of that.
fn client(x: &Exchange, counters: &Counters) -> Key {
    match x.client {
        IpAddr::V4(address) => counters.hash(("v4", address.to_bits())),
        IpAddr::V6(address) => counters.hash(("v6", (address.to_bits() >> 64) as u64)),
    }
}
