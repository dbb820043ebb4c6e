//! An answer in one piece.

use serde_json::Value;

use super::write::reasoning;
use crate::translate::canonical::{Choice, Content, Part, Reasoning, Seal, ToolCall};
use crate::translate::{Answer, Error, Finish, Format, Refused, Reply, Usage};
use crate::wire::json::{At, Fields, Obj, object, parse_answer, u64_of};
use crate::wire::turns::marked_call;

const FORMAT: Format = Format::OpenAiResponses;

/// Reads a provider's answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let fields = Fields::of(parse_answer(body)?, At::ROOT)?;
    if !fields.has("output") {
        return Err(fields.wrong("output", "is missing"));
    }
    Ok(of_fields(fields))
}

/// The same of a response that stands in an event.
pub(super) fn of_fields(mut fields: Fields<'_>) -> Answer {
    let mut parts = Vec::new();
    for item in fields.list("output").ok().flatten().unwrap_or_default() {
        read_item(Fields::lenient(item), &mut parts);
    }
    let called = parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
    let reason = fields.take("incomplete_details");
    let reason = reason.as_ref().and_then(|details| details.get("reason")?.as_str());
    let finish = match (fields.peek("status"), reason) {
        (Some("failed" | "cancelled"), _) => Finish::Error,
        (Some("incomplete"), Some("content_filter")) => Finish::ContentFilter,
        (Some("incomplete"), _) => Finish::Length,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    };
    let mut text = |key: &str| fields.string(key).ok().flatten();
    Answer {
        id: text("id").unwrap_or_default(),
        model: text("model").unwrap_or_default(),
        service_tier: text("service_tier"),
        created: fields.take("created_at").as_ref().and_then(u64_of),
        usage: read_usage(fields.take("usage").as_ref()),
        choices: vec![Choice { parts, finish: Some(finish), stop_sequence: None, logprobs: None }],
    }
}

/// Items of tools that the provider itself runs are passed over.
fn read_item(mut item: Fields<'_>, out: &mut Vec<Part>) {
    match item.string("type").ok().flatten().unwrap_or_default().as_str() {
        "message" => {
            for part in item.list("content").ok().flatten().unwrap_or_default() {
                let mut part = Fields::lenient(part);
                if let Ok(Some(text)) = part.string("text") {
                    out.push(Part::text(text));
                } else if let Ok(Some(text)) = part.string("refusal") {
                    out.push(Part::new(Content::Refusal(text)));
                }
            }
        }
        "function_call" => out.push(Part::new(Content::ToolCall(read_call(&mut item)))),
        "reasoning" => out.push(Part::new(Content::Reasoning(read_reasoning(&mut item)))),
        _ => {}
    }
}

/// A call as an item.
pub(super) fn read_call(item: &mut Fields<'_>) -> ToolCall {
    let mut text = |key: &str| item.string(key).ok().flatten();
    ToolCall {
        id: text("call_id").or_else(|| text("id")).unwrap_or_default(),
        name: text("name").unwrap_or_default(),
        arguments: text("arguments").unwrap_or_default(),
        seal: None,
    }
}

/// A thought as an item: what may be read of it, and its seal.
pub(super) fn read_reasoning(item: &mut Fields<'_>) -> Reasoning {
    let id = item.string("id").ok().flatten();
    let mut pieces = item.list("content").ok().flatten().unwrap_or_default();
    if pieces.is_empty() {
        pieces = item.list("summary").ok().flatten().unwrap_or_default();
    }
    let texts: Vec<&str> = pieces.iter().filter_map(|piece| piece.get("text")?.as_str()).collect();
    let text = texts.join("\n\n");
    let sealed = item.string("encrypted_content").ok().flatten().filter(|sealed| !sealed.is_empty());
    let seal = sealed.map(|sealed| packed(id.as_deref().unwrap_or_default(), sealed));
    Reasoning { hidden: text.is_empty() && seal.is_some(), text, seal, id: None }
}

/// The item's id belongs to its seal, and travels with it through formats that know no ids. A seal of another format, which
/// this one's clients give back in the same field, is known by its mark.
pub(super) fn packed(id: &str, sealed: String) -> Seal {
    let read = Seal::read(FORMAT, sealed);
    if read.origin == FORMAT { Seal { origin: FORMAT, data: format!("{id}:{}", read.data) } } else { read }
}

/// A tool call's seal as a thought of its own, after the call: the format has no place for one.
pub(super) fn call_seal(seal: &Seal, id: &str, index: usize) -> Part {
    let data = format!("rs_{id}_{index}_call:{}", marked_call(seal));
    let seal = Some(Seal { origin: FORMAT, data });
    Part::new(Content::Reasoning(Reasoning { seal, hidden: true, ..Reasoning::default() }))
}

/// Id and seal.
pub(super) fn unpacked(data: &str) -> (&str, &str) {
    data.split_once(':').unwrap_or(("rs_0", data))
}

/// What was taken.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let Some(value) = value else { return Usage::default() };
    let count = |value: &Value, key: &str| value.get(key).and_then(u64_of).unwrap_or(0);
    let none = Value::Null;
    let input = value.get("input_tokens_details").unwrap_or(&none);
    let output = value.get("output_tokens_details").unwrap_or(&none);
    Usage {
        input: count(value, "input_tokens"),
        cached_input: count(input, "cached_tokens"),
        output: count(value, "output_tokens"),
        reasoning: count(output, "reasoning_tokens"),
        ..Usage::default()
    }
}

