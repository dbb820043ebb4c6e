//! A request for a provider.

use super::RULES;
use super::read::PLAN;
use crate::translate::canonical::{Content, Message, Output, Part, Reasoning, Role, ToolCall, ToolChoice};
use crate::translate::{Ask, Format, Refused, Request, Written, slots};
use crate::wire::json::{Arr, Obj, object};
use crate::wire::media;
use crate::wire::turns::arguments;

/// Writes a request.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let notes = RULES.apply(&slots(request, Format::CohereChat), ask)?;
    let mut bytes = Vec::with_capacity(1024);
    let sampling = &request.sampling;
    object(&mut bytes, |o| {
        o.str("model", ask.model);
        o.arr("messages", |list| {
            if !request.system.is_empty() {
                message(list, "system", &request.system.iter().collect::<Vec<_>>());
            }
            request.messages.iter().for_each(|one| self::one(list, one));
        });
        tools(o, request);
        o.opt("max_tokens", request.max_tokens);
        o.opt("temperature", sampling.temperature);
        o.opt("p", sampling.top_p);
        o.opt("k", sampling.top_k);
        if !sampling.stop.is_empty() {
            o.arr("stop_sequences", |list| sampling.stop.iter().for_each(|stop| list.str(stop)));
        }
        o.opt("seed", sampling.seed);
        o.opt("presence_penalty", sampling.presence_penalty.filter(|p| *p != 0.0));
        o.opt("frequency_penalty", sampling.frequency_penalty.filter(|p| *p != 0.0));
        match &request.output {
            Output::Text => {}
            Output::Json => o.obj("response_format", |f| f.str("type", "json_object")),
            Output::Schema(schema) => o.obj("response_format", |f| {
                f.str("type", "json_object");
                f.value("json_schema", &schema.schema);
            }),
        }
        if let Some(thinking) = request.reasoning {
            o.obj("thinking", |t| {
                t.str("type", if thinking.off() { "disabled" } else { "enabled" });
                t.opt("token_budget", thinking.tokens().filter(|_| !thinking.off()));
            });
        }
        o.plain("stream", request.stream);
    });
    Ok(Written { bytes, notes })
}

fn one(list: &mut Arr<'_>, one: &Message) {
    let mut others: Vec<&Part> = Vec::new();
    for part in &one.parts {
        if let Content::ToolResult(result) = &part.content {
            list.obj(|o| {
                o.str("role", "tool");
                o.str("tool_call_id", &result.id);
                content(o, &result.parts.iter().filter(|part| part.as_text().is_some()).collect::<Vec<_>>());
            });
            others.extend(result.parts.iter().filter(|part| part.as_text().is_none()));
        }
    }
    others.extend(one.parts.iter().filter(|part| !matches!(part.content, Content::ToolResult(_))));
    match one.role {
        Role::Assistant => assistant(list, &others),
        _ if others.is_empty() && !one.parts.is_empty() => {}
        Role::System => message(list, "system", &others),
        Role::User => message(list, "user", &others),
    }
}

fn message(list: &mut Arr<'_>, role: &str, parts: &[&Part]) {
    list.obj(|o| {
        o.str("role", role);
        content(o, parts);
    });
}

fn own(thought: &Reasoning) -> Option<&str> {
    thought.seal.as_ref().and_then(|seal| seal.sent(Format::CohereChat))
}

fn assistant(list: &mut Arr<'_>, parts: &[&Part]) {
    let mut plan = String::new();
    let (mut said, mut calls) = (Vec::new(), Vec::new());
    for part in parts {
        match &part.content {
            Content::Reasoning(thought) if own(thought) == Some(PLAN) => plan.push_str(&thought.text),
            Content::Reasoning(thought) if own(thought).is_none() => {}
            Content::ToolCall(call) => calls.push(call),
            _ => said.push(*part),
        }
    }
    if said.is_empty() && calls.is_empty() && plan.is_empty() {
        return;
    }
    list.obj(|o| {
        o.str("role", "assistant");
        if !said.is_empty() {
            content(o, &said);
        }
        if !plan.is_empty() {
            o.str("tool_plan", &plan);
        }
        if !calls.is_empty() {
            o.arr("tool_calls", |list| calls.iter().for_each(|call| list.obj(|o| write_call(o, call))));
        }
    });
}

/// A call of a tool.
pub(super) fn write_call(o: &mut Obj<'_>, call: &ToolCall) {
    o.str("id", &call.id);
    o.str("type", "function");
    o.obj("function", |f| {
        f.str("name", &call.name);
        f.str("arguments", arguments(call));
    });
}

fn content(o: &mut Obj<'_>, parts: &[&Part]) {
    match parts {
        [] => o.str("content", ""),
        [Part { content: Content::Text(text), .. }] => o.str("content", text),
        _ => o.arr("content", |list| {
            for part in parts {
                list.obj(|o| self::part(o, &part.content));
            }
        }),
    }
}

fn part(o: &mut Obj<'_>, content: &Content) {
    match content {
        Content::Image(image) => {
            o.str("type", "image_url");
            o.obj("image_url", |i| {
                i.str("url", &media::url(image, "image/png"));
                i.opt_str("detail", image.detail.as_deref());
            });
        }
        Content::Reasoning(thought) => {
            o.str("type", "thinking");
            o.str("thinking", &thought.text);
        }
        Content::Text(text) | Content::Refusal(text) => {
            o.str("type", "text");
            o.str("text", text);
        }
        Content::File(file) => {
            o.str("type", "text");
            o.str("text", &media::as_text(file).unwrap_or_default());
        }
        _ => {}
    }
}

/// One tool of several is chosen by leaving out the others.
fn tools(o: &mut Obj<'_>, request: &Request) {
    let chosen = if let Some(ToolChoice::Tool(name)) = &request.tool_choice { Some(name) } else { None };
    let tools: Vec<_> = request.tools.iter().filter(|tool| chosen.is_none_or(|name| tool.name == *name)).collect();
    if tools.is_empty() {
        return;
    }
    o.arr("tools", |list| {
        for tool in &tools {
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
    if tools.iter().any(|tool| tool.strict == Some(true)) {
        o.plain("strict_tools", true);
    }
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => o.str("tool_choice", "NONE"),
        Some(ToolChoice::Any | ToolChoice::Tool(_)) => o.str("tool_choice", "REQUIRED"),
    }
}
