//! What `rate_limit`, `quota` and `concurrency` have in common: what is counted together, what a request costs, who is
//! exempt, and what clients are told.

pub(crate) mod by;
pub mod calendar;
pub(crate) mod cost;
pub(crate) mod exempt;
pub(crate) mod fields;
pub(crate) mod held;
mod whose;

pub use held::Held;
pub use whose::{Whose, WhoseSpec};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a limit refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LimitMode")]
pub enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// It counts, and what it would have refused is a metric and passes. Clients are told nothing.
    Shadow,
}

impl Mode {
    /// The label of metrics.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        }
    }
}
