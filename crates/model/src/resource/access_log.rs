//! The access log: one record a request.

use schemars::JsonSchema;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::load::Spanned;
use crate::value::{ByteSize, Duration, Percent};

/// `off`, or where the record of each request goes and what it holds.
#[derive(Clone, Debug, Default)]
pub enum AccessLog {
    /// No record is written.
    Off,
    /// JSON lines to standard output.
    #[default]
    Standard,
    /// As said.
    To(Box<LogDestination>),
}

/// Where the access log goes and what a line holds.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogDestination {
    /// The file; none means standard output. SIGUSR1 reopens it.
    pub path: Option<Spanned<String>>,
    /// One JSON object a line, or lines made from `template`.
    pub format: LogFormat,
    /// The line for `format: template`, with fields in braces: `{client} {method} {path} {status}`.
    pub template: Option<Spanned<String>>,
    /// The fields of a JSON line, in this order; none means the default set. `request.headers.NAME` and
    /// `response.headers.NAME` name headers.
    pub fields: Option<Vec<Spanned<String>>>,
    /// The share of requests that is written, all when not given. Errors (status 500 and above) always are.
    pub sample: Option<Percent>,
    /// Names of headers and query parameters whose values are hidden, beside those that always are (`authorization`,
    /// `cookie`, `set-cookie`, `proxy-authorization`, `x-api-key`, `api_key`, `access_token`, `key`, `token`, …).
    pub redact: Vec<String>,
    /// When a new file is begun.
    pub rotate: Option<LogRotation>,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// The line of `template`.
    Template,
}

/// When a new log file is begun and how many old ones stay. An old file is renamed to `PATH.1` (and `PATH.1` to `PATH.2`, …).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogRotation {
    /// A file that reaches this size is old, at least `64KiB`.
    pub size: ByteSize,
    /// A file is old at the next full multiple of this since 1970, in UTC: `1h` at each full hour, `1d` at midnight. From
    /// `1m` to `366d`; none means that only the size counts.
    pub every: Option<Duration>,
    /// How many old files are kept, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub keep: Spanned<u32>,
}

impl Default for LogRotation {
    fn default() -> Self {
        Self { size: ByteSize::bytes(100 << 20), every: None, keep: Spanned::from(5) }
    }
}

impl<'de> Deserialize<'de> for AccessLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = AccessLog;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`off`, or a map such as `{ path: access.log, format: json }`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<AccessLog, E> {
                match text {
                    "off" => Ok(AccessLog::Off),
                    "stdout" => Ok(AccessLog::Standard),
                    _ => Err(E::unknown_variant(text, &["off", "stdout"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AccessLog, A::Error> {
                LogDestination::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|to| AccessLog::To(Box::new(to)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for AccessLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            AccessLog::Off => serializer.serialize_str("off"),
            AccessLog::Standard => serializer.serialize_str("stdout"),
            AccessLog::To(destination) => destination.serialize(serializer),
        }
    }
}

impl JsonSchema for AccessLog {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AccessLog".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "`off`, `stdout`, or where the record of each request goes and what it holds.",
            "default": "stdout",
            "oneOf": [{ "enum": ["off", "stdout"] }, generator.subschema_for::<LogDestination>()]
        })
    }
}
