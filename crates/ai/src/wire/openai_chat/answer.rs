//! An answer in one piece.

use serde_json::Value;

use super::read::tool_seal;
use super::write::arguments;
use crate::translate::canonical::{Choice, Content, Part, Reasoning, Seal, ToolCall};
use crate::translate::{Answer, Finish, Format, Refused, Reply, Usage};
use crate::wire::json::{At, Fields, Obj, object, parse_answer, u64_of};

/// Most choices that are read.
pub(super) const CHOICES: usize = 128;

/// Reads a provider's answer.
pub(crate) fn read_answer(body: &[u8]) -> Result<Answer, Refused> {
    let mut fields = Fields::of(parse_answer(body)?, At::ROOT)?;
    let list = fields.list("choices")?.ok_or_else(|| fields.wrong("choices", "is missing"))?;
    let mut answer = Answer {
        id: fields.string("id")?.unwrap_or_default(),
        model: fields.string("model")?.unwrap_or_default(),
        created: fields.take("created").as_ref().and_then(u64_of),
        choices: Vec::new(),
        usage: read_usage(fields.take("usage").as_ref()),
        service_tier: fields.string("service_tier").ok().flatten(),
    };
    for value in list.into_iter().take(CHOICES) {
        answer.choices.push(choice(value)?);
    }
    Ok(answer)
}

fn choice(value: Value) -> Result<Choice, Refused> {
    let mut fields = Fields::lenient(value);
    let mut message = Fields::lenient(fields.take("message").unwrap_or_default());
    let mut parts = reasoning(&mut message);
    match message.take("content") {
        Some(Value::String(text)) if !text.is_empty() => parts.push(Part::text(text)),
        // Mistral's thinking models answer in parts.
        Some(Value::Array(items)) => parts.extend(items.into_iter().filter_map(said)),
        _ => {}
    }
    if let Some(refusal) = message.string("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::new(Content::Refusal(refusal)));
    }
    let calls = message.list("tool_calls")?.unwrap_or_default();
    let called = !calls.is_empty();
    for (index, value) in calls.into_iter().enumerate() {
        parts.push(Part::new(Content::ToolCall(call(value, index)?)));
    }
    let finish = fields.string("finish_reason")?.map(|word| read_finish(&word, called));
    let logprobs = fields.take("logprobs");
    Ok(Choice { parts, finish, stop_sequence: None, logprobs })
}

fn said(item: Value) -> Option<Part> {
    let mut item = Fields::lenient(item);
    match item.peek("type") {
        Some("text") => item.string("text").ok().flatten().map(Part::text),
        Some("thinking") => {
            let pieces = item.list("thinking").ok().flatten().unwrap_or_default();
            let text: String = pieces.iter().filter_map(|piece| piece.get("text")?.as_str()).collect();
            Some(Part::new(Content::Reasoning(plain(text))))
        }
        _ => None,
    }
}

