//! A request for a provider.

use super::RULES;
use super::answer::write_reasoning;
use crate::translate::canonical::{Content, Media, Message, Output, Part, Role, Source, ToolChoice, ToolResult};
use crate::translate::{
    Ask, CacheKey, Format, MaxTokensField, Refused, Replay, Request, SeedField, StreamUsage, ToolSupport, UserSupport,
    Written, slots,
};
use crate::wire::json::{Arr, Obj, object};
use crate::wire::media;

/// Writes a request.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let notes = RULES.apply(&slots(request, Format::OpenAiChat), ask)?;
    let mut bytes = Vec::with_capacity(1024);
    object(&mut bytes, |o| {
        o.str("model", ask.model);
        o.arr("messages", |list| messages(list, request, ask));
        tools(o, request, ask);
        sampling(o, request, ask);
        output(o, &request.output);
        if let Some(step) =
            request.reasoning.and_then(|thinking| if thinking.off() { thinking.effort } else { thinking.steps() })
        {
            o.str("reasoning_effort", step.word());
        }
        if ask.quirks.user == UserSupport::Native {
            o.opt_str("user", request.user.as_deref());
        }
        if ask.quirks.cache_key == CacheKey::Sent {
            o.opt_str("prompt_cache_key", request.cache_key.as_deref());
        }
        if !request.metadata.is_empty() {
            o.obj("metadata", |m| request.metadata.iter().for_each(|(key, value)| m.pair(key, value)));
        }
        if request.stream {
            o.plain("stream", true);
            if ask.quirks.stream_usage == StreamUsage::Asked {
                o.obj("stream_options", |s| s.plain("include_usage", true));
            }
        }
    });
    Ok(Written { bytes, notes })
}

fn messages(list: &mut Arr<'_>, request: &Request, ask: &Ask<'_>) {
    if !request.system.is_empty() {
        list.obj(|o| {
            o.str("role", "system");
            content(o, "content", &request.system.iter().collect::<Vec<_>>());
        });
    }
    for message in &request.messages {
        match message.role {
            Role::System => list.obj(|o| {
                o.str("role", "system");
                content(o, "content", &message.parts.iter().collect::<Vec<_>>());
                o.opt_str("name", message.name.as_deref());
            }),
            Role::User => user(list, message),
            Role::Assistant => assistant(list, message, ask.quirks.replay),
        }
    }
}

/// Results of tools stand first, each in a message of its own: they must follow the calls at once. They are text here; the
/// media in them go with what the user says next.
fn user(list: &mut Arr<'_>, message: &Message) {
    let mut others: Vec<&Part> = Vec::new();
    for part in &message.parts {
        if let Content::ToolResult(result) = &part.content {
            list.obj(|o| tool_result(o, result));
            others.extend(result.parts.iter().filter(|part| part.as_text().is_none()));
        }
    }
    others.extend(message.parts.iter().filter(|part| !matches!(part.content, Content::ToolResult(_))));
    if !others.is_empty() || message.parts.is_empty() {
        list.obj(|o| {
            o.str("role", "user");
            content(o, "content", &others);
            o.opt_str("name", message.name.as_deref());
        });
    }
}

fn tool_result(o: &mut Obj<'_>, result: &ToolResult) {
    o.str("role", "tool");
    o.str("tool_call_id", &result.id);
    content(o, "content", &result.parts.iter().filter(|part| part.as_text().is_some()).collect::<Vec<_>>());
}

fn assistant(list: &mut Arr<'_>, message: &Message, replay: Replay) {
    let said: Vec<&Part> = message.parts.iter().filter(|part| matches!(part.content, Content::Text(_))).collect();
    let calls: Vec<_> = message
        .parts
        .iter()
        .filter_map(|part| if let Content::ToolCall(call) = &part.content { Some(call) } else { None })
        .collect();
    let refusal = message
        .parts
        .iter()
        .find_map(|part| if let Content::Refusal(text) = &part.content { Some(text) } else { None });
    let thought: Vec<_> = message
        .parts
        .iter()
        .filter_map(|part| if let Content::Reasoning(thought) = &part.content { Some(thought) } else { None })
        .filter(|thought| thought.seal.as_ref().is_some_and(|seal| seal.origin == Format::OpenAiChat))
        .filter(|_| replay == Replay::Kept)
        .collect();
    if said.is_empty() && calls.is_empty() && refusal.is_none() && thought.is_empty() && !message.parts.is_empty() {
        return;
    }
    list.obj(|o| {
        o.str("role", "assistant");
        if said.is_empty() && (!calls.is_empty() || refusal.is_some()) {
            o.null("content");
        } else {
            content(o, "content", &said);
        }
        write_reasoning(o, &thought);
        o.opt_str("refusal", refusal.map(String::as_str));
        if !calls.is_empty() {
            o.arr("tool_calls", |list| {
                for call in calls {
                    list.obj(|o| {
                        o.str("id", &call.id);
                        o.str("type", "function");
                        o.obj("function", |f| {
                            f.str("name", &call.name);
                            f.str("arguments", arguments(&call.arguments));
                        });
                        if let Some(data) = call.seal.as_ref().and_then(|seal| seal.sent(Format::OpenAiChat)) {
                            o.obj("extra_content", |e| e.obj("google", |g| g.str("thought_signature", data)));
                        }
                    });
                }
            });
        }
        o.opt_str("name", message.name.as_deref());
    });
}

