//! How a provider is spoken to: its preset, dialect and quirks, where it is, and what each call to it has.

use http::{HeaderMap, HeaderName, HeaderValue};
use model::load::{Span, Spanned};
use model::problem::did_you_mean;
use model::resource::Provider as Written;
use proxy::program::Compile;

use crate::providers::presets::{self, Preset};
use crate::providers::{self, Auth, Dialect};
use crate::translate::{
    CacheKey, Format, MaxTokensField, Quirks, Replay, SchemaSupport, SeedField, StreamUsage, ToolSupport, UserSupport,
};

pub(super) fn preset(name: &Spanned<String>, cx: &mut Compile<'_>) -> Option<&'static Preset> {
    let found = presets::find(name);
    if found.is_none() {
        let near = did_you_mean(name, presets::names());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let message = format!("unknown preset `{}`{hint}", **name);
        cx.problem(name.span, message, "leave it out and give `dialect` and `base_url` for any other host");
    }
    found
}

pub(super) fn dialect(written: &Written, preset: Option<&Preset>, cx: &mut Compile<'_>) -> Option<Dialect> {
    let Some(name) = &written.dialect else {
        if preset.is_none() {
            let message = format!("provider `{}` has neither `preset` nor `dialect`", *written.name);
            cx.problem(written.name.span, message, "write `preset: openai`, or `dialect: openai_chat` and `base_url`");
        }
        return preset.map(|preset| preset.dialect);
    };
    let found = Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name.as_str());
    if found.is_none() {
        let near = did_you_mean(name, Dialect::ALL.iter().map(|dialect| dialect.as_str()));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        cx.problem(
            name.span,
            format!("unknown dialect `{}`{hint}", **name),
            "write `openai_chat`, `azure_openai`, `anthropic_messages`, `gemini`, `vertex`, `bedrock_converse`, `cohere` or \
             `ollama`",
        );
    }
    found
}

/// The format of a dialect's conversations.
pub(super) const fn format(dialect: Dialect) -> Format {
    match dialect {
        Dialect::OpenaiChat | Dialect::AzureOpenai => Format::OpenAiChat,
        Dialect::AnthropicMessages => Format::AnthropicMessages,
        Dialect::Gemini | Dialect::Vertex => Format::Gemini,
        Dialect::BedrockConverse => Format::BedrockConverse,
        Dialect::Cohere => Format::CohereChat,
        Dialect::Ollama => Format::OllamaChat,
    }
}

/// How a key is shown where no preset says it.
pub(super) const fn default_auth(dialect: Dialect) -> Auth {
    match dialect {
        Dialect::AnthropicMessages => Auth::Header("x-api-key"),
        Dialect::Gemini => Auth::Header("x-goog-api-key"),
        Dialect::AzureOpenai => Auth::Header("api-key"),
        Dialect::Vertex => Auth::ServiceAccount,
        Dialect::BedrockConverse => Auth::SigV4("bedrock"),
        Dialect::OpenaiChat | Dialect::Cohere | Dialect::Ollama => Auth::Bearer,
    }
}

pub(super) fn fields(written: &Written, preset: Option<&Preset>, cx: &mut Compile<'_>) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for (name, value) in preset.map_or(&[][..], |preset| preset.headers) {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            fields.insert(name, HeaderValue::from_static(value));
        }
    }
    for (name, value) in written.headers.iter() {
        let name = cx.header_name(name)?;
        let value = cx.header_value(&Spanned::new(value.expose().clone(), Span::default()))?;
        fields.insert(name, value);
    }
    Some(fields)
}

pub(super) fn quirks(preset: Option<&Preset>) -> Quirks {
    // A field that is not sent is never refused.
    let unknown = Quirks { cache_key: CacheKey::Unknown, ..Quirks::default() };
    let Some(preset) = preset else { return Quirks { max_tokens: MaxTokensField::Plain, ..unknown } };
    let max_tokens = match preset.quirks.max_tokens {
        providers::MaxTokens::MaxTokens => MaxTokensField::Plain,
        providers::MaxTokens::MaxCompletionTokens => MaxTokensField::Completion,
    };
    let stream_usage = match preset.quirks.stream_usage {
        providers::StreamUsage::Asked => StreamUsage::Asked,
        providers::StreamUsage::Always => StreamUsage::Unknown,
    };
    let keyed = matches!(preset.id, "openai" | "azure_openai");
    let cache_key = if keyed { CacheKey::Sent } else { CacheKey::Unknown };
    let of = preset.quirks;
    let schema = match of.schema {
        // Whether a model knows schemas where its host does not say is the model's to say.
        providers::Schema::JsonSchema | providers::Schema::Json => SchemaSupport::Native,
        providers::Schema::None => SchemaSupport::None,
    };
    let tools = match of.parallel_tools {
        providers::ParallelTools::Sent => ToolSupport::Native,
        providers::ParallelTools::Fixed => ToolSupport::Fixed,
        providers::ParallelTools::NoTools => ToolSupport::None,
    };
    let seed = match of.seed {
        Some("seed") => SeedField::Plain,
        Some(name) => SeedField::Named(name),
        None => SeedField::Unknown,
    };
    let user = match of.user {
        providers::User::Sent => UserSupport::Native,
        providers::User::Refused => UserSupport::Unknown,
    };
    let replay = match of.replay {
        providers::Replay::Kept | providers::Replay::Required => Replay::Kept,
        providers::Replay::Dropped => Replay::Dropped,
    };
    Quirks { max_tokens, stream_usage, schema, tools, seed, user, replay, cache_key, ..Quirks::default() }
}
