//! Clouds and data platforms, where the address holds an account, a region or a workspace of one's own.

use super::super::Preset;
use super::{CLIENTS, LITELLM, LOBE};
use crate::providers::Capability::{
    Batches, Chat, Completions, CountTokens, Embeddings, Files, Images, Messages, Models, Realtime, Rerank, Responses,
    Speech, Transcription,
};
use crate::providers::{Auth, Dialect, MaxTokens, ParallelTools, Prefill, Quirks, Schema, StreamUsage};

pub(super) const ROWS: &[Preset] = &[
    Preset::native("azure_openai", "Azure OpenAI", "https://{resource}.openai.azure.com/openai", Dialect::AzureOpenai)
        .also(&["azure", "azure_text"])
        .auth(Auth::Header("api-key"))
        .serves(&[
            Chat,
            Responses,
            Completions,
            Embeddings,
            Images,
            Speech,
            Transcription,
            Batches,
            Files,
            Models,
            Realtime,
        ])
        .defaults(&[("api_version", "2024-10-21")])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://learn.microsoft.com/azure/ai-foundry/openai/reference", LITELLM),
    Preset::compatible("azure_ai", "Azure AI Foundry", "https://{resource}.services.ai.azure.com/models")
        .also(&["azure_foundry"])
        .auth(Auth::Header("api-key"))
        .serves(&[Chat, Messages, Embeddings])
        .paths(&[
            (Chat, "/chat/completions?api-version={api_version}"),
            (Embeddings, "/embeddings?api-version={api_version}"),
            (Messages, "https://{resource}.services.ai.azure.com/anthropic/v1/messages"),
        ])
        .defaults(&[("api_version", "2024-05-01-preview")])
        .quirks(Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://learn.microsoft.com/rest/api/aifoundry/modelinference", LITELLM),
    Preset::native(
        "vertex",
        "Google Vertex AI",
        "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
        Dialect::Vertex,
    )
    .also(&["vertex_ai", "vertex_ai_beta"])
    .auth(Auth::ServiceAccount)
    .serves(&[Chat, Messages, CountTokens, Embeddings, Images, Batches])
    .quirks(Quirks { prefill: Prefill::LastMessage, ..Quirks::NATIVE })
    .source("https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference", LITELLM),
    Preset::native(
        "bedrock",
        "AWS Bedrock",
        "https://bedrock-runtime.{region}.amazonaws.com",
        Dialect::BedrockConverse,
    )
    .also(&["bedrock_converse", "aws_bedrock", "amazon_bedrock"])
    .auth(Auth::SigV4("bedrock"))
    .serves(&[Chat, CountTokens, Embeddings, Images, Rerank, Models])
    .quirks(Quirks { prefill: Prefill::LastMessage, ..Quirks::NATIVE })
    .source("https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html", LITELLM),
    Preset::compatible(
        "bedrock_mantle",
        "AWS Bedrock, OpenAI-compatible",
        "https://bedrock-mantle.{region}.api.aws/v1",
    )
    .serves(&[Chat, Responses, Models])
    .quirks(Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
    .source("https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html", LITELLM),
    Preset::compatible("databricks", "Databricks", "https://{workspace}/serving-endpoints")
        .serves(&[Chat, Completions, Embeddings])
        .quirks(Quirks { prefill: Prefill::LastMessage, ..Quirks::COMPATIBLE })
        .source("https://docs.databricks.com/machine-learning/foundation-model-apis/api-reference", LITELLM),
    Preset::compatible("snowflake", "Snowflake Cortex", "https://{account}.snowflakecomputing.com/api/v2/cortex/v1")
        .serves(&[Chat, Messages])
        .headers(&[("x-snowflake-authorization-token-type", "PROGRAMMATIC_ACCESS_TOKEN")])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, ..Quirks::COMPATIBLE })
        .source("https://docs.snowflake.com/user-guide/snowflake-cortex/cortex-rest-api", LITELLM),
    Preset::compatible(
        "cloudflare",
        "Cloudflare Workers AI",
        "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
    )
    .also(&["workers_ai", "cloudflare_workers_ai"])
    .serves(&[Chat, Responses, Embeddings])
    .quirks(Quirks { parallel_tools: ParallelTools::Fixed, ..Quirks::COMPATIBLE })
    .source("https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility", LITELLM),
    Preset::compatible("github_models", "GitHub Models", "https://models.github.ai/inference")
        .also(&["github"])
        .serves(&[Chat, Embeddings])
        .quirks(Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://docs.github.com/rest/models/inference", LOBE),
    Preset::compatible("digitalocean", "DigitalOcean Gradient", "https://inference.do-ai.run/v1")
        .also(&["gradient_ai"])
        .quirks(Quirks { max_tokens: MaxTokens::MaxCompletionTokens, ..Quirks::COMPATIBLE })
        .source("https://docs.digitalocean.com/products/gradient-ai-platform/how-to/use-serverless-inference", LITELLM),
    Preset::compatible("scaleway", "Scaleway Generative APIs", "https://api.scaleway.ai/v1")
        .serves(&[Chat, Embeddings, Transcription, Models])
        .quirks(Quirks { schema: Schema::JsonSchema, ..Quirks::COMPATIBLE })
        .source("https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api", LITELLM),
    Preset::compatible("ovhcloud", "OVHcloud AI Endpoints", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1")
        .also(&["ovh"])
        .serves(&[Chat, Embeddings, Models])
        .source("https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints-getting-started", LITELLM),
    Preset::compatible("heroku", "Heroku Inference", "https://us.inference.heroku.com/v1")
        .quirks(Quirks { stream_usage: StreamUsage::Always, ..Quirks::COMPATIBLE })
        .source("https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions", CLIENTS),
    Preset::compatible("wandb", "Weights & Biases Inference", "https://api.inference.wandb.ai/v1")
        .source("https://docs.wandb.ai/guides/inference", LITELLM),
];
