//! A request for a provider.

use super::RULES;
use super::read::document_format;
use crate::translate::canonical::{
    Cache, CacheTtl, Content, Media, Output, Part, Reasoning, Role, Source, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Ask, Fate, Format, Losses, Note, Refused, Request, Slot, Written, slots};
use crate::wire::anthropic_messages::fit::{Think, id, temperature, think};
use crate::wire::json::{Arr, Obj, object};
use crate::wire::media;
use crate::wire::turns::{Said, arguments, arguments_hold, marked, turns};

/// Writes a request. Thinking is told as Anthropic's models on Bedrock take it, and fitted as they ask.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let used = slots(request, Format::BedrockConverse);
    let mut notes = RULES.apply(&used, ask)?;
    arguments_hold(request)?;
    let none = request.tool_choice == Some(ToolChoice::None);
    if none && used.iter().any(|(slot, _)| *slot == Slot::ToolUse) {
        return Err(Refused::not_carried("tool_choice", "it cannot be told to call none once a tool was called"));
    }
    let earlier = if request.tools.is_empty() { tools_called(request) } else { Vec::new() };
    if !earlier.is_empty() {
        let why = "tools that were called before are declared, as it asks, though the caller gives none";
        if ask.losses == Losses::Refuse {
            return Err(Refused::not_carried("tools", format!("Bedrock Converse: {why}")));
        }
        notes.push(Note { slot: Slot::Tools, fate: Fate::Changed(why) });
    }
    let turns = turns(request, Format::BedrockConverse);
    let thinking = think(request, ask, &turns, &mut notes);
    let temperature = temperature(request, thinking, &mut notes);
    let mut bytes = Vec::with_capacity(1024);
    object(&mut bytes, |o| {
        if !request.system.is_empty() {
            o.arr("system", |list| request.system.iter().for_each(|part| self::part(list, part)));
        }
        o.arr("messages", |list| {
            for turn in &turns {
                list.obj(|o| {
                    o.str("role", if turn.role == Role::Assistant { "assistant" } else { "user" });
                    o.arr("content", |list| {
                        for said in &turn.parts {
                            match said {
                                Said::Part(part) => self::part(list, part),
                                Said::System(text) => list.obj(|o| o.str("text", &marked(text))),
                            }
                        }
                    });
                });
            }
        });
        o.obj("inferenceConfig", |c| {
            c.opt("maxTokens", request.max_tokens);
            c.opt("temperature", temperature);
            c.opt("topP", request.sampling.top_p);
            if !request.sampling.stop.is_empty() {
                c.arr("stopSequences", |list| request.sampling.stop.iter().for_each(|stop| list.str(stop)));
            }
        });
        if !none {
            tools(o, request, &earlier);
        }
        output(o, request);
        additional(o, thinking);
        if !request.metadata.is_empty() {
            o.obj("requestMetadata", |m| request.metadata.iter().for_each(|(key, value)| m.pair(key, value)));
        }
    });
    Ok(Written { bytes, notes })
}

fn additional(o: &mut Obj<'_>, thinking: Think) {
    match thinking {
        Think::Unsaid => {}
        Think::Off => o.obj("additionalModelRequestFields", |a| a.obj("thinking", |t| t.str("type", "disabled"))),
        Think::Budget(budget) => o.obj("additionalModelRequestFields", |a| {
            a.obj("thinking", |t| {
                t.str("type", "enabled");
                t.plain("budget_tokens", budget);
            });
        }),
        Think::Adaptive(effort) => o.obj("additionalModelRequestFields", |a| {
            a.obj("thinking", |t| t.str("type", "adaptive"));
            if let Some(effort) = effort {
                a.obj("output_config", |c| c.str("effort", effort.anthropic()));
            }
        }),
    }
}

fn part(list: &mut Arr<'_>, part: &Part) {
    if matches!(part.content, Content::Audio(_)) || part.as_text() == Some("") {
        return;
    }
    list.obj(|o| match &part.content {
        Content::Text(text) | Content::Refusal(text) => o.str("text", text),
        Content::Image(image) => o.obj("image", |i| blob(i, image, subtype(image, "png"))),
        Content::Video(video) => o.obj("video", |v| blob(v, video, subtype(video, "mp4"))),
        Content::File(file) => match media::as_text(file) {
            Some(text) => o.str("text", &text),
            None => o.obj("document", |d| {
                d.str("name", &name(file.name.as_deref().unwrap_or("document")));
                blob(d, file, document_format(file.media_type.as_deref()));
            }),
        },
        Content::ToolCall(call) => write_call(o, call),
        Content::ToolResult(result) => o.obj("toolResult", |r| tool_result(r, result)),
        Content::Reasoning(thought) => {
            write_reasoning(o, thought, thought.seal.as_ref().and_then(|seal| seal.sent(Format::BedrockConverse)));
        }
        Content::Audio(_) => {}
    });
    point(list, part.cache);
}

