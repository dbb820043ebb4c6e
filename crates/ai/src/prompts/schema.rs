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
