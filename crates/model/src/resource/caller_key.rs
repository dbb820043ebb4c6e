//! Keys that callers are given while the gateway runs: made, changed and revoked at its operations port. They are no part of
//! the configuration; whose they are is.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::value::{Rate, Spending, Timestamp};

/// What a key of a caller is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyTerms {
    /// The models that it may be used for, of those that its consumer may use.
    pub models: KeyModels,
    /// What calls by it may cost, up to 4; every one holds.
    pub budgets: Vec<Spending>,
    /// How many tokens calls by it may take, up to 4; every one holds.
    pub tokens: Vec<KeyTokens>,
    /// Words it is found by.
    pub tags: Vec<String>,
}

/// Models by name, where `*` at the end stands for whatever follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyModels {
    /// Those that may be used; none means all but those denied.
    pub allow: Vec<String>,
    /// Those that may not, even if allowed too.
    pub deny: Vec<String>,
}

/// A limit of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyTokens {
    /// How many in which time, such as `200000/minute`.
    pub limit: Rate,
    /// Which tokens.
    #[serde(default)]
    pub count: TokenCount,
}

/// Which tokens count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenCount {
    /// All of them.
    #[default]
    Total,
    /// Those that are read.
    Input,
    /// Those that are written.
    Output,
}

/// A key to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whose it is: a consumer of the configuration.
    pub consumer: String,
    /// Its name, unique within the consumer.
    pub name: String,
    /// See [`KeyTerms`].
    #[serde(default)]
    pub models: KeyModels,
    /// See [`KeyTerms`].
    #[serde(default)]
    pub budgets: Vec<Spending>,
    /// See [`KeyTerms`].
    #[serde(default)]
    pub tokens: Vec<KeyTokens>,
    /// See [`KeyTerms`].
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it ends to be good.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// `false`: it is not good yet.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
}

/// What is to be another way of a key; what is not said stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyChange {
    /// Another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Other models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<KeyModels>,
    /// Other budgets. What was spent stays spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budgets: Option<Vec<Spending>>,
    /// Other limits of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<KeyTokens>>,
    /// Other tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// When it ends to be good; `null` for never.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub expires: Option<Option<Timestamp>>,
    /// Whether it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Tells `null` from nothing.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

const MOST_PATTERNS: usize = 1_000;
const MOST_LIMITS: usize = 4;
const MOST_TAGS: usize = 32;
const MOST_TEXT: usize = 256;

impl KeyTerms {
    /// What is wrong with it, as a sentence that says how to mend it.
    pub fn check(&self) -> Result<(), String> {
        let KeyTerms { models, budgets, tokens, tags } = self;
        let patterns = || models.allow.iter().chain(&models.deny);
        if patterns().count() > MOST_PATTERNS {
            return Err(format!("more than {MOST_PATTERNS} models; write patterns such as `gpt-*`"));
        }
        for pattern in patterns() {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            if pattern.is_empty() || pattern.len() > MOST_TEXT || name.contains('*') {
                return Err(format!("`{pattern}` is not a model's name, nor the beginning of one with `*` after it"));
            }
        }
        if budgets.len() > MOST_LIMITS || tokens.len() > MOST_LIMITS {
            return Err(format!("a key has up to {MOST_LIMITS} `budgets` and as many `tokens`"));
        }
        for (at, budget) in budgets.iter().enumerate() {
            if budgets.iter().take(at).any(|other| other.per() == budget.per()) {
                return Err(format!("two of `budgets` are by the {}; keep the smaller", budget.per().as_str()));
            }
        }
        if tags.len() > MOST_TAGS || tags.iter().any(|tag| tag.is_empty() || tag.len() > MOST_TEXT) {
            return Err(format!("a key has up to {MOST_TAGS} `tags` of 1 to {MOST_TEXT} bytes"));
        }
        Ok(())
    }
}

/// What is wrong with a key's name.
pub fn check_key_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MOST_TEXT || name.chars().any(char::is_control) {
        return Err(format!("a key's `name` has from 1 to {MOST_TEXT} bytes and no control characters"));
    }
    Ok(())
}
