//! One's own servers, on the ports where they listen unless told otherwise.

use super::super::Preset;
use super::{DEFAULT, LITELLM, LOBE};
use crate::providers::Capability::{
    Chat, Completions, CountTokens, Embeddings, Images, Messages, Models, Moderations, Realtime, Rerank, Responses,
    Speech, Transcription,
};
use crate::providers::{Dialect, Prefill, Quirks, Schema};

/// A server that binds output to a grammar.
const WITH_SCHEMAS: Quirks = Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE };

pub(super) const ROWS: &[Preset] = &[
    Preset::native("ollama", "Ollama", "http://localhost:11434", Dialect::Ollama)
        .also(&["ollama_chat"])
        .keyless()
        .serves(&[Chat, Responses, Messages, Completions, Embeddings, Models])
        .quirks(Quirks { seed: Some("seed"), ..Quirks::NATIVE })
        .source("https://docs.ollama.com/api", LITELLM),
    Preset::compatible("vllm", "vLLM", "http://localhost:8000/v1")
        .also(&["hosted_vllm"])
        .keyless()
        .serves(&[Chat, Responses, Messages, Completions, Embeddings, Rerank, Transcription, Models])
        .quirks(Quirks { prefill: Prefill::ContinueFinalMessage, ..WITH_SCHEMAS })
        .source("https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html", LOBE),
    Preset::compatible("tgi", "Hugging Face Text Generation Inference", "http://localhost:8080/v1")
        .also(&["huggingface_tgi", "text_generation_inference"])
        .keyless()
        .serves(&[Chat, Completions, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://huggingface.co/docs/text-generation-inference/messages_api", DEFAULT),
    Preset::compatible("sglang", "SGLang", "http://localhost:30000/v1")
        .keyless()
        .serves(&[Chat, Completions, Embeddings, Rerank, Models])
        .quirks(Quirks { prefill: Prefill::ContinueFinalMessage, ..WITH_SCHEMAS })
        .source("https://docs.sglang.ai/basic_usage/openai_api_completions.html", DEFAULT),
    Preset::compatible("llama_cpp", "llama.cpp server", "http://localhost:8080/v1")
        .also(&["llamacpp", "llama_server"])
        .keyless()
        .serves(&[Chat, Responses, Messages, CountTokens, Completions, Embeddings, Rerank, Models])
        .quirks(Quirks { prefill: Prefill::LastMessage, ..WITH_SCHEMAS })
        .source("https://github.com/ggml-org/llama.cpp/tree/master/tools/server", DEFAULT),
    Preset::compatible("llamafile", "llamafile", "http://127.0.0.1:8080/v1")
        .keyless()
        .serves(&[Chat, Completions, Embeddings, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://github.com/Mozilla-Ocho/llamafile", DEFAULT),
    Preset::compatible("lm_studio", "LM Studio", "http://localhost:1234/v1")
        .also(&["lmstudio"])
        .keyless()
        .serves(&[Chat, Responses, Completions, Embeddings, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://lmstudio.ai/docs/developer/openai-compat", LOBE),
    Preset::compatible("localai", "LocalAI", "http://localhost:8080/v1")
        .also(&["local_ai"])
        .keyless()
        .serves(&[Chat, Completions, Embeddings, Images, Speech, Transcription, Rerank, Models, Realtime])
        .quirks(WITH_SCHEMAS)
        .source("https://localai.io/basics/getting_started", DEFAULT),
    Preset::compatible("xinference", "Xorbits Inference", "http://localhost:9997/v1")
        .also(&["xorbits"])
        .keyless()
        .serves(&[Chat, Completions, Embeddings, Images, Speech, Transcription, Rerank, Models])
        .source("https://inference.readthedocs.io/en/latest/getting_started/using_xinference.html", LOBE),
    Preset::compatible("chatglm", "ChatGLM, one's own server", "http://localhost:8000/v1")
        .keyless()
        .serves(&[Chat, Models])
        .source("https://github.com/THUDM/ChatGLM3", DEFAULT),
    Preset::compatible("docker_model_runner", "Docker Model Runner", "http://localhost:12434/engines/v1")
        .keyless()
        .serves(&[Chat, Completions, Embeddings, Models])
        .quirks(WITH_SCHEMAS)
        .source("https://docs.docker.com/ai/model-runner/api-reference", DEFAULT),
    Preset::compatible("lemonade", "Lemonade", "http://localhost:8000/api/v1")
        .keyless()
        .serves(&[Chat, Completions, Embeddings, Models])
        .source("https://lemonade-server.ai/docs/server/server_spec", LITELLM),
    Preset::compatible("infinity", "Infinity", "http://localhost:7997")
        .keyless()
        .serves(&[Embeddings, Rerank, Models])
        .source("https://michaelfeil.eu/infinity", DEFAULT),
    Preset::compatible("litellm", "LiteLLM", "http://localhost:4000/v1")
        .also(&["litellm_proxy"])
        .keyless()
        .serves(&[
            Chat,
            Responses,
            Messages,
            CountTokens,
            Completions,
            Embeddings,
            Images,
            Speech,
            Transcription,
            Rerank,
            Moderations,
            Models,
            Realtime,
        ])
        .quirks(Quirks { prefill: Prefill::LastMessage, ..WITH_SCHEMAS })
        .source("https://docs.litellm.ai/docs/proxy/user_keys", LITELLM),
];
