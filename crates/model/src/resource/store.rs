//! What must not be lost, and where it is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Spanned;
use crate::value::Duration;

/// The data directory: counters that outlive the process. One gateway has it at a time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The folder, made where there is none (mode 0700), on a local disk. Relative to the configuration's folder.
    pub directory: Spanned<String>,
    /// How long what no longer counts is kept.
    #[serde(default)]
    pub retention: Retention,
}

/// How long what no longer counts is kept. What still counts is never swept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Totals of windows that have ended, such as last month's quota, go after this time.
    pub age: Duration,
    /// How many of them there may be; the oldest go first.
    pub rows: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(400 * 86_400), rows: 5_000_000 }
    }
}
