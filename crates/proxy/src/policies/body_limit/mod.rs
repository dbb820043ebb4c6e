//! Bounds the size of request bodies.

use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use model::load::Spanned;
use model::value::ByteSize;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::exchange::{Error, Exchange, codes};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Bounds the size of request bodies.
pub(crate) struct BodyLimit;

/// Bounds the size of request bodies. One that says that it is longer is refused with 413 before it is read; one that
/// turns out to be is cut off and refused where it passes the bound. Of several levels the smallest bound holds.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// The most bytes of a body, such as `10MiB`; `0B` refuses every body.
    limit: Spanned<ByteSize>,
}

/// A size alone, or the fields.
pub(crate) struct Spec {
    limit: Spanned<ByteSize>,
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Spec;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a size such as `10MiB`, or `{ limit: 10MiB }`")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Spec, E> {
        let limit = text.parse::<ByteSize>().map_err(E::custom)?;
        Ok(Spec { limit: Spanned::from(limit) })
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Spec, A::Error> {
        let Fields { limit } = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Spec { limit })
    }
}

impl JsonSchema for Spec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BodyLimit".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // Of a text the keys of the object say nothing, and of an object the pattern.
        let mut schema = Fields::json_schema(generator);
        schema.insert("type".to_owned(), serde_json::json!(["object", "string"]));
        for (key, value) in ByteSize::json_schema(generator).as_object().into_iter().flatten() {
            if matches!(key.as_str(), "pattern" | "examples") {
                schema.insert(key.clone(), value.clone());
            }
        }
        schema
    }
}

impl Policy for BodyLimit {
    type Spec = Spec;
    const KIND: &'static str = "body_limit";
    const ORDER: (Stage, u8) = (Stage::Protect, 10);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::PATH;

    fn compile(spec: Spec, _cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        Some(Arc::new(Bound { limit: spec.limit.get() }))
    }
}

struct Bound {
    limit: u64,
}

impl Step for Bound {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        x.body_limit = x.body_limit.min(self.limit);
        let said = x.request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if said.is_some_and(|said| said > self.limit) {
            let detail = format!("The request body is larger than {} bytes.", self.limit);
            return Verdict::fail(Error::new(&codes::BODY_TOO_LARGE, detail));
        }
        Verdict::NEXT
    }
}
