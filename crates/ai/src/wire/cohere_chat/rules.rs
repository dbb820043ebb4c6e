//! What Cohere's Chat carries.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::CohereChat, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    ("documents", Read::Refused("grounding on documents is Cohere's own; send them in a message")),
    ("citation_options", Read::Dropped("citations are Cohere's own")),
    ("safety_mode", Read::Dropped("Cohere's own thresholds")),
    ("priority", Read::Dropped("the words differ from provider to provider")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("messages[].role: system")),
    (Slot::MidSystem, Carried("messages[].role: system")),
    (Slot::MessageName, Dropped("its messages have no names")),
    (Slot::Image, Carried("image_url, as a data URL")),
    (Slot::ImageUrl, Carried("image_url")),
    (Slot::ImageDetail, Carried("image_url.detail")),
    (Slot::Audio, Fate::Refused("it takes no audio")),
    (Slot::Video, Fate::Refused("it takes no video")),
    (Slot::File, Fate::Refused("it takes documents as text alone")),
    (Slot::FileUrl, Fate::Refused("it takes documents as text alone")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Changed("becomes a part of text, its title above it")),
    (Slot::ToolUse, Carried("tool_calls, role: tool")),
    (Slot::ToolResultMedia, Changed("goes into a user message after the results, which are text")),
    (Slot::ToolFailed, Dropped("the result's text says what went wrong")),
    (Slot::Refusal, Changed("becomes text of the assistant")),
    (Slot::ReasoningOwn, Carried("tool_plan, content[].thinking")),
    (Slot::ReasoningForeign, Dropped("it takes only thoughts of its own")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("tools")),
    (Slot::ToolStrict, Carried("strict_tools, for all tools if it was asked for one")),
    (Slot::ToolChoice, Carried("tool_choice: NONE")),
    (Slot::ToolChoiceForced, Changed("becomes tool_choice: REQUIRED; for one tool the others are left out")),
    (Slot::ParallelTools, Dropped("it cannot be told; callers must take several calls")),
    (Slot::MaxTokens, Carried("max_tokens")),
    (Slot::Temperature, Carried("temperature")),
    (Slot::TopP, Carried("p")),
    (Slot::TopK, Carried("k")),
    (Slot::Stop, Carried("stop_sequences")),
    (Slot::Seed, Carried("seed")),
    (Slot::Many, Fate::Refused("it gives one answer a call")),
    (Slot::Logprobs, Fate::Refused("its probabilities have another shape")),
    (Slot::PresencePenalty, Carried("presence_penalty")),
    (Slot::FrequencyPenalty, Carried("frequency_penalty")),
    (Slot::LogitBias, Fate::Refused("tokens cannot be biased")),
    (Slot::Json, Carried("response_format: json_object")),
    (Slot::Schema, Carried("response_format.json_schema")),
    (Slot::Effort, Changed("becomes thinking.token_budget (low 1024, medium 4096, high 16384, xhigh 32768)")),
    (Slot::ThinkingBudget, Carried("thinking.token_budget")),
    (Slot::Cache, Dropped("it has no hints")),
    (Slot::CacheKey, Dropped("it tells by itself what begins alike")),
    (Slot::User, Dropped("it knows no user")),
    (Slot::Metadata, Dropped("it keeps no labels")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
