//! Values with a unit or a rule: each reads from text, says what it expected, and writes itself in one canonical form.
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{Schema, json_schema};
use serde::de::{Deserializer, Error, Visitor};

mod allowance;
mod byte_size;
mod duration;
mod name;
mod one_or_many;
mod percent;
mod rate;
mod secret;
mod spending;
#[cfg(test)]
mod tests;
mod timestamp;

pub use allowance::{Allowance, Per};
pub use byte_size::ByteSize;
pub use duration::Duration;
pub use name::Name;
pub use one_or_many::OneOrMany;
pub use percent::Percent;
pub use rate::Rate;
pub use secret::Secret;
pub use spending::{Spending, SpendingPer};
pub use timestamp::Timestamp;

pub(crate) use one_or_many::ONE_OR_MANY;
pub(crate) use secret::{SECRET, is_secretive};

/// Why a text is not a value of some kind: a sentence for people that says what was expected and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError(String);

impl ValueError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// `expected …, found …`, where what was found is shortened.
    fn expected(what: &str, found: &str) -> Self {
        Self(format!("expected {what}, found {}", quote(found)))
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ValueError {}

/// A text in backquotes for a message, cut after a line's worth.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    if shown.is_empty() { "an empty text".to_owned() } else { format!("`{shown}`") }
}

/// A value that is written as text.
trait Text: FromStr<Err = ValueError> {
    /// What is expected, such as "a duration such as `30s`".
    const EXPECTED: &'static str;

    /// How to mend a bare number, which is the commonest mistake.
    fn bare_number(number: &str) -> String;
}

/// Reads a text value; a number without its unit gets a message that shows the unit.
fn deserialize<'de, T: Text, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_str(TextVisitor(PhantomData))
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Text> TextVisitor<T> {
    fn bare<E: Error>(number: impl fmt::Display) -> E {
        let number = number.to_string();
        E::custom(format_args!("expected {}, found the number {number}: {}", T::EXPECTED, T::bare_number(&number)))
    }
}

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Err(Self::bare(number))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Err(Self::bare(number))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Err(Self::bare(number))
    }
}

/// The schema of a text value.
fn schema(description: &str, pattern: &str, examples: &[&str]) -> Schema {
    json_schema!({ "type": "string", "description": description, "pattern": pattern, "examples": examples })
}

/// `FromStr`-backed `Deserialize`, `Display`-backed `Serialize`, and a `JsonSchema` for a [`Text`] value.
macro_rules! text_value {
    ($type:ident, $description:expr, $pattern:expr, $examples:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                super::deserialize(deserializer)
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                super::schema($description, $pattern, &$examples)
            }
        }
    };
}
use text_value;

/// Visits of a wrapper that reads as what it wraps. Deserializers over a single value, such as those that a union's
/// visitor makes, call these instead of `visit_newtype_struct`.
macro_rules! transparent_visits {
    ($inner:ty => $wrap:expr; visit_seq) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            <$inner>::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map($wrap)
        }
        crate::value::transparent_visits!($inner => $wrap);
    };
    ($inner:ty => $wrap:expr) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            <$inner>::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map($wrap)
        }
        fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
            <$inner>::deserialize(serde::de::value::StrDeserializer::new(value)).map($wrap)
        }
        fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
            <$inner>::deserialize(serde::de::value::BoolDeserializer::new(value)).map($wrap)
        }
        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
            <$inner>::deserialize(serde::de::value::I64Deserializer::new(value)).map($wrap)
        }
        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
            <$inner>::deserialize(serde::de::value::U64Deserializer::new(value)).map($wrap)
        }
        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
            <$inner>::deserialize(serde::de::value::F64Deserializer::new(value)).map($wrap)
        }
        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            <$inner>::deserialize(serde::de::value::UnitDeserializer::new()).map($wrap)
        }
    };
}
pub(crate) use transparent_visits;

/// Splits leading digits off; `None` without any, or over `u64`.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}
