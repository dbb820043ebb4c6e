//! What a model answers, as it comes.

use serde_json::Value;

use super::{Error, Finish, Seal, Usage};

/// One thing that happened in a stream.
///
/// A decoder yields them in this order: `Start`; then for each part `Open`, its deltas, `Close`; `Finish` for each choice;
/// `End`. `Usage` may come anywhere after `Start` and tells running totals. After `Error` nothing comes but `End`.
/// Parts of one choice are opened one after the other; only a provider that sends two tool calls interleaved makes `Args`
/// come for a part that is closed, and encoders pass them on by index.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start {
        /// The provider's id of it; may be empty.
        id: String,
        /// The model that answers; may be empty.
        model: String,
        /// When, in seconds since 1970, where the format says it.
        created: Option<u64>,
    },
    /// A part begins.
    Open(Place, Opens),
    /// More text of a text part or a refusal.
    Text(Place, String),
    /// More of what is thought.
    Reasoning(Place, String),
    /// The seal of a part of reasoning, or of a tool call.
    Seal(Place, Seal),
    /// More of a tool call's arguments: a piece of JSON text.
    Args(Place, String),
    /// Probabilities of what was just said, in OpenAI's shape.
    Logprobs(u32, Value),
    /// A part ends.
    Close(Place),
    /// What was taken up to now.
    Usage(Usage),
    /// A choice ends.
    Finish {
        /// Which.
        choice: u32,
        /// Why.
        finish: Finish,
        /// The sequence that ended it, where told.
        stop_sequence: Option<String>,
    },
    /// It went wrong in the middle.
    Error(Error),
    /// A sign of life.
    Ping,
    /// The stream is whole.
    End,
}

/// Where in the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Which answer: 0 unless more were asked for.
    pub choice: u32,
    /// Which part of it, counted from 0 in the order they open.
    pub part: u32,
}

/// What kind of part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// Text.
    Text,
    /// A refusal.
    Refusal,
    /// What is thought.
    Reasoning {
        /// It has no words, its seal is all (Anthropic's `redacted_thinking`).
        hidden: bool,
    },
    /// A tool is called.
    ToolCall {
        /// The call's id.
        id: String,
        /// Which tool.
        name: String,
    },
}
