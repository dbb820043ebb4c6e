//! What OpenAI Responses carries.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::OpenAiResponses, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    (
        "previous_response_id",
        Read::Refused("what OpenAI keeps is not known elsewhere; send the conversation in `input`"),
    ),
    ("conversation", Read::Refused("what OpenAI keeps is not known elsewhere; send the conversation in `input`")),
    ("prompt", Read::Refused("prompts kept at OpenAI are not known elsewhere")),
    ("store", Read::Dropped("answers are kept, if at all, by the gateway")),
    ("include", Read::Dropped("reasoning is always given sealed; what else it names is OpenAI's own")),
    ("truncation", Read::Dropped("other formats refuse what does not fit")),
    ("max_tool_calls", Read::Dropped("it counts calls of tools that OpenAI runs")),
    ("prompt_cache_retention", Read::Dropped("a hint to OpenAI's cache")),
    ("safety_identifier", Read::Dropped("OpenAI's own name for `user`")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("instructions")),
    (Slot::MidSystem, Carried("input[].role: system")),
    (Slot::MessageName, Dropped("its messages have no names")),
    (Slot::Image, Carried("input_image, as a data URL")),
    (Slot::ImageUrl, Carried("input_image")),
    (Slot::ImageDetail, Carried("input_image.detail")),
    (Slot::Audio, Fate::Refused("it takes no audio")),
    (Slot::Video, Fate::Refused("it takes no video")),
    (Slot::File, Carried("input_file.file_data")),
    (Slot::FileUrl, Carried("input_file.file_url")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Changed("becomes a part of text, its title above it")),
    (Slot::ToolUse, Carried("function_call, function_call_output")),
    (Slot::ToolResultMedia, Carried("function_call_output.output")),
    (Slot::ToolFailed, Dropped("the result's text says what went wrong")),
    (Slot::Refusal, Carried("refusal")),
    (Slot::ReasoningOwn, Carried("reasoning.encrypted_content")),
    (Slot::ReasoningForeign, Dropped("it takes only thoughts that it sealed")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("tools")),
    (Slot::ToolStrict, Carried("tools[].strict")),
    (Slot::ToolChoice, Carried("tool_choice: none")),
    (Slot::ToolChoiceForced, Carried("tool_choice: required, or a function")),
    (Slot::ParallelTools, Carried("parallel_tool_calls")),
    (Slot::MaxTokens, Carried("max_output_tokens")),
    (Slot::Temperature, Carried("temperature")),
    (Slot::TopP, Carried("top_p")),
    (Slot::TopK, Dropped("it has no top k; the nucleus bounds the choice")),
    (Slot::Stop, Fate::Refused("it has no stop sequences")),
    (Slot::Seed, Dropped("draws cannot be repeated")),
    (Slot::Many, Fate::Refused("it gives one answer a call")),
    (Slot::Logprobs, Fate::Refused("its probabilities have another shape")),
    (Slot::PresencePenalty, Dropped("it has no penalties")),
    (Slot::FrequencyPenalty, Dropped("it has no penalties")),
    (Slot::LogitBias, Fate::Refused("tokens cannot be biased")),
    (Slot::Json, Carried("text.format: json_object")),
    (Slot::Schema, Carried("text.format: json_schema")),
    (Slot::Effort, Carried("reasoning.effort")),
    (
        Slot::ThinkingBudget,
        Changed("becomes reasoning.effort: up to 1024 tokens low, 4096 medium, 16384 high, else xhigh"),
    ),
    (Slot::Cache, Dropped("it caches of itself")),
    (Slot::CacheKey, Carried("prompt_cache_key")),
    (Slot::User, Carried("user")),
    (Slot::Metadata, Carried("metadata")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
