//! A caller in either format: how it asks, and what it understands of an answer.

use std::net::SocketAddr;

use e2e::client::{Answer, Client};
use e2e::provider::Wire;
use serde_json::{Value, json};

use super::CALLER_KEY;

pub const BOTH: [Wire; 2] = [Wire::OpenAi, Wire::Anthropic];

/// The path of a call.
pub fn path(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAi => "/v1/chat/completions",
        Wire::Anthropic => "/v1/messages",
    }
}

/// The bytes of a call, shown with a key as the vendor's SDK shows it. `lines` are whole header lines.
pub fn request(wire: Wire, key: &str, lines: &[&str], body: &str) -> String {
    let shown = match wire {
        Wire::OpenAi => format!("authorization: Bearer {key}"),
        Wire::Anthropic => format!("x-api-key: {key}\r\nanthropic-version: 2023-06-01"),
    };
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "POST {} HTTP/1.1\r\nhost: gate.test\r\n{shown}\r\n{lines}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        path(wire),
        body.len()
    )
}

/// A call with the caller's key over a connection of its own.
pub fn ask(gate: SocketAddr, wire: Wire, body: &Value) -> Answer {
    Client::connect(gate).call(request(wire, CALLER_KEY, &[], &body.to_string()))
}

/// The least that asks a model to say something.
pub fn says(wire: Wire, model: &str, text: &str) -> Value {
    let messages = json!([{ "role": "user", "content": text }]);
    match wire {
        Wire::OpenAi => json!({ "model": model, "messages": messages }),
        Wire::Anthropic => json!({ "model": model, "max_tokens": 100, "messages": messages }),
    }
}

