//! A JSON Schema, compiled. It refers to nothing outside of itself.

use jsonschema::Validator;
use serde_json::Value;

/// The most faults that are told at once.
const MOST_FAULTS: usize = 5;

/// A JSON Schema, compiled.
pub(crate) struct Schema {
    validator: Validator,
    /// As it was written.
    pub(crate) written: Value,
}

impl Schema {
    /// Compiles it, or says what is wrong with it.
    pub(crate) fn new(written: Value) -> Result<Self, String> {
        // Regular expressions in time that is linear in the text: what is checked comes from others.
        let options = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex());
        let validator = options.build(&written).map_err(|error| error.to_string())?;
        Ok(Self { validator, written })
    }

    /// What is wrong with a value, each fault with its place; never the value itself.
    pub(crate) fn faults(&self, value: &Value) -> Vec<String> {
        let told = |error: jsonschema::ValidationError<'_>| {
            let place = error.instance_path().as_str().to_owned();
            let place = if place.is_empty() { "/".to_owned() } else { place };
            format!("{place}: {}", error.masked())
        };
        self.validator.iter_errors(value).take(MOST_FAULTS).map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_have_a_place_and_no_value() {
        let schema = Schema::new(json!({ "type": "object", "required": ["city"],
            "properties": { "city": { "type": "string", "pattern": "^[A-Z]" }, "degrees": { "type": "integer" } } }));
        let schema = schema.unwrap();
        for (value, place) in [
            (json!({ "city": "Paris", "degrees": 21 }), None),
            (json!({ "city": "secret-of-somebody" }), Some("/city: ")),
            (json!({ "city": "Paris", "degrees": "secret-of-somebody" }), Some("/degrees: ")),
            (json!({}), Some("/: ")),
            (json!([]), Some("/: ")),
        ] {
            let faults = schema.faults(&value);
            assert_eq!(faults.is_empty(), place.is_none(), "{value}: {faults:?}");
            for fault in faults {
                assert!(fault.starts_with(place.unwrap()) && !fault.contains("somebody"), "{value}: {fault}");
            }
        }
        assert!(Schema::new(json!({ "type": 5 })).is_err());
        assert!(Schema::new(json!({ "$ref": "https://example.com/schema.json" })).is_err(), "nothing is fetched");
    }
}
