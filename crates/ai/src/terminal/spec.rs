//! What a user writes of it.

use model::load::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

/// Answers calls of models in the formats that SDKs speak: OpenAI's Chat Completions and Responses
/// (`…/chat/completions`, `…/responses`), Anthropic's Messages (`…/messages`), Gemini's (`…/models/NAME:generateContent`), the
/// list of models (`…/models`), and what providers serve beside conversations: embeddings, images, audio, moderations,
/// rerank, files, batches, realtime. Which models there are, and who serves them, stands in
/// `ai:`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiTerminal")]
pub struct Spec {
    /// The most bytes of a request, up to `256MiB`.
    #[schemars(extend("default" = "32MiB"))]
    pub(super) max_bytes: model::value::ByteSize,
    /// How long a stream may be still before the caller gets a sign of life, so that no proxy in between ends it; `0s` is
    /// never. So long, too, a stream is held back that has said nothing, as another may yet take its place.
    #[schemars(extend("default" = "15s"))]
    pub(super) heartbeat: model::value::Duration,
    /// What callers may ask for by header fields: less time (`x-tollgate-timeout: 20`, in seconds), and nobody in the place of
    /// the model's first target (`x-tollgate-fallbacks: none`).
    #[schemars(extend("default" = ["timeout", "fallbacks"]))]
    pub(super) callers_may: Vec<CallersMay>,
    /// How urgent a call is where it waits for a place with a provider (`max_concurrent`): an expression (CEL) that gives
    /// `high`, `normal` or `low`, such as `auth.plan == "gold" ? "high" : "normal"`.
    pub(super) priority: Option<Spanned<String>>,
    /// Whether calls pass whose content policies cannot look into: files, batches, stored answers and realtime. When not
    /// given, they do unless the route has policies that act on calls of models.
    pub(super) unseen: Option<Unseen>,
}

/// What callers may ask for by header fields.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiCallersMay")]
pub(super) enum CallersMay {
    /// Less time: `x-tollgate-timeout`.
    Timeout,
    /// No fallbacks: `x-tollgate-fallbacks`.
    Fallbacks,
}

/// What becomes of calls whose content policies cannot look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AiUnseen")]
pub enum Unseen {
    /// They pass.
    Pass,
    /// They are refused.
    Refuse,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            max_bytes: model::value::ByteSize::mib(32),
            heartbeat: model::value::Duration::from_secs(15),
            callers_may: vec![CallersMay::Timeout, CallersMay::Fallbacks],
            priority: None,
            unseen: None,
        }
    }
}
