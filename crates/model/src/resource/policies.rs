//! The `policies:` of a listener, api, route, plan or consumer: which policy, which instance, and its value as it stands
//! in the file. What a value means is known to the data plane alone.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::load::{Node, Spanned, Value};

/// The default of `enabled`.
pub(super) fn yes() -> bool {
    true
}

/// Policies by kind, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Policies(pub Vec<PolicyUse>);

/// One use of a policy.
#[derive(Clone, Debug)]
pub struct PolicyUse {
    /// The policy's kind, such as `rate_limit`.
    pub kind: Spanned<String>,
    /// The instance's name, where several of one kind stand in a list; empty for the only one.
    pub name: String,
    /// CEL: the policy acts only where this holds.
    pub when: Option<Spanned<String>>,
    /// `kind: off`: an inherited policy of this kind (and name) is removed.
    pub off: bool,
    /// What was written, less `name` and `when`.
    pub value: Node,
}

impl<'de> Deserialize<'de> for Policies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Policies;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of policies, such as `{ rate_limit: { limits: [{ limit: 100/minute, by: consumer }] } }`")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Policies, A::Error> {
        let mut uses = Vec::new();
        while let Some((kind, node)) = map.next_entry::<Spanned<String>, Node>()? {
            match node.value {
                Value::List(items) => {
                    for item in items {
                        uses.push(one(kind.clone(), item)?);
                    }
                }
                _ => uses.push(one(kind, node)?),
            }
        }
        Ok(Policies(uses))
    }
}

/// Takes the two keys that every policy has out of its value.
fn one<E: de::Error>(kind: Spanned<String>, mut node: Node) -> Result<PolicyUse, E> {
    let mut name = String::new();
    let mut when = None;
    let mut off = matches!(&node.value, Value::String(text) if text == "off");
    if let Value::Map(entries) = &mut node.value {
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries.drain(..) {
            match (entry.key.as_str(), &entry.value.value) {
                ("name", Value::String(text)) => name.clone_from(text),
                ("when", Value::String(text)) => when = Some(Spanned { value: text.clone(), span: entry.value.span }),
                ("when", _) => return Err(E::custom(format!("`{}.when` must be a CEL expression", *kind))),
                ("off", Value::Bool(true)) => off = true,
                _ => kept.push(entry),
            }
        }
        *entries = kept;
    }
    Ok(PolicyUse { kind, name, when, off, value: node })
}

impl JsonSchema for Policies {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Policies".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Policies by kind. `off` removes an inherited one; a list gives several named instances.",
            "type": "object"
        })
    }
}
