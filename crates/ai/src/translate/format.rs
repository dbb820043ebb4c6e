//! The formats, and what can be done in each.

use serde_json::Value;

use super::{Answer, Ask, Decode, Encode, Error, ErrorKind, Refused, Reply, Request, Rules, Told, Usage, Written};
use crate::wire::{
    anthropic_messages, bedrock_converse, cohere_chat, gemini, ollama_chat, openai_chat, openai_responses,
};

/// A format of calls of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// OpenAI Chat Completions, and what is compatible with it.
    OpenAiChat,
    /// Anthropic Messages.
    AnthropicMessages,
    /// Gemini's `generateContent`, of Google AI and Vertex. Model and stream stand in the path.
    Gemini,
    /// OpenAI Responses, without state at the provider.
    OpenAiResponses,
    /// Amazon Bedrock's Converse. Model and stream stand in the path.
    BedrockConverse,
    /// Cohere's Chat, version 2.
    CohereChat,
    /// Ollama's own chat.
    OllamaChat,
}

impl Format {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::OpenAiChat,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::OpenAiResponses,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OllamaChat,
    ];

    /// In configuration, metrics and marks: `openai_chat`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::OpenAiResponses => "openai_responses",
            Self::BedrockConverse => "bedrock_converse",
            Self::CohereChat => "cohere_chat",
            Self::OllamaChat => "ollama_chat",
        }
    }

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::OpenAiChat => "OpenAI Chat Completions",
            Self::AnthropicMessages => "Anthropic Messages",
            Self::Gemini => "Gemini",
            Self::OpenAiResponses => "OpenAI Responses",
            Self::BedrockConverse => "Bedrock Converse",
            Self::CohereChat => "Cohere Chat",
            Self::OllamaChat => "Ollama",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// What it carries of the canonical form.
    #[must_use]
    pub const fn rules(self) -> Rules {
        match self {
            Self::OpenAiChat => openai_chat::RULES,
            Self::AnthropicMessages => anthropic_messages::RULES,
            Self::Gemini => gemini::RULES,
            Self::OpenAiResponses => openai_responses::RULES,
            Self::BedrockConverse => bedrock_converse::RULES,
            Self::CohereChat => cohere_chat::RULES,
            Self::OllamaChat => ollama_chat::RULES,
        }
    }

    /// Reads a caller's request. A field given twice is refused.
    ///
    /// # Errors
    /// When the body is not what the format allows, or says what the canonical form cannot.
    pub fn read_request(self, body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
        match self {
            Self::OpenAiChat => openai_chat::read_request(body, told),
            Self::AnthropicMessages => anthropic_messages::read_request(body, told),
            Self::Gemini => gemini::read_request(body, told),
            Self::OpenAiResponses => openai_responses::read_request(body, told),
            Self::BedrockConverse => bedrock_converse::read_request(body, told),
            Self::CohereChat => cohere_chat::read_request(body, told),
            Self::OllamaChat => ollama_chat::read_request(body, told),
        }
    }

    /// Writes a request for a provider.
    ///
    /// # Errors
    /// When the request says what this format cannot, by its table or by [`Ask::losses`].
    pub fn write_request(self, request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
        match self {
            Self::OpenAiChat => openai_chat::write_request(request, ask),
            Self::AnthropicMessages => anthropic_messages::write_request(request, ask),
            Self::Gemini => gemini::write_request(request, ask),
            Self::OpenAiResponses => openai_responses::write_request(request, ask),
            Self::BedrockConverse => bedrock_converse::write_request(request, ask),
            Self::CohereChat => cohere_chat::write_request(request, ask),
            Self::OllamaChat => ollama_chat::write_request(request, ask),
        }
    }

    /// What was said and taken, of a provider's answer whose bytes pass as they are; nothing where [`Self::read_answer`] has to
    /// tell.
    pub(crate) fn glance(self, body: &[u8]) -> Option<Answer> {
        match self {
            Self::OpenAiChat => openai_chat::glance(body),
            _ => None,
        }
    }

    /// Reads a provider's answer.
    ///
    /// # Errors
    /// When the body is not what the format allows.
    pub fn read_answer(self, body: &[u8]) -> Result<Answer, Refused> {
        match self {
            Self::OpenAiChat => openai_chat::read_answer(body),
            Self::AnthropicMessages => anthropic_messages::read_answer(body),
            Self::Gemini => gemini::read_answer(body),
            Self::OpenAiResponses => openai_responses::read_answer(body),
            Self::BedrockConverse => bedrock_converse::read_answer(body),
            Self::CohereChat => cohere_chat::read_answer(body),
            Self::OllamaChat => ollama_chat::read_answer(body),
        }
    }

    /// Writes an answer for a caller.
    ///
    /// # Errors
    /// When the format cannot hold it: arguments of a tool call that are not a JSON object where one must stand.
    pub fn write_answer(self, answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
        match self {
            Self::OpenAiChat => openai_chat::write_answer(answer, reply),
            Self::AnthropicMessages => anthropic_messages::write_answer(answer, reply),
            Self::Gemini => gemini::write_answer(answer, reply),
            Self::OpenAiResponses => openai_responses::write_answer(answer, reply),
            Self::BedrockConverse => bedrock_converse::write_answer(answer, reply),
            Self::CohereChat => cohere_chat::write_answer(answer, reply),
            Self::OllamaChat => ollama_chat::write_answer(answer, reply),
        }
    }

    /// Where an answer tells what it took. Ollama tells it at the top: one of its counts stands for all.
    #[must_use]
    pub const fn usage_key(self) -> &'static str {
        match self {
            Self::Gemini => "usageMetadata",
            Self::OllamaChat => "prompt_eval_count",
            _ => "usage",
        }
    }

    /// Reads what stands under [`Format::usage_key`].
    #[must_use]
    pub fn read_usage(self, value: &Value) -> Usage {
        match self {
            Self::OpenAiChat => openai_chat::read_usage(Some(value)),
            Self::AnthropicMessages => anthropic_messages::read_usage(Some(value)),
            Self::Gemini => gemini::read_usage(Some(value)),
            Self::OpenAiResponses => openai_responses::read_usage(Some(value)),
            Self::BedrockConverse => bedrock_converse::read_usage(Some(value)),
            Self::CohereChat => cohere_chat::read_usage(Some(value)),
            Self::OllamaChat => ollama_chat::read_usage(Some(value)),
        }
    }

    /// For a provider's stream.
    #[must_use]
    pub fn decoder(self) -> Box<dyn Decode> {
        match self {
            Self::OpenAiChat => openai_chat::decoder(),
            Self::AnthropicMessages => anthropic_messages::decoder(),
            Self::Gemini => gemini::decoder(),
            Self::OpenAiResponses => openai_responses::decoder(),
            Self::BedrockConverse => bedrock_converse::decoder(),
            Self::CohereChat => cohere_chat::decoder(),
            Self::OllamaChat => ollama_chat::decoder(),
        }
    }

    /// For a caller's stream.
    #[must_use]
    pub fn encoder(self, reply: &Reply<'_>) -> Box<dyn Encode> {
        match self {
            Self::OpenAiChat => openai_chat::encoder(reply),
            Self::AnthropicMessages => anthropic_messages::encoder(reply),
            Self::Gemini => gemini::encoder(reply),
            Self::OpenAiResponses => openai_responses::encoder(reply),
            Self::BedrockConverse => bedrock_converse::encoder(reply),
            Self::CohereChat => cohere_chat::encoder(reply),
            Self::OllamaChat => ollama_chat::encoder(reply),
        }
    }

    /// What a provider's failure is: from its body, else from its status. Never fails.
    #[must_use]
    pub fn read_error(self, status: u16, body: &[u8]) -> Error {
        match self {
            Self::OpenAiChat => openai_chat::read_error(status, body),
            Self::AnthropicMessages => anthropic_messages::read_error(status, body),
            Self::Gemini => gemini::read_error(status, body),
            Self::OpenAiResponses => openai_responses::read_error(status, body),
            Self::BedrockConverse => bedrock_converse::read_error(status, body),
            Self::CohereChat => cohere_chat::read_error(status, body),
            Self::OllamaChat => ollama_chat::read_error(status, body),
        }
    }

    /// A failure as the body that callers of this format expect, beside [`Format::error_status`].
    #[must_use]
    pub fn write_error(self, error: &Error, request_id: &str) -> Vec<u8> {
        match self {
            Self::OpenAiChat => openai_chat::write_error(error),
            Self::AnthropicMessages => anthropic_messages::write_error(error, request_id),
            Self::Gemini => gemini::write_error(error),
            Self::OpenAiResponses => openai_responses::write_error(error),
            Self::BedrockConverse => bedrock_converse::write_error(error),
            Self::CohereChat => cohere_chat::write_error(error),
            Self::OllamaChat => ollama_chat::write_error(error),
        }
    }

    /// The status that callers of this format expect with a failure.
    #[must_use]
    pub const fn error_status(self, kind: ErrorKind) -> u16 {
        match (self, kind) {
            (Self::AnthropicMessages, ErrorKind::Overloaded) => 529,
            _ => kind.status(),
        }
    }

    /// The media type of its streams.
    #[must_use]
    pub const fn stream_type(self) -> &'static str {
        match self {
            Self::BedrockConverse => "application/vnd.amazon.eventstream",
            Self::OllamaChat => "application/x-ndjson",
            _ => "text/event-stream",
        }
    }
}
