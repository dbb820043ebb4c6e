//! An answer in one piece.

use serde_json::Value;

use super::read::reasoning;
use super::write::{write_call, write_reasoning};
use crate::translate::canonical::{Choice, Content, Part, ToolCall};
use crate::translate::{Answer, Finish, Format, Refused, Reply, Usage};
use crate::wire::json::{Arr, At, Fields, Obj, object, parse_answer, u64_of};
use crate::wire::turns::answer_holds;

/// Reads a provider's answer. It tells neither id nor model.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let mut fields = Fields::of(parse_answer(body)?, At::ROOT)?;
    let message = fields.take("output").and_then(|mut output| Some(output.get_mut("message")?.take()));
    let mut message = Fields::lenient(message.ok_or_else(|| fields.wrong("output.message", "is missing"))?);
    let blocks = message.list("content")?.unwrap_or_default();
    let parts = blocks.into_iter().filter_map(|block| part(Fields::lenient(block))).collect();
    let finish = fields.string("stopReason")?.map(|word| read_finish(&word));
    Ok(Answer {
        choices: vec![Choice { parts, finish, ..Choice::default() }],
        usage: read_usage(fields.take("usage").as_ref()),
        ..Answer::default()
    })
}

fn part(mut block: Fields<'_>) -> Option<Part> {
    if let Ok(Some(text)) = block.string("text") {
        return Some(Part::text(text));
    }
    if let Some(call) = block.take("toolUse") {
        let mut call = Fields::lenient(call);
        let arguments = call.take("input").map(|input| input.to_string()).unwrap_or_default();
        let mut text = |key: &str| call.string(key).ok().flatten().unwrap_or_default();
        let (id, name) = (text("toolUseId"), text("name"));
        return Some(Part::new(Content::ToolCall(ToolCall { id, name, arguments, seal: None })));
    }
    let thought = block.take("reasoningContent")?;
    Some(Part::new(Content::Reasoning(reasoning(Fields::lenient(thought)))))
}

/// Why it ended.
pub(super) fn read_finish(word: &str) -> Finish {
    match word {
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// The word for it.
pub(super) const fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "content_filtered",
        Finish::Error => "malformed_model_output",
    }
}

/// What was taken: `inputTokens` leaves out what was read from the cache or written to it.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let Some(value) = value else { return Usage::default() };
    let count = |key: &str| value.get(key).and_then(u64_of).unwrap_or(0);
    let (cached_input, cache_write) = (count("cacheReadInputTokens"), count("cacheWriteInputTokens"));
    Usage {
        input: count("inputTokens").saturating_add(cached_input).saturating_add(cache_write),
        cached_input,
        cache_write,
        output: count("outputTokens"),
        ..Usage::default()
    }
}

/// What was taken.
pub(super) fn write_usage(o: &mut Obj<'_>, usage: &Usage) {
    o.obj("usage", |u| {
        let apart = usage.cached_input.saturating_add(usage.cache_write);
        u.plain("inputTokens", usage.input.saturating_sub(apart));
        u.plain("outputTokens", usage.output);
        u.plain("totalTokens", usage.total());
        u.plain("cacheReadInputTokens", usage.cached_input);
        u.plain("cacheWriteInputTokens", usage.cache_write);
    });
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, _: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    answer_holds(answer)?;
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.obj("output", |w| {
            w.obj("message", |m| {
                m.str("role", "assistant");
                m.arr("content", |list| choice.parts.iter().for_each(|part| block(list, &part.content)));
            });
        });
        o.str("stopReason", finish_word(choice.finish.unwrap_or(Finish::Stop)));
        write_usage(o, &answer.usage);
        o.obj("metrics", |m| m.plain("latencyMs", 0));
    });
    Ok(out)
}

fn block(list: &mut Arr<'_>, content: &Content) {
    match content {
        Content::Text(text) | Content::Refusal(text) => list.obj(|o| o.str("text", text)),
        Content::ToolCall(call) => list.obj(|o| write_call(o, call)),
        Content::Reasoning(thought) => list.obj(|o| {
            let seal = thought.seal.as_ref().map(|seal| seal.written(Format::BedrockConverse));
            write_reasoning(o, thought, seal.as_deref());
        }),
        _ => {}
    }
}
