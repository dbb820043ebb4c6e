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