/// The same call, its answer as a stream with its usage.
pub fn streamed(wire: Wire, mut body: Value) -> Value {
    body["stream"] = true.into();
    if wire == Wire::OpenAi {
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

/// What a caller understands of an answer.
#[derive(Debug, Default, PartialEq)]
pub struct Understood {
    pub text: String,
    /// Names and arguments.
    pub calls: Vec<(String, Value)>,
    /// Their ids.
    pub ids: Vec<String>,
    pub finish: String,
    /// Tokens in and out.
    pub usage: (u64, u64),
    pub model: String,
}

/// An answer in one piece.
pub fn whole(wire: Wire, answer: &Value) -> Understood {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let mut out = Understood { model: text(&answer["model"]), ..Understood::default() };
    let usage = &answer["usage"];
    match wire {
        Wire::OpenAi => {
            assert_eq!(answer["object"], "chat.completion", "{answer}");
            let choice = &answer["choices"][0];
            out.text = text(&choice["message"]["content"]);
            out.finish = text(&choice["finish_reason"]);
            out.usage = (number(&usage["prompt_tokens"]), number(&usage["completion_tokens"]));
            for call in choice["message"]["tool_calls"].as_array().into_iter().flatten() {
                assert_eq!(call["type"], "function", "{answer}");
                let arguments = serde_json::from_str(call["function"]["arguments"].as_str().unwrap());
                out.ids.push(text(&call["id"]));
                out.calls.push((text(&call["function"]["name"]), arguments.unwrap()));
            }
        }
        Wire::Anthropic => {
            assert_eq!((&answer["type"], &answer["role"]), (&json!("message"), &json!("assistant")), "{answer}");
            out.finish = text(&answer["stop_reason"]);
            out.usage = (number(&usage["input_tokens"]), number(&usage["output_tokens"]));
            for block in answer["content"].as_array().unwrap() {
                match block["type"].as_str() {
                    Some("text") => out.text.push_str(block["text"].as_str().unwrap()),
                    Some("tool_use") => {
                        out.ids.push(text(&block["id"]));
                        out.calls.push((text(&block["name"]), block["input"].clone()));
                    }
                    other => panic!("{other:?}: {answer}"),
                }
            }
        }
    }
    out
}

/// The events of a stream: names (none in OpenAI's) and data.
pub fn events(text: &str) -> Vec<(Option<String>, Value)> {
    let mut events = Vec::new();
    for event in text.split("\n\n").filter(|event| !event.is_empty()) {
        let (mut name, mut data) = (None, String::new());
        for line in event.lines() {
            match line.split_once(": ") {
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("data", value)) => data.push_str(value),
                _ => assert!(line.starts_with(':'), "no line of a stream: {line}"),
            }
        }
        if !data.is_empty() {
            events.push((name, serde_json::from_str(&data).unwrap_or(Value::String(data))));
        }
    }
    events
}

/// A stream, put together as the vendor's SDK does.
pub fn stream(wire: Wire, text: &str) -> Understood {
    match wire {
        Wire::OpenAi => openai_stream(&events(text)),
        Wire::Anthropic => anthropic_stream(&events(text)),
    }
}

fn openai_stream(events: &[(Option<String>, Value)]) -> Understood {
    let mut out = Understood::default();
    let mut arguments: Vec<String> = Vec::new();
    let ((_, last), chunks) = events.split_last().expect("a stream has events");
    assert_eq!(last, "[DONE]");
    for (name, chunk) in chunks {
        assert_eq!((name, &chunk["object"]), (&None, &json!("chat.completion.chunk")), "{chunk}");
        out.model = chunk["model"].as_str().unwrap().to_owned();
        if let Some(tokens) = chunk["usage"]["prompt_tokens"].as_u64() {
            out.usage = (tokens, chunk["usage"]["completion_tokens"].as_u64().unwrap());
            assert_eq!(chunk["choices"], json!([]), "usage comes alone: {chunk}");
            continue;
        }
        let choice = &chunk["choices"][0];
        out.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        if let Some(finish) = choice["finish_reason"].as_str() {
            out.finish = finish.to_owned();
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if at == arguments.len() {
                out.ids.push(call["id"].as_str().expect("a call begins with its id").to_owned());
                out.calls.push((call["function"]["name"].as_str().unwrap().to_owned(), Value::Null));
                arguments.push(String::new());
            }
            arguments[at].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    for (call, text) in out.calls.iter_mut().zip(arguments) {
        call.1 = serde_json::from_str(&text).unwrap();
    }
    out
}

fn anthropic_stream(events: &[(Option<String>, Value)]) -> Understood {
    let mut out = Understood::default();
    let (mut open, mut arguments) = (None, String::new());
    for (name, event) in events {
        assert_eq!(name.as_deref(), event["type"].as_str(), "an event's name is its type");
        let index = event["index"].as_u64();
        match name.as_deref().unwrap() {
            "message_start" => {
                out.model = event["message"]["model"].as_str().unwrap().to_owned();
                out.usage.0 = event["message"]["usage"]["input_tokens"].as_u64().unwrap();
            }
            "content_block_start" => {
                assert_eq!(open, None, "blocks come one after the other");
                open = index;
                let block = &event["content_block"];
                if block["type"] == "tool_use" {
                    out.ids.push(block["id"].as_str().unwrap().to_owned());
                    out.calls.push((block["name"].as_str().unwrap().to_owned(), Value::Null));
                    arguments.clear();
                }
            }
            "content_block_delta" => {
                assert_eq!(open, index, "a delta is of the open block");
                let delta = &event["delta"];
                out.text.push_str(delta["text"].as_str().unwrap_or_default());
                arguments.push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index);
                if let Some((_, input @ Value::Null)) = out.calls.last_mut() {
                    *input = serde_json::from_str(&arguments).unwrap();
                }
            }
            "message_delta" => {
                out.finish = event["delta"]["stop_reason"].as_str().unwrap().to_owned();
                let usage = &event["usage"];
                out.usage.1 = usage["output_tokens"].as_u64().unwrap();
                out.usage.0 = usage["input_tokens"].as_u64().unwrap_or(out.usage.0);
            }
            "message_stop" | "ping" => {}
            other => panic!("{other}: {event}"),
        }
    }
    assert_eq!(events.last().and_then(|(name, _)| name.as_deref()), Some("message_stop"));
    out
}
