//! Anthropic's Messages. Source: its API reference, "Messages" and "Streaming messages", version 2023-06-01, and "Errors".

use serde_json::{Value, json};

use super::heard::{decoded, list, only, text};
use super::{Heard, PROVIDER_KEY, Turn};
use crate::Seen;

/// The fields of a request.
const KNOWN: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Reads a request, or refuses it with a status and the reason.
pub(super) fn read(seen: &Seen) -> Result<Heard, (u16, String)> {
    if !seen.header("x-api-key").is_some_and(|key| key.starts_with(PROVIDER_KEY)) {
        return Err((401, "invalid x-api-key".to_owned()));
    }
    if seen.header("anthropic-version") != Some("2023-06-01") {
        return Err((400, "anthropic-version: header is required".to_owned()));
    }
    let body: Value = serde_json::from_slice(&seen.body)
        .map_err(|error| (400, format!("The request body is not valid JSON: {error}")))?;
    heard(&body).map_err(|why| (400, why))
}

fn heard(body: &Value) -> Result<Heard, String> {
    only(KNOWN, body).map_err(|name| format!("{name}: Extra inputs are not permitted"))?;
    if body["max_tokens"].as_u64().unwrap_or_default() == 0 {
        return Err("max_tokens: Field required".to_owned());
    }
    if body["temperature"].as_f64().is_some_and(|value| !(0.0..=1.0).contains(&value)) {
        return Err("temperature: range: 0..1".to_owned());
    }
    let mut heard = Heard {
        model: text(body, "model")?.to_owned(),
        parallel: !body["tool_choice"]["disable_parallel_tool_use"].as_bool().unwrap_or_default(),
        schema: Some(body["output_config"]["format"]["schema"].clone()).filter(|schema| !schema.is_null()),
        stop: list(&body["stop_sequences"]).iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        stream: body["stream"].as_bool().unwrap_or_default(),
        ..Heard::default()
    };
    match &body["system"] {
        Value::Null => {}
        Value::String(text) => heard.system.push(text.clone()),
        blocks => {
            for block in list(blocks) {
                heard.system.push(text(block, "text")?.to_owned());
            }
        }
    }
    for tool in list(&body["tools"]) {
        if tool["input_schema"]["type"] != "object" {
            return Err("tools.0.custom.input_schema.type: Field required".to_owned());
        }
        heard.tools.push(text(tool, "name")?.to_owned());
    }
    if list(&body["messages"]).is_empty() {
        return Err("messages: at least one message is required".to_owned());
    }
    let mut open = Vec::new();
    for message in list(&body["messages"]) {
        message_of(message, &mut open, &mut heard)?;
    }
    if heard.begun.ends_with(char::is_whitespace) {
        return Err("messages: final assistant content cannot end with trailing whitespace".to_owned());
    }
    Ok(heard)
}

/// `open` are the calls of the turn before.
fn message_of(message: &Value, open: &mut Vec<String>, heard: &mut Heard) -> Result<(), String> {
    only(&["role", "content"], message).map_err(|name| format!("messages.0.{name}: Extra inputs are not permitted"))?;
    let blocks = match &message["content"] {
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        blocks => list(blocks).to_vec(),
    };
    if blocks.is_empty() {
        return Err("messages: all messages must have non-empty content".to_owned());
    }
    let role = text(message, "role")?;
    let (mut texts, mut images, mut results, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for block in &blocks {
        match (text(block, "type")?, role) {
            ("text", _) if text(block, "text")?.is_empty() => {
                return Err("messages: text content blocks must be non-empty".to_owned());
            }
            ("text", _) => texts.push(text(block, "text")?.to_owned()),
            ("image", "user") => images.push(image(&block["source"])?),
            ("tool_use", "assistant") if block["input"].is_object() => {
                text(block, "name")?;
                calls.push(text(block, "id")?.to_owned());
            }
            ("tool_result", "user") => {
                let id = text(block, "tool_use_id")?;
                let at = open
                    .iter()
                    .position(|known| known == id)
                    .ok_or_else(|| format!("messages: unexpected `tool_use_id` found in `tool_result` blocks: {id}"))?;
                open.remove(at);
                results.push(match &block["content"] {
                    Value::String(text) => text.clone(),
                    inner => list(inner).iter().filter_map(|one| one["text"].as_str()).collect::<Vec<_>>().join(" "),
                });
            }
            (kind, role) => return Err(format!("messages: `{kind}` blocks are not allowed for `{role}`")),
        }
    }
    if !open.is_empty() {
        return Err("messages: `tool_use` ids were found without `tool_result` blocks immediately after".to_owned());
    }
    *open = calls;
    match role {
        "user" => {
            heard.begun.clear();
            if !texts.is_empty() || !images.is_empty() {
                (heard.text, heard.images) = (texts.join(" "), images);
            }
            heard.results = results;
        }
        "assistant" => heard.begun = texts.join(""),
        other => return Err(format!("messages: Unexpected role \"{other}\".")),
    }
    Ok(())
}

fn image(source: &Value) -> Result<String, String> {
    match text(source, "type")? {
        "base64" => {
            let kind = text(source, "media_type")?;
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&kind) {
                return Err(format!("source.base64.media_type: Input should be 'image/jpeg' …, not {kind}"));
            }
            Ok(format!("{kind} of {} bytes", decoded(text(source, "data")?)?))
        }
        "url" => Ok(text(source, "url")?.to_owned()),
        other => Err(format!("source: Input tag '{other}' found using 'type' does not match")),
    }
}

