//! Those who serve other people's models, and those who pass calls on.

use super::super::Preset;
use super::{CLIENTS, LITELLM, LOBE};
use crate::providers::Capability::{
    Batches, Chat, Completions, Embeddings, Files, Images, Messages, Models, Rerank, Responses, Speech, Transcription,
};
use crate::providers::{MaxTokens, ParallelTools, Prefill, Quirks, Schema, StreamUsage, User};

/// What a host of open models does that has documented schemas.
const WITH_SCHEMAS: Quirks = Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE };

pub(super) const ROWS: &[Preset] = &[
    Preset::compatible("groq", "Groq", "https://api.groq.com/openai/v1")
        .serves(&[Chat, Responses, Speech, Transcription, Batches, Files, Models])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, prefill: Prefill::LastMessage, ..WITH_SCHEMAS })
        .source("https://console.groq.com/docs/openai", LITELLM),
    Preset::compatible("together", "Together AI", "https://api.together.xyz/v1")
        .also(&["together_ai", "togetherai"])
        .serves(&[Chat, Completions, Embeddings, Images, Speech, Transcription, Rerank, Batches, Files, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://docs.together.ai/docs/openai-api-compatibility", LOBE),
    Preset::compatible("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1")
        .also(&["fireworks_ai", "fireworksai", "fireworks_ai_embedding_models"])
        .serves(&[Chat, Responses, Completions, Embeddings, Rerank, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://docs.fireworks.ai/tools-sdks/openai-compatibility", LITELLM),
    Preset::compatible("openrouter", "OpenRouter", "https://openrouter.ai/api/v1")
        .serves(&[Chat, Responses, Messages, Completions, Embeddings, Models])
        .quirks(Quirks { prefill: Prefill::LastMessage, ..WITH_SCHEMAS })
        .source("https://openrouter.ai/docs/api-reference/overview", LITELLM),
    Preset::compatible("cerebras", "Cerebras", "https://api.cerebras.ai/v1")
        .serves(&[Chat, Completions, Models])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, ..WITH_SCHEMAS })
        .source("https://inference-docs.cerebras.ai/resources/openai", LITELLM),
    Preset::compatible("sambanova", "SambaNova", "https://api.sambanova.ai/v1")
        .serves(&[Chat, Embeddings, Transcription, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://docs.sambanova.ai/cloud/docs/capabilities/openai-compatibility", LITELLM),
    Preset::compatible("deepinfra", "DeepInfra", "https://api.deepinfra.com/v1/openai")
        .serves(&[Chat, Completions, Embeddings, Images, Speech, Transcription, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://deepinfra.com/docs/openai_api", LITELLM),
    Preset::compatible("huggingface", "Hugging Face Inference Providers", "https://router.huggingface.co/v1")
        .also(&["huggingface_hub", "hf"])
        .serves(&[Chat, Responses, Models])
        .source("https://huggingface.co/docs/inference-providers", LITELLM),
    Preset::compatible("nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1")
        .also(&["nvidia_nim"])
        .serves(&[Chat, Completions, Embeddings, Models])
        .source("https://docs.api.nvidia.com/nim/reference/llm-apis", LITELLM),
    Preset::compatible("novita", "Novita AI", "https://api.novita.ai/v3/openai")
        .also(&["novitaai"])
        .serves(&[Chat, Messages, Completions, Embeddings, Rerank, Models])
        .paths(&[(Messages, "https://api.novita.ai/anthropic/v1/messages")])
        .source("https://novita.ai/docs/guides/llm-api", LITELLM),
    Preset::compatible("nebius", "Nebius Token Factory", "https://api.studio.nebius.ai/v1")
        .also(&["nebius_ai_studio"])
        .serves(&[Chat, Completions, Embeddings, Images, Batches, Files, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://docs.nebius.com/studio/inference/api", LITELLM),
    Preset::compatible("hyperbolic", "Hyperbolic", "https://api.hyperbolic.xyz/v1")
        .serves(&[Chat, Completions, Models])
        .source("https://docs.hyperbolic.xyz/docs/rest-api", LITELLM),
    Preset::compatible("lambda", "Lambda Inference", "https://api.lambda.ai/v1")
        .also(&["lambda_ai"])
        .serves(&[Chat, Completions, Models])
        .source("https://docs.lambda.ai/public-cloud/lambda-inference-api", LITELLM),
    Preset::compatible("inference_net", "Inference.net", "https://api.inference.net/v1")
        .also(&["inferencenet"])
        .serves(&[Chat, Completions, Embeddings, Batches, Files, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://docs.inference.net/quickstart", CLIENTS),
    Preset::compatible("baseten", "Baseten", "https://inference.baseten.co/v1")
        .quirks(WITH_SCHEMAS)
        .source("https://docs.baseten.co/inference/model-apis/overview", LITELLM),
    Preset::compatible("friendli", "FriendliAI", "https://api.friendli.ai/serverless/v1")
        .also(&["friendliai"])
        .serves(&[Chat, Completions, Models])
        .source("https://friendli.ai/docs/openapi/serverless", LITELLM),
    Preset::compatible("featherless", "Featherless AI", "https://api.featherless.ai/v1")
        .also(&["featherless_ai"])
        .serves(&[Chat, Completions, Models])
        .quirks(Quirks { parallel_tools: ParallelTools::Fixed, ..Quirks::COMPATIBLE })
        .source("https://featherless.ai/docs/overview", LITELLM),
    Preset::compatible("nscale", "Nscale", "https://inference.api.nscale.com/v1")
        .serves(&[Chat, Embeddings, Images, Models])
        .source("https://docs.nscale.com/docs/inference/overview", LITELLM),
    Preset::compatible("gmi", "GMI Cloud", "https://api.gmi-serving.com/v1")
        .also(&["gmi_cloud"])
        .source("https://docs.gmicloud.ai/inference-engine/api-reference/llm-api-reference", LITELLM),
    Preset::compatible("crusoe", "Crusoe", "https://api.inference.crusoecloud.com/v1")
        .source("https://docs.crusoecloud.com/managed-inference/overview", LITELLM),
    Preset::compatible("chutes", "Chutes", "https://llm.chutes.ai/v1").source("https://chutes.ai/docs", LITELLM),
    Preset::compatible("parasail", "Parasail", "https://api.parasail.io/v1")
        .serves(&[Chat, Responses, Embeddings, Batches, Files, Models])
        .source("https://docs.parasail.io/parasail-docs/serverless/serverless", LITELLM),
    Preset::compatible("venice", "Venice", "https://api.venice.ai/api/v1")
        .also(&["veniceai"])
        .serves(&[Chat, Embeddings, Images, Speech, Models])
        .source("https://docs.venice.ai/api-reference/api-spec", LITELLM),
    Preset::compatible("replicate", "Replicate, by a compatible proxy", "https://openai-proxy.replicate.com/v1")
        .serves(&[Chat])
        .quirks(Quirks {
            stream_usage: StreamUsage::Always,
            parallel_tools: ParallelTools::NoTools,
            schema: Schema::None,
            user: User::Refused,
            ..Quirks::COMPATIBLE
        })
        .source("https://github.com/replicate/replicate-openai-proxy", CLIENTS),
    Preset::compatible("ollama_cloud", "Ollama Cloud", "https://ollama.com/v1")
        .serves(&[Chat, Models])
        .source("https://docs.ollama.com/cloud", LOBE),
    Preset::compatible("vercel", "Vercel AI Gateway", "https://ai-gateway.vercel.sh/v1")
        .also(&["vercel_ai_gateway"])
        .serves(&[Chat, Messages, Embeddings, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://vercel.com/docs/ai-gateway/openai-compat", LITELLM),
    Preset::compatible("v0", "v0 by Vercel", "https://api.v0.dev/v1")
        .serves(&[Chat])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, ..Quirks::COMPATIBLE })
        .source("https://v0.app/docs/api/model", LITELLM),
    Preset::compatible("morph", "Morph", "https://api.morphllm.com/v1")
        .serves(&[Chat, Embeddings, Rerank])
        .quirks(Quirks { parallel_tools: ParallelTools::NoTools, ..Quirks::COMPATIBLE })
        .source("https://docs.morphllm.com/api-reference/introduction", LITELLM),
    Preset::compatible("aimlapi", "AI/ML API", "https://api.aimlapi.com/v1")
        .also(&["aiml"])
        .serves(&[Chat, Embeddings, Images, Models])
        .source("https://docs.aimlapi.com/", LITELLM),
    Preset::compatible("aihubmix", "AIHubMix", "https://aihubmix.com/v1")
        .serves(&[Chat, Responses, Embeddings, Images, Rerank, Models])
        .source("https://docs.aihubmix.com/en", LITELLM),
    Preset::compatible("poe", "Poe", "https://api.poe.com/v1")
        .source("https://creator.poe.com/docs/external-applications/openai-compatible-api", LITELLM),
    Preset::compatible("helicone", "Helicone AI Gateway", "https://ai-gateway.helicone.ai")
        .source("https://docs.helicone.ai/gateway/overview", LITELLM),
];
