//! The JSON Schema of the configuration: the model's types, with the policies and terminals of the registries.

use model::resource::{Document, Policies, To};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// The schema, pretty.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut root = generator.subschema_for::<Document>().to_value();
    let policies = policies(&mut generator);
    let to = to(&mut generator);
    let mut definitions = generator.take_definitions(true);
    definitions.insert(Policies::schema_name().into_owned(), policies);
    definitions.insert(To::schema_name().into_owned(), to);
    let mut document = definitions.remove("Document").unwrap_or_default();
    if let (Value::Object(document), Value::Object(_)) = (&mut document, &mut root) {
        let mut all = Map::new();
        all.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        all.insert("$id".to_owned(), json!("https://tollgate.dev/schema/v1.json"));
        all.insert("title".to_owned(), json!("Tollgate configuration"));
        all.append(document);
        if let Some(Value::Object(properties)) = all.get_mut("properties") {
            properties.insert(
                "$schema".to_owned(),
                json!({ "type": "string", "description": "Where editors find this schema." }),
            );
        }
        all.insert(
            "patternProperties".to_owned(),
            json!({ "^x-": { "description": "Ignored: a place for anchors." } }),
        );
        all.insert("$defs".to_owned(), Value::Object(definitions));
        return Value::Object(all);
    }
    document
}

/// `policies:` with each kind: its value, `off`, or a list of named instances.
fn policies(generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    for policy in crate::REGISTRY.policies() {
        let one = with_common_keys((policy.schema)(generator));
        let named = json!({ "description": "Several instances, each with a `name`.", "type": "array", "minItems": 1, "items": one });
        let off = json!({ "const": "off", "description": "Removes an inherited one." });
        let description = one.get("description").cloned().unwrap_or_default();
        properties.insert(policy.kind.to_owned(), json!({ "description": description, "anyOf": [one, off, named] }));
    }
    json!({
        "description": "Policies by kind. Their running order is that of their stages, not of this list.",
        "type": "object", "properties": properties, "additionalProperties": false
    })
}

/// Every policy takes `name` and `when` beside its own keys.
fn with_common_keys(schema: Schema) -> Value {
    let mut value = schema.to_value();
    if let Some(object) = value.as_object_mut() {
        let properties = object.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert(
                "name".to_owned(),
                json!({ "type": "string", "description": "The instance's name, where several stand in a list." }),
            );
            properties.insert(
                "when".to_owned(),
                json!({ "type": "string", "description": "CEL: the policy acts only where this holds." }),
            );
        }
    }
    value
}

/// `to:` with each terminal.
fn to(generator: &mut SchemaGenerator) -> Value {
    let mut alternatives = vec![
        json!({ "type": "string", "description": "The name of an upstream." }),
        json!({
            "type": "array", "minItems": 1, "description": "Several upstreams: the first whose `when` holds, else by weight.",
            "items": generator.subschema_for::<model::resource::Arm>()
        }),
    ];
    for terminal in crate::REGISTRY.terminals() {
        let value = (terminal.schema)(generator).to_value();
        alternatives.push(json!({
            "type": "object", "properties": { terminal.kind: value }, "required": [terminal.kind], "additionalProperties": false
        }));
    }
    json!({ "description": "Where the route ends.", "anyOf": alternatives })
}
