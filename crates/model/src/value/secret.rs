//! A value that is never shown.
use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::transparent_visits;

/// A value that is never shown: its `Debug` and its serialized form are `***`, and messages about it leave it out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Secret<T = String>(T);

/// What is shown instead.
const SHOWN: &str = "***";

impl<T> Secret<T> {
    /// Keeps a value from being shown.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that uses it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

/// Whether a key's name says that its value is a secret, for where nothing else tells.
pub(crate) fn is_secretive(key: &str) -> bool {
    const WHOLE: [&str; 5] = ["key", "keys", "auth", "authorization", "cookie"];
    const ENDS: [&str; 9] =
        ["password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "api_key", "private_key"];
    let key = key.to_ascii_lowercase().replace('-', "_");
    let one = key.strip_suffix('s').unwrap_or(&key);
    WHOLE.contains(&key.as_str()) || ENDS.iter().any(|end| key.ends_with(end) || one.ends_with(end))
}

/// The newtype name by which our deserializer learns not to show the value.
pub(crate) const SECRET: &str = "$tollgate::Secret";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SECRET, SecretVisitor(std::marker::PhantomData))
    }
}

struct SecretVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SecretVisitor<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Secret)
    }

    transparent_visits!(T => Secret; visit_seq);
}

impl<T: JsonSchema> JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Secret_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<T>();
        if schema.as_object().is_some() {
            schema.insert("writeOnly".to_owned(), true.into());
            schema.insert("examples".to_owned(), serde_json::json!(["${env:SECRET}", "${file:secret.txt}"]));
        }
        schema
    }
}
