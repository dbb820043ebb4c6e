//! An answer in one piece.

use serde_json::Value;

use super::write::write_call;
use crate::translate::canonical::{Choice, Content, Part, Reasoning, Seal, ToolCall};
use crate::translate::{Answer, Finish, Format, Refused, Reply, Usage};
use crate::wire::json::{At, Fields, Obj, object, parse_answer, u64_of};
use crate::wire::turns::{answer_holds, marked_call};

const FORMAT: Format = Format::AnthropicMessages;

/// Reads a provider's answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let mut fields = Fields::of(parse_answer(body)?, At::ROOT)?;
    let blocks = fields.list("content")?.ok_or_else(|| fields.wrong("content", "is missing"))?;
    let parts = blocks.into_iter().filter_map(part).collect();
    let usage = fields.take("usage");
    Ok(Answer {
        id: fields.string("id")?.unwrap_or_default(),
        model: fields.string("model")?.unwrap_or_default(),
        created: None,
        choices: vec![Choice {
            parts,
            finish: fields.string("stop_reason")?.map(|word| read_finish(&word)),
            stop_sequence: fields.string("stop_sequence")?,
            logprobs: None,
        }],
        usage: read_usage(usage.as_ref()),
        service_tier: usage.as_ref().and_then(|usage| Some(usage.get("service_tier")?.as_str()?.to_owned())),
    })
}

/// Blocks of tools that the provider itself runs are passed over.
fn part(value: Value) -> Option<Part> {
    let mut block = Fields::lenient(value);
    let mut text = |key: &str| block.string(key).ok().flatten();
    let content = match text("type")?.as_str() {
        "text" => Content::Text(text("text")?),
        "thinking" => {
            let seal = text("signature").filter(|data| !data.is_empty()).map(|data| Seal::read(FORMAT, data));
            Content::Reasoning(Reasoning { text: text("thinking")?, seal, hidden: false, id: None })
        }
        "redacted_thinking" => {
            let seal = Some(Seal::read(FORMAT, text("data")?));
            Content::Reasoning(Reasoning { text: String::new(), seal, hidden: true, id: None })
        }
        "tool_use" => Content::ToolCall(ToolCall {
            id: text("id")?,
            name: text("name")?,
            arguments: block.take("input").map(|input| input.to_string()).unwrap_or_default(),
            seal: None,
        }),
        _ => return None,
    };
    Some(Part::new(content))
}

/// Why it ended.
pub(super) fn read_finish(word: &str) -> Finish {
    match word {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Refusal,
        "pause_turn" => Finish::Pause,
        _ => Finish::Stop,
    }
}

/// The word for it. What a provider held back is a refusal here.
pub(super) const fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Error => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "refusal",
        Finish::Pause => "pause_turn",
    }
}

/// What was taken: `input_tokens` leaves out what was read from the cache or written to it.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let Some(value) = value else { return Usage::default() };
    let count = |key: &str| value.get(key).and_then(u64_of).unwrap_or(0);
    let cached_input = count("cache_read_input_tokens");
    let cache_write = count("cache_creation_input_tokens");
    let hour = value.get("cache_creation").and_then(|kinds| kinds.get("ephemeral_1h_input_tokens")).and_then(u64_of);
    Usage {
        input: count("input_tokens").saturating_add(cached_input).saturating_add(cache_write),
        cached_input,
        cache_write,
        cache_write_hour: hour.unwrap_or(0),
        output: count("output_tokens"),
        ..Usage::default()
    }
}

/// What was taken.
pub(super) fn write_usage(o: &mut Obj<'_>, usage: &Usage) {
    o.obj("usage", |u| {
        let apart = usage.cached_input.saturating_add(usage.cache_write);
        u.plain("input_tokens", usage.input.saturating_sub(apart));
        u.plain("cache_creation_input_tokens", usage.cache_write);
        u.plain("cache_read_input_tokens", usage.cached_input);
        u.plain("output_tokens", usage.output);
    });
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    answer_holds(answer)?;
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.str("id", if answer.id.is_empty() { reply.id } else { &answer.id });
        o.str("type", "message");
        o.str("role", "assistant");
        o.str("model", if reply.model.is_empty() { &answer.model } else { reply.model });
        o.arr("content", |list| {
            for part in choice.parts.iter().filter(|part| part.as_text() != Some("")) {
                if let Content::ToolCall(call) = &part.content
                    && let Some(seal) = &call.seal
                {
                    list.obj(|o| call_seal(o, seal));
                }
                if matches!(
                    part.content,
                    Content::Text(_) | Content::Refusal(_) | Content::ToolCall(_) | Content::Reasoning(_)
                ) {
                    list.obj(|o| block(o, &part.content));
                }
            }
        });
        o.str("stop_reason", finish_word(finish(choice)));
        match &choice.stop_sequence {
            Some(stop) => o.str("stop_sequence", stop),
            None => o.null("stop_sequence"),
        }
        write_usage(o, &answer.usage);
    });
    Ok(out)
}

/// A message that declines is a refusal here, whatever the provider called its end.
fn finish(choice: &Choice) -> Finish {
    let finish = choice.finish.unwrap_or(Finish::Stop);
    let declines = choice.parts.iter().any(|part| matches!(part.content, Content::Refusal(_)));
    if declines && finish == Finish::Stop { Finish::Refusal } else { finish }
}

/// A thought without words.
pub(super) fn hidden(o: &mut Obj<'_>, seal: &Seal) {
    o.str("type", "redacted_thinking");
    o.str("data", &seal.written(FORMAT));
}

/// A tool call's seal as a block: the format has no place for one.
pub(super) fn call_seal(o: &mut Obj<'_>, seal: &Seal) {
    o.str("type", "redacted_thinking");
    o.str("data", &marked_call(seal));
}

fn block(o: &mut Obj<'_>, content: &Content) {
    match content {
        Content::Text(text) | Content::Refusal(text) => {
            o.str("type", "text");
            o.str("text", text);
        }
        Content::Reasoning(thought) => match &thought.seal {
            Some(seal) if thought.hidden => hidden(o, seal),
            seal => {
                o.str("type", "thinking");
                o.str("thinking", &thought.text);
                o.str("signature", &seal.as_ref().map(|seal| seal.written(FORMAT)).unwrap_or_default());
            }
        },
        Content::ToolCall(call) => {
            write_call(o, call);
        }
        _ => {}
    }
}
