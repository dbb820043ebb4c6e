//! A text that a user writes as it is, or as a CEL expression: `value` or `{ cel: "auth.consumer.name" }`.

use http::HeaderValue;
use model::load::Spanned;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::exchange::Exchange;
use crate::expr::{Expr, Scope};
use crate::program::Compile;

/// A text as it is written, or a CEL expression that makes it.
#[derive(Clone, Debug)]
pub(crate) enum TextSpec {
    /// This text.
    Literal(Spanned<String>),
    /// The value of this expression.
    Cel(Spanned<String>),
}

impl<'de> Deserialize<'de> for TextSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, span } = Spanned::<Written>::deserialize(deserializer)?;
        Ok(match value {
            Written::Literal(text) => TextSpec::Literal(Spanned::new(text, span)),
            Written::Cel(text) => TextSpec::Cel(text),
        })
    }
}

/// The same before its place is known.
enum Written {
    Literal(String),
    Cel(Spanned<String>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Written;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text, or an expression such as `{ cel: \"auth.consumer.name\" }`")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written::Literal(text.to_owned()))
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Written, E> {
        Ok(Written::Literal(number.to_string()))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Written, E> {
        Ok(Written::Literal(number.to_string()))
    }
    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Written, E> {
        Ok(Written::Literal(flag.to_string()))
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Written, E> {
        // `1.10` would come out as `1.1`.
        Err(E::custom(format!("put the number in quotes, so that it stays as written: \"{number}\"")))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        match map.next_key::<String>()?.as_deref() {
            Some("cel") => {}
            Some(other) => return Err(de::Error::unknown_field(other, &["cel"])),
            None => return Err(de::Error::missing_field("cel")),
        }
        let text = map.next_value::<Spanned<String>>()?;
        match map.next_key::<String>()? {
            None => Ok(Written::Cel(text)),
            Some(more) => Err(de::Error::unknown_field(&more, &["cel"])),
        }
    }
}

impl JsonSchema for TextSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text as it is, or the value of a CEL expression.",
            "oneOf": [
                { "type": ["string", "integer", "boolean"] },
                {
                    "type": "object",
                    "properties": { "cel": { "type": "string", "description": "A CEL expression." } },
                    "required": ["cel"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// Where a header value comes from.
#[derive(Clone, Debug)]
pub(crate) enum FieldValue {
    /// Known beforehand.
    Literal(HeaderValue),
    /// An expression over each exchange.
    Cel(Expr),
}

impl FieldValue {
    /// Compiles what was written for a header field.
    pub(crate) fn compile(written: &TextSpec, scope: Scope, cx: &mut Compile<'_>) -> Option<Self> {
        match written {
            TextSpec::Literal(text) => cx.header_value(text).map(FieldValue::Literal),
            TextSpec::Cel(text) => cx.expr(text, scope).map(FieldValue::Cel),
        }
    }

    /// The value for this exchange; `None` where the expression has none, or none that a header field can carry.
    pub(crate) fn get(&self, x: &Exchange) -> Option<HeaderValue> {
        match self {
            FieldValue::Literal(value) => Some(value.clone()),
            FieldValue::Cel(expr) => HeaderValue::from_str(&expr.text(x)?).ok(),
        }
    }
}

/// Where any other text comes from.
#[derive(Clone, Debug)]
pub(crate) enum TextValue {
    /// Known beforehand.
    Literal(Box<str>),
    /// An expression over each exchange.
    Cel(Expr),
}

impl TextValue {
    /// Compiles what was written.
    pub(crate) fn compile(written: &TextSpec, scope: Scope, cx: &mut Compile<'_>) -> Option<Self> {
        match written {
            TextSpec::Literal(text) => Some(TextValue::Literal(text.value.as_str().into())),
            TextSpec::Cel(text) => cx.expr(text, scope).map(TextValue::Cel),
        }
    }

    /// The text for this exchange; `None` where the expression has none.
    pub(crate) fn get<'x>(&'x self, x: &'x Exchange) -> Option<std::borrow::Cow<'x, str>> {
        match self {
            TextValue::Literal(text) => Some((&**text).into()),
            TextValue::Cel(expr) => expr.text(x),
        }
    }
}
