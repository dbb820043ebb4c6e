//! An answer in one piece.

use serde_json::Value;

use super::read::said;
use super::write::call;
use crate::translate::canonical::{Choice, Content, Part, Seal, ToolCall};
use crate::translate::{Answer, Finish, Format, Refused, Reply, Usage};
use crate::wire::json::{Arr, At, Fields, Obj, object, parse_answer, u64_of};
use crate::wire::turns::answer_holds;

const FORMAT: Format = Format::Gemini;

/// Most candidates that are read.
pub(super) const CANDIDATES: usize = 16;

/// Reads a provider's answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let mut fields = Fields::of(parse_answer(body)?, At::ROOT)?;
    let id = fields.string("responseId")?.unwrap_or_default();
    let list = fields.list("candidates")?.unwrap_or_default();
    let mut choices: Vec<Choice> =
        list.into_iter().take(CANDIDATES).map(|candidate| choice(Fields::lenient(candidate), &id)).collect();
    if choices.is_empty() {
        if blocked(fields.take("promptFeedback").as_ref()) {
            choices.push(Choice { finish: Some(Finish::ContentFilter), ..Choice::default() });
        } else {
            return Err(fields.wrong("candidates", "is missing"));
        }
    }
    Ok(Answer {
        model: fields.string("modelVersion")?.unwrap_or_default(),
        created: None,
        choices,
        usage: read_usage(fields.take("usageMetadata").as_ref()),
        service_tier: None,
        id,
    })
}

/// Whether the prompt itself was held back.
pub(super) fn blocked(feedback: Option<&Value>) -> bool {
    feedback.and_then(|feedback| feedback.get("blockReason")).is_some_and(Value::is_string)
}

fn choice(mut candidate: Fields<'_>, id: &str) -> Choice {
    let mut content = Fields::lenient(candidate.take("content").unwrap_or_default());
    let mut parts = Vec::new();
    let mut calls = 0;
    for value in content.list("parts").ok().flatten().unwrap_or_default() {
        part(Fields::lenient(value), &mut calls, id, &mut parts);
    }
    let finish = candidate.string("finishReason").ok().flatten().map(|word| read_finish(&word, calls > 0));
    Choice { parts, finish, stop_sequence: None, logprobs: None }
}

/// One part of an answer. Calls without an id get one from the answer's, so that none comes twice in a conversation.
pub(super) fn part(mut part: Fields<'_>, calls: &mut usize, id: &str, out: &mut Vec<Part>) {
    let seal = part.string("thoughtSignature").ok().flatten().map(|data| Seal::read(FORMAT, data));
    let thought = part.take("thought").and_then(|thought| thought.as_bool()).unwrap_or(false);
    if let Ok(Some(text)) = part.string("text") {
        return said(text, thought, seal, out);
    }
    let Some(function) = part.take("functionCall") else { return };
    let mut function = Fields::lenient(function);
    let own = function.string("id").ok().flatten().filter(|id| !id.is_empty());
    let id = own.unwrap_or_else(|| format!("call_{}_{calls}", if id.is_empty() { "0" } else { id }));
    *calls += 1;
    let name = function.string("name").ok().flatten().unwrap_or_default();
    let arguments = function.take("args").map(|args| args.to_string()).unwrap_or_default();
    out.push(Part::new(Content::ToolCall(ToolCall { id, name, arguments, seal })));
}

/// Why it ended. There is no reason for calls of tools: that they were made is reason enough.
pub(super) fn read_finish(word: &str, called: bool) -> Finish {
    match word {
        "STOP" | "FINISH_REASON_UNSPECIFIED" if called => Finish::ToolCalls,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE" | "IMAGE_SAFETY" => {
            Finish::ContentFilter
        }
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "OTHER" | "TOO_MANY_TOOL_CALLS" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// The word for it.
pub(super) const fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::ToolCalls | Finish::Pause => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter | Finish::Refusal => "SAFETY",
        Finish::Error => "OTHER",
    }
}

/// What was taken: thoughts are counted beside the candidates.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let Some(value) = value else { return Usage::default() };
    let count = |key: &str| value.get(key).and_then(u64_of).unwrap_or(0);
    let audio = |key: &str| {
        let list = value.get(key).and_then(Value::as_array);
        let sound = list.into_iter().flatten().filter(|item| item.get("modality").is_some_and(|kind| kind == "AUDIO"));
        sound.filter_map(|item| u64_of(item.get("tokenCount")?)).sum()
    };
    let reasoning = count("thoughtsTokenCount");
    Usage {
        input: count("promptTokenCount").saturating_add(count("toolUsePromptTokenCount")),
        cached_input: count("cachedContentTokenCount"),
        output: count("candidatesTokenCount").saturating_add(reasoning),
        reasoning,
        audio_input: audio("promptTokensDetails"),
        audio_output: audio("candidatesTokensDetails"),
        ..Usage::default()
    }
}

/// What was taken.
pub(super) fn write_usage(o: &mut Obj<'_>, usage: &Usage) {
    o.obj("usageMetadata", |u| {
        u.plain("promptTokenCount", usage.input);
        if usage.cached_input > 0 {
            u.plain("cachedContentTokenCount", usage.cached_input);
        }
        u.plain("candidatesTokenCount", usage.output.saturating_sub(usage.reasoning));
        if usage.reasoning > 0 {
            u.plain("thoughtsTokenCount", usage.reasoning);
        }
        u.plain("totalTokenCount", usage.total());
    });
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    answer_holds(answer)?;
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.arr("candidates", |list| {
            for (index, choice) in answer.choices.iter().enumerate() {
                list.obj(|o| {
                    o.obj("content", |c| {
                        c.arr("parts", |list| choice.parts.iter().for_each(|part| write_part(list, part)));
                        c.str("role", "model");
                    });
                    o.str("finishReason", finish_word(choice.finish.unwrap_or(Finish::Stop)));
                    o.plain("index", index);
                });
            }
        });
        write_usage(o, &answer.usage);
        o.str("modelVersion", if reply.model.is_empty() { &answer.model } else { reply.model });
        o.str("responseId", if answer.id.is_empty() { reply.id } else { &answer.id });
    });
    Ok(out)
}

/// A part of an answer.
pub(super) fn write_part(list: &mut Arr<'_>, part: &Part) {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => list.obj(|o| o.str("text", text)),
        Content::Reasoning(thought) => list.obj(|o| {
            o.str("text", &thought.text);
            if !thought.hidden {
                o.plain("thought", true);
            }
            o.opt_str("thoughtSignature", thought.seal.as_ref().map(|seal| seal.written(FORMAT)).as_deref());
        }),
        Content::ToolCall(made) => {
            let seal = made.seal.as_ref().map(|seal| seal.written(FORMAT));
            list.obj(|o| {
                o.obj("functionCall", |f| {
                    f.str("id", &made.id);
                    call(f, made);
                });
                o.opt_str("thoughtSignature", seal.as_deref());
            });
        }
        _ => {}
    }
}
