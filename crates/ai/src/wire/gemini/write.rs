//! A request for a provider. The model and whether it streams stand in the path.

use super::RULES;
use crate::translate::canonical::{
    Content, Effort, Media, Output, Part, Role, Source, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Ask, Format, Refused, Request, ThinkingStyle, Written, slots};
use crate::wire::json::{Arr, Obj, is_object, object};
use crate::wire::media;
use crate::wire::turns::{Said, Turn, arguments, arguments_hold, called, marked, turns};

/// What Google documents for calls that another model made: its later models refuse a call without any signature.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Writes a request.
pub(crate) fn write_request(request: &Request, ask: &Ask<'_>) -> Result<Written, Refused> {
    let notes = RULES.apply(&slots(request, Format::Gemini), ask)?;
    arguments_hold(request)?;
    let mut bytes = Vec::with_capacity(1024);
    object(&mut bytes, |o| {
        if !request.system.is_empty() {
            o.obj("systemInstruction", |s| {
                s.arr("parts", |list| {
                    request.system.iter().filter_map(Part::as_text).for_each(|said| text(list, said));
                });
            });
        }
        o.arr("contents", |list| {
            for turn in turns(request, Format::Gemini) {
                list.obj(|o| self::turn(o, &turn, request, ask));
            }
        });
        tools(o, request);
        o.obj("generationConfig", |g| generation(g, request, ask));
    });
    Ok(Written { bytes, notes })
}

fn turn(o: &mut Obj<'_>, turn: &Turn<'_>, request: &Request, ask: &Ask<'_>) {
    o.str("role", if turn.role == Role::Assistant { "model" } else { "user" });
    o.arr("parts", |list| {
        let mut unsigned = ask.quirks.thinking == ThinkingStyle::Adaptive;
        for said in &turn.parts {
            match said {
                Said::System(words) => text(list, &marked(words)),
                Said::Part(Part { content: Content::ToolCall(call), .. }) => {
                    let seal = call.seal.as_ref().and_then(|seal| seal.sent(Format::Gemini));
                    // Of parallel calls the first alone is signed.
                    list.obj(|o| {
                        o.obj("functionCall", |f| self::call(f, call));
                        o.opt_str("thoughtSignature", seal.or(unsigned.then_some(UNSIGNED)));
                    });
                    unsigned = false;
                }
                Said::Part(Part { content: Content::ToolResult(result), .. }) => tool_result(list, result, request),
                Said::Part(part) => self::part(list, part),
            }
        }
        // Media that tools gave stand after their results.
        for said in &turn.parts {
            if let Said::Part(Part { content: Content::ToolResult(result), .. }) = said {
                result.parts.iter().filter(|part| part.as_text().is_none()).for_each(|part| self::part(list, part));
            }
        }
    });
}

fn text(list: &mut Arr<'_>, text: &str) {
    list.obj(|o| o.str("text", text));
}

fn part(list: &mut Arr<'_>, part: &Part) {
    match &part.content {
        Content::Text(words) | Content::Refusal(words) => text(list, words),
        Content::Image(media) => blob(list, media, "image/png"),
        Content::Audio(media) => blob(list, media, "audio/wav"),
        Content::Video(media) => blob(list, media, "video/mp4"),
        Content::File(media) => match media::as_text(media) {
            Some(words) => text(list, &words),
            None => blob(list, media, "application/pdf"),
        },
        Content::Reasoning(thought) => list.obj(|o| {
            o.str("text", &thought.text);
            if !thought.hidden {
                o.plain("thought", true);
            }
            o.opt_str("thoughtSignature", thought.seal.as_ref().and_then(|seal| seal.sent(Format::Gemini)));
        }),
        Content::ToolCall(_) | Content::ToolResult(_) => {}
    }
}

