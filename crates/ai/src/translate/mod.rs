//! From one format to another, by way of one canonical form.
//!
//! ```text
//! caller's bytes ─read_request─▶ Request ─write_request─▶ provider's bytes
//! caller's bytes ◀─write_answer─ Answer  ◀─read_answer─── provider's bytes         in one piece
//! caller's bytes ◀─encoder────── Event…  ◀─decoder─────── provider's bytes         as a stream, event by event
//! caller's bytes ◀─write_error── Error   ◀─read_error──── provider's status, bytes
//! ```
//!
//! Where both ends speak the same [`Format`] nothing here is needed: the bytes pass as they are, and [`crate::wire::scan`]
//! finds and splices the few fields that policies and routing care for.
//!
//! **What cannot be carried** is never bent in silence. Each format has a table ([`rules`]) that says for every [`Slot`] of
//! the canonical form whether it is carried, changed, dropped or refused, and why. The tables are what the writers obey, and
//! what the docs are made from. What was changed or dropped is told in [`Written::notes`]; what is refused is a [`Refused`]
//! with the field's path.
//!
//! Everything is bounded: nesting by `serde_json` (128), streams by [`crate::wire::sse::EVENT`] an event, messages of errors
//! by 4 KiB. The size of a body is the caller's to bound before it comes here.

pub mod canonical;
mod check;
mod format;
pub mod other;
mod page;
mod refused;
pub mod rules;
#[cfg(test)]
mod tests;

pub use canonical::{Answer, Error, ErrorKind, Event, Finish, Request, Usage};
pub use check::{Use, slots};
pub use format::Format;
pub use page::page;
pub use refused::{Fault, Refused};
pub use rules::{Fate, Note, Read, Rules, Slot, rules};

/// What stands outside of a request's body: Gemini and Bedrock name the model and ask for a stream in the path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// The model of the path.
    pub model: Option<&'a str>,
    /// Whether the path asks for a stream.
    pub stream: Option<bool>,
}

/// How a request is to be written for a provider.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The provider's name of the model.
    pub model: &'a str,
    /// What to ask for where the caller set no limit and the format must have one (Anthropic): the catalog's figure.
    pub max_tokens: u64,
    /// What to do about what cannot be carried.
    pub losses: Losses,
    /// How this provider's dialect differs from its format.
    pub quirks: Quirks,
}

/// What to do about what cannot be carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Losses {
    /// As the format's table says.
    #[default]
    ByRule,
    /// Refuse what the table would change or drop.
    Refuse,
    /// Drop parameters that the table would refuse (`drop_params`). Content is refused all the same.
    DropParams,
}

/// How a dialect differs from its format. The default is the format as its owner speaks it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// How OpenAI-compatible hosts call the limit of tokens.
    pub max_tokens: MaxTokensField,
    /// Whether usage in a stream is asked for.
    pub stream_usage: StreamUsage,
    /// What the host knows of structured output.
    pub schema: SchemaSupport,
    /// How Anthropic's model is told to think.
    pub thinking: ThinkingStyle,
    /// Whether the host is told what to cache together.
    pub cache_key: CacheKey,
    /// Whether tools, and several at once, can be asked for.
    pub tools: ToolSupport,
    /// What the seed is called.
    pub seed: SeedField,
    /// Whether the caller's own user may be told.
    pub user: UserSupport,
    /// Whether a model's earlier reasoning goes back to it.
    pub replay: Replay,
}

/// Whether a host is told what requests have in common whose beginnings it is to keep together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheKey {
    /// By `prompt_cache_key`, as OpenAI and Azure take it.
    #[default]
    Sent,
    /// It knows no such field.
    Unknown,
}

/// Whether tools, and several at once, can be asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolSupport {
    /// Both.
    #[default]
    Native,
    /// How many at once is the host's own choice.
    Fixed,
    /// There are no tools.
    None,
}

/// What the seed is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SeedField {
    /// `seed`.
    #[default]
    Plain,
    /// This.
    Named(&'static str),
    /// There is none.
    Unknown,
}