fn write_usage(o: &mut Obj<'_>, usage: &Usage) {
    o.obj("usage", |u| {
        u.plain("input_tokens", usage.input);
        u.obj("input_tokens_details", |d| d.plain("cached_tokens", usage.cached_input));
        u.plain("output_tokens", usage.output);
        u.obj("output_tokens_details", |d| d.plain("reasoning_tokens", usage.reasoning));
        u.plain("total_tokens", usage.total());
    });
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let shown = Shown {
        id: if answer.id.is_empty() { reply.id } else { &answer.id },
        model: if reply.model.is_empty() { &answer.model } else { reply.model },
        created: answer.created.unwrap_or(reply.now),
    };
    let mut out = Vec::with_capacity(512);
    let finish = choice.finish.unwrap_or(Finish::Stop);
    let parts: Vec<Part> = choice
        .parts
        .iter()
        .enumerate()
        .flat_map(|(index, part)| {
            let seal = if let Content::ToolCall(call) = &part.content { call.seal.as_ref() } else { None };
            [Some(part.clone()), seal.map(|seal| call_seal(seal, shown.id, index))]
        })
        .flatten()
        .collect();
    object(&mut out, |o| shown.write(o, &parts, State::Done(finish, &answer.usage)));
    Ok(out)
}

/// What is the same in every appearance of a response.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    pub(super) created: u64,
}

/// How far a response is.
pub(super) enum State<'a> {
    Running,
    Done(Finish, &'a Usage),
    Failed(&'a Error),
}

impl Shown<'_> {
    /// The response. SDKs want every field to be there.
    pub(super) fn write(&self, o: &mut Obj<'_>, parts: &[Part], state: State<'_>) {
        o.str("id", self.id);
        o.str("object", "response");
        o.plain("created_at", self.created);
        let reason = match state {
            State::Done(Finish::Length, _) => Some("max_output_tokens"),
            State::Done(Finish::ContentFilter, _) => Some("content_filter"),
            _ => None,
        };
        let status = match (&state, reason) {
            (State::Running, _) => "in_progress",
            (State::Failed(_), _) => "failed",
            (_, Some(_)) => "incomplete",
            _ => "completed",
        };
        o.str("status", status);
        o.plain("background", false);
        match &state {
            State::Failed(error) => o.obj("error", |e| {
                e.str("code", error.code.as_deref().unwrap_or("server_error"));
                e.str("message", &error.message);
            }),
            _ => o.null("error"),
        }
        match reason {
            Some(reason) => o.obj("incomplete_details", |d| d.str("reason", reason)),
            None => o.null("incomplete_details"),
        }
        o.null("instructions");
        o.obj("metadata", |_| {});
        o.str("model", self.model);
        o.arr("output", |list| {
            for (index, part) in parts.iter().enumerate() {
                list.obj(|o| item(o, part, &item_id(self.id, part, index), status != "in_progress"));
            }
        });
        o.plain("parallel_tool_calls", true);
        o.null("previous_response_id");
        o.plain("store", false);
        o.null("temperature");
        o.str("tool_choice", "auto");
        o.arr("tools", |_| {});
        o.null("top_p");
        match state {
            State::Done(_, usage) => write_usage(o, usage),
            _ => o.null("usage"),
        }
    }
}

/// An item's id, made of the response's.
pub(super) fn item_id(id: &str, part: &Part, index: usize) -> String {
    let kind = match part.content {
        Content::ToolCall(_) => "fc",
        Content::Reasoning(_) => "rs",
        _ => "msg",
    };
    match &part.content {
        Content::Reasoning(Reasoning { seal: Some(seal), .. }) if seal.origin == FORMAT => {
            unpacked(&seal.data).0.to_owned()
        }
        _ => format!("{kind}_{id}_{index}"),
    }
}

/// A part as an item: each text is a message of its own, so that the order stays.
pub(super) fn item(o: &mut Obj<'_>, part: &Part, id: &str, done: bool) {
    let status = if done { "completed" } else { "in_progress" };
    match &part.content {
        Content::Reasoning(thought) => {
            let sealed = thought.seal.as_ref().map(|seal| seal.written(FORMAT));
            let sealed = sealed.as_deref().map(|sealed| {
                let own = thought.seal.as_ref().is_some_and(|seal| seal.origin == FORMAT);
                if own { unpacked(sealed).1 } else { sealed }
            });
            reasoning(o, id, &thought.text, sealed);
        }
        Content::ToolCall(call) => {
            o.str("type", "function_call");
            o.str("id", id);
            o.str("status", status);
            o.str("call_id", &call.id);
            o.str("name", &call.name);
            o.str("arguments", if call.arguments.is_empty() && done { "{}" } else { &call.arguments });
        }
        content => {
            o.str("type", "message");
            o.str("id", id);
            o.str("status", status);
            o.str("role", "assistant");
            o.arr("content", |list| {
                if done {
                    list.obj(|o| said(o, content));
                }
            });
        }
    }
}

/// Text or a refusal, as a part of a message.
pub(super) fn said(o: &mut Obj<'_>, content: &Content) {
    match content {
        Content::Refusal(text) => {
            o.str("type", "refusal");
            o.str("refusal", text);
        }
        Content::Text(text) => {
            o.str("type", "output_text");
            o.str("text", text);
            o.arr("annotations", |_| {});
            o.arr("logprobs", |_| {});
        }
        _ => {}
    }
}
