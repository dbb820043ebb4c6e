//! What Anthropic Messages carries.
//! Source: Anthropic's API reference, "Messages", version 2023-06-01, and its pages on thinking, tools and caching.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::AnthropicMessages, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    ("container", Read::Refused("containers are Anthropic's own")),
    ("mcp_servers", Read::Refused("the provider's own MCP connector is not translated")),
    ("context_management", Read::Dropped("editing the context is Anthropic's own")),
    ("inference_geo", Read::Refused("where a model runs is the provider's to promise")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("system")),
    (Slot::MidSystem, Changed("joins the user's turn in its place, as text in <system> marks")),
    (Slot::MessageName, Dropped("it knows one user and one assistant")),
    (Slot::Image, Carried("image, base64")),
    (Slot::ImageUrl, Carried("image, url")),
    (Slot::ImageDetail, Dropped("it has one detail")),
    (Slot::Audio, Fate::Refused("it takes no audio")),
    (Slot::Video, Fate::Refused("it takes no video")),
    (Slot::File, Carried("document, base64")),
    (Slot::FileUrl, Carried("document, url")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Carried("document, text")),
    (Slot::ToolUse, Carried("tool_use, tool_result")),
    (Slot::ToolResultMedia, Carried("tool_result.content")),
    (Slot::ToolFailed, Carried("tool_result.is_error")),
    (Slot::Refusal, Changed("becomes text of the assistant")),
    (Slot::ReasoningOwn, Carried("thinking, redacted_thinking")),
    (Slot::ReasoningForeign, Dropped("it takes only thoughts that it signed")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("tools[].input_schema")),
    (Slot::ToolStrict, Carried("tools[].strict")),
    (Slot::ToolChoice, Carried("tool_choice: none")),
    (Slot::ToolChoiceForced, Carried("tool_choice: any, tool; thinking is off for that call, which it asks")),
    (Slot::ParallelTools, Carried("tool_choice.disable_parallel_tool_use")),
    (Slot::MaxTokens, Carried("max_tokens; the model's own limit where the caller sets none")),
    (Slot::Temperature, Carried("temperature; above 1 becomes 1; left out beside thinking, which it asks")),
    (Slot::TopP, Carried("top_p")),
    (Slot::TopK, Carried("top_k")),
    (Slot::Stop, Carried("stop_sequences")),
    (Slot::Seed, Dropped("draws cannot be repeated")),
    (Slot::Many, Fate::Refused("it gives one answer a call")),
    (Slot::Logprobs, Fate::Refused("it tells no probabilities")),
    (Slot::PresencePenalty, Dropped("it has no penalties")),
    (Slot::FrequencyPenalty, Dropped("it has no penalties")),
    (Slot::LogitBias, Fate::Refused("tokens cannot be biased")),
    (Slot::Json, Fate::Refused("it has no JSON mode without a schema; ask for `json_schema`")),
    (Slot::Schema, Carried("output_config.format")),
    (
        Slot::Effort,
        Changed(
            "becomes a thinking budget (low 1024 tokens, medium 4096, high 16384, xhigh 32768), or adaptive thinking with output_config.effort where the model has it",
        ),
    ),
    (Slot::ThinkingBudget, Carried("thinking.budget_tokens, at least 1024 and below max_tokens")),
    (Slot::Cache, Carried("cache_control")),
    (Slot::CacheKey, Dropped("it tells by itself what begins alike")),
    (Slot::User, Carried("metadata.user_id")),
    (Slot::Metadata, Dropped("it keeps no labels")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
