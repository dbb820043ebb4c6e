//! Those who make the models that they serve.

use super::super::Preset;
use super::{CLIENTS, LITELLM};
use crate::providers::Capability::{
    Batches, Chat, Completions, CountTokens, Embeddings, Files, Images, Messages, Models, Moderations, Realtime,
    Rerank, Responses, Speech, Transcription,
};
use crate::providers::{Auth, Dialect, MaxTokens, ParallelTools, Prefill, Quirks, Replay, Schema, StreamUsage, User};

pub(super) const ROWS: &[Preset] = &[
    Preset::compatible("openai", "OpenAI", "https://api.openai.com/v1")
        .also(&["text_completion_openai"])
        .serves(&[
            Chat,
            Responses,
            Completions,
            Embeddings,
            Images,
            Speech,
            Transcription,
            Moderations,
            Batches,
            Files,
            Models,
            Realtime,
        ])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://platform.openai.com/docs/api-reference", LITELLM),
    Preset::native("anthropic", "Anthropic", "https://api.anthropic.com", Dialect::AnthropicMessages)
        .also(&["claude"])
        .auth(Auth::Header("x-api-key"))
        .serves(&[Chat, Messages, CountTokens, Batches, Files, Models])
        .headers(&[("anthropic-version", "2023-06-01")])
        .quirks(Quirks { prefill: Prefill::LastMessage, ..Quirks::NATIVE })
        .source("https://docs.anthropic.com/en/api/overview", LITELLM),
    Preset::native("gemini", "Google Gemini", "https://generativelanguage.googleapis.com/v1beta", Dialect::Gemini)
        .also(&["google", "google_ai_studio"])
        .auth(Auth::Header("x-goog-api-key"))
        .serves(&[Chat, CountTokens, Embeddings, Images, Batches, Files, Models, Realtime])
        .source("https://ai.google.dev/api", LITELLM),
    Preset::native("cohere", "Cohere", "https://api.cohere.com", Dialect::Cohere)
        .also(&["cohere_chat"])
        .serves(&[Chat, Embeddings, Rerank, Models])
        .quirks(Quirks { seed: Some("seed"), ..Quirks::NATIVE })
        .source("https://docs.cohere.com/reference/about", LITELLM),
    Preset::compatible("mistral", "Mistral AI", "https://api.mistral.ai/v1")
        .also(&["mistralai"])
        .serves(&[Chat, Embeddings, Speech, Transcription, Moderations, Batches, Files, Models])
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            schema: Schema::JsonSchema,
            prefill: Prefill::Flag("prefix"),
            user: User::Refused,
            seed: Some("random_seed"),
            ..Quirks::COMPATIBLE
        })
        .source("https://docs.mistral.ai/api", LITELLM),
    Preset::compatible("codestral", "Mistral Codestral", "https://codestral.mistral.ai/v1")
        .also(&["text_completion_codestral"])
        .serves(&[Chat, Completions])
        .paths(&[(Completions, "/fim/completions")])
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            prefill: Prefill::Flag("prefix"),
            user: User::Refused,
            seed: Some("random_seed"),
            ..Quirks::COMPATIBLE
        })
        .source("https://docs.mistral.ai/capabilities/code_generation", LITELLM),
    Preset::compatible("xai", "xAI", "https://api.x.ai/v1")
        .also(&["grok", "x_ai"])
        .serves(&[Chat, Responses, Images, Transcription, Files, Batches, Models, Realtime])
        .quirks(Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://docs.x.ai/docs/api-reference", LITELLM),
    Preset::compatible("deepseek", "DeepSeek", "https://api.deepseek.com")
        .serves(&[Chat, Messages, Completions, Models])
        // The released paths take everything but a prefix, which only the beta does.
        .paths(&[
            (Chat, "/beta/chat/completions"),
            (Completions, "/beta/completions"),
            (Messages, "/anthropic/v1/messages"),
        ])
        .quirks(Quirks {
            replay: Replay::Required,
            parallel_tools: ParallelTools::Fixed,
            prefill: Prefill::Flag("prefix"),
            seed: None,
            ..Quirks::COMPATIBLE
        })
        .source("https://api-docs.deepseek.com/", LITELLM),
    Preset::compatible("perplexity", "Perplexity", "https://api.perplexity.ai")
        .serves(&[Chat, Responses, Embeddings])
        .paths(&[(Responses, "/v1/responses"), (Embeddings, "/v1/embeddings")])
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            parallel_tools: ParallelTools::NoTools,
            schema: Schema::JsonSchema,
            seed: None,
            ..Quirks::COMPATIBLE
        })
        .source("https://docs.perplexity.ai/api-reference/chat-completions-post", LITELLM),
    Preset::compatible("ai21", "AI21", "https://api.ai21.com/studio/v1")
        .also(&["ai21_chat"])
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            parallel_tools: ParallelTools::Fixed,
            seed: None,
            ..Quirks::COMPATIBLE
        })
        .source("https://docs.ai21.com/reference/jamba-1-6-api-ref", LITELLM),
    Preset::compatible("upstage", "Upstage", "https://api.upstage.ai/v1")
        .serves(&[Chat, Embeddings, Models])
        .quirks(Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://console.upstage.ai/docs/capabilities/chat", CLIENTS),
    Preset::compatible("writer", "Writer", "https://api.writer.com/v1")
        .serves(&[Chat, Completions, Files, Models])
        .paths(&[(Chat, "/chat")])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, user: User::Refused, seed: None, ..Quirks::COMPATIBLE })
        .source("https://dev.writer.com/api-reference/completion-api/chat-completion", CLIENTS),
    Preset::compatible("reka", "Reka", "https://api.reka.ai/v1")
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            parallel_tools: ParallelTools::Fixed,
            ..Quirks::COMPATIBLE
        })
        .source("https://docs.reka.ai/chat/overview", LITELLM),
    Preset::compatible("inception", "Inception", "https://api.inceptionlabs.ai/v1")
        .also(&["text_completion_inception"])
        .serves(&[Chat, Completions, Models])
        .source("https://docs.inceptionlabs.ai/get-started/authentication", LITELLM),
    Preset::compatible("meta_llama", "Llama API", "https://api.llama.com/compat/v1")
        .also(&["llama_api"])
        .source("https://llama.developer.meta.com/docs/features/compatibility", LITELLM),
    Preset::compatible("amazon_nova", "Amazon Nova API", "https://api.nova.amazon.com/v1")
        .quirks(Quirks { stream_usage: StreamUsage::Asked, ..Quirks::COMPATIBLE })
        .source("https://nova.amazon.com/dev/documentation", LITELLM),
    Preset::compatible("sarvam", "Sarvam AI", "https://api.sarvam.ai/v1")
        .auth(Auth::Header("api-subscription-key"))
        .serves(&[Chat])
        .source("https://docs.sarvam.ai/api-reference-docs/chat/chat-completions", LITELLM),
    Preset::compatible("gigachat", "GigaChat", "https://gigachat.devices.sberbank.ru/api/v1")
        .serves(&[Chat, Embeddings, Models])
        // The bearer is an access token of half an hour, which the key is exchanged for elsewhere.
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            parallel_tools: ParallelTools::Fixed,
            ..Quirks::COMPATIBLE
        })
        .source("https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/gigachat-api", LITELLM),
    Preset::compatible("voyage", "Voyage AI", "https://api.voyageai.com/v1")
        .also(&["voyageai"])
        .serves(&[Embeddings, Rerank])
        .source("https://docs.voyageai.com/reference/embeddings-api", LITELLM),
    Preset::compatible("jina", "Jina AI", "https://api.jina.ai/v1")
        .also(&["jina_ai"])
        .serves(&[Embeddings, Rerank])
        .source("https://jina.ai/embeddings", LITELLM),
];
