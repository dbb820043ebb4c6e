//! How providers are spoken to: the dialect of the conversation, what else is served and where, how the key is shown.
//!
//! Paths follow the base URL. `{model}` stands for the model of the call; any other name in braces is a setting of the
//! provider, such as its region.

/// The wire format in which a provider takes a conversation, with the places of its other calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's Chat Completions, spoken by most vendors.
    OpenaiChat,
    /// OpenAI on Azure: the same bodies, by deployment, with an API version.
    AzureOpenai,
    /// Anthropic's Messages.
    AnthropicMessages,
    /// Google's Gemini API.
    Gemini,
    /// Gemini and others on Google Cloud, with tokens of a service account.
    Vertex,
    /// AWS Bedrock's Converse, with its event stream.
    BedrockConverse,
    /// Cohere's v2 API.
    Cohere,
    /// Ollama's own API.
    Ollama,
}

impl Dialect {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::OpenaiChat,
        Self::AzureOpenai,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::Vertex,
        Self::BedrockConverse,
        Self::Cohere,
        Self::Ollama,
    ];

    /// The name that configuration, metrics and docs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::AzureOpenai => "azure_openai",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::BedrockConverse => "bedrock_converse",
            Self::Cohere => "cohere",
            Self::Ollama => "ollama",
        }
    }

    /// Where a call goes, from the base URL on or as a whole URL. None: the dialect has no such call.
    pub const fn path(self, call: Capability) -> Option<&'static str> {
        match self {
            Self::OpenaiChat => openai(call),
            Self::AzureOpenai => azure(call),
            Self::AnthropicMessages => anthropic(call),
            Self::Gemini => gemini(call),
            Self::Vertex => vertex(call),
            Self::BedrockConverse => bedrock(call),
            Self::Cohere => cohere(call),
            Self::Ollama => ollama(call),
        }
    }

    /// Where a streamed call goes; most dialects say it in the body.
    pub const fn stream_path(self, call: Capability) -> Option<&'static str> {
        match (self, call) {
            (Self::Gemini, Capability::Chat) => Some("/models/{model}:streamGenerateContent?alt=sse"),
            (Self::Vertex, Capability::Chat) => Some("/publishers/google/models/{model}:streamGenerateContent?alt=sse"),
            (Self::Vertex, Capability::Messages) => Some("/publishers/anthropic/models/{model}:streamRawPredict"),
            (Self::BedrockConverse, Capability::Chat) => Some("/model/{model}/converse-stream"),
            _ => self.path(call),
        }
    }
}

const fn openai(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/chat/completions",
        Capability::Responses => "/responses",
        Capability::Messages => "/messages",
        Capability::CountTokens => "/messages/count_tokens",
        Capability::Completions => "/completions",
        Capability::Embeddings => "/embeddings",
        Capability::Images => "/images/generations",
        Capability::Speech => "/audio/speech",
        Capability::Transcription => "/audio/transcriptions",
        Capability::Rerank => "/rerank",
        Capability::Moderations => "/moderations",
        Capability::Batches => "/batches",
        Capability::Files => "/files",
        Capability::Models => "/models",
        Capability::Realtime => "/realtime?model={model}",
    })
}

/// By deployment with a dated version where that is the released API, by the undated `v1` for what came later.
const fn azure(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/deployments/{model}/chat/completions?api-version={api_version}",
        Capability::Completions => "/deployments/{model}/completions?api-version={api_version}",
        Capability::Embeddings => "/deployments/{model}/embeddings?api-version={api_version}",
        Capability::Images => "/deployments/{model}/images/generations?api-version={api_version}",
        Capability::Speech => "/deployments/{model}/audio/speech?api-version={api_version}",
        Capability::Transcription => "/deployments/{model}/audio/transcriptions?api-version={api_version}",
        Capability::Batches => "/batches?api-version={api_version}",
        Capability::Files => "/files?api-version={api_version}",
        Capability::Models => "/models?api-version={api_version}",
        Capability::Responses => "/v1/responses",
        Capability::Realtime => "/v1/realtime?model={model}",
        Capability::Messages | Capability::CountTokens | Capability::Rerank | Capability::Moderations => return None,
    })
}

const fn anthropic(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat | Capability::Messages => "/v1/messages",
        Capability::CountTokens => "/v1/messages/count_tokens",
        Capability::Batches => "/v1/messages/batches",
        Capability::Files => "/v1/files",
        Capability::Models => "/v1/models",
        _ => return None,
    })
}

