//! Reading: a tree in which no key stands twice, and its objects taken apart field by field.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::At;
use crate::translate::{Read, Refused, Rules};

/// Most paths kept of fields that are not known.
const UNKNOWN: usize = 32;

/// A document, or why it is none. A key given twice is refused: which one counts differs from reader to reader.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Refused> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Tree.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Refused::malformed("", format!("not valid JSON: {}", told(&error))))
}

/// A provider's document: it is read as most readers do, the last of a key given twice counts.
pub(crate) fn parse_answer(body: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::malformed("", format!("not valid JSON: {}", told(&error))))
}

/// What the reader says, without anything of the body but keys.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.len() > 200 { format!("at line {}, column {}", error.line(), error.column()) } else { text }
}

struct Tree;

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Tree)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom("a key stands twice in one object"));
            }
            let value = fields.next_value_seed(Tree)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// An object that is taken apart: what is left at the end is not known. `null` is the same as absent.
pub(crate) struct Fields<'a> {
    map: Map<String, Value>,
    /// Where it stands.
    pub(crate) at: At<'a>,
}

impl<'a> Fields<'a> {
    /// Of an object.
    pub(crate) fn of(value: Value, at: At<'a>) -> Result<Self, Refused> {
        match value {
            Value::Object(map) => Ok(Self { map, at }),
            _ => Err(Refused::malformed(at.spelled(), "must be an object")),
        }
    }

    /// Of an object where anything else is as good as an empty one: for what providers answer.
    pub(crate) fn lenient(value: Value) -> Fields<'static> {
        let map = if let Value::Object(map) = value { map } else { Map::new() };
        Fields { map, at: At::ROOT }
    }

    /// Refuses the field `key`.
    pub(crate) fn wrong(&self, key: &str, why: impl Into<std::borrow::Cow<'static, str>>) -> Refused {
        Refused::malformed(self.at.key(key).spelled(), why)
    }

    /// Refuses the field `key` because the canonical form has no place for it.
    pub(crate) fn no_place(&self, key: &str, why: impl Into<std::borrow::Cow<'static, str>>) -> Refused {
        Refused::not_carried(self.at.key(key).spelled(), why)
    }

    /// Whether the field is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// A string's value while it stays where it is.
    pub(crate) fn peek(&self, key: &str) -> Option<&str> {
        self.map.get(key).and_then(Value::as_str)
    }

    /// Takes the field.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.swap_remove(key).filter(|value| !value.is_null())
    }

    /// Takes a string.
    pub(crate) fn string(&mut self, key: &str) -> Result<Option<String>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "must be a string")),
        }
    }

    /// Takes a string that must be there.
    pub(crate) fn needed(&mut self, key: &str) -> Result<String, Refused> {
        self.string(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// Takes a number of things.
    pub(crate) fn count(&mut self, key: &str) -> Result<Option<u64>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => {
                u64_of(&value).map(Some).ok_or_else(|| self.wrong(key, "must be a whole number, not negative"))
            }
        }
    }

    /// Takes a whole number.
    pub(crate) fn integer(&mut self, key: &str) -> Result<Option<i64>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.wrong(key, "must be a whole number")),
        }
    }

    /// Takes a number.
    pub(crate) fn number(&mut self, key: &str) -> Result<Option<f64>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "must be a number")),
        }
    }

    /// Takes a truth.
    pub(crate) fn truth(&mut self, key: &str) -> Result<Option<bool>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(self.wrong(key, "must be true or false")),
        }
    }

    /// Takes a list.
    pub(crate) fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, Refused> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.wrong(key, "must be a list")),
        }
    }

    /// Takes one or several strings.
    pub(crate) fn strings(&mut self, key: &str) -> Result<Vec<String>, Refused> {
        let wrong = "must be a string or a list of strings";
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| if let Value::String(text) = item { Ok(text) } else { Err(self.wrong(key, wrong)) })
                .collect(),
            Some(_) => Err(self.wrong(key, wrong)),
        }
    }

    /// The fields that nobody took.
    pub(crate) fn left(&self) -> impl Iterator<Item = &str> {
        self.map.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str())
    }

    /// Notes the fields that nobody took, but for those that are known to say nothing.
    pub(crate) fn end(self, unknown: &mut Vec<String>, silent: &[&str]) {
        for key in self.left().filter(|key| !silent.contains(key)) {
            if unknown.len() < UNKNOWN {
                unknown.push(self.at.key(key).spelled());
            }
        }
    }
}

impl Fields<'_> {
    /// The same for a whole request: what is left is refused or noted as the format's table says.
    pub(crate) fn end_by(self, rules: &Rules, unknown: &mut Vec<String>) -> Result<(), Refused> {
        for key in self.left() {
            if let Some(Read::Refused(why)) = rules.read(key) {
                return Err(self.no_place(key, why));
            }
        }
        self.end(unknown, &[]);
        Ok(())
    }
}

/// A whole number, also if it was written as `1024.0`.
pub(crate) fn u64_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64()?;
        let whole = float.fract() == 0.0 && (0.0..9.0e15).contains(&float);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, below 2^53")]
        whole.then_some(float as u64)
    })
}
