//! OpenAI's Chat Completions. Source: its API reference, "Create chat completion", and "Error codes".

use serde_json::{Value, json};

use super::heard::{decoded, list, only, text};
use super::{Heard, PROVIDER_KEY, Turn};
use crate::Seen;

/// The fields of a request.
const KNOWN: &[&str] = &[
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Reads a request, or refuses it with a status and the reason.
pub(super) fn read(seen: &Seen, heard: fn(&Value) -> Result<Heard, String>) -> Result<Heard, (u16, String)> {
    let key = seen.header("authorization").unwrap_or_default();
    let azure = seen.header("api-key").is_some_and(|key| key.starts_with(PROVIDER_KEY));
    if !azure && !key.strip_prefix("Bearer ").is_some_and(|key| key.starts_with(PROVIDER_KEY)) {
        let shown: String = key.chars().take(15).collect();
        let why = format!(
            "Incorrect API key provided: {shown}***. You can find your API key at https://platform.openai.com/account/api-keys."
        );
        return Err((401, why));
    }
    let body: Value = serde_json::from_slice(&seen.body)
        .map_err(|error| (400, format!("We could not parse the JSON body of your request: {error}")))?;
    heard(&body).map_err(|why| (400, why))
}

/// What a request says, or why it is none.
pub(super) fn heard(body: &Value) -> Result<Heard, String> {
    only(KNOWN, body).map_err(|name| format!("Unrecognized request argument supplied: {name}"))?;
    let stream = body["stream"].as_bool().unwrap_or_default();
    if !stream && !body["stream_options"].is_null() {
        return Err("The 'stream_options' parameter is only allowed when 'stream' is enabled.".to_owned());
    }
    let format = &body["response_format"];
    let schema = match format["type"].as_str() {
        None | Some("text" | "json_object") => None,
        Some("json_schema") => {
            text(&format["json_schema"], "name")?;
            Some(format["json_schema"]["schema"].clone())
        }
        Some(other) => {
            return Err(format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'."
            ));
        }
    };
    let mut heard = Heard {
        model: text(body, "model")?.to_owned(),
        parallel: body["parallel_tool_calls"].as_bool().unwrap_or(true),
        schema,
        stop: match &body["stop"] {
            Value::String(one) => vec![one.clone()],
            many => list(many).iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        },
        stream,
        include_usage: body["stream_options"]["include_usage"].as_bool().unwrap_or_default(),
        ..Heard::default()
    };
    for tool in list(&body["tools"]) {
        if tool["type"] != "function" || !tool["function"]["parameters"].is_object() {
            return Err(format!("Invalid tool: {tool}"));
        }
        heard.tools.push(text(&tool["function"], "name")?.to_owned());
    }
    if list(&body["messages"]).is_empty() {
        return Err("Invalid 'messages': empty array. Expected an array with minimum length 1.".to_owned());
    }
    messages(list(&body["messages"]), &mut heard)?;
    Ok(heard)
}

fn messages(messages: &[Value], heard: &mut Heard) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    for message in messages {
        let role = text(message, "role")?;
        if role != "tool" && !open.is_empty() {
            return Err(format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
                open.join(", ")
            ));
        }
        match role {
            "system" | "developer" => heard.system.push(said(&message["content"])?.0),
            "user" => {
                heard.results.clear();
                (heard.text, heard.images) = said(&message["content"])?;
            }
            "assistant" => {
                for call in list(&message["tool_calls"]) {
                    let arguments = text(&call["function"], "arguments")?;
                    serde_json::from_str::<Value>(arguments).map_err(|error| format!("arguments: {error}"))?;
                    open.push(text(call, "id")?.to_owned());
                }
                if open.is_empty() && message["content"].is_null() && message["refusal"].is_null() {
                    return Err("Invalid value for 'content': expected a string, got null.".to_owned());
                }
            }
            "tool" => {
                let id = text(message, "tool_call_id")?;
                let at = open.iter().position(|known| known == id).ok_or("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")?;
                open.remove(at);
                let (result, _) = said(&message["content"])?;
                heard.results.push(result);
            }
            other => {
                return Err(format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
                ));
            }
        }
    }
    Ok(())
}

