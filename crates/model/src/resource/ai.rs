//! Who serves models, and the names by which callers know them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ai_care::{
    ModelFallback, ModelHash, ModelHedge, ModelRetry, ModelStrategy, ProviderCooldown, ProviderPrefill, ProviderQueue,
};
use super::ai_key::ProviderKey;
use super::{ModelBounds, ModelCacheHints, ModelDeprecation, ModelParameters, Pairs, Prompt, Unsupported, UpstreamTls};
use crate::load::Spanned;
use crate::value::{Duration, Name, OneOrMany, Secret};

/// Models for callers: providers that serve them, and the names they have here. A route publishes them with
/// `to: { ai: {} }`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ai {
    /// Who serves models.
    pub providers: Vec<Provider>,
    /// The models, by the names that callers use.
    pub models: Vec<Model>,
    /// Prompts that routes publish.
    pub prompts: Vec<Prompt>,
    /// A file (JSON) of models with their sizes and prices: its rows stand before those that the gateway comes with.
    pub catalog: Option<Spanned<String>>,
}

/// Serves models.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiProvider")]
pub struct Provider {
    /// Its name, unique among providers.
    pub name: Spanned<Name>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// A known vendor, such as `openai`, `anthropic` or `gemini`: gives base URL, dialect and how keys are shown.
    pub preset: Option<Spanned<String>>,
    /// What is spoken there, where no preset says it: `openai_chat`, `anthropic_messages`, `gemini` and others.
    pub dialect: Option<Spanned<String>>,
    /// Where it is, such as `https://api.example.com/v1`; replaces the preset's.
    pub base_url: Option<Spanned<String>>,
    /// Its keys, best `${env:NAME}` or `${store:NAME}`. Several are used in turn, by their weights; one that is refused, used
    /// up or at its bounds rests.
    #[serde(default)]
    pub keys: OneOrMany<ProviderKey>,
    /// An access key of AWS, for Bedrock; calls are signed with it. A Bedrock API key goes into `keys` instead.
    pub aws: Option<AwsKeys>,
    /// The JSON file of a key of a Google service account, for Vertex: best `${file:PATH}`.
    pub service_account: Option<Spanned<Secret<String>>>,
    /// The region of a cloud, such as `eu-central-1` or `europe-west4`.
    pub region: Option<Spanned<String>>,
    /// The project on Google Cloud; the service account's own when not given.
    pub project: Option<Spanned<String>>,
    /// The name of the resource on Azure.
    pub resource: Option<Spanned<String>>,
    /// The account, where an address holds one, such as Cloudflare's or Snowflake's.
    pub account: Option<Spanned<String>>,
    /// The workspace, where an address holds one: the host of a Databricks workspace.
    pub workspace: Option<Spanned<String>>,
    /// The dated version of Azure's API.
    pub api_version: Option<Spanned<String>>,
    /// Header fields for every call to it.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub headers: Pairs<Spanned<Secret<String>>>,
    /// How long things may take.
    #[serde(default)]
    pub timeouts: AiTimeouts,
    /// TLS towards it.
    #[serde(default)]
    pub tls: UpstreamTls,
    /// When its targets and keys rest.
    #[serde(default)]
    pub cooldown: ProviderCooldown,
    /// The most calls that it answers at the same time on this gateway; those beyond wait in `queue`.
    pub max_concurrent: Option<Spanned<u32>>,
    /// Who waits for a place with `max_concurrent`: the more urgent first, see `priority` of the terminal `ai`.
    #[serde(default)]
    pub queue: ProviderQueue,
    /// How it goes on with an answer that another began; the preset's when not given.
    pub prefill: Option<ProviderPrefill>,
}

/// An access key of AWS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsKeys {
    /// The id of the access key.
    pub access_key: Spanned<String>,
    /// The secret of the access key. Best `${env:NAME}`.
    pub secret_key: Spanned<Secret<String>>,
    /// The session token that goes with a key for a time.
    pub session_token: Option<Spanned<Secret<String>>>,
}

/// How long calls of models may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AiTimeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// From the request until the first byte of the answer.
    pub first_byte: Duration,
    /// From the request until a stream says something; `0s` is no bound. Another target is asked then.
    pub first_token: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// All of it; `0s` is no bound.
    pub total: Duration,
}

impl Default for AiTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(120),
            first_token: Duration::ZERO,
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
        }
    }
}

/// A model, by the name that callers use.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiModel")]
pub struct Model {
    /// What callers ask for, such as `smart` or `gpt-5`.
    pub name: Spanned<String>,
    /// `false` leaves it out.
    #[serde(default = "super::policies::yes")]
    pub enabled: bool,
    /// Free words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Other names for it.
    #[serde(default)]
    pub aliases: OneOrMany<Spanned<String>>,
    /// In which order its targets are asked.
    #[serde(default)]
    pub strategy: ModelStrategy,
    /// What goes to the same target with `strategy: hash`.
    #[serde(default)]
    #[schemars(extend("default" = "conversation"))]
    pub hash: ModelHash,
    /// What else is asked where its targets fail: the first entry that names the way in which they failed.
    #[serde(default)]
    pub fallbacks: Vec<ModelFallback>,
    /// Asks all of them again where that may help.
    pub retry: Option<ModelRetry>,
    /// Asks the next one where the first says nothing yet.
    pub hedge: Option<ModelHedge>,
    /// Parameters of calls that say nothing of them.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub defaults: ModelParameters,
    /// Parameters of all calls, whatever they say.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub force: ModelParameters,
    /// Bounds of what calls may ask for; more is lowered to them.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub bounds: ModelBounds,
    /// Tells providers what to keep of prompts.
    pub cache_hints: Option<ModelCacheHints>,
    /// What becomes of what a provider's format has no place for.
    #[serde(default)]
    pub unsupported: Unsupported,
    /// That it is to be used no more.
    pub deprecated: Option<ModelDeprecation>,
    /// Who serves it, as what. At least one; the next is asked where one fails.
    #[schemars(length(min = 1))]
    pub targets: Vec<ModelTarget>,
}

/// A model of a provider.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AiModelTarget")]
pub struct ModelTarget {
    /// The provider's name.
    pub provider: Spanned<String>,
    /// What the provider calls it; the name of the model when not given.
    pub model: Option<Spanned<String>>,
    /// Its share beside its siblings, from 0 (none) to 65535.
    #[serde(default = "one")]
    pub weight: Spanned<u16>,
    /// A condition (CEL): the target is left out where it does not hold, such as `ai.input_tokens > 100000`.
    pub when: Option<Spanned<String>>,
}

fn one() -> Spanned<u16> {
    Spanned::from(1)
}
