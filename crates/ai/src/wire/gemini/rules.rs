//! What Gemini carries.

use crate::translate::{Fate, Format, Read, Rules, Slot};

use Fate::{Carried, Changed, Dropped};

/// The table.
pub(crate) const RULES: Rules = Rules { format: Format::Gemini, reads: READS, writes: WRITES };

const READS: &[(&str, Read)] = &[
    ("safetySettings", Read::Dropped("Google's own thresholds")),
    ("cachedContent", Read::Refused("content cached at Google is not known elsewhere")),
];

const WRITES: &[(Slot, Fate)] = &[
    (Slot::System, Carried("systemInstruction")),
    (Slot::MidSystem, Changed("joins the user's turn in its place, as text in <system> marks")),
    (Slot::MessageName, Dropped("it knows one user and one model")),
    (Slot::Image, Carried("inlineData")),
    (Slot::ImageUrl, Carried("fileData.fileUri; Google must be able to fetch it")),
    (Slot::ImageDetail, Dropped("it has a resolution for the whole request only")),
    (Slot::Audio, Carried("inlineData")),
    (Slot::Video, Carried("inlineData, fileData")),
    (Slot::File, Carried("inlineData")),
    (Slot::FileUrl, Carried("fileData.fileUri; Google must be able to fetch it")),
    (Slot::FileId, Fate::Refused("a file uploaded to one provider is not known to another")),
    (Slot::TextDocument, Changed("becomes a part of text, its title above it")),
    (Slot::ToolUse, Carried("functionCall, functionResponse; a result that is no JSON object stands under `result`")),
    (Slot::ToolResultMedia, Changed("stands after the results, as parts of the user")),
    (Slot::ToolFailed, Carried("functionResponse.response.error")),
    (Slot::Refusal, Changed("becomes text of the model")),
    (Slot::ReasoningOwn, Carried("thought, thoughtSignature")),
    (Slot::ReasoningForeign, Dropped("it takes only thoughts that it signed")),
    (Slot::ToolSeal, Dropped("only the provider that made it reads it")),
    (Slot::Tools, Carried("tools[].functionDeclarations[].parametersJsonSchema")),
    (Slot::ToolStrict, Dropped("it keeps to schemas as well as it can")),
    (Slot::ToolChoice, Carried("toolConfig.functionCallingConfig.mode: NONE")),
    (Slot::ToolChoiceForced, Carried("toolConfig.functionCallingConfig: ANY, allowedFunctionNames")),
    (Slot::ParallelTools, Dropped("it cannot be told; callers must take several calls")),
    (Slot::MaxTokens, Carried("generationConfig.maxOutputTokens")),
    (Slot::Temperature, Carried("generationConfig.temperature")),
    (Slot::TopP, Carried("generationConfig.topP")),
    (Slot::TopK, Carried("generationConfig.topK")),
    (Slot::Stop, Carried("generationConfig.stopSequences")),
    (Slot::Seed, Carried("generationConfig.seed")),
    (Slot::Many, Carried("generationConfig.candidateCount")),
    (Slot::Logprobs, Fate::Refused("its probabilities have another shape")),
    (Slot::PresencePenalty, Carried("generationConfig.presencePenalty")),
    (Slot::FrequencyPenalty, Carried("generationConfig.frequencyPenalty")),
    (Slot::LogitBias, Fate::Refused("tokens cannot be biased")),
    (Slot::Json, Carried("generationConfig.responseMimeType")),
    (Slot::Schema, Carried("generationConfig.responseJsonSchema")),
    (
        Slot::Effort,
        Changed(
            "becomes thinkingConfig.thinkingLevel, or for models that count a thinkingBudget (low 1024 tokens, medium 4096, high 16384, xhigh 32768)",
        ),
    ),
    (
        Slot::ThinkingBudget,
        Carried("generationConfig.thinkingConfig.thinkingBudget, or thinkingLevel for models that grade"),
    ),
    (Slot::Cache, Dropped("it caches of itself")),
    (Slot::CacheKey, Dropped("it tells by itself what begins alike")),
    (Slot::User, Dropped("it knows no user")),
    (Slot::Metadata, Dropped("it keeps no labels")),
    (Slot::ServiceTier, Dropped("the words differ from provider to provider")),
    (Slot::Unknown, Dropped("not known, and so not translated")),
];
