//! What each format carries of the canonical form: the tables that the writers obey and the docs are made from.

use super::{Ask, Format, Losses, Refused};

/// A place in the canonical form of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Slot {
    /// Text above the conversation.
    System,
    /// A system message within the conversation.
    MidSystem,
    /// The name of who speaks.
    MessageName,
    /// A picture within the request.
    Image,
    /// A picture by URL.
    ImageUrl,
    /// OpenAI's `detail` of a picture.
    ImageDetail,
    /// Sound.
    Audio,
    /// A moving picture.
    Video,
    /// A document within the request.
    File,
    /// A document by URL.
    FileUrl,
    /// Something uploaded to a provider before.
    FileId,
    /// A document of plain text.
    TextDocument,
    /// Calls and results of tools in the conversation.
    ToolUse,
    /// Media in a tool's result.
    ToolResultMedia,
    /// That a tool failed.
    ToolFailed,
    /// A refusal of an earlier turn.
    Refusal,
    /// Reasoning of an earlier turn, sealed by this format's provider.
    ReasoningOwn,
    /// Reasoning of an earlier turn, without such a seal.
    ReasoningForeign,
    /// A tool call's seal of another format's provider.
    ToolSeal,
    /// The tools.
    Tools,
    /// `strict` of a tool.
    ToolStrict,
    /// That no tool may be called.
    ToolChoice,
    /// A tool must be called.
    ToolChoiceForced,
    /// Whether several tools may be called at once.
    ParallelTools,
    /// The limit of tokens.
    MaxTokens,
    /// Temperature.
    Temperature,
    /// Nucleus.
    TopP,
    /// The k likeliest.
    TopK,
    /// Stop sequences.
    Stop,
    /// Seed.
    Seed,
    /// More than one answer.
    Many,
    /// Probabilities.
    Logprobs,
    /// Presence penalty.
    PresencePenalty,
    /// Frequency penalty.
    FrequencyPenalty,
    /// Bias of tokens.
    LogitBias,
    /// Some JSON.
    Json,
    /// JSON of a shape.
    Schema,
    /// How much to think, in steps.
    Effort,
    /// How much to think, in tokens.
    ThinkingBudget,
    /// Hints to cache.
    Cache,
    /// What is cached together.
    CacheKey,
    /// The caller's own user.
    User,
    /// Labels.
    Metadata,
    /// Class of service.
    ServiceTier,
    /// Parameters without a place in the canonical form.
    Unknown,
}

/// What becomes of a slot in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is said in this field.
    Carried(&'static str),
    /// It is said in another way: how.
    Changed(&'static str),
    /// It is left out: why that is harmless.
    Dropped(&'static str),
    /// The request is refused: why.
    Refused(&'static str),
}

/// What becomes of a request's field that has no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// It is left out: why.
    Dropped(&'static str),
    /// The request is refused: why.
    Refused(&'static str),
}

/// What a format carries.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Which format.
    pub format: Format,
    /// Top-level fields of its requests that have no slot. What is neither a slot's nor here is [`Slot::Unknown`].
    pub reads: &'static [(&'static str, Read)],
    /// What becomes of each slot in its requests: every slot once.
    pub writes: &'static [(Slot, Fate)],
}

/// Something that is not in a written body as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which slot.
    pub slot: Slot,
    /// Whether it was changed or dropped, and why.
    pub fate: Fate,
}

/// The table of each format, in the order of [`Format::ALL`].
#[must_use]
pub fn rules() -> Vec<Rules> {
    Format::ALL.iter().map(|format| format.rules()).collect()
}

impl Rules {
    /// What becomes of `slot`.
    #[must_use]
    pub fn fate(&self, slot: Slot) -> Fate {
        let row = self.writes.iter().find(|(known, _)| *known == slot);
        row.map_or(Fate::Refused("this format has no rule for it"), |(_, fate)| *fate)
    }

    /// What becomes of a top-level field that has no slot.
    #[must_use]
    pub fn read(&self, field: &str) -> Option<Read> {
        self.reads.iter().find(|(known, _)| *known == field).map(|(_, read)| *read)
    }