fn call(value: Value, index: usize) -> Result<ToolCall, Refused> {
    let mut call = Fields::lenient(value);
    let seal = tool_seal(call.take("extra_content").as_ref());
    let mut function = Fields::lenient(call.take("function").unwrap_or_default());
    let arguments = match function.take("arguments") {
        Some(Value::String(text)) => text,
        // Some hosts give the object itself.
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let id = call.string("id")?.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{index}"));
    Ok(ToolCall { id, name: function.needed("name")?, arguments, seal })
}

/// Hosts are at odds over whether an answer that calls tools ends in `stop`.
pub(super) fn read_finish(word: &str, called: bool) -> Finish {
    match word {
        "stop" | "eos" | "end_turn" if called => Finish::ToolCalls,
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::ContentFilter,
        "error" | "network_error" | "insufficient_system_resource" => Finish::Error,
        _ => Finish::Stop,
    }
}

/// The set of this format has no word for a refusal: it is a field of the message.
pub(super) const fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::Refusal | Finish::Pause | Finish::Error => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

/// Thoughts in words that no provider sealed: they belong to hosts of this format.
pub(super) fn plain(text: String) -> Reasoning {
    let seal = Some(Seal { origin: Format::OpenAiChat, data: String::new() });
    Reasoning { text, seal, hidden: false, id: None }
}

/// `reasoning_details`, else `reasoning_content` or `reasoning`, of a message or a delta.
pub(super) fn reasoning(message: &mut Fields<'_>) -> Vec<Part> {
    let text = ["reasoning_content", "reasoning"].iter().find_map(|key| match message.take(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    });
    let details = if let Some(Value::Array(items)) = message.take("reasoning_details") { items } else { Vec::new() };
    let mut thoughts: Vec<(Option<u64>, Reasoning)> = Vec::new();
    for item in details {
        let mut item = Fields::lenient(item);
        let index = item.take("index").as_ref().and_then(u64_of);
        let hidden = item.peek("type") == Some("reasoning.encrypted");
        let words = ["text", "summary"].iter().find_map(|key| item.string(key).ok().flatten()).unwrap_or_default();
        let data = item.string(if hidden { "data" } else { "signature" }).ok().flatten();
        let seal = data.filter(|data| !data.is_empty()).map(|data| Seal::read(Format::OpenAiChat, data));
        // Clients give back the pieces of a stream as they came: those of one index are one thought.
        match thoughts
            .last_mut()
            .filter(|(last, thought)| index.is_some() && *last == index && thought.hidden == hidden)
        {
            Some((_, thought)) => {
                thought.text.push_str(&words);
                thought.seal = seal.or(thought.seal.take());
            }
            None => thoughts.push((index, Reasoning { text: words, seal, hidden, id: None })),
        }
    }
    match (thoughts.as_mut_slice(), text) {
        ([], Some(text)) => return vec![Part::new(Content::Reasoning(plain(text)))],
        ([(_, only)], Some(text)) if only.text.is_empty() && !only.hidden => only.text = text,
        _ => {}
    }
    thoughts.into_iter().map(|(_, thought)| Part::new(Content::Reasoning(thought))).collect()
}

/// The same, written. Seals go into `reasoning_details`, so that a client can give them back.
pub(super) fn write_reasoning(o: &mut Obj<'_>, thoughts: &[&Reasoning]) {
    let text: String = thoughts.iter().map(|thought| thought.text.as_str()).collect();
    if !text.is_empty() {
        o.str("reasoning_content", &text);
    }
    let sealed =
        |thought: &&Reasoning| thought.seal.as_ref().is_some_and(|seal| !seal.written(Format::OpenAiChat).is_empty());
    if !thoughts.iter().any(sealed) {
        return;
    }
    o.arr("reasoning_details", |list| {
        for (index, thought) in thoughts.iter().enumerate() {
            list.obj(|o| detail(o, thought, index));
        }
    });
}

fn detail(o: &mut Obj<'_>, thought: &Reasoning, index: usize) {
    let seal = thought.seal.as_ref().map(|seal| seal.written(Format::OpenAiChat));
    if thought.hidden {
        o.str("type", "reasoning.encrypted");
        o.opt_str("data", seal.as_deref());
    } else {
        o.str("type", "reasoning.text");
        o.str("text", &thought.text);
        o.opt_str("signature", seal.as_deref());
    }
    o.plain("index", index);
}

/// What was taken, in the words of OpenAI and those of the hosts that differ.
pub(crate) fn read_usage(value: Option<&Value>) -> Usage {
    let Some(value) = value else { return Usage::default() };
    let count = |value: &Value, key: &str| value.get(key).and_then(u64_of).unwrap_or(0);
    let none = Value::Null;
    let prompt = value.get("prompt_tokens_details").unwrap_or(&none);
    let completion = value.get("completion_tokens_details").unwrap_or(&none);
    Told {
        prompt_tokens: count(value, "prompt_tokens"),
        completion_tokens: count(value, "completion_tokens"),
        total_tokens: count(value, "total_tokens"),
        prompt_cache_hit_tokens: count(value, "prompt_cache_hit_tokens"),
        cached_tokens: count(value, "cached_tokens"),
        prompt_tokens_details: OfPrompt {
            cached_tokens: count(prompt, "cached_tokens"),
            cache_write_tokens: count(prompt, "cache_write_tokens"),
            audio_tokens: count(prompt, "audio_tokens"),
        },
        completion_tokens_details: OfCompletion {
            reasoning_tokens: count(completion, "reasoning_tokens"),
            audio_tokens: count(completion, "audio_tokens"),
        },
    }
    .usage()
}

/// What hosts tell of what was taken.
#[derive(Default)]
pub(super) struct Told {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) total_tokens: u64,
    /// DeepSeek's.
    pub(super) prompt_cache_hit_tokens: u64,
    /// Moonshot's.
    pub(super) cached_tokens: u64,
    pub(super) prompt_tokens_details: OfPrompt,
    pub(super) completion_tokens_details: OfCompletion,
}

