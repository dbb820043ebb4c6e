//! What must not be lost, and where it is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Spanned;
use crate::value::{Duration, OneOrMany};

/// The data directory: counters that outlive the process. One gateway has it at a time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The folder, made where there is none (mode 0700), on a local disk. Relative to the configuration's folder.
    pub directory: Spanned<String>,
    /// How long what no longer counts is kept.
    #[serde(default)]
    pub retention: Retention,
    /// Where the keys are that seal secrets in it, such as the gateway's own signing keys: the first seals, the others
    /// still open what they sealed. Each is 32 bytes in hexadecimal or base64. Not given, the gateway makes one and keeps
    /// it beside the database, as `secrets.key`, for its owner alone.
    #[serde(default)]
    pub keys: OneOrMany<Spanned<StoreKey>>,
}

/// Where a key is that seals secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKey {
    /// In an environment variable, by its name.
    Env(String),
    /// In a file that its owner alone may read. Relative to the configuration's folder.
    File(String),
    /// Printed by a program, which is given with its arguments: that of a key service, say. It has ten seconds.
    Command(Vec<String>),
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
