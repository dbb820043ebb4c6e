//! A request for a provider.

use super::RULES;
use super::fit::{Think, id, temperature, think, top_k};
use crate::translate::canonical::{
    Cache, CacheTtl, Content, Effort, Media, Output, Part, Role, Source, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Ask, Format, Refused, Request, Written, slots};
use crate::wire::json::{Arr, Obj, object};
use crate::wire::turns::{Said, Turn, arguments, arguments_hold, marked, turns};

/// Writes a request.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let mut notes = RULES.apply(&slots(request, Format::AnthropicMessages), ask)?;
    arguments_hold(request)?;
    let turns = turns(request, Format::AnthropicMessages);
    let thinking = think(request, ask, &turns, &mut notes);
    let temperature = temperature(request, thinking, &mut notes);
    let top_k = top_k(request, thinking, &mut notes);
    let mut bytes = Vec::with_capacity(1024);
    object(&mut bytes, |o| {
        o.str("model", ask.model);
        o.plain("max_tokens", request.max_tokens.unwrap_or(ask.max_tokens));
        if !request.system.is_empty() {
            texts(o, "system", &request.system);
        }
        o.arr("messages", |list| {
            for turn in &turns {
                list.obj(|o| self::turn(o, turn));
            }
        });
        tools(o, request);
        o.opt("temperature", temperature);
        o.opt("top_p", request.sampling.top_p);
        o.opt("top_k", top_k);
        if !request.sampling.stop.is_empty() {
            o.arr("stop_sequences", |list| request.sampling.stop.iter().for_each(|stop| list.str(stop)));
        }
        config(o, request, thinking);
        if let Some(user) = &request.user {
            o.obj("metadata", |m| m.str("user_id", user));
        }
        if request.stream {
            o.plain("stream", true);
        }
    });
    Ok(Written { bytes, notes })
}

fn texts(o: &mut Obj<'_>, key: &str, parts: &[Part]) {
    match parts {
        [Part { content: Content::Text(text), cache: None }] => o.str(key, text),
        _ => o.arr(key, |list| {
            let full = parts.iter().filter(|part| part.as_text().is_some_and(|text| !text.is_empty()));
            full.for_each(|part| self::part(list, part));
        }),
    }
}

fn turn(o: &mut Obj<'_>, turn: &Turn<'_>) {
    o.str("role", if turn.role == Role::Assistant { "assistant" } else { "user" });
    match turn.parts.as_slice() {
        [Said::Part(Part { content: Content::Text(text), cache: None })] => o.str("content", text),
        parts => o.arr("content", |list| {
            for said in parts {
                match said {
                    Said::Part(part) => self::part(list, part),
                    Said::System(text) => list.obj(|o| {
                        o.str("type", "text");
                        o.str("text", &marked(text));
                    }),
                }
            }
        }),
    }
}

fn part(list: &mut Arr<'_>, part: &Part) {
    if matches!(part.content, Content::Audio(_) | Content::Video(_)) {
        return;
    }
    list.obj(|o| {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => {
                o.str("type", "text");
                o.str("text", text);
            }
            Content::Image(image) => {
                o.str("type", "image");
                source(o, image, "image/png");
            }
            Content::File(file) => {
                o.str("type", "document");
                source(o, file, "application/pdf");
                o.opt_str("title", file.name.as_deref());
            }
            Content::ToolCall(call) => write_call(o, call),
            Content::ToolResult(result) => tool_result(o, result),
            Content::Reasoning(thought) => {
                let seal = thought.seal.as_ref().and_then(|seal| seal.sent(Format::AnthropicMessages));
                if thought.hidden {
                    o.str("type", "redacted_thinking");
                    o.opt_str("data", seal);
                } else {
                    o.str("type", "thinking");
                    o.str("thinking", &thought.text);
                    o.opt_str("signature", seal);
                }
            }
            Content::Audio(_) | Content::Video(_) => {}
        }
        cache(o, part.cache);
    });
}