fn point(list: &mut Arr<'_>, cache: Option<Cache>) {
    if let Some(cache) = cache {
        list.obj(|o| {
            o.obj("cachePoint", |c| {
                c.str("type", "default");
                match cache.ttl {
                    CacheTtl::Default => {}
                    CacheTtl::FiveMinutes => c.str("ttl", "5m"),
                    CacheTtl::Hour => c.str("ttl", "1h"),
                }
            });
        });
    }
}

fn subtype<'a>(media: &'a Media, fallback: &'a str) -> &'a str {
    let kind = media.media_type.as_deref().and_then(|kind| kind.split_once('/')).map_or(fallback, |(_, sub)| sub);
    if kind == "jpg" { "jpeg" } else { kind }
}

fn blob(o: &mut Obj<'_>, media: &Media, format: &str) {
    o.str("format", format);
    o.obj("source", |s| {
        if let Source::Base64(data) | Source::Text(data) = &media.source {
            s.str("bytes", data);
        }
    });
}

/// Names hold letters, digits, white space, hyphens and brackets alone.
fn name(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '(' | ')' | '[' | ']');
    name.chars().map(|c| if good(c) { c } else { '-' }).take(200).collect()
}

/// A call as a block.
pub(super) fn write_call(o: &mut Obj<'_>, call: &ToolCall) {
    o.obj("toolUse", |t| {
        t.str("toolUseId", &id(&call.id));
        t.str("name", &call.name);
        t.raw("input", arguments(call));
    });
}

/// A thought as a block.
pub(super) fn write_reasoning(o: &mut Obj<'_>, thought: &Reasoning, seal: Option<&str>) {
    o.obj("reasoningContent", |r| {
        if thought.hidden {
            r.opt_str("redactedContent", seal);
        } else {
            r.obj("reasoningText", |t| {
                t.str("text", &thought.text);
                t.opt_str("signature", seal);
            });
        }
    });
}

fn tool_result(r: &mut Obj<'_>, result: &ToolResult) {
    r.str("toolUseId", &id(&result.id));
    r.arr("content", |list| {
        if result.parts.iter().all(|part| part.as_text() == Some("")) {
            list.obj(|o| o.str("text", " "));
        }
        result.parts.iter().for_each(|part| self::part(list, part));
    });
    r.str("status", if result.failed { "error" } else { "success" });
}

fn tools(o: &mut Obj<'_>, request: &Request, earlier: &[&str]) {
    if request.tools.is_empty() && earlier.is_empty() {
        return;
    }
    o.obj("toolConfig", |t| {
        t.arr("tools", |list| {
            for tool in &request.tools {
                list.obj(|o| {
                    o.obj("toolSpec", |s| {
                        s.str("name", &tool.name);
                        s.opt_str("description", tool.description.as_deref().filter(|text| !text.is_empty()));
                        s.obj("inputSchema", |i| match &tool.schema {
                            Some(schema) => i.value("json", schema),
                            None => i.raw("json", r#"{"type":"object","properties":{}}"#),
                        });
                        s.opt("strict", tool.strict.filter(|strict| *strict));
                    });
                });
                point(list, tool.cache);
            }
            for name in earlier {
                list.obj(|o| {
                    o.obj("toolSpec", |s| {
                        s.str("name", name);
                        s.obj("inputSchema", |i| i.raw("json", r#"{"type":"object","properties":{}}"#));
                    });
                });
            }
        });
        match &request.tool_choice {
            None | Some(ToolChoice::None) => {}
            Some(ToolChoice::Auto) => t.obj("toolChoice", |c| c.obj("auto", |_| {})),
            Some(ToolChoice::Any) => t.obj("toolChoice", |c| c.obj("any", |_| {})),
            Some(ToolChoice::Tool(name)) => t.obj("toolChoice", |c| c.obj("tool", |n| n.str("name", name))),
        }
    });
}

/// Tools of earlier turns: it takes no conversation with calls in it that declares none.
fn tools_called(request: &Request) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        if let Content::ToolCall(call) = &part.content
            && !names.contains(&call.name.as_str())
        {
            names.push(&call.name);
        }
    }
    names
}

/// The schema stands as a string.
fn output(o: &mut Obj<'_>, request: &Request) {
    let Output::Schema(schema) = &request.output else { return };
    o.obj("outputConfig", |c| {
        c.obj("textFormat", |f| {
            f.str("type", "json_schema");
            f.obj("structure", |s| {
                s.obj("jsonSchema", |j| {
                    j.str("schema", &schema.schema.to_string());
                    j.str("name", &schema.name);
                    j.opt_str("description", schema.description.as_deref());
                });
            });
        });
    });
}
