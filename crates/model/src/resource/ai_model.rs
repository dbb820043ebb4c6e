//! What a model asks of the calls that it takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Spanned;
use crate::value::{OneOrMany, Timestamp};

/// Parameters of a call, by the names that OpenAI gives them; each goes to where the spoken format has it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelParameters {
    /// The most tokens to produce, reasoning included.
    pub max_tokens: Option<Spanned<u64>>,
    /// From 0 to 2; the higher, the more varied.
    pub temperature: Option<Spanned<f64>>,
    /// From 0 to 1: of which share of likelihood tokens are drawn.
    pub top_p: Option<Spanned<f64>>,
    /// Of how many of the likeliest tokens one is drawn.
    pub top_k: Option<Spanned<u64>>,
    /// For draws that can be repeated.
    pub seed: Option<i64>,
    /// Where to stop, up to 4 texts.
    pub stop: OneOrMany<String>,
    /// From -2 to 2: against what was said already.
    pub presence_penalty: Option<Spanned<f64>>,
    /// From -2 to 2: against what was said often.
    pub frequency_penalty: Option<Spanned<f64>>,
}

/// Bounds of what a caller may ask for; more is lowered to them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelBounds {
    /// The most tokens to produce, also where a caller sets no limit.
    pub max_tokens: Option<Spanned<u64>>,
}

/// That a model is to be used no more.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelDeprecation {
    /// Since when (`Deprecation` in answers, RFC 9745).
    pub since: Option<Timestamp>,
    /// From when on it is gone (`Sunset`, RFC 8594): calls are then refused, and told the successor.
    pub until: Option<Timestamp>,
    /// What to use in its place.
    pub successor: Option<Spanned<String>>,
}

/// What becomes of what a provider's format has no place for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    /// Carried, changed, dropped or refused as the format's table in the docs says.
    #[default]
    ByRule,
    /// Refused, also what the table would change or drop.
    Refuse,
    /// Parameters are dropped that the table would refuse. Content is refused all the same.
    DropParams,
}

/// Where a provider is told to keep what it read of a prompt, so that the next call that begins the same is cheaper. Told in
/// the words of each provider that is to be told: `cache_control` of Anthropic's format, `cachePoint` of Bedrock's (for the
/// models that take it), `prompt_cache_key` of OpenAI and Azure. A call that has such hints of its own is left as it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiCacheHints")]
pub struct ModelCacheHints {
    /// Behind which of them.
    #[schemars(extend("default" = ["tools", "system"]))]
    pub after: OneOrMany<CachePlace>,
    /// Behind how many of the user's last messages, from 0 to 4. Providers take 4 hints in all.
    pub last_messages: u8,
    /// For how long. Keeping it longer costs more to write.
    pub ttl: CacheLife,
    /// What requests have in common that go to the same cache, where the provider asks for a key. No key when not given.
    pub key: Option<CacheKeyOf>,
}

impl Default for ModelCacheHints {
    fn default() -> Self {
        let after = [CachePlace::Tools, CachePlace::System].into_iter().collect();
        Self { after, last_messages: 1, ttl: CacheLife::default(), key: None }
    }
}

/// Behind what a hint to cache stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiCachePlace")]
pub enum CachePlace {
    /// The tools.
    Tools,
    /// The instructions.
    System,
}

/// For how long a provider keeps what it read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "AiCacheLife")]
pub enum CacheLife {
    /// Five minutes from its last use.
    #[default]
    #[serde(rename = "5m")]
    FiveMinutes,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
}

/// What requests have in common that go to the same cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiCacheKey")]
pub enum CacheKeyOf {
    /// The consumer; the key is a hash of its name.
    Consumer,
    /// The conversation: its instructions and the user's first message.
    Conversation,
}
