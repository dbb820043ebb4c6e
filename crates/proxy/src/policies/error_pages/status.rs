//! Statuses that a page is for.

use http::StatusCode;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// One status, or all of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statuses {
    /// This one.
    One(u16),
    /// All whose first digit this is.
    Class(u16),
}

impl Statuses {
    pub(super) fn has(self, status: StatusCode) -> bool {
        match self {
            Statuses::One(one) => status.as_u16() == one,
            Statuses::Class(class) => status.as_u16() / 100 == class,
        }
    }

    fn one<E: de::Error>(status: u64) -> Result<Self, E> {
        match u16::try_from(status) {
            Ok(status @ 400..=599) => Ok(Statuses::One(status)),
            _ => Err(E::custom(format!("{status} is not an error's status; give one from 400 to 599, `4xx` or `5xx`"))),
        }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Statuses;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a status such as `404`, `4xx` or `5xx`")
    }
    fn visit_u64<E: de::Error>(self, status: u64) -> Result<Statuses, E> {
        Statuses::one(status)
    }
    fn visit_i64<E: de::Error>(self, status: i64) -> Result<Statuses, E> {
        Statuses::one(u64::try_from(status).unwrap_or_default())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
        match text {
            "4xx" => Ok(Statuses::Class(4)),
            "5xx" => Ok(Statuses::Class(5)),
            _ => text
                .parse()
                .map_err(|_| E::custom(format!("expected a status such as `404`, `4xx` or `5xx`, found `{text}`")))
                .and_then(Statuses::one),
        }
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ErrorStatus".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A status, or all of a class.",
            "oneOf": [{ "type": "integer", "minimum": 400, "maximum": 599 }, { "enum": ["4xx", "5xx"] }]
        })
    }
}
