//! What OpenAI Chat Completions carries.
//! Source: the API reference of OpenAI, "Create chat completion"; DeepSeek's and OpenRouter's for reasoning in messages.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::OpenAiChat, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    ("store", Read::Dropped("answers are kept, if at all, by the gateway")),
    ("prediction", Read::Dropped("predicted output only makes the answer come sooner")),
    ("prompt_cache_retention", Read::Dropped("a hint to OpenAI's cache")),
    ("safety_identifier", Read::Dropped("OpenAI's own name for `user`")),
    ("verbosity", Read::Dropped("no other format has it")),
    ("modalities", Read::Refused("answers other than text are not translated")),
    ("audio", Read::Refused("answers other than text are not translated")),
    ("web_search_options", Read::Refused("searching is the provider's own tool")),
    ("functions", Read::Refused("use `tools`")),
    ("function_call", Read::Refused("use `tool_choice`")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("messages[].role: system")),
    (Slot::MidSystem, Carried("messages[].role: system")),
    (Slot::MessageName, Carried("messages[].name")),
    (Slot::Image, Carried("image_url, as a data URL")),
    (Slot::ImageUrl, Carried("image_url")),
    (Slot::ImageDetail, Carried("image_url.detail")),
    (Slot::Audio, Carried("input_audio")),
    (Slot::Video, Fate::Refused("it takes no video")),
    (Slot::File, Carried("file.file_data")),
    (Slot::FileUrl, Fate::Refused("it takes no document by URL; send it in the request")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Changed("becomes a part of text, its title above it")),
    (Slot::ToolUse, Carried("tool_calls, role: tool")),
    (Slot::ToolResultMedia, Changed("goes into a user message after the results, which are text")),
    (Slot::ToolFailed, Dropped("the result's text says what went wrong")),
    (Slot::Refusal, Carried("messages[].refusal")),
    (Slot::ReasoningOwn, Carried("reasoning_content")),
    (Slot::ReasoningForeign, Dropped("models of this format do not read their earlier thoughts")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("tools")),
    (Slot::ToolStrict, Carried("tools[].function.strict")),
    (Slot::ToolChoice, Carried("tool_choice: none")),
    (Slot::ToolChoiceForced, Carried("tool_choice: required, or a function")),
    (Slot::ParallelTools, Carried("parallel_tool_calls")),
    (Slot::MaxTokens, Carried("max_completion_tokens, or max_tokens for hosts that know no other")),
    (Slot::Temperature, Carried("temperature")),
    (Slot::TopP, Carried("top_p")),
    (Slot::TopK, Dropped("it has no top k; the nucleus bounds the choice")),
    (Slot::Stop, Carried("stop")),
    (Slot::Seed, Carried("seed")),
    (Slot::Many, Carried("n")),
    (Slot::Logprobs, Carried("logprobs, top_logprobs")),
    (Slot::PresencePenalty, Carried("presence_penalty")),
    (Slot::FrequencyPenalty, Carried("frequency_penalty")),
    (Slot::LogitBias, Carried("logit_bias")),
    (Slot::Json, Carried("response_format: json_object")),
    (Slot::Schema, Carried("response_format: json_schema")),
    (Slot::Effort, Carried("reasoning_effort")),
    (
        Slot::ThinkingBudget,
        Changed("becomes reasoning_effort: up to 1024 tokens low, 4096 medium, 16384 high, else xhigh"),
    ),
    (Slot::Cache, Dropped("it caches of itself")),
    (Slot::CacheKey, Carried("prompt_cache_key")),
    (Slot::User, Carried("user")),
    (Slot::Metadata, Carried("metadata")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
