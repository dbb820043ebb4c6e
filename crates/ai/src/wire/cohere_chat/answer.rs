//! An answer in one piece.

use serde_json::Value;

use super::read::{PLAN, read_call, thought};
use super::write::write_call;
use crate::translate::canonical::{Choice, Content, Part};
use crate::translate::{Answer, Finish, Refused, Reply, Usage};
use crate::wire::json::{At, Fields, Obj, object, parse_answer, u64_of};

/// Reads a provider's answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let mut fields = Fields::of(parse_answer(body)?, At::ROOT)?;
    let message = fields.take("message").ok_or_else(|| fields.wrong("message", "is missing"))?;
    let mut message = Fields::lenient(message);
    let mut parts = Vec::new();
    if let Some(plan) = message.string("tool_plan")?.filter(|plan| !plan.is_empty()) {
        parts.push(thought(plan, PLAN));
    }
    for item in message.list("content")?.unwrap_or_default() {
        let mut item = Fields::lenient(item);
        if let Some(text) = item.string("text")? {
            parts.push(Part::text(text));
        } else if let Some(text) = item.string("thinking")? {
            parts.push(thought(text, ""));
        }
    }
    for call in message.list("tool_calls")?.unwrap_or_default() {
        parts.push(Part::new(Content::ToolCall(read_call(Fields::lenient(call))?)));
    }
    let finish = fields.string("finish_reason")?.map(|word| read_finish(&word));
    Ok(Answer {
        id: fields.string("id")?.unwrap_or_default(),
        choices: vec![Choice { parts, finish, ..Choice::default() }],
        usage: read_usage(fields.take("usage").as_ref()),
        ..Answer::default()
    })
}

/// Why it ended.
pub(super) fn read_finish(word: &str) -> Finish {
    match word {
        "STOP_SEQUENCE" => Finish::StopSequence,
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR" | "TIMEOUT" => Finish::Error,
        "ERROR_TOXIC" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// The word for it.
pub(super) const fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause | Finish::Refusal => "COMPLETE",
        Finish::StopSequence => "STOP_SEQUENCE",
        Finish::Length => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
        Finish::ContentFilter | Finish::Error => "ERROR",
    }
}

/// What was taken: what is billed, which leaves out the marks that Cohere adds.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let Some(value) = value else { return Usage::default() };
    let billed = value.get("billed_units").filter(|units| units.get("input_tokens").is_some());
    let Some(units) = billed.or_else(|| value.get("tokens")) else { return Usage::default() };
    let count = |key: &str| units.get(key).and_then(u64_of).unwrap_or(0);
    Usage {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cached_input: value.get("cached_tokens").and_then(u64_of).unwrap_or(0),
        ..Usage::default()
    }
}

/// What was taken.
pub(super) fn write_usage(o: &mut Obj<'_>, usage: &Usage) {
    o.obj("usage", |u| {
        for key in ["billed_units", "tokens"] {
            u.obj(key, |t| {
                t.plain("input_tokens", usage.input);
                t.plain("output_tokens", usage.output);
            });
        }
        if usage.cached_input > 0 {
            u.plain("cached_tokens", usage.cached_input);
        }
    });
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.str("id", if answer.id.is_empty() { reply.id } else { &answer.id });
        o.str("finish_reason", finish_word(choice.finish.unwrap_or(Finish::Stop)));
        o.obj("message", |m| message(m, &choice.parts));
        write_usage(o, &answer.usage);
    });
    Ok(out)
}

fn message(m: &mut Obj<'_>, parts: &[Part]) {
    m.str("role", "assistant");
    let calls: Vec<_> = parts
        .iter()
        .filter_map(|part| if let Content::ToolCall(call) = &part.content { Some(call) } else { None })
        .collect();
    m.arr("content", |list| {
        for part in parts {
            match &part.content {
                Content::Text(text) | Content::Refusal(text) => list.obj(|o| {
                    o.str("type", "text");
                    o.str("text", text);
                }),
                Content::Reasoning(thought) if !thought.text.is_empty() => list.obj(|o| {
                    o.str("type", "thinking");
                    o.str("thinking", &thought.text);
                }),
                _ => {}
            }
        }
    });
    if !calls.is_empty() {
        m.arr("tool_calls", |list| calls.iter().for_each(|call| list.obj(|o| write_call(o, call))));
    }
}
