//! Prompts that are published as apis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelParameters, Pairs};
use crate::load::{Node, Spanned};
use crate::value::Name;

/// A version of a prompt: what a model is asked, with holes that callers fill. A route publishes it with
/// `to: { prompt: { name: … } }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiPrompt")]
pub struct Prompt {
    /// Its name. Several versions of a prompt have the same.
    pub name: Spanned<Name>,
    /// Which version; unique among those of the name.
    #[serde(default = "first")]
    pub version: Spanned<Name>,
    /// Names by which routes choose among versions, such as `production`.
    #[serde(default)]
    pub labels: Vec<Spanned<Name>>,
    /// Its share of calls among the versions that a route has to choose from, from 0 (none) to 65535.
    #[serde(default = "one")]
    pub weight: Spanned<u16>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What it is for; stands in its OpenAPI document.
    #[serde(default)]
    pub description: String,
    /// Which model is asked.
    pub model: Spanned<String>,
    /// Parameters of the call.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub parameters: ModelParameters,
    /// The instructions above the conversation, a template (Jinja) over the variables.
    pub system: Option<Spanned<String>>,
    /// The conversation: examples first, the question last. Messages of the caller follow it.
    #[serde(default)]
    pub messages: Vec<PromptMessage>,
    /// The variables, by name, each a JSON Schema. One with a `default` may be left out by callers, others may not.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub variables: Pairs<Spanned<Node>>,
    /// A JSON Schema: the model is asked for JSON of this shape, and what it answers is checked against it.
    pub output: Option<Spanned<Node>>,
}

/// A message of a prompt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptMessage {
    /// Who speaks.
    #[serde(default)]
    pub role: PromptRole,
    /// What is said, a template (Jinja) over the variables.
    pub content: Spanned<String>,
    /// Images, each the URL (`https:` or `data:`) of one, a template over the variables.
    #[serde(default)]
    pub images: Vec<Spanned<String>>,
    /// Files, each a `data:` URL, a template over the variables.
    #[serde(default)]
    pub files: Vec<Spanned<String>>,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptRole {
    /// The one who gives instructions.
    System,
    /// The one who asks.
    #[default]
    User,
    /// The model.
    Assistant,
}

fn first() -> Spanned<Name> {
    #[expect(clippy::expect_used, reason = "a literal that is a name")]
    Spanned::from("v1".parse::<Name>().expect("a name"))
}

fn one() -> Spanned<u16> {
    Spanned::from(1)
}
