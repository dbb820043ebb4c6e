//! What Bedrock Converse carries.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::BedrockConverse, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    ("guardrailConfig", Read::Refused("guardrails kept at AWS do not act elsewhere")),
    ("promptVariables", Read::Refused("prompts kept at AWS are not known elsewhere")),
    ("additionalModelResponseFieldPaths", Read::Dropped("fields of one model alone")),
    ("performanceConfig", Read::Dropped("AWS's own class of latency")),
    ("serviceTier", Read::Dropped("the words differ from provider to provider")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("system")),
    (Slot::MidSystem, Changed("joins the user's turn in its place, as text in <system> marks")),
    (Slot::MessageName, Dropped("it knows one user and one assistant")),
    (Slot::Image, Carried("image.source.bytes")),
    (Slot::ImageUrl, Fate::Refused("it fetches nothing; send the image in the request")),
    (Slot::ImageDetail, Dropped("it has one detail")),
    (Slot::Audio, Fate::Refused("few of its models take audio, and by other means")),
    (Slot::Video, Carried("video.source.bytes")),
    (Slot::File, Carried("document.source.bytes")),
    (Slot::FileUrl, Fate::Refused("it fetches nothing; send the document in the request")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Changed("becomes a part of text, its title above it")),
    (Slot::ToolUse, Carried("toolUse, toolResult; a call without any tools given declares those that were called")),
    (Slot::ToolResultMedia, Carried("toolResult.content")),
    (Slot::ToolFailed, Carried("toolResult.status")),
    (Slot::Refusal, Changed("becomes text of the assistant")),
    (Slot::ReasoningOwn, Carried("reasoningContent")),
    (Slot::ReasoningForeign, Dropped("it takes only thoughts that it signed")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("toolConfig.tools[].toolSpec")),
    (Slot::ToolStrict, Carried("toolSpec.strict")),
    (Slot::ToolChoice, Changed("the tools are left out; refused if one was called before")),
    (Slot::ToolChoiceForced, Carried("toolConfig.toolChoice: any, tool")),
    (Slot::ParallelTools, Dropped("it cannot be told; callers must take several calls")),
    (Slot::MaxTokens, Carried("inferenceConfig.maxTokens")),
    (Slot::Temperature, Carried("inferenceConfig.temperature; above 1 becomes 1; left out beside thinking")),
    (Slot::TopP, Carried("inferenceConfig.topP")),
    (Slot::TopK, Dropped("each of its models names it differently")),
    (Slot::Stop, Carried("inferenceConfig.stopSequences")),
    (Slot::Seed, Dropped("draws cannot be repeated")),
    (Slot::Many, Fate::Refused("it gives one answer a call")),
    (Slot::Logprobs, Fate::Refused("it tells no probabilities")),
    (Slot::PresencePenalty, Dropped("it has no penalties")),
    (Slot::FrequencyPenalty, Dropped("it has no penalties")),
    (Slot::LogitBias, Fate::Refused("tokens cannot be biased")),
    (Slot::Json, Fate::Refused("it has no JSON mode without a schema; ask for `json_schema`")),
    (Slot::Schema, Carried("outputConfig.textFormat")),
    (
        Slot::Effort,
        Changed(
            "becomes thinking as Anthropic's models on it take it: a budget (low 1024 tokens, medium 4096, high 16384, xhigh 32768), or adaptive with an effort",
        ),
    ),
    (Slot::ThinkingBudget, Carried("additionalModelRequestFields.thinking")),
    (Slot::Cache, Carried("cachePoint")),
    (Slot::CacheKey, Dropped("it tells by itself what begins alike")),
    (Slot::User, Dropped("it knows no user")),
    (Slot::Metadata, Carried("requestMetadata")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