/// Whether the caller's own user may be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserSupport {
    /// It may.
    #[default]
    Native,
    /// The host refuses the field.
    Unknown,
}

/// Whether a model's earlier reasoning goes back to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replay {
    /// As the caller sends it.
    #[default]
    Kept,
    /// The host takes none.
    Dropped,
}

impl Quirks {
    /// What becomes of this at a host that speaks OpenAI's Chat Completions otherwise than OpenAI.
    fn fate(&self, slot: Slot) -> Option<Fate> {
        match slot {
            Slot::Schema if self.schema != SchemaSupport::Native => {
                Some(Fate::Refused("this provider knows no JSON Schema for answers; ask for `json_object` instead"))
            }
            Slot::Json if self.schema == SchemaSupport::None => {
                Some(Fate::Refused("this provider cannot be told to answer in JSON"))
            }
            Slot::Tools if self.tools == ToolSupport::None => Some(Fate::Refused("this provider knows no tools")),
            Slot::ParallelTools if self.tools != ToolSupport::Native => {
                Some(Fate::Dropped("this provider chooses itself; callers must take several calls"))
            }
            Slot::Seed if self.seed == SeedField::Unknown => Some(Fate::Dropped("this provider knows no seed")),
            Slot::User if self.user == UserSupport::Unknown => Some(Fate::Dropped("this provider refuses the field")),
            Slot::ReasoningOwn if self.replay == Replay::Dropped => {
                Some(Fate::Dropped("this provider takes no earlier reasoning"))
            }
            _ => None,
        }
    }
}

/// How OpenAI-compatible hosts call the limit of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_completion_tokens`, as OpenAI and Azure want it.
    #[default]
    Completion,
    /// `max_tokens`, as most others know it.
    Plain,
}

/// Whether usage in a stream is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StreamUsage {
    /// By `stream_options.include_usage`, always: what is not asked for cannot be metered.
    #[default]
    Asked,
    /// The host refuses `stream_options`.
    Unknown,
}

/// What a host knows of structured output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SchemaSupport {
    /// JSON Schema, as the format has it.
    #[default]
    Native,
    /// Only "some JSON": the schema is refused.
    JsonOnly,
    /// Nothing.
    None,
}

/// How Anthropic's model is told to think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// By a budget of tokens.
    #[default]
    Budget,
    /// `adaptive`, with an effort.
    Adaptive,
}

/// How an answer is to be written for a caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reply<'a> {
    /// The model's name as the caller is to see it; empty for the provider's.
    pub model: &'a str,
    /// The id to use where the provider gave none.
    pub id: &'a str,
    /// Seconds since 1970, where the provider gave none.
    pub now: u64,
    /// Whether the caller asked for usage in the stream (OpenAI's `include_usage`); others always tell.
    pub include_usage: bool,
    /// How a stream is framed.
    pub framing: Framing,
}

/// How a stream is framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// As the format's SDKs expect it: server-sent events but for Ollama (lines) and Bedrock (its event stream).
    #[default]
    Usual,
    /// Gemini without `alt=sse`: one JSON array.
    Array,
}

/// What was written, and what of the canonical form is not in it as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The body.
    pub bytes: Vec<u8>,
    /// What was changed or dropped, by rule.
    pub notes: Vec<Note>,
}

/// A provider's stream, from bytes to events. `push` takes any cut of the bytes.
///
/// What is malformed or too long becomes one [`Event::Error`], and nothing after it is read.
pub trait Decode: Send + Sync {
    /// Takes the bytes that came and appends the events that they complete.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>);

    /// The bytes have ended. A stream that is not whole ends in [`Event::Error`].
    fn finish(&mut self, out: &mut Vec<Event>);
}

/// A caller's stream, from events to bytes. Each call's bytes are to be flushed as they are.
pub trait Encode: Send + Sync {
    /// Appends what `event` looks like in the format; may be nothing.
    fn push(&mut self, event: &Event, out: &mut Vec<u8>);
}
