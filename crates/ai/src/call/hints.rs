//! Hints to cache that a model puts into the calls that it takes, in the words of each provider that is to be told. A call
//! that has hints of its own is left as it is.
//!
//! Sources: Anthropic's "Prompt caching" (at most 4 breakpoints, none on what is empty, on thoughts, or on tools that are
//! loaded later), Bedrock's "Prompt caching for faster model inference" (which models take `cachePoint`, and where),
//! OpenAI's "Prompt caching" (`prompt_cache_key`).

use model::resource::{CacheKeyOf, CacheLife, CachePlace, Model as Written, ModelCacheHints};
use proxy::program::Compile;
use serde_json::{Value, json};

use crate::fleet::fnv;
use crate::translate::canonical::{Cache, CacheTtl, Content, Part, Role};
use crate::translate::{CacheKey, Format, Quirks, Request};

/// The most hints that a provider takes.
const MOST: usize = 4;

/// What a model has providers told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hints {
    tools: bool,
    system: bool,
    last_messages: usize,
    ttl: CacheLife,
    pub(crate) key: Option<CacheKeyOf>,
}

/// Whom a request is written for.
#[derive(Clone, Copy)]
pub(crate) struct To<'a> {
    pub(crate) format: Format,
    /// What the provider calls the model.
    pub(crate) model: &'a str,
    pub(crate) quirks: Quirks,
}

impl Hints {
    pub(super) fn compile(written: &Written, cx: &mut Compile<'_>) -> Option<Self> {
        let ModelCacheHints { after, last_messages, ttl, key } = written.cache_hints.as_ref()?;
        let (tools, system) = (after.contains(&CachePlace::Tools), after.contains(&CachePlace::System));
        let last_messages = usize::from(*last_messages);
        if usize::from(tools) + usize::from(system) + last_messages > MOST {
            let message = format!("`cache_hints` of model `{}` are more than {MOST}", *written.name);
            cx.problem(written.name.span, message, "lower `last_messages`, or take one out of `after`");
        }
        Some(Self { tools, system, last_messages, ttl: *ttl, key: *key })
    }

    /// Whether anything is to be kept that was not asked for by the caller, and so written at a price.
    pub(crate) const fn writes(&self) -> bool {
        self.tools || self.system || self.last_messages > 0
    }

    /// These hints as far as this provider's model takes them; none where it takes none.
    fn fit(mut self, to: &To<'_>) -> Option<Self> {
        match to.format {
            Format::AnthropicMessages => {}
            // Nova keeps instructions and messages, for five minutes.
            Format::BedrockConverse if to.model.contains("amazon.nova") => {
                (self.tools, self.ttl) = (false, CacheLife::FiveMinutes);
            }
            Format::BedrockConverse if to.model.contains("anthropic.claude") => {}
            _ => return None,
        }
        Some(self)
    }

    const fn cache(&self) -> Cache {
        Cache {
            ttl: match self.ttl {
                CacheLife::FiveMinutes => CacheTtl::Default,
                CacheLife::Hour => CacheTtl::Hour,
            },
        }
    }

    /// Into the canonical form.
    pub(super) fn canonical(self, request: &mut Request, to: &To<'_>, key: Option<String>) {
        if to.quirks.cache_key == CacheKey::Sent && request.cache_key.is_none() {
            request.cache_key = key;
        }
        let Some(hints) = self.fit(to) else { return };
        let parts = request.system.iter().chain(request.messages.iter().flat_map(|message| &message.parts));
        let own = parts.map(|part| part.cache).chain(request.tools.iter().map(|tool| tool.cache));
        if own.flatten().next().is_some() {
            return;
        }
        let cache = Some(hints.cache());
        if hints.tools
            && let Some(last) = request.tools.last_mut()
        {
            last.cache = cache;
        }
        if hints.system
            && let Some(last) = request.system.iter_mut().rfind(|part| may_be_kept(part))
        {
            last.cache = cache;
        }
        // Neighbours are one message to the provider.
        let (mut left, mut within) = (hints.last_messages, false);
        for message in request.messages.iter_mut().rev() {
            let ends = message.role == Role::User && !within;
            within = message.role == Role::User;
            if ends && left > 0 {
                left -= 1;
                if let Some(last) = message.parts.iter_mut().rfind(|part| may_be_kept(part)) {
                    last.cache = cache;
                }
            }
        }
    }

