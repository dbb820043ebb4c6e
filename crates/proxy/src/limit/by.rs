//! What a limit is counted by.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::HeaderName;
use model::load::Spanned;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::exchange::Exchange;
use crate::expr::{Expr, Scope};
use crate::policies::Level;
use crate::program::{Compile, ConsumerSlot};

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
    /// Each client address, or network of so many bits.
    Client(Prefixes),
    /// Each value of this claim.
    Claim(Spanned<String>),
    /// Each value of this header.
    Header(Spanned<String>),
    /// Each value of this expression.
    Cel(Spanned<String>),
}

/// How many bits of a client's address count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LimitPrefixes")]
pub(crate) struct Prefixes {
    /// Of an IPv4 address, from 1 to 32.
    #[schemars(range(min = 1, max = 32))]
    ipv4: u8,
    /// Of an IPv6 address, from 1 to 128: one subscriber usually has all addresses of 64 bits, and often of 56 or 48.
    #[schemars(range(min = 1, max = 128))]
    ipv6: u8,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self { ipv4: 32, ipv6: 64 }
    }
}

const WORDS: &[&str] = &["global", "api", "route", "consumer", "credential", "client"];
const KEYS: &[&str] = &["client", "claim", "header", "cel"];

impl BySpec {
    /// A short word for it, in names and messages.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            BySpec::Global => "global",
            BySpec::Api => "api",
            BySpec::Route => "route",
            BySpec::Consumer => "consumer",
            BySpec::Credential => "credential",
            BySpec::Client(_) => "client",
            BySpec::Claim(_) => "claim",
            BySpec::Header(_) => "header",
            BySpec::Cel(_) => "cel",
        }
    }

    /// What tells it from any other in the keys of kept state.
    pub(crate) fn identity(&self) -> String {
        match self {
            BySpec::Claim(name) => format!("claim {}", **name),
            BySpec::Header(name) => format!("header {}", name.to_ascii_lowercase()),
            BySpec::Cel(text) => format!("cel {}", **text),
            BySpec::Client(prefixes) if *prefixes != Prefixes::default() => {
                format!("client {} {}", prefixes.ipv4, prefixes.ipv6)
            }
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
            "one of global, api, route, consumer, credential, client, or `{ client: { ipv6: 56 } }`, `{ claim: NAME }`, `{ header: NAME }` or `{ cel: \"…\" }`",
        )
    }
    fn visit_str<E: de::Error>(self, word: &str) -> Result<BySpec, E> {
        Ok(match word {
            "global" => BySpec::Global,
            "api" => BySpec::Api,
            "route" => BySpec::Route,
            "consumer" => BySpec::Consumer,
            "credential" => BySpec::Credential,
            "client" => BySpec::Client(Prefixes::default()),
            _ => return Err(E::unknown_variant(word, WORDS)),
        })
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BySpec, A::Error> {
        let by = match map.next_key::<String>()?.as_deref() {
            Some("client") => BySpec::Client(map.next_value()?),
            Some("claim") => BySpec::Claim(map.next_value()?),
            Some("header") => BySpec::Header(map.next_value()?),
            Some("cel") => BySpec::Cel(map.next_value()?),
            Some(other) => return Err(de::Error::unknown_field(other, KEYS)),
            None => return Err(de::Error::custom("`by` is empty; give `client`, `claim`, `header` or `cel`")),
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
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let client = generator.subschema_for::<Prefixes>();
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
                {
                    "type": "object",
                    "properties": { "client": client },
                    "required": ["client"],
                    "additionalProperties": false,
                    "description": "Each client network of so many bits."
                },
                one("claim", "Each value of this claim of the caller's credential, such as `sub`."),
                one("header", "Each value of this request header."),
                one("cel", "Each value of this expression over the request.")
            ]
        })
    }
}

/// What a limit is counted by, compiled for where the policy stands.
pub(crate) enum By {
    /// What is counted is all that the policy sees.
    Single,
    Api,
    Route,
    Consumer,
    Credential,
    Client(Prefixes),
    Claim(Box<str>),
    Header(HeaderName),
    Cel(Expr),
}

