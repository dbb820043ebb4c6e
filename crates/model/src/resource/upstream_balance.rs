//! How an upstream chooses among its targets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Spanned;
use crate::value::{Duration, Name, Percent, Secret};

/// How a target is chosen.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn, smoothly by weight.
    #[default]
    RoundRobin,
    /// The one with fewer requests in flight for its weight, of two drawn at random.
    LeastRequest,
    /// The one that is sooner done for its weight, of two drawn at random: its usual time to a response head (peak-sensitive
    /// moving average) times its requests in flight.
    PeakEwma,
    /// At random by weight.
    Random,
    /// What has the same key goes to the same target, by weight (rendezvous hashing: when a target leaves, only its own keys
    /// move).
    Hash(HashBalance),
    /// A client stays with its target by a signed cookie; a client without one gets a target in turn.
    Sticky(StickyBalance),
}

/// What goes to the same target: one of `by`, `header`, `cookie`, `query` and `cel`. A request without it goes by the
/// client's address.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HashBalance {
    /// `client` (address) or `consumer`.
    pub by: Option<HashBy>,
    /// This request header.
    pub header: Option<Spanned<String>>,
    /// This cookie.
    pub cookie: Option<Spanned<String>>,
    /// This query parameter.
    pub query: Option<Spanned<String>>,
    /// The value of this expression (CEL).
    pub cel: Option<Spanned<String>>,
    /// The most that a target has in flight, as a multiple of its fair share, from 1.05 to 10; above it the key's next target
    /// takes the request (consistent hashing with bounded loads; 1.25 is usual). No bound when not given.
    pub bound: Option<Spanned<f64>>,
}

/// What a request is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashBy {
    /// The client's address.
    Client,
    /// The consumer.
    Consumer,
}

/// A client stays with its target.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StickyBalance {
    /// The cookie's name; `tollgate_target` when not given.
    pub cookie: Option<Spanned<Name>>,
    /// How long the client keeps it; `0s` until it closes.
    pub ttl: Duration,
    /// What it is signed with, 16 bytes or more, the same on all gateways. Without it the key is one of the process, and
    /// clients may move when it restarts.
    pub key: Option<Spanned<Secret<String>>>,
}

/// What becomes of requests while targets are not well.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spill {
    /// The share of a tier's weight that must be well for it to take all requests. Under it the next tier takes part: at a
    /// threshold of `70%`, a tier that is half well keeps 71 % of the requests. A tier is the targets of one `priority`, those
    /// of the gateway's own zone before the others.
    pub below: Percent,
    /// Under this share of well targets, over all tiers, how they are is not looked at: better a target that may fail than
    /// those that are left drowned.
    pub panic: Percent,
    /// How long a target that is new, or well again, takes to its full share, from a tenth up; `0s` gives it all at once.
    pub slow_start: Duration,
}

impl Default for Spill {
    fn default() -> Self {
        Self { below: Percent::new(70), panic: Percent::new(50), slow_start: Duration::from_secs(0) }
    }
}
