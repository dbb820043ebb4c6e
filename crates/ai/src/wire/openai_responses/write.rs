//! A request for a provider. Nothing is kept there (`store` is false), so thoughts are asked for sealed.

use super::RULES;
use super::answer::unpacked;
use crate::translate::canonical::{Content, Message, Output, Part, Role, Source, ToolChoice, ToolResult};
use crate::translate::{Ask, CacheKey, Format, Refused, Request, Written, slots};
use crate::wire::json::{Arr, Obj, object};
use crate::wire::media;
use crate::wire::turns::arguments;

/// Writes a request.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let notes = RULES.apply(&slots(request, Format::OpenAiResponses), ask)?;
    let mut bytes = Vec::with_capacity(1024);
    object(&mut bytes, |o| {
        o.str("model", ask.model);
        if let [Part { content: Content::Text(text), .. }] = request.system.as_slice() {
            o.str("instructions", text);
        }
        o.arr("input", |list| input(list, request));
        tools(o, request);
        o.opt("max_output_tokens", request.max_tokens);
        o.opt("temperature", request.sampling.temperature);
        o.opt("top_p", request.sampling.top_p);
        output(o, &request.output);
        if let Some(thinking) = request.reasoning {
            o.obj("reasoning", |r| {
                r.opt_str("effort", thinking.steps().map(crate::translate::canonical::Effort::word));
                if thinking.shown == Some(true) {
                    r.str("summary", "auto");
                }
            });
            if !thinking.off() {
                o.arr("include", |list| list.str("reasoning.encrypted_content"));
            }
        }
        o.opt_str("user", request.user.as_deref());
        if ask.quirks.cache_key == CacheKey::Sent {
            o.opt_str("prompt_cache_key", request.cache_key.as_deref());
        }
        if !request.metadata.is_empty() {
            o.obj("metadata", |m| request.metadata.iter().for_each(|(key, value)| m.pair(key, value)));
        }
        o.plain("store", false);
        if request.stream {
            o.plain("stream", true);
        }
    });
    Ok(Written { bytes, notes })
}

fn input(list: &mut Arr<'_>, request: &Request) {
    if request.system.len() > 1 {
        message(list, "system", &request.system.iter().collect::<Vec<_>>());
    }
    for one in &request.messages {
        items(list, one);
    }
}

/// A message and the items around it, in their order: runs of parts are messages, the rest are items.
fn items(list: &mut Arr<'_>, one: &Message) {
    let role = match one.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut run: Vec<&Part> = Vec::new();
    for part in &one.parts {
        if !matches!(part.content, Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_)) {
            run.push(part);
            continue;
        }
        flush(list, role, &mut run);
        match &part.content {
            Content::ToolCall(call) => list.obj(|o| {
                o.str("type", "function_call");
                o.str("call_id", &call.id);
                o.str("name", &call.name);
                o.str("arguments", arguments(call));
            }),
            Content::ToolResult(result) => tool_result(list, result),
            Content::Reasoning(thought) => {
                let seal = thought.seal.as_ref().and_then(|seal| seal.sent(Format::OpenAiResponses));
                if let Some(seal) = seal {
                    let (id, sealed) = unpacked(seal);
                    list.obj(|o| reasoning(o, id, &thought.text, Some(sealed)));
                }
            }
            _ => {}
        }
    }
    flush(list, role, &mut run);
}

fn flush(list: &mut Arr<'_>, role: &str, run: &mut Vec<&Part>) {
    if !run.is_empty() {
        message(list, role, run);
        run.clear();
    }
}

fn message(list: &mut Arr<'_>, role: &str, parts: &[&Part]) {
    list.obj(|o| {
        o.str("type", "message");
        o.str("role", role);
        content(o, "content", parts, role == "assistant");
    });
}

/// What the model said has parts of another name than what it is told.
fn content(o: &mut Obj<'_>, key: &str, parts: &[&Part], said: bool) {
    if let [Part { content: Content::Text(text), .. }] = parts {
        return o.str(key, text);
    }
    o.arr(key, |list| {
        for part in parts {
            list.obj(|o| match &part.content {
                Content::Text(text) => {
                    o.str("type", if said { "output_text" } else { "input_text" });
                    o.str("text", text);
                }
                Content::Refusal(text) => {
                    o.str("type", "refusal");
                    o.str("refusal", text);
                }
                Content::Image(image) => {
                    o.str("type", "input_image");
                    o.str("image_url", &media::url(image, "image/png"));
                    o.opt_str("detail", image.detail.as_deref());
                }
                Content::File(file) => match (media::as_text(file), &file.source) {
                    (Some(text), _) => {
                        o.str("type", "input_text");
                        o.str("text", &text);
                    }
                    (None, Source::Url(url)) => {
                        o.str("type", "input_file");
                        o.str("file_url", url);
                    }
                    _ => {
                        o.str("type", "input_file");
                        o.str("filename", file.name.as_deref().unwrap_or("document.pdf"));
                        o.str("file_data", &media::url(file, "application/pdf"));
                    }
                },
                _ => {}
            });
        }
    });
}

fn tool_result(list: &mut Arr<'_>, result: &ToolResult) {
    list.obj(|o| {
        o.str("type", "function_call_output");
        o.str("call_id", &result.id);
        match result.parts.as_slice() {
            [] => o.str("output", ""),
            parts => content(o, "output", &parts.iter().collect::<Vec<_>>(), false),
        }
    });
}

/// A thought as an item.
pub(super) fn reasoning(o: &mut Obj<'_>, id: &str, text: &str, sealed: Option<&str>) {
    o.str("type", "reasoning");
    o.str("id", id);
    o.arr("summary", |list| {
        if !text.is_empty() {
            list.obj(|o| {
                o.str("type", "summary_text");
                o.str("text", text);
            });
        }
    });
    o.opt_str("encrypted_content", sealed);
}

fn tools(o: &mut Obj<'_>, request: &Request) {
    if request.tools.is_empty() {
        return;
    }
    o.arr("tools", |list| {
        for tool in &request.tools {
            list.obj(|o| {
                o.str("type", "function");
                o.str("name", &tool.name);
                o.opt_str("description", tool.description.as_deref());
                match &tool.schema {
                    Some(schema) => o.value("parameters", schema),
                    None => o.raw("parameters", r#"{"type":"object","properties":{}}"#),
                }
                // Strict unless told otherwise: other formats' schemas are seldom fit for it.
                o.plain("strict", tool.strict.unwrap_or(false));
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
            c.str("name", name);
        }),
    }
    o.opt("parallel_tool_calls", request.parallel_tools);
}

fn output(o: &mut Obj<'_>, output: &Output) {
    match output {
        Output::Text => {}
        Output::Json => o.obj("text", |t| t.obj("format", |f| f.str("type", "json_object"))),
        Output::Schema(schema) => o.obj("text", |t| {
            t.obj("format", |f| {
                f.str("type", "json_schema");
                f.str("name", &schema.name);
                f.opt_str("description", schema.description.as_deref());
                f.value("schema", &schema.schema);
                f.opt("strict", schema.strict);
            });
        }),
    }
}