/// What one exchange counts on. Equal ones count together.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Of<'x> {
    Single,
    Api(&'x str),
    Route(&'x str, &'x str),
    Consumer(ConsumerSlot),
    Credential(&'static str, Option<ConsumerSlot>, &'x str),
    V4(u32),
    V6(u128),
    Claim(Cow<'x, str>),
    Header(SmallVec<[&'x [u8]; 2]>),
    Text(Cow<'x, str>),
}

impl By {
    pub(crate) fn compile(written: &BySpec, cx: &mut Compile<'_>) -> Option<Self> {
        Some(match (written, cx.owner.level) {
            (BySpec::Global, _)
            | (BySpec::Api, Level::Api | Level::Route)
            | (BySpec::Route, Level::Route)
            | (BySpec::Consumer, Level::Consumer) => By::Single,
            (BySpec::Api, _) => By::Api,
            (BySpec::Route, _) => By::Route,
            (BySpec::Consumer, _) => By::Consumer,
            (BySpec::Credential, _) => By::Credential,
            (BySpec::Client(prefixes), _) => {
                if !(1..=32).contains(&prefixes.ipv4) || !(1..=128).contains(&prefixes.ipv6) {
                    let message = "an address has 1 to 32 bits (`ipv4`), or 1 to 128 (`ipv6`)";
                    cx.problem(cx.span, message, "such as `{ client: { ipv6: 56 } }`");
                    return None;
                }
                By::Client(*prefixes)
            }
            (BySpec::Claim(name), _) => By::Claim(name.as_str().into()),
            (BySpec::Header(name), _) => By::Header(cx.header_name(name)?),
            (BySpec::Cel(text), _) => By::Cel(cx.expr(text, Scope::Request)?),
        })
    }

    /// What this exchange counts on. Without what the limit is counted by (nobody is known, no such header, an expression
    /// without a value) it is the client's address.
    pub(crate) fn of<'x>(&'x self, x: &'x Exchange) -> Of<'x> {
        let client = || client(x, Prefixes::default());
        match self {
            By::Single => Of::Single,
            By::Api => Of::Api(&x.plan().api),
            By::Route => Of::Route(&x.plan().api, &x.plan().name),
            By::Client(prefixes) => self::client(x, *prefixes),
            By::Consumer => match x.identity.as_ref().and_then(|identity| identity.consumer) {
                Some(slot) => Of::Consumer(slot),
                None => client(),
            },
            By::Credential => match x.identity.as_ref() {
                Some(identity) if identity.consumer.is_some() || identity.credential.is_some() => {
                    let credential = identity.credential.as_deref().unwrap_or_default();
                    Of::Credential(identity.method, identity.consumer, credential)
                }
                _ => client(),
            },
            By::Header(name) => {
                let values: SmallVec<_> =
                    x.request.headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
                if values.is_empty() { client() } else { Of::Header(values) }
            }
            By::Claim(name) => claim(x, name).map_or_else(client, Of::Claim),
            By::Cel(expr) => expr.text(x).map_or_else(client, Of::Text),
        }
    }
}

/// What the caller's credential claims, as text. Lists and objects count as what they are written like.
fn claim<'x>(x: &'x Exchange, name: &str) -> Option<Cow<'x, str>> {
    match x.identity.as_ref()?.learnt.as_ref()?.claims.get(name)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
    }
}

/// The client's address, or its network.
fn client<'x>(x: &'x Exchange, prefixes: Prefixes) -> Of<'x> {
    match x.client {
        IpAddr::V4(address) => Of::V4(address.to_bits() & (u32::MAX << (32 - u32::from(prefixes.ipv4.clamp(1, 32))))),
        IpAddr::V6(address) => {
            Of::V6(address.to_bits() & (u128::MAX << (128 - u32::from(prefixes.ipv6.clamp(1, 128)))))
        }
    }
}

impl Of<'_> {
    /// Writes it as text that is the same on every gateway and in every process, at most some 150 bytes: names and
    /// addresses as they are, what clients make up as a hash.
    pub(crate) fn write(&self, x: &Exchange, out: &mut String) {
        let consumer = |slot: Option<ConsumerSlot>| {
            let known = slot.and_then(|slot| x.local.program.consumers.get(slot));
            known.map_or("", |known| &*known.name)
        };
        // Writing to a string cannot fail.
        let _ = match self {
            Of::Single => out.write_str("all"),
            Of::Api(api) => write!(out, "api:{api}"),
            Of::Route(api, route) => write!(out, "route:{api}:{route}"),
            Of::Consumer(slot) => write!(out, "consumer:{}", consumer(Some(*slot))),
            Of::Credential(method, slot, name) => {
                write!(out, "credential:{method}:{}:{}", consumer(*slot), digest([name.as_bytes()]))
            }
            Of::V4(bits) => write!(out, "client:{}", Ipv4Addr::from_bits(*bits)),
            Of::V6(bits) => write!(out, "client:{}", Ipv6Addr::from_bits(*bits)),
            Of::Header(values) => write!(out, "header:{}", digest(values.iter().copied())),
            Of::Claim(text) => write!(out, "claim:{}", digest([text.as_bytes()])),
            Of::Text(text) => write!(out, "cel:{}", digest([text.as_bytes()])),
        };
    }
}

/// The first half of the SHA-256 of these parts: nobody finds two that are the same.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut whole = Vec::new();
    for part in parts {
        whole.extend_from_slice(&(part.len() as u64).to_le_bytes());
        whole.extend_from_slice(part);
    }
    let hash = crate::program::sha256(&whole);
    hash.iter().take(16).fold(String::with_capacity(32), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
