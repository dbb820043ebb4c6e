//! Where a route ends: its terminal.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::load::{Node, Spanned};

/// What a route ends in.
#[derive(Clone, Debug)]
pub enum To {
    /// One upstream, by name. Its place is that of the `Spanned<To>` around it.
    Upstream(String),
    /// The first arm whose `when` holds; among those without one, by weight.
    Split(Vec<Arm>),
    /// Another terminal: its kind and its value as it stands in the file.
    Terminal {
        /// The terminal's kind, such as `respond`.
        kind: Spanned<String>,
        /// What was written.
        value: Box<Node>,
    },
}

/// One arm of a split.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// The upstream's name.
    pub upstream: Spanned<String>,
    /// CEL over the request and its identity: this arm is taken when it holds.
    pub when: Option<Spanned<String>>,
    /// Its share among the arms without `when`, from 0 to 65535; 1 when not given.
    pub weight: Option<u16>,
}

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = To;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an upstream, a list such as `[{ upstream: a, weight: 95 }]`, or a terminal such as `{ respond: { status: 404 } }`")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<To, E> {
        Ok(To::Upstream(name.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<To, A::Error> {
        let mut arms = Vec::new();
        while let Some(arm) = list.next_element::<Arm>()? {
            arms.push(arm);
        }
        if arms.is_empty() { Err(de::Error::custom("the list of upstreams is empty")) } else { Ok(To::Split(arms)) }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<To, A::Error> {
        let Some((kind, value)) = map.next_entry::<Spanned<String>, Node>()? else {
            return Err(de::Error::custom("`to` is empty; name an upstream or a terminal"));
        };
        if let Some(more) = map.next_key::<String>()? {
            return Err(de::Error::custom(format!("a route ends in one thing; `{}` and `{more}` are two", *kind)));
        }
        Ok(To::Terminal { kind, value: Box::new(value) })
    }
}

impl JsonSchema for To {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "To".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let arm = generator.subschema_for::<Arm>();
        schemars::json_schema!({
            "description": "Where the route ends: an upstream's name, a list of upstreams, or another terminal.",
            "oneOf": [
                { "type": "string" },
                { "type": "array", "minItems": 1, "items": arm },
                { "type": "object", "minProperties": 1, "maxProperties": 1 }
            ]
        })
    }
}