    /// Into a request of the caller's own format.
    pub(super) fn request(self, request: &mut Value, to: &To<'_>, key: Option<String>) {
        if matches!(to.format, Format::OpenAiChat | Format::OpenAiResponses)
            && to.quirks.cache_key == CacheKey::Sent
            && let (Some(fields), Some(key)) = (request.as_object_mut(), key)
        {
            let known = fields.entry("prompt_cache_key").or_insert(Value::Null);
            if known.is_null() {
                *known = key.into();
            }
        }
        match self.fit(to) {
            Some(hints) if to.format == Format::AnthropicMessages && !is_hinted(request) => hints.anthropic(request),
            _ => {}
        }
    }

    fn anthropic(self, request: &mut Value) {
        let control = match self.ttl {
            CacheLife::FiveMinutes => json!({ "type": "ephemeral" }),
            CacheLife::Hour => json!({ "type": "ephemeral", "ttl": "1h" }),
        };
        if self.tools
            && let Some(Value::Array(tools)) = request.get_mut("tools")
        {
            let later = |tool: &Value| tool.get("defer_loading").and_then(Value::as_bool) == Some(true);
            mark(tools.iter_mut().rfind(|tool| !later(tool)), &control);
        }
        if self.system
            && let Some(system) = request.get_mut("system")
        {
            mark_content(system, &control);
        }
        let Some(Value::Array(messages)) = request.get_mut("messages") else { return };
        let users = messages.iter_mut().rev().filter(|message| message.get("role").is_some_and(|role| role == "user"));
        for message in users.take(self.last_messages) {
            if let Some(content) = message.get_mut("content") {
                mark_content(content, &control);
            }
        }
    }
}

/// A key for what has this text in common, which does not tell the text.
pub(super) fn key(kind: &str, text: &str) -> String {
    format!("{kind}-{:016x}", fnv(text.as_bytes()))
}

fn may_be_kept(part: &Part) -> bool {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => !text.is_empty(),
        Content::Reasoning(_) => false,
        _ => true,
    }
}

/// Whether a request of Anthropic's format has hints of its own.
fn is_hinted(request: &Value) -> bool {
    const HINT: &str = "cache_control";
    let list = |value: Option<&Value>, within: &dyn Fn(&Value) -> bool| {
        value.and_then(Value::as_array).is_some_and(|list| list.iter().any(within))
    };
    let one = |value: &Value| value.get(HINT).is_some_and(|hint| !hint.is_null());
    let message = |message: &Value| one(message) || list(message.get("content"), &one);
    one(request)
        || list(request.get("tools"), &one)
        || list(request.get("system"), &one)
        || list(request.get("messages"), &message)
}

fn mark(block: Option<&mut Value>, control: &Value) {
    if let Some(Value::Object(fields)) = block {
        fields.insert("cache_control".to_owned(), control.clone());
    }
}

/// Marks the last block that can be kept of a content, which may be a text alone.
fn mark_content(content: &mut Value, control: &Value) {
    match content {
        Value::String(text) if !text.is_empty() => {
            *content = json!([{ "type": "text", "text": std::mem::take(text), "cache_control": control }]);
        }
        Value::Array(blocks) => {
            let good = |block: &Value| match block.get("type").and_then(Value::as_str) {
                Some("text") => block.get("text").and_then(Value::as_str).is_some_and(|text| !text.is_empty()),
                Some("thinking" | "redacted_thinking") => false,
                _ => true,
            };
            mark(blocks.iter_mut().rfind(|block| good(block)), control);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