fn blob(list: &mut Arr<'_>, media: &Media, fallback: &str) {
    list.obj(|o| match &media.source {
        Source::Url(url) => o.obj("fileData", |f| {
            f.str("mimeType", media.media_type.as_deref().or_else(|| media::type_of(url)).unwrap_or(fallback));
            f.str("fileUri", url);
        }),
        Source::Base64(data) | Source::FileId(data) | Source::Text(data) => o.obj("inlineData", |d| {
            d.str("mimeType", media.media_type.as_deref().unwrap_or(fallback));
            d.str("data", data);
        }),
    });
}

/// A call. Providers join results by name and order: not all of them know ids.
pub(super) fn call(f: &mut Obj<'_>, call: &ToolCall) {
    f.str("name", &call.name);
    f.raw("args", arguments(call));
}

/// The response must be an object.
fn tool_result(list: &mut Arr<'_>, result: &ToolResult, request: &Request) {
    let words: String = result.parts.iter().filter_map(Part::as_text).collect();
    let name = result.name.as_deref().or_else(|| called(request, &result.id)).unwrap_or(&result.id);
    list.obj(|o| {
        o.obj("functionResponse", |f| {
            f.str("name", name);
            if result.failed {
                f.obj("response", |r| r.str("error", &words));
            } else if is_object(&words) {
                f.raw("response", &words);
            } else {
                f.obj("response", |r| r.str("result", &words));
            }
        });
    });
}

fn tools(o: &mut Obj<'_>, request: &Request) {
    if request.tools.is_empty() {
        return;
    }
    o.arr("tools", |list| {
        list.obj(|o| {
            o.arr("functionDeclarations", |list| {
                for tool in &request.tools {
                    list.obj(|o| {
                        o.str("name", &tool.name);
                        o.opt_str("description", tool.description.as_deref());
                        if let Some(schema) = &tool.schema {
                            o.value("parametersJsonSchema", schema);
                        }
                    });
                }
            });
        });
    });
    let (mode, name) = match &request.tool_choice {
        None => return,
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Any) => ("ANY", None),
        Some(ToolChoice::Tool(name)) => ("ANY", Some(name)),
    };
    o.obj("toolConfig", |t| {
        t.obj("functionCallingConfig", |c| {
            c.str("mode", mode);
            if let Some(name) = name {
                c.arr("allowedFunctionNames", |list| list.str(name));
            }
        });
    });
}

fn generation(g: &mut Obj<'_>, request: &Request, ask: &Ask<'_>) {
    let sampling = &request.sampling;
    g.opt("maxOutputTokens", request.max_tokens);
    g.opt("temperature", sampling.temperature);
    g.opt("topP", sampling.top_p);
    g.opt("topK", sampling.top_k);
    if !sampling.stop.is_empty() {
        g.arr("stopSequences", |list| sampling.stop.iter().for_each(|stop| list.str(stop)));
    }
    g.opt("seed", sampling.seed);
    g.opt("candidateCount", sampling.n.filter(|n| *n > 1));
    g.opt("presencePenalty", sampling.presence_penalty.filter(|p| *p != 0.0));
    g.opt("frequencyPenalty", sampling.frequency_penalty.filter(|p| *p != 0.0));
    match &request.output {
        Output::Text => {}
        Output::Json => g.str("responseMimeType", "application/json"),
        Output::Schema(schema) => {
            g.str("responseMimeType", "application/json");
            g.value("responseJsonSchema", &schema.schema);
        }
    }
    let Some(thinking) = request.reasoning else { return };
    g.obj("thinkingConfig", |t| {
        if ask.quirks.thinking == ThinkingStyle::Adaptive {
            t.opt_str(
                "thinkingLevel",
                thinking.steps().map(|step| match step {
                    Effort::None | Effort::Minimal => "minimal",
                    Effort::Low => "low",
                    Effort::Medium => "medium",
                    Effort::High | Effort::Highest => "high",
                }),
            );
        } else {
            t.opt("thinkingBudget", thinking.tokens());
        }
        t.plain("includeThoughts", thinking.shown.unwrap_or(!thinking.off()));
    });
}