fn stop(turn: &Turn, heard: &Heard) -> (Value, Value) {
    match heard.stops_at() {
        _ if !turn.calls.is_empty() => ("tool_use".into(), Value::Null),
        Some(stop) => ("stop_sequence".into(), stop.into()),
        None => ("end_turn".into(), Value::Null),
    }
}

fn usage(input: u64, output: u64) -> Value {
    json!({
        "input_tokens": input, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 },
        "output_tokens": output, "service_tier": "standard"
    })
}

/// An answer in one piece.
pub(super) fn whole(turn: &Turn, heard: &Heard) -> String {
    let mut content = Vec::new();
    if !turn.text.is_empty() {
        content.push(json!({ "type": "text", "text": turn.text }));
    }
    for (at, (name, input)) in turn.calls.iter().enumerate() {
        content.push(json!({ "type": "tool_use", "id": format!("toolu_{at}"), "name": name, "input": input }));
    }
    let (reason, sequence) = stop(turn, heard);
    let (input, output) = turn.usage;
    json!({
        "id": "msg_whole", "type": "message", "role": "assistant", "model": heard.model, "content": content,
        "stop_reason": reason, "stop_sequence": sequence, "usage": usage(input, output)
    })
    .to_string()
}

/// The events of a stream.
pub(super) fn events(turn: &Turn, heard: &Heard) -> Vec<String> {
    let event = |kind: &str, mut value: Value| {
        value["type"] = kind.into();
        format!("event: {kind}\ndata: {value}\n\n")
    };
    let (input, output) = turn.usage;
    let message = json!({
        "id": "msg_stream", "type": "message", "role": "assistant", "model": heard.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(input, 1)
    });
    let mut events = vec![event("message_start", json!({ "message": message }))];
    let mut block = |index: usize, block: Value, deltas: Vec<Value>| {
        events.push(event("content_block_start", json!({ "index": index, "content_block": block })));
        if index == 0 {
            events.push(event("ping", json!({})));
        }
        for delta in deltas {
            events.push(event("content_block_delta", json!({ "index": index, "delta": delta })));
        }
        events.push(event("content_block_stop", json!({ "index": index })));
    };
    let mut next = 0;
    if !turn.text.is_empty() {
        let words = turn.pieces().map(|word| json!({ "type": "text_delta", "text": word }));
        block(next, json!({ "type": "text", "text": "" }), words.collect());
        next += 1;
    }
    for (at, (name, input)) in turn.calls.iter().enumerate() {
        let text = input.to_string();
        let pieces = std::iter::once(String::new())
            .chain(text.as_bytes().chunks(5).map(|piece| String::from_utf8_lossy(piece).into_owned()));
        let deltas = pieces.map(|piece| json!({ "type": "input_json_delta", "partial_json": piece })).collect();
        block(next, json!({ "type": "tool_use", "id": format!("toolu_{at}"), "name": name, "input": {} }), deltas);
        next += 1;
    }
    let (reason, sequence) = stop(turn, heard);
    let delta = json!({ "stop_reason": reason, "stop_sequence": sequence });
    events.push(event("message_delta", json!({ "delta": delta, "usage": { "output_tokens": output } })));
    events.push(event("message_stop", json!({})));
    events
}

/// A failure as the reference words it.
pub(super) fn error(status: u16, message: Option<&str>, model: &str) -> String {
    let missing = format!("model: {model}");
    let (kind, said) = match status {
        400 => ("invalid_request_error", "temperature: range: 0..1"),
        401 => ("authentication_error", "invalid x-api-key"),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
        404 => ("not_found_error", missing.as_str()),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => {
            ("rate_limit_error", "This request would exceed your organization's rate limit of 3 requests per minute.")
        }
        529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    let error = json!({ "type": kind, "message": message.unwrap_or(said) });
    json!({ "type": "error", "error": error, "request_id": "req_failed" }).to_string()
}
