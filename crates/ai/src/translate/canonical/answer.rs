//! What a model answers, in one piece.

use serde_json::Value;

use super::Part;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of it; may be empty.
    pub id: String,
    /// The model that answered, in the provider's words; may be empty.
    pub model: String,
    /// When, in seconds since 1970, where the format says it.
    pub created: Option<u64>,
    /// The answers, by index: one unless more were asked for.
    pub choices: Vec<Choice>,
    /// What it took.
    pub usage: Usage,
    /// The class of service it was given.
    pub service_tier: Option<String>,
}

/// One of the answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// What was said: text, reasoning, calls of tools, refusals.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// The sequence that ended it, where told.
    pub stop_sequence: Option<String>,
    /// Probabilities, in OpenAI's shape.
    pub logprobs: Option<Value>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// One of the stop sequences came.
    StopSequence,
    /// The most tokens were reached, or the context was full.
    Length,
    /// To have tools called.
    ToolCalls,
    /// The provider held it back.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider paused a long turn: send it back to go on.
    Pause,
    /// Broken off: malformed call, provider's failure.
    Error,
}

/// What a call took, in tokens. Figures that were not told are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that was read, the cached included. (Anthropic's `input_tokens` leaves the cached out.)
    pub input: u64,
    /// Of `input`, what came from the provider's cache.
    pub cached_input: u64,
    /// Of `input`, what was written to it.
    pub cache_write: u64,
    /// Of `cache_write`, what is to be kept for an hour.
    pub cache_write_hour: u64,
    /// All that was produced, reasoning included.
    pub output: u64,
    /// Of `output`, what was thought.
    pub reasoning: u64,
    /// Of `input`, sound.
    pub audio_input: u64,
    /// Of `output`, sound.
    pub audio_output: u64,
}

impl Usage {
    /// Nothing was told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Input and output.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Takes what a later event of the same stream tells: figures are running totals, and none falls.
    pub fn update(&mut self, later: &Self) {
        self.input = self.input.max(later.input);
        self.cached_input = self.cached_input.max(later.cached_input);
        self.cache_write = self.cache_write.max(later.cache_write);
        self.cache_write_hour = self.cache_write_hour.max(later.cache_write_hour);
        self.output = self.output.max(later.output);
        self.reasoning = self.reasoning.max(later.reasoning);
        self.audio_input = self.audio_input.max(later.audio_input);
        self.audio_output = self.audio_output.max(later.audio_output);
    }
}
