//! What a limit is counted by, for policies of other crates.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::by::{By, BySpec};
use crate::exchange::Exchange;
use crate::program::Compile;

/// What a limit is counted by, as of `rate_limit`.
#[derive(Clone, Debug, Default)]
pub struct WhoseSpec(BySpec);

impl WhoseSpec {
    /// A short word for it, in names and messages.
    pub fn word(&self) -> &'static str {
        self.0.word()
    }

    /// What tells it from any other in the keys of kept state.
    pub fn identity(&self) -> String {
        self.0.identity()
    }
}

impl<'de> Deserialize<'de> for WhoseSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BySpec::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for WhoseSpec {
    fn schema_name() -> Cow<'static, str> {
        BySpec::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        BySpec::json_schema(generator)
    }
}

/// The same, compiled for where the policy stands.
pub struct Whose(By);

impl Whose {
    /// Compiles it. Problems go to `cx`.
    pub fn compile(written: &WhoseSpec, cx: &mut Compile<'_>) -> Option<Self> {
        By::compile(&written.0, cx).map(Self)
    }

    /// Writes what this exchange counts on, as text that is the same on every gateway, at most some 150 bytes.
    pub fn write(&self, x: &Exchange, out: &mut String) {
        self.0.of(x).write(x, out);
    }
}