const fn gemini(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/models/{model}:generateContent",
        Capability::CountTokens => "/models/{model}:countTokens",
        Capability::Embeddings => "/models/{model}:embedContent",
        Capability::Images => "/models/{model}:predict",
        Capability::Batches => "/models/{model}:batchGenerateContent",
        Capability::Files => "/files",
        Capability::Models => "/models",
        Capability::Realtime => {
            "https://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
        }
        _ => return None,
    })
}

const fn vertex(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/publishers/google/models/{model}:generateContent",
        Capability::CountTokens => "/publishers/google/models/{model}:countTokens",
        Capability::Messages => "/publishers/anthropic/models/{model}:rawPredict",
        Capability::Embeddings | Capability::Images => "/publishers/google/models/{model}:predict",
        Capability::Batches => "/batchPredictionJobs",
        _ => return None,
    })
}

const fn bedrock(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/model/{model}/converse",
        Capability::CountTokens => "/model/{model}/count-tokens",
        Capability::Embeddings | Capability::Images | Capability::Rerank => "/model/{model}/invoke",
        Capability::Models => "https://bedrock.{region}.amazonaws.com/foundation-models",
        _ => return None,
    })
}

const fn cohere(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/v2/chat",
        Capability::Embeddings => "/v2/embed",
        Capability::Rerank => "/v2/rerank",
        Capability::Models => "/v1/models",
        _ => return None,
    })
}

const fn ollama(call: Capability) -> Option<&'static str> {
    Some(match call {
        Capability::Chat => "/api/chat",
        Capability::Completions => "/v1/completions",
        Capability::Embeddings => "/v1/embeddings",
        Capability::Models => "/api/tags",
        Capability::Messages => "/v1/messages",
        Capability::Responses => "/v1/responses",
        _ => return None,
    })
}

/// How the key is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer,
    /// A header of its own that holds the bare key.
    Header(&'static str),
    /// A parameter of the query.
    Query(&'static str),
    /// AWS Signature Version 4, signed for this service.
    SigV4(&'static str),
    /// A bearer token that a Google service account's key is exchanged for.
    ServiceAccount,
}

impl Auth {
    /// As docs show it.
    pub fn shown(self) -> String {
        match self {
            Self::Bearer => "Authorization: Bearer".to_owned(),
            Self::Header(name) => name.to_owned(),
            Self::Query(name) => format!("?{name}="),
            Self::SigV4(_) => "AWS SigV4".to_owned(),
            Self::ServiceAccount => "Google service account".to_owned(),
        }
    }
}

/// Something that a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Conversations, in the provider's dialect.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages, beside or as the dialect.
    Messages,
    /// How many tokens a request has.
    CountTokens,
    /// Text that goes on from a prompt.
    Completions,
    /// Embeddings.
    Embeddings,
    /// Images from text.
    Images,
    /// Speech from text.
    Speech,
    /// Text from speech.
    Transcription,
    /// Documents by relevance.
    Rerank,
    /// Classification of what is harmful.
    Moderations,
    /// Batches of calls.
    Batches,
    /// Files that calls refer to.
    Files,
    /// The list of models.
    Models,
    /// Speech both ways over a WebSocket.
    Realtime,
}

impl Capability {
    /// Every one, in the order of docs.
    pub const ALL: [Self; 15] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
        Self::Completions,
        Self::Embeddings,
        Self::Images,
        Self::Speech,
        Self::Transcription,
        Self::Rerank,
        Self::Moderations,
        Self::Batches,
        Self::Files,
        Self::Models,
        Self::Realtime,
    ];

    /// The name that configuration, metrics and docs use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Images => "images",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
            Self::Batches => "batches",
            Self::Files => "files",
            Self::Models => "models",
            Self::Realtime => "realtime",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u16);

impl Capabilities {
    /// The set of these.
    pub const fn of(mut list: &[Capability]) -> Self {
        let mut bits = 0;
        while let [first, rest @ ..] = list {
            bits |= 1 << *first as u16;
            list = rest;
        }
        Self(bits)
    }

    /// Whether it holds this one.
    pub const fn has(self, one: Capability) -> bool {
        self.0 & (1 << one as u16) != 0
    }

    /// Those in it, in the order of docs.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |one| self.has(*one))
    }
}