fn source(o: &mut Obj<'_>, media: &Media, fallback: &str) {
    o.obj("source", |s| match &media.source {
        Source::Base64(data) => {
            s.str("type", "base64");
            s.str("media_type", media.media_type.as_deref().unwrap_or(fallback));
            s.str("data", data);
        }
        Source::Url(url) => {
            s.str("type", "url");
            s.str("url", url);
        }
        Source::FileId(id) => {
            s.str("type", "file");
            s.str("file_id", id);
        }
        Source::Text(text) => {
            s.str("type", "text");
            s.str("media_type", "text/plain");
            s.str("data", text);
        }
    });
}

/// A call as a block.
pub(super) fn write_call(o: &mut Obj<'_>, call: &ToolCall) {
    o.str("type", "tool_use");
    o.str("id", &id(&call.id));
    o.str("name", &call.name);
    o.raw("input", arguments(call));
}

fn tool_result(o: &mut Obj<'_>, result: &ToolResult) {
    o.str("type", "tool_result");
    o.str("tool_use_id", &id(&result.id));
    match result.parts.as_slice() {
        [] => {}
        parts => texts_and_media(o, parts),
    }
    if result.failed {
        o.plain("is_error", true);
    }
}

fn texts_and_media(o: &mut Obj<'_>, parts: &[Part]) {
    match parts {
        [Part { content: Content::Text(text), cache: None }] => o.str("content", text),
        _ => o.arr("content", |list| {
            let full = parts.iter().filter(|part| part.as_text() != Some(""));
            full.for_each(|part| self::part(list, part));
        }),
    }
}

fn cache(o: &mut Obj<'_>, cache: Option<Cache>) {
    if let Some(cache) = cache {
        o.obj("cache_control", |c| {
            c.str("type", "ephemeral");
            match cache.ttl {
                CacheTtl::Default => {}
                CacheTtl::FiveMinutes => c.str("ttl", "5m"),
                CacheTtl::Hour => c.str("ttl", "1h"),
            }
        });
    }
}

fn tools(o: &mut Obj<'_>, request: &Request) {
    if request.tools.is_empty() {
        return;
    }
    o.arr("tools", |list| {
        for tool in &request.tools {
            list.obj(|o| {
                o.str("name", &tool.name);
                o.opt_str("description", tool.description.as_deref());
                match &tool.schema {
                    Some(schema) => o.value("input_schema", schema),
                    None => o.raw("input_schema", r#"{"type":"object","properties":{}}"#),
                }
                o.opt("strict", tool.strict.filter(|strict| *strict));
                cache(o, tool.cache);
            });
        }
    });
    let alone = request.parallel_tools == Some(false);
    let choice = match &request.tool_choice {
        None if !alone => return,
        None | Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Any) => ("any", None),
        Some(ToolChoice::Tool(name)) => ("tool", Some(name.as_str())),
    };
    o.obj("tool_choice", |c| {
        c.str("type", choice.0);
        c.opt_str("name", choice.1);
        if alone && choice.0 != "none" {
            c.plain("disable_parallel_tool_use", true);
        }
    });
}

fn config(o: &mut Obj<'_>, request: &Request, thinking: Think) {
    match thinking {
        Think::Unsaid => {}
        Think::Off => o.obj("thinking", |t| t.str("type", "disabled")),
        Think::Budget(budget) => o.obj("thinking", |t| {
            t.str("type", "enabled");
            t.plain("budget_tokens", budget);
        }),
        Think::Adaptive(_) => o.obj("thinking", |t| t.str("type", "adaptive")),
    }
    let effort = if let Think::Adaptive(effort) = thinking { effort } else { None };
    let schema = if let Output::Schema(schema) = &request.output { Some(schema) } else { None };
    if effort.is_none() && schema.is_none() {
        return;
    }
    o.obj("output_config", |c| {
        c.opt_str("effort", effort.map(Effort::anthropic));
        if let Some(schema) = schema {
            c.obj("format", |f| {
                f.str("type", "json_schema");
                f.value("schema", &schema.schema);
            });
        }
    });
}
