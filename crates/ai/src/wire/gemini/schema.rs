//! Gemini's older schemas (types in capitals, `nullable`) as JSON Schema, and its keys in either spelling as one.

use serde_json::{Map, Value};

/// Where what stands below is the caller's own and keeps its keys.
const OWN: &[&str] =
    &["args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"];

/// Google's JSON takes `max_output_tokens` for `maxOutputTokens`.
pub(super) fn camel(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(camel).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(member).collect()),
        other => other,
    }
}

fn member((key, value): (String, Value)) -> (String, Value) {
    let key = if key.contains('_') { joined(&key) } else { key };
    let value = if OWN.contains(&key.as_str()) { value } else { camel(value) };
    (key, value)
}

fn joined(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut raise = false;
    for c in key.chars() {
        if c == '_' {
            raise = true;
        } else {
            out.push(if raise { c.to_ascii_uppercase() } else { c });
            raise = false;
        }
    }
    out
}

/// An OpenAPI schema of Google's as JSON Schema.
pub(super) fn json_schema(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let nullable = map.get("nullable").and_then(Value::as_bool).unwrap_or(false);
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            ("nullable" | "propertyOrdering" | "property_ordering", _) => continue,
            ("type", Value::String(kind)) => {
                let kind = Value::String(kind.to_ascii_lowercase());
                if nullable { Value::Array(vec![kind, Value::from("null")]) } else { kind }
            }
            ("properties", Value::Object(map)) => {
                Value::Object(map.into_iter().map(|(key, value)| (key, json_schema(value))).collect())
            }
            ("items", value) => json_schema(value),
            ("anyOf" | "any_of", Value::Array(items)) => Value::Array(items.into_iter().map(json_schema).collect()),
            (_, value) => value,
        };
        out.insert(if key == "any_of" { "anyOf".to_owned() } else { key }, value);
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{camel, json_schema};

    #[test]
    fn both_spellings_are_one_and_the_callers_keys_stay() {
        let value = camel(json!({"system_instruction": {"parts": [{"function_call": {"args": {"a_b": 1}}}]}}));
        assert_eq!(value, json!({"systemInstruction": {"parts": [{"functionCall": {"args": {"a_b": 1}}}]}}));
    }

    #[test]
    fn older_schemas_become_json_schema() {
        let old = json!({"type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": true},
            "list": {"type": "ARRAY", "items": {"type": "INTEGER"}}}, "propertyOrdering": ["type"]});
        let new = json!({"type": "object", "properties": {"type": {"type": ["string", "null"]},
            "list": {"type": "array", "items": {"type": "integer"}}}});
        assert_eq!(json_schema(old), new);
    }
}
