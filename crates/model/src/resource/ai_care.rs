//! What keeps a model up while its providers fail: in which order targets are asked, when they rest, what is asked next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Spanned;
use crate::value::{Duration, OneOrMany, Percent};

/// In which order the targets of a model are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelStrategy {
    /// As they stand: the next only where the one before fails.
    #[default]
    Priority,
    /// The first by weight at random, then the others as they stand.
    Weighted,
    /// The one with the fewest calls going on for its weight first.
    LeastBusy,
    /// The one that is soonest done with a hundred tokens first, by what was seen of late. One that was not seen of late is
    /// tried.
    LowestLatency,
    /// The cheapest by the catalog first; those without a price last.
    LowestCost,
    /// By weight, the same conversations to the same target, so that its cache knows them. See `hash`.
    Hash,
}

/// What goes to the same target with `strategy: hash`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelHash {
    /// A conversation: what has the same `prompt_cache_key`, else what begins with the same instructions and the same first
    /// message of the user.
    #[default]
    Conversation,
    /// A consumer.
    Consumer,
    /// What has the same value in this header field, such as `x-session-id`; calls without it go by their conversation.
    Header(Spanned<String>),
    /// What has the same value of this expression (CEL); calls that have none go by their conversation.
    Cel(Spanned<String>),
}

/// What is asked where a model fails in one of some ways.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiFallback")]
pub struct ModelFallback {
    /// How it failed. Every way when not given.
    #[serde(default)]
    pub when: OneOrMany<FailureCause>,
    /// The models to ask then, one after the other.
    pub to: OneOrMany<Spanned<String>>,
}

/// How a call of a model fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The provider cannot be reached.
    Connect,
    /// It took too long.
    Timeout,
    /// It began and said nothing in time.
    FirstToken,
    /// It had too many calls (429).
    RateLimit,
    /// It has too much to do (503, 529), or all its places here are taken.
    Overloaded,
    /// It failed (5xx), or broke its answer off.
    Server,
    /// It refused the gateway's key (401, 402, 403).
    Refused,
    /// It does not know the model (404).
    NotFound,
    /// The prompt is too long for the model.
    ContextWindow,
    /// The provider will not treat of this.
    ContentPolicy,
}

/// Asking again when all targets failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiRetry")]
pub struct ModelRetry {
    /// How often all of them are asked again, from 1 to 5.
    pub attempts: u8,
    /// How long to wait before, doubled each time, less up to half of it at random.
    pub backoff: Duration,
    /// The longest wait, `Retry-After` included: where a provider asks for more, the caller is told so instead.
    pub longest: Duration,
    /// The most of it, as a share of the model's calls; ten calls in a row may always be retried.
    pub budget: Percent,
}

impl Default for ModelRetry {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Duration::from_millis(250),
            longest: Duration::from_secs(5),
            budget: Percent::new(20),
        }
    }
}

/// Asking the next target where the first says nothing yet. Who says something first is heard, the other is hung up on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiHedge")]
pub struct ModelHedge {
    /// How long to wait for the first token of a stream, or for an answer in one piece.
    pub after: Duration,
    /// The most of it, as a share of the model's calls.
    #[serde(default = "a_fifth")]
    #[schemars(extend("default" = "20%"))]
    pub budget: Percent,
}

fn a_fifth() -> Percent {
    Percent::new(20)
}

/// When a target of a provider rests, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiCooldown")]
pub struct ProviderCooldown {
    /// After how many failures in a row, from 1 to 1000.
    pub failures: u32,
    /// For how long. Then one call tries it, and the others follow if that goes well.
    pub rest: Duration,
    /// The longest that `Retry-After` may let a key rest.
    pub longest: Duration,
}

impl Default for ProviderCooldown {
    fn default() -> Self {
        Self { failures: 5, rest: Duration::from_secs(30), longest: Duration::from_secs(3600) }
    }
}

/// Those who wait for a place where all are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiQueue")]
pub struct ProviderQueue {
    /// How many may wait, up to 10000.
    pub length: u32,
    /// How long each may wait.
    pub timeout: Duration,
}

impl Default for ProviderQueue {
    fn default() -> Self {
        Self { length: 100, timeout: Duration::from_secs(30) }
    }
}

/// How a provider goes on with an answer that another began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiPrefill")]
pub enum ProviderPrefill {
    /// It does not.
    None,
    /// A last message of the assistant is gone on with.
    LastMessage,
    /// The same, if the request says `continue_final_message`, as vLLM and SGLang take it.
    ContinueFinalMessage,
}
