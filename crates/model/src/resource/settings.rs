//! Settings of the whole gateway.

use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::load::Spanned;
use crate::value::{Duration, Secret};

/// How many workers: `auto` or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// One a core that the process may use.
    #[default]
    Auto,
    /// This many, from 1 to 1024.
    Count(u16),
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Reader {
            fn count<E: de::Error>(count: u64) -> Result<Workers, E> {
                match u16::try_from(count) {
                    Ok(count @ 1..=1024) => Ok(Workers::Count(count)),
                    _ => Err(E::custom("workers must be `auto` or a number from 1 to 1024")),
                }
            }
        }
        impl Visitor<'_> for Reader {
            type Value = Workers;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`auto` or a number from 1 to 1024")
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Workers, E> {
                Self::count(count)
            }
            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Workers, E> {
                Self::count(u64::try_from(count).unwrap_or(0))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Workers, E> {
                if text == "auto" { Ok(Workers::Auto) } else { Self::count(text.parse().unwrap_or(0)) }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Workers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Workers::Auto => serializer.serialize_str("auto"),
            Workers::Count(count) => serializer.serialize_u16(*count),
        }
    }
}

impl JsonSchema for Workers {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Workers".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "`auto` for one worker a core, or their number.",
            "default": "auto",
            "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 1024 }]
        })
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Not done.
    #[default]
    Off,
    /// Done.
    On,
}

/// The operations port. Over TCP it is read-only and checks the `Host` header; what changes state goes over the socket, or
/// with the token.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operations {
    /// Where it listens. Keep it off public networks: it tells what the gateway runs.
    pub address: Spanned<String>,
    /// Host names, beside IP addresses and `localhost`, that requests to this port may carry in `Host`. Guards against
    /// DNS rebinding.
    pub hosts: Vec<String>,
    /// A Unix socket (mode 0600) that takes the same calls and those that change state, such as the log level. It goes
    /// with the process.
    pub socket: Option<String>,
    /// Who shows it as `Authorization: Bearer` may do over TCP too what else only goes over the socket: change state, see
    /// keys of callers and what they cost. At least 16 characters, best `${env:NAME}`.
    pub token: Option<Spanned<Secret<String>>>,
}

impl Default for Operations {
    fn default() -> Self {
        Self { address: Spanned::from("127.0.0.1:9901".to_owned()), hosts: Vec::new(), socket: None, token: None }
    }
}

/// The gateway's own log, on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least level that is written.
    pub level: LogLevel,
    /// Text for people or JSON for machines.
    pub format: LogStyle,
}

/// Levels of the gateway's own log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Only what is broken.
    Error,
    /// And what may break.
    Warn,
    /// And what happened: started, reloaded, drained.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And everything.
    Trace,
}

/// How the gateway's own log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStyle {
    /// A line of text, coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How the gateway leaves on SIGTERM or SIGINT.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// How long `/readyz` fails before accepting stops, so that load balancers look away first.
    pub delay: Duration,
    /// How long accepted requests may take to complete after that; what is still open then is cut.
    pub timeout: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { delay: Duration::from_secs(0), timeout: Duration::from_secs(30) }
    }
}
