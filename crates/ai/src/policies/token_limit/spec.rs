//! What a user writes.

use model::load::Spanned;
use model::value::{Name, Rate};
use proxy::limit::Mode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policies::whose::{self, BySpec};

/// Limits how many tokens calls of models take. Before a call as many are taken as it may come to (its input as estimated, and
/// its bound of output), afterwards what it did not take is given back. A call over a limit is answered with 429 and
/// `Retry-After`. What a plan or consumer says replaces what the route says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenLimitPolicy")]
pub(crate) struct Spec {
    /// The limits, from 1 to 8; every one of them holds.
    #[schemars(length(min = 1, max = 8))]
    pub(super) limits: Vec<Spanned<LimitSpec>>,
    /// Where it is counted: `memory` of this gateway alone, or `redis` for all gateways together, which needs a `redis` of
    /// the configuration.
    #[serde(default)]
    pub(super) store: Spanned<StoreWord>,
    /// Whether it refuses.
    #[serde(default)]
    pub(super) mode: Mode,
    /// What callers are told of the limit with the fewest tokens left.
    #[serde(default)]
    pub(super) headers: Headers,
    /// Tokens of output that are taken for a call whose request sets no bound.
    #[serde(default = "expected")]
    #[schemars(extend("default" = 1024))]
    pub(super) expected_output: Spanned<u64>,
}

fn expected() -> Spanned<u64> {
    Spanned::from(1024)
}

/// Where tokens are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenLimitStore")]
pub(crate) enum StoreWord {
    /// This gateway's memory.
    #[default]
    Memory,
    /// Redis, for all gateways together.
    Redis,
}

/// What callers are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenLimitHeaders")]
pub(crate) enum Headers {
    /// What the SDK of the caller's format reads: `x-ratelimit-limit-tokens`, `-remaining-tokens` and `-reset-tokens`, or
    /// Anthropic's `anthropic-ratelimit-tokens-limit`, `-remaining` and `-reset`.
    #[default]
    Sdk,
    /// Nothing.
    None,
}

/// One limit.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenLimitEntry")]
pub(crate) struct LimitSpec {
    /// How many tokens in which time, such as `200000/minute`; as many may come at once, and they come back evenly.
    pub(super) limit: Spanned<Rate>,
    /// What is counted together, as of `rate_limit`, and each `model`, `group` (a caller in several counts on every one) or
    /// `team` (what `metadata` of a consumer calls `team`, else its first group).
    #[serde(default)]
    #[schemars(extend("default" = "consumer"))]
    pub(super) by: BySpec,
    /// Which tokens.
    #[serde(default)]
    pub(super) count: Count,
    /// Its name in metrics; `by` and the time when not given, such as `consumer-minute`.
    pub(super) name: Option<Spanned<Name>>,
}

/// Which tokens count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenLimitCount")]
pub(crate) enum Count {
    /// All of them.
    #[default]
    Total,
    /// Those that are read.
    Input,
    /// Those that are written.
    Output,
}

impl LimitSpec {
    /// Its name.
    pub(super) fn name(&self) -> String {
        let rate = self.limit.to_string();
        let time = rate.split_once('/').map_or("", |(_, time)| time);
        let name = whose::name(self.name.as_ref().map(|name| name.as_str()), &self.by, time);
        match (&self.name, self.count) {
            (None, Count::Input) => format!("{name}-input"),
            (None, Count::Output) => format!("{name}-output"),
            _ => name,
        }
    }
}
