//! What Ollama's chat carries.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::OllamaChat, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    ("keep_alive", Read::Dropped("how long a model stays loaded is Ollama's own")),
    ("truncate", Read::Dropped("other formats refuse what does not fit")),
    ("shift", Read::Dropped("other formats refuse what does not fit")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("messages[].role: system")),
    (Slot::MidSystem, Carried("messages[].role: system")),
    (Slot::MessageName, Dropped("its messages have no names")),
    (Slot::Image, Changed("stands beside the message's text, in `images`")),
    (Slot::ImageUrl, Fate::Refused("it fetches nothing; send the image in the request")),
    (Slot::ImageDetail, Dropped("it has one detail")),
    (Slot::Audio, Fate::Refused("it takes no audio")),
    (Slot::Video, Fate::Refused("it takes no video")),
    (Slot::File, Fate::Refused("it takes documents as text alone")),
    (Slot::FileUrl, Fate::Refused("it takes documents as text alone")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Changed("becomes text, its title above it")),
    (Slot::ToolUse, Carried("tool_calls, role: tool")),
    (Slot::ToolResultMedia, Changed("goes into a user message after the results, which are text")),
    (Slot::ToolFailed, Dropped("the result's text says what went wrong")),
    (Slot::Refusal, Changed("becomes text of the assistant")),
    (Slot::ReasoningOwn, Carried("messages[].thinking")),
    (Slot::ReasoningForeign, Dropped("it takes only thoughts of its own models")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("tools")),
    (Slot::ToolStrict, Dropped("it keeps to schemas as well as its models can")),
    (Slot::ToolChoice, Changed("the tools are left out")),
    (Slot::ToolChoiceForced, Fate::Refused("its models cannot be made to call a tool")),
    (Slot::ParallelTools, Dropped("it cannot be told; callers must take several calls")),
    (Slot::MaxTokens, Carried("options.num_predict")),
    (Slot::Temperature, Carried("options.temperature")),
    (Slot::TopP, Carried("options.top_p")),
    (Slot::TopK, Carried("options.top_k")),
    (Slot::Stop, Carried("options.stop")),
    (Slot::Seed, Carried("options.seed")),
    (Slot::Many, Fate::Refused("it gives one answer a call")),
    (Slot::Logprobs, Fate::Refused("its probabilities have another shape")),
    (Slot::PresencePenalty, Carried("options.presence_penalty")),
    (Slot::FrequencyPenalty, Carried("options.frequency_penalty")),
    (Slot::LogitBias, Fate::Refused("tokens cannot be biased")),
    (Slot::Json, Carried("format: json")),
    (Slot::Schema, Carried("format, the schema itself")),
    (Slot::Effort, Changed("becomes think: true, or its step for models that have steps")),
    (Slot::ThinkingBudget, Changed("becomes think: true or false")),
    (Slot::Cache, Dropped("it keeps what it can in memory")),
    (Slot::CacheKey, Dropped("it tells by itself what begins alike")),
    (Slot::User, Dropped("it knows no user")),
    (Slot::Metadata, Dropped("it keeps no labels")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