/// No arguments are an empty object here.
pub(super) fn arguments(text: &str) -> &str {
    if text.trim().is_empty() { "{}" } else { text }
}

/// One plain text is a string, which every host takes; anything else a list of parts.
fn content(o: &mut Obj<'_>, key: &str, parts: &[&Part]) {
    match parts {
        [] => o.str(key, ""),
        [Part { content: Content::Text(text), cache: None }] => o.str(key, text),
        _ => o.arr(key, |list| parts.iter().for_each(|part| self::part(list, part))),
    }
}

fn part(list: &mut Arr<'_>, part: &Part) {
    match &part.content {
        Content::Text(text) => list.obj(|o| {
            o.str("type", "text");
            o.str("text", text);
        }),
        Content::Image(image) => list.obj(|o| {
            o.str("type", "image_url");
            o.obj("image_url", |i| {
                i.str("url", &media::url(image, "image/png"));
                i.opt_str("detail", image.detail.as_deref());
            });
        }),
        Content::Audio(audio) => list.obj(|o| {
            o.str("type", "input_audio");
            o.obj("input_audio", |i| {
                if let Source::Base64(data) = &audio.source {
                    i.str("data", data);
                }
                i.str("format", media::audio_format(audio.media_type.as_deref()));
            });
        }),
        Content::File(file) => list.obj(|o| self::file(o, file)),
        Content::Refusal(text) => list.obj(|o| {
            o.str("type", "refusal");
            o.str("refusal", text);
        }),
        Content::Video(_) | Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_) => {}
    }
}

fn file(o: &mut Obj<'_>, file: &Media) {
    if let Some(text) = media::as_text(file) {
        o.str("type", "text");
        o.str("text", &text);
        return;
    }
    o.str("type", "file");
    o.obj("file", |f| {
        f.str("filename", file.name.as_deref().unwrap_or("document.pdf"));
        f.str("file_data", &media::url(file, "application/pdf"));
    });
}

fn tools(o: &mut Obj<'_>, request: &Request, ask: &Ask<'_>) {
    if request.tools.is_empty() {
        return;
    }
    o.arr("tools", |list| {
        for tool in &request.tools {
            list.obj(|o| {
                o.str("type", "function");
                o.obj("function", |f| {
                    f.str("name", &tool.name);
                    f.opt_str("description", tool.description.as_deref());
                    if let Some(schema) = &tool.schema {
                        f.value("parameters", schema);
                    }
                    f.opt("strict", tool.strict);
                });
            });
        }
    });
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => o.str("tool_choice", "auto"),
        Some(ToolChoice::None) => o.str("tool_choice", "none"),
        Some(ToolChoice::Any) => o.str("tool_choice", "required"),
        Some(ToolChoice::Tool(name)) => o.obj("tool_choice", |c| {
            c.str("type", "function");
            c.obj("function", |f| f.str("name", name));
        }),
    }
    if ask.quirks.tools == ToolSupport::Native {
        o.opt("parallel_tool_calls", request.parallel_tools);
    }
}

fn sampling(o: &mut Obj<'_>, request: &Request, ask: &Ask<'_>) {
    let key = match ask.quirks.max_tokens {
        MaxTokensField::Completion => "max_completion_tokens",
        MaxTokensField::Plain => "max_tokens",
    };
    let sampling = &request.sampling;
    o.opt(key, request.max_tokens);
    o.opt("temperature", sampling.temperature);
    o.opt("top_p", sampling.top_p);
    match sampling.stop.as_slice() {
        [] => {}
        [one] => o.str("stop", one),
        all => o.arr("stop", |list| all.iter().for_each(|stop| list.str(stop))),
    }
    match ask.quirks.seed {
        SeedField::Plain => o.opt("seed", sampling.seed),
        SeedField::Named(name) => o.opt(name, sampling.seed),
        SeedField::Unknown => {}
    }
    o.opt("n", sampling.n.filter(|n| *n > 1));
    if let Some(top) = sampling.logprobs {
        o.plain("logprobs", true);
        o.opt("top_logprobs", (top > 0).then_some(top));
    }
    o.opt("presence_penalty", sampling.presence_penalty);
    o.opt("frequency_penalty", sampling.frequency_penalty);
    if let Some(bias) = &sampling.logit_bias {
        o.value("logit_bias", bias);
    }
}

fn output(o: &mut Obj<'_>, output: &Output) {
    match output {
        Output::Text => {}
        Output::Json => o.obj("response_format", |f| f.str("type", "json_object")),
        Output::Schema(schema) => o.obj("response_format", |f| {
            f.str("type", "json_schema");
            f.obj("json_schema", |s| {
                s.str("name", &schema.name);
                s.opt_str("description", schema.description.as_deref());
                s.value("schema", &schema.schema);
                s.opt("strict", schema.strict);
            });
        }),
    }
}
