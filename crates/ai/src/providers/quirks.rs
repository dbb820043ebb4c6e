//! Where a provider departs from the dialect that it names: what to send otherwise, and what not to send at all.
//!
//! The default of each is what OpenAI-compatible servers do in common. Where a vendor's documentation is silent, a row
//! takes what costs least if it is wrong: a field that is left out is never refused.

/// The departures of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The field that bounds the output.
    pub max_tokens: MaxTokens,
    /// How the usage of a stream is had.
    pub stream_usage: StreamUsage,
    /// Whether earlier reasoning goes back in the conversation.
    pub replay: Replay,
    /// Whether `parallel_tool_calls` may be sent.
    pub parallel_tools: ParallelTools,
    /// What output may be bound to.
    pub schema: Schema,
    /// How an answer that was begun is gone on with, which is what failover in the middle of a stream needs. Whether a
    /// model does it too is the catalog's to say.
    pub prefill: Prefill,
    /// Whether the `user` field may be sent.
    pub user: User,
    /// The field of the seed.
    pub seed: Option<&'static str>,
}

impl Quirks {
    /// What OpenAI-compatible servers do in common.
    pub const COMPATIBLE: Self = Self {
        max_tokens: MaxTokens::MaxTokens,
        stream_usage: StreamUsage::Asked,
        replay: Replay::Dropped,
        parallel_tools: ParallelTools::Sent,
        schema: Schema::Json,
        prefill: Prefill::None,
        user: User::Sent,
        seed: Some("seed"),
    };

    /// What a dialect of its own does: its translation knows the fields, so nothing is left to say here.
    pub const NATIVE: Self = Self {
        max_tokens: MaxTokens::MaxTokens,
        stream_usage: StreamUsage::Always,
        replay: Replay::Kept,
        parallel_tools: ParallelTools::Sent,
        schema: Schema::JsonSchema,
        prefill: Prefill::None,
        user: User::Sent,
        seed: None,
    };
}

/// The field that bounds the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens`, or the dialect's own.
    MaxTokens,
    /// `max_completion_tokens`; reasoning models refuse the older name.
    MaxCompletionTokens,
}

/// How the usage of a stream is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// It comes after `stream_options: {include_usage: true}`.
    Asked,
    /// It comes unasked, or cannot be asked for: `stream_options` is not sent.
    Always,
}

/// Whether earlier reasoning goes back in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is taken out before the call.
    Dropped,
    /// It goes back where the caller sends it.
    Kept,
    /// An assistant's message with tool calls is refused without it.
    Required,
}

/// Whether `parallel_tool_calls` may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParallelTools {
    /// It may.
    Sent,
    /// The provider decides; the field is left out.
    Fixed,
    /// There are no tools at all.
    NoTools,
}

/// What output may be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// `response_format: json_schema`, or the dialect's own.
    JsonSchema,
    /// `response_format: json_object`; a schema depends on the model.
    Json,
    /// Nothing.
    None,
}

/// How an answer that was begun is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefill {
    /// It cannot be.
    None,
    /// A last message of the assistant is continued.
    LastMessage,
    /// It is, if that message holds this field, set to true.
    Flag(&'static str),
    /// It is, if the request says `continue_final_message: true` and `add_generation_prompt: false`.
    ContinueFinalMessage,
}

/// Whether the `user` field may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// It may.
    Sent,
    /// It is refused.
    Refused,
}
