//! What a user writes.

use model::load::Spanned;
use model::value::{Duration, Name, Rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limit::Mode;
use crate::limit::by::BySpec;
use crate::limit::exempt::ExemptSpec;
use crate::limit::fields::{Family, ietf};
use crate::program::Compile;

/// Limits how often something may be asked for. A request over a limit is answered with 429 and `Retry-After`, and uses
/// nothing of the others up. What a plan or consumer says replaces what the route says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// Whose requests pass uncounted.
    #[serde(default)]
    pub(super) exempt: ExemptSpec,
    /// The header fields that tell clients of their limits, on every answer: `ietf` for `RateLimit` and
    /// `RateLimit-Policy`, `x` for `X-RateLimit-Limit`, `-Remaining` and `-Reset`; `[]` for none.
    #[serde(default = "ietf")]
    #[schemars(extend("default" = ["ietf"]))]
    pub(super) headers: Vec<Family>,
    /// How many clients, header or expression values are remembered one by one in memory, from 1000 to 10000000, 40 bytes
    /// each. When there are more, those that owe least make room, and a key that is not remembered is taken to owe as much
    /// as the one of these that owed most.
    #[serde(default = "most_keys")]
    #[schemars(range(min = 1000, max = 10_000_000), extend("default" = 100_000))]
    pub(super) keys: Spanned<u32>,
}

fn most_keys() -> Spanned<u32> {
    Spanned::from(100_000)
}

/// Where limits are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RateLimitStore")]
pub(crate) enum StoreWord {
    /// This gateway's memory.
    #[default]
    Memory,
    /// Redis, for all gateways together.
    Redis,
}

/// One limit.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RateLimitEntry")]
pub(crate) struct LimitSpec {
    /// How many in which time, such as `100/minute`; at most a million a second, over at most 31 days.
    pub(super) limit: Spanned<Rate>,
    /// What is counted together: `global`, each `api`, `route`, `consumer`, `credential` or `client` address (IPv6 by
    /// networks of 64 bits, or as `{ client: { ipv6: 56 } }` says), each value of a claim (`{ claim: sub }`), of a header
    /// (`{ header: x-tenant }`) or of an expression (`{ cel: "…" }`). Where a request has no such thing, its client address counts instead.
    #[serde(default)]
    #[schemars(extend("default" = "consumer"))]
    pub(super) by: BySpec,
    /// How it counts.
    #[serde(default)]
    pub(super) algorithm: Algorithm,
    /// How many may come at once, from 1 to the limit's count; that count when not given. Of `gcra` alone.
    pub(super) burst: Option<Spanned<u64>>,
    /// How long a request may have to wait for its turn, up to `60s`; of `leaky_queue` alone, there `1s` when not given.
    pub(super) delay: Option<Spanned<Duration>>,
    /// An expression (CEL) for what a request counts, such as `request.size`; 1 when not given, or where it has no value.
    pub(super) cost: Option<Spanned<String>>,
    /// An expression (CEL) for what the request turned out to count, from its answer, such as
    /// `int(response.headers["x-cost"])`; where it has no value, `cost` stands.
    pub(super) settle: Option<Spanned<String>>,
    /// How many are taken ahead from Redis, from 1 to the limit's count, and then spent without asking it. All gateways
    /// together never admit more than the limit; one that takes ahead what it does not spend within a second leaves them
    /// short by that.
    pub(super) lease: Option<Spanned<u32>>,
    /// Its name in `RateLimit` fields and in Redis; `by` and the time when not given, such as `consumer-minute`.
    pub(super) name: Option<Spanned<Name>>,
}

/// How a limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RateLimitAlgorithm")]
pub(crate) enum Algorithm {
    /// A bucket that fills evenly and holds `burst`: any stretch of time admits what fills in it, and the burst.
    #[default]
    Gcra,
    /// The last period: this window's count, and that of the window before by the part of it that is not a period ago.
    SlidingWindow,
    /// Windows of the wall clock: two halves of two of them may together admit twice the limit.
    FixedWindow,
    /// An even stream: who comes too early waits for its turn, and is refused where that would take longer than `delay`.
    LeakyQueue,
}

impl Algorithm {
    /// Tells the keys of one from those of another.
    pub(super) fn word(self) -> &'static str {
        match self {
            Algorithm::Gcra => "gcra",
            Algorithm::SlidingWindow => "sliding",
            Algorithm::FixedWindow => "fixed",
            Algorithm::LeakyQueue => "leaky",
        }
    }
}

impl LimitSpec {
    /// What tells its state from that of any other limit: not its count, so that a changed one does not refill.
    pub(super) fn identity(&self) -> String {
        let what = format!("{}|{}", self.by.identity(), self.limit.period());
        match self.algorithm {
            Algorithm::Gcra => what,
            other => format!("{what}|{}", other.word()),
        }
    }

    /// The name that clients see.
    pub(super) fn name(&self) -> String {
        if let Some(name) = &self.name {
            return name.to_string();
        }
        let rate = self.limit.to_string();
        let time = rate.split_once('/').map_or("", |(_, time)| time);
        format!("{}-{time}", self.by.word())
    }
}

/// Reports limits that are the same, or have the same name.
pub(super) fn distinct(limits: &[Spanned<LimitSpec>], cx: &mut Compile<'_>) {
    for (at, written) in limits.iter().enumerate() {
        let before = || limits.iter().take(at);
        if before()
            .any(|other| other.identity() == written.identity() && other.cost.is_none() && written.cost.is_none())
        {
            let message = format!("two limits count by {} over {}", written.by.word(), written.limit.period());
            cx.problem(written.span, message, "keep the tighter one");
        } else if before().any(|other| other.name() == written.name()) {
            let message = format!("two limits are named `{}`", written.name());
            cx.problem(written.span, message, "give one of them a `name:` of its own");
        }
    }
}