/// Text and images.
fn said(content: &Value) -> Result<(String, Vec<String>), String> {
    if let Some(text) = content.as_str() {
        return Ok((text.to_owned(), Vec::new()));
    }
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in content.as_array().ok_or_else(|| format!("Invalid content: {content}"))? {
        match text(part, "type")? {
            "text" => texts.push(text(part, "text")?),
            "image_url" => {
                let url = text(&part["image_url"], "url")?;
                images.push(match url.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) {
                    Some((kind, data)) => format!("{kind} of {} bytes", decoded(data)?),
                    None if url.starts_with("http") => url.to_owned(),
                    None => return Err(format!("Failed to download image from {url}.")),
                });
            }
            other => return Err(format!("Invalid value: '{other}'.")),
        }
    }
    Ok((texts.join(" "), images))
}

fn finish(turn: &Turn) -> &'static str {
    if turn.calls.is_empty() { "stop" } else { "tool_calls" }
}

fn usage(turn: &Turn) -> Value {
    let (input, output) = turn.usage;
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
        }
    })
}

/// An answer in one piece, laid out as the vendor does.
pub(super) fn whole(turn: &Turn, heard: &Heard) -> String {
    let calls = turn.calls.iter().enumerate().map(|(at, (name, arguments))| {
        json!({ "id": format!("call_{at}"), "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() } })
    });
    let calls: Vec<Value> = calls.collect();
    let content = if turn.text.is_empty() { Value::Null } else { turn.text.clone().into() };
    let mut message = json!({ "role": "assistant", "content": content, "refusal": null, "annotations": [] });
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let answer = json!({
        "id": "chatcmpl-whole", "object": "chat.completion", "created": 1_700_000_000, "model": heard.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(turn) }],
        "usage": usage(turn), "service_tier": "default", "system_fingerprint": "fp_1"
    });
    serde_json::to_string_pretty(&answer).expect("it is JSON") + "\n"
}

/// The events of a stream.
pub(super) fn events(turn: &Turn, heard: &Heard) -> Vec<String> {
    let event = |choices: Value, last: Option<Value>| {
        let mut chunk = json!({
            "id": "chatcmpl-stream", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": heard.model, "service_tier": "default", "system_fingerprint": "fp_1", "choices": choices
        });
        if heard.include_usage {
            chunk["usage"] = last.unwrap_or_default();
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        event(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]), None)
    };
    let mut events = Vec::new();
    let content = if turn.text.is_empty() { Value::Null } else { "".into() };
    events.push(delta(json!({ "role": "assistant", "content": content, "refusal": null }), Value::Null));
    events.extend(turn.pieces().map(|word| delta(json!({ "content": word }), Value::Null)));
    for (at, (name, arguments)) in turn.calls.iter().enumerate() {
        let call = json!({ "index": at, "id": format!("call_{at}"), "type": "function",
                           "function": { "name": name, "arguments": "" } });
        events.push(delta(json!({ "tool_calls": [call] }), Value::Null));
        for piece in arguments.to_string().as_bytes().chunks(5) {
            let piece = String::from_utf8_lossy(piece);
            let call = json!({ "index": at, "function": { "arguments": piece } });
            events.push(delta(json!({ "tool_calls": [call] }), Value::Null));
        }
    }
    events.push(delta(json!({}), finish(turn).into()));
    if heard.include_usage {
        events.push(event(json!([]), Some(usage(turn))));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// A failure as the reference words it.
pub(super) fn error(status: u16, message: Option<&str>, model: &str) -> String {
    let missing = format!("The model `{model}` does not exist or you do not have access to it.");
    let (said, kind, code) = match status {
        400 if message.is_some_and(|message| message.contains("content management policy")) => {
            ("The response was filtered.", "invalid_request_error", "content_filter")
        }
        400 => {
            ("Invalid 'temperature': decimal above maximum value.", "invalid_request_error", "decimal_above_max_value")
        }
        401 => ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        403 => {
            ("Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory")
        }
        404 => (missing.as_str(), "invalid_request_error", "model_not_found"),
        429 => (
            "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 7s.",
            "requests",
            "rate_limit_exceeded",
        ),
        503 => ("The engine is currently overloaded, please try again later", "server_error", ""),
        _ => ("The server had an error while processing your request. Sorry about that!", "server_error", ""),
    };
    let code = if code.is_empty() { Value::Null } else { code.into() };
    let error = json!({ "message": message.unwrap_or(said), "type": kind, "param": null, "code": code });
    serde_json::to_string_pretty(&json!({ "error": error })).expect("it is JSON")
}