    /// Applies the table to the slots that a request uses: notes for what is lost, or a refusal.
    ///
    /// # Errors
    /// When a slot in use is refused, by the table or because the caller wants no losses.
    pub fn apply(&self, used: &[super::check::Use], ask: &Ask<'_>) -> Result<Vec<Note>, Refused> {
        let mut notes: Vec<Note> = Vec::new();
        for (slot, field) in used {
            let quirk = (self.format == Format::OpenAiChat).then(|| ask.quirks.fate(*slot)).flatten();
            let mut fate = quirk.unwrap_or_else(|| self.fate(*slot));
            if *slot == Slot::CacheKey && ask.quirks.cache_key == super::CacheKey::Unknown {
                fate = Fate::Dropped("this provider caches of itself");
            }
            let fate = match (fate, ask.losses) {
                (Fate::Carried(_), _) => continue,
                (Fate::Refused(why), Losses::DropParams) if slot.is_parameter() => Fate::Dropped(why),
                (Fate::Changed(why) | Fate::Dropped(why), Losses::Refuse) => {
                    return Err(Refused::not_carried(field.as_ref(), format!("{}: {why}", self.format.title())));
                }
                (Fate::Refused(why), _) => {
                    return Err(Refused::not_carried(field.as_ref(), format!("{}: {why}", self.format.title())));
                }
                (fate, _) => fate,
            };
            if !notes.iter().any(|note| note.slot == *slot) {
                notes.push(Note { slot: *slot, fate });
            }
        }
        Ok(notes)
    }
}

/// What a slot is called in docs and notes; the order of [`Slot`].
const NAMES: &[(Slot, &str)] = &[
    (Slot::System, "system text"),
    (Slot::MidSystem, "system message within the conversation"),
    (Slot::MessageName, "name of a message's author"),
    (Slot::Image, "image, in the request"),
    (Slot::ImageUrl, "image, by URL"),
    (Slot::ImageDetail, "image detail"),
    (Slot::Audio, "audio"),
    (Slot::Video, "video"),
    (Slot::File, "document, in the request"),
    (Slot::FileUrl, "document, by URL"),
    (Slot::FileId, "uploaded file, by id"),
    (Slot::TextDocument, "document of plain text"),
    (Slot::ToolUse, "tool calls and results"),
    (Slot::ToolResultMedia, "media in a tool's result"),
    (Slot::ToolFailed, "mark that a tool failed"),
    (Slot::Refusal, "refusal of an earlier turn"),
    (Slot::ReasoningOwn, "reasoning of an earlier turn, own"),
    (Slot::ReasoningForeign, "reasoning of an earlier turn, another provider's or unsigned"),
    (Slot::ToolSeal, "signature of a tool call, another provider's"),
    (Slot::Tools, "tools"),
    (Slot::ToolStrict, "strict tools"),
    (Slot::ToolChoice, "tool choice: none"),
    (Slot::ToolChoiceForced, "tool choice: any, one tool"),
    (Slot::ParallelTools, "parallel tool calls"),
    (Slot::MaxTokens, "maximum of tokens"),
    (Slot::Temperature, "temperature"),
    (Slot::TopP, "top p"),
    (Slot::TopK, "top k"),
    (Slot::Stop, "stop sequences"),
    (Slot::Seed, "seed"),
    (Slot::Many, "several answers"),
    (Slot::Logprobs, "log probabilities"),
    (Slot::PresencePenalty, "presence penalty"),
    (Slot::FrequencyPenalty, "frequency penalty"),
    (Slot::LogitBias, "logit bias"),
    (Slot::Json, "JSON mode"),
    (Slot::Schema, "JSON schema of the answer"),
    (Slot::Effort, "reasoning effort"),
    (Slot::ThinkingBudget, "reasoning budget"),
    (Slot::Cache, "cache hints"),
    (Slot::CacheKey, "cache key"),
    (Slot::User, "user"),
    (Slot::Metadata, "metadata"),
    (Slot::ServiceTier, "service tier"),
    (Slot::Unknown, "fields that this gateway does not know"),
];

impl Slot {
    /// All, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(slot, _)| *slot)
    }

    /// What it is called in docs and notes.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(slot, _)| *slot == self).map_or("", |(_, name)| name)
    }

    /// Whether it is a parameter, which may be dropped on request, and not content, which may not.
    #[must_use]
    pub const fn is_parameter(self) -> bool {
        self as u8 >= Self::ToolStrict as u8
    }
}
