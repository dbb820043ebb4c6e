//! A request for a provider.

use super::RULES;
use crate::translate::canonical::{Content, Effort, Message, Output, Part, Role, Source, ToolCall, ToolChoice};
use crate::translate::{Ask, Format, Refused, Request, Written, slots};
use crate::wire::json::{Arr, Obj, object};
use crate::wire::media;
use crate::wire::turns::{arguments, arguments_hold, called};

/// Writes a request.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let notes = RULES.apply(&slots(request, Format::OllamaChat), ask)?;
    arguments_hold(request)?;
    let mut bytes = Vec::with_capacity(1024);
    object(&mut bytes, |o| {
        o.str("model", ask.model);
        o.arr("messages", |list| {
            if !request.system.is_empty() {
                message(list, "system", &request.system.iter().collect::<Vec<_>>());
            }
            request.messages.iter().for_each(|one| self::one(list, one, request));
        });
        tools(o, request);
        match &request.output {
            Output::Text => {}
            Output::Json => o.str("format", "json"),
            Output::Schema(schema) => o.value("format", &schema.schema),
        }
        if let Some(thinking) = request.reasoning {
            match (thinking.off(), thinking.effort) {
                (true, _) => o.plain("think", false),
                (false, Some(Effort::Low | Effort::Minimal)) => o.str("think", "low"),
                (false, Some(Effort::High | Effort::Highest)) => o.str("think", "high"),
                (false, _) => o.plain("think", true),
            }
        }
        o.obj("options", |s| options(s, request));
        o.plain("stream", request.stream);
    });
    Ok(Written { bytes, notes })
}

fn options(o: &mut Obj<'_>, request: &Request) {
    let sampling = &request.sampling;
    o.opt("num_predict", request.max_tokens);
    o.opt("temperature", sampling.temperature);
    o.opt("top_p", sampling.top_p);
    o.opt("top_k", sampling.top_k);
    if !sampling.stop.is_empty() {
        o.arr("stop", |list| sampling.stop.iter().for_each(|stop| list.str(stop)));
    }
    o.opt("seed", sampling.seed);
    o.opt("presence_penalty", sampling.presence_penalty.filter(|p| *p != 0.0));
    o.opt("frequency_penalty", sampling.frequency_penalty.filter(|p| *p != 0.0));
}

fn one(list: &mut Arr<'_>, one: &Message, request: &Request) {
    let mut others: Vec<&Part> = Vec::new();
    for part in &one.parts {
        if let Content::ToolResult(result) = &part.content {
            list.obj(|o| {
                o.str("role", "tool");
                o.str("content", &result.parts.iter().filter_map(Part::as_text).collect::<String>());
                o.opt_str("tool_name", result.name.as_deref().or_else(|| called(request, &result.id)));
                o.str("tool_call_id", &result.id);
            });
            others.extend(result.parts.iter().filter(|part| part.as_text().is_none()));
        }
    }
    others.extend(one.parts.iter().filter(|part| !matches!(part.content, Content::ToolResult(_))));
    if others.is_empty() && !one.parts.is_empty() {
        return;
    }
    let role = match one.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    message(list, role, &others);
}

/// Text is one string; pictures stand beside it.
fn message(list: &mut Arr<'_>, role: &str, parts: &[&Part]) {
    let (mut text, mut thoughts) = (String::new(), String::new());
    let (mut images, mut calls) = (Vec::new(), Vec::new());
    for part in parts {
        match &part.content {
            Content::Text(words) | Content::Refusal(words) => paragraph(&mut text, words),
            Content::File(file) => paragraph(&mut text, &media::as_text(file).unwrap_or_default()),
            Content::Image(image) => images.push(image),
            Content::ToolCall(call) => calls.push(call),
            Content::Reasoning(thought) => {
                let own = thought.seal.as_ref().is_some_and(|seal| seal.origin == Format::OllamaChat);
                thoughts.push_str(if own { &thought.text } else { "" });
            }
            _ => {}
        }
    }
    list.obj(|o| {
        o.str("role", role);
        o.str("content", &text);
        if !thoughts.is_empty() {
            o.str("thinking", &thoughts);
        }
        if !images.is_empty() {
            o.arr("images", |list| {
                for image in images {
                    if let Source::Base64(data) = &image.source {
                        list.str(data);
                    }
                }
            });
        }
        if !calls.is_empty() {
            o.arr("tool_calls", |list| calls.iter().for_each(|call| list.obj(|o| write_call(o, call))));
        }
    });
}

/// Several texts of one message stand under each other.
fn paragraph(text: &mut String, words: &str) {
    if !text.is_empty() && !words.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(words);
}

/// A call of a tool.
pub(super) fn write_call(o: &mut Obj<'_>, call: &ToolCall) {
    o.str("id", &call.id);
    o.obj("function", |f| {
        f.str("name", &call.name);
        f.raw("arguments", arguments(call));
    });
}

fn tools(o: &mut Obj<'_>, request: &Request) {
    if request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None) {
        return;
    }
    o.arr("tools", |list| {
        for tool in &request.tools {
            list.obj(|o| {
                o.str("type", "function");
                o.obj("function", |f| {
                    f.str("name", &tool.name);
                    f.opt_str("description", tool.description.as_deref());
                    match &tool.schema {
                        Some(schema) => f.value("parameters", schema),
                        None => f.raw("parameters", r#"{"type":"object","properties":{}}"#),
                    }
                });
            });
        }
    });
}