#[derive(Default, Clone, Copy)]
pub(super) struct OfPrompt {
    pub(super) cached_tokens: u64,
    pub(super) cache_write_tokens: u64,
    pub(super) audio_tokens: u64,
}

#[derive(Default, Clone, Copy)]
pub(super) struct OfCompletion {
    pub(super) reasoning_tokens: u64,
    pub(super) audio_tokens: u64,
}

impl Told {
    pub(super) fn usage(&self) -> Usage {
        let (prompt, completion) = (self.prompt_tokens_details, self.completion_tokens_details);
        let mut usage = Usage {
            input: self.prompt_tokens,
            cached_input: prompt.cached_tokens.max(self.prompt_cache_hit_tokens).max(self.cached_tokens),
            cache_write: prompt.cache_write_tokens,
            cache_write_hour: 0,
            output: self.completion_tokens,
            reasoning: completion.reasoning_tokens,
            audio_input: prompt.audio_tokens,
            audio_output: completion.audio_tokens,
        };
        // xAI counts thought beside the completion, not in it: the total tells.
        if usage.reasoning > 0 && self.total_tokens == usage.input + usage.output + usage.reasoning {
            usage.output += usage.reasoning;
        }
        usage
    }
}

/// What was taken.
pub(super) fn write_usage(o: &mut Obj<'_>, usage: &Usage) {
    o.obj("usage", |u| {
        u.plain("prompt_tokens", usage.input);
        u.plain("completion_tokens", usage.output);
        u.plain("total_tokens", usage.total());
        u.obj("prompt_tokens_details", |d| {
            d.plain("cached_tokens", usage.cached_input);
            if usage.cache_write > 0 {
                d.plain("cache_write_tokens", usage.cache_write);
            }
            d.plain("audio_tokens", usage.audio_input);
        });
        u.obj("completion_tokens_details", |d| {
            d.plain("reasoning_tokens", usage.reasoning);
            d.plain("audio_tokens", usage.audio_output);
        });
    });
}

/// Writes an answer for a caller.
pub(crate) fn write_answer(answer: &Answer, reply: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.str("id", if answer.id.is_empty() { reply.id } else { &answer.id });
        o.str("object", "chat.completion");
        o.plain("created", answer.created.unwrap_or(reply.now));
        o.str("model", if reply.model.is_empty() { &answer.model } else { reply.model });
        o.arr("choices", |list| {
            for (index, choice) in answer.choices.iter().enumerate() {
                list.obj(|o| {
                    o.plain("index", index);
                    o.obj("message", |m| message(m, &choice.parts));
                    match &choice.logprobs {
                        Some(logprobs) => o.value("logprobs", logprobs),
                        None => o.null("logprobs"),
                    }
                    o.str("finish_reason", finish_word(choice.finish.unwrap_or(Finish::Stop)));
                });
            }
        });
        write_usage(o, &answer.usage);
    });
    Ok(out)
}

fn message(m: &mut Obj<'_>, parts: &[Part]) {
    m.str("role", "assistant");
    let mut text = String::new();
    let mut refusal = None;
    let mut thoughts = Vec::new();
    let mut calls = Vec::new();
    for part in parts {
        match &part.content {
            Content::Text(more) => text.push_str(more),
            Content::Refusal(more) => refusal = Some(more.as_str()),
            Content::Reasoning(thought) => thoughts.push(thought),
            Content::ToolCall(call) => calls.push(call),
            _ => {}
        }
    }
    if text.is_empty() && (!calls.is_empty() || refusal.is_some()) {
        m.null("content");
    } else {
        m.str("content", &text);
    }
    match refusal {
        Some(refusal) => m.str("refusal", refusal),
        None => m.null("refusal"),
    }
    write_reasoning(m, &thoughts);
    if calls.is_empty() {
        return;
    }
    m.arr("tool_calls", |list| {
        for call in calls {
            list.obj(|o| {
                o.str("id", &call.id);
                o.str("type", "function");
                o.obj("function", |f| {
                    f.str("name", &call.name);
                    f.str("arguments", arguments(&call.arguments));
                });
                if let Some(seal) = &call.seal {
                    let data = seal.written(Format::OpenAiChat);
                    o.obj("extra_content", |e| e.obj("google", |g| g.str("thought_signature", &data)));
                }
            });
        }
    });
}
