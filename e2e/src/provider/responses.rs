//! OpenAI's Responses. Source: its API reference, "Create a model response" and "Streaming events".

use serde_json::{Value, json};

use super::heard::{decoded, list, only, text};
use super::{Heard, Turn};

/// The fields of a request.
const KNOWN: &[&str] = &[
    "background",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "service_tier",
    "store",
    "stream",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

/// Reads a request, or says why it is none.
pub(super) fn heard(body: &Value) -> Result<Heard, String> {
    only(KNOWN, body).map_err(|name| format!("Unknown parameter: '{name}'."))?;
    let format = &body["text"]["format"];
    let mut heard = Heard {
        model: text(body, "model")?.to_owned(),
        parallel: body["parallel_tool_calls"].as_bool().unwrap_or(true),
        schema: (format["type"] == "json_schema").then(|| format["schema"].clone()),
        stream: body["stream"].as_bool().unwrap_or_default(),
        include_usage: true,
        ..Heard::default()
    };
    heard.system.extend(body["instructions"].as_str().map(str::to_owned));
    for tool in list(&body["tools"]) {
        if tool["type"] != "function" || !tool["parameters"].is_object() {
            return Err(format!("Invalid tool: {tool}"));
        }
        heard.tools.push(text(tool, "name")?.to_owned());
    }
    if let Some(text) = body["input"].as_str() {
        heard.text = text.to_owned();
        return Ok(heard);
    }
    let mut open: Vec<&str> = Vec::new();
    for item in list(&body["input"]) {
        match item["type"].as_str().unwrap_or("message") {
            "message" => message(item, &mut heard)?,
            "function_call" => {
                serde_json::from_str::<Value>(text(item, "arguments")?).map_err(|error| error.to_string())?;
                open.push(text(item, "call_id")?);
            }
            "function_call_output" => {
                let id = text(item, "call_id")?;
                let at = open.iter().position(|known| *known == id);
                open.remove(
                    at.ok_or_else(|| format!("No tool call found for function call output with call_id {id}."))?,
                );
                heard.results.push(text(item, "output")?.to_owned());
            }
            other => return Err(format!("Invalid value: '{other}'.")),
        }
    }
    match open.first() {
        Some(id) => Err(format!("No tool output found for function call {id}.")),
        None => Ok(heard),
    }
}

fn message(item: &Value, heard: &mut Heard) -> Result<(), String> {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    match item["content"].as_str() {
        Some(one) => texts.push(one),
        None => {
            for part in list(&item["content"]) {
                match text(part, "type")? {
                    "input_text" | "output_text" => texts.push(text(part, "text")?),
                    "input_image" => {
                        let url = text(part, "image_url")?;
                        images.push(match url.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) {
                            Some((kind, data)) => format!("{kind} of {} bytes", decoded(data)?),
                            None => url.to_owned(),
                        });
                    }
                    other => return Err(format!("Invalid value: '{other}'.")),
                }
            }
        }
    }
    match text(item, "role")? {
        "system" | "developer" => heard.system.push(texts.join(" ")),
        "user" => {
            heard.results.clear();
            (heard.text, heard.images) = (texts.join(" "), images);
        }
        _ => {}
    }
    Ok(())
}

/// The items of an answer.
fn items(turn: &Turn) -> Vec<Value> {
    let mut items = Vec::new();
    if !turn.text.is_empty() {
        items.push(json!({ "id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [
            { "type": "output_text", "text": turn.text, "annotations": [], "logprobs": [] }] }));
    }
    items.extend(turn.calls.iter().enumerate().map(|(at, (name, arguments))| {
        json!({ "id": format!("fc_{at}"), "type": "function_call", "status": "completed",
                "call_id": format!("call_{at}"), "name": name, "arguments": arguments.to_string() })
    }));
    items
}

fn response(turn: &Turn, heard: &Heard, status: &str, output: Vec<Value>) -> Value {
    let (input, out) = turn.usage;
    let usage = json!({ "input_tokens": input, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": out,
                        "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": input + out });
    json!({ "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status, "error": null,
            "incomplete_details": null, "instructions": null, "max_output_tokens": null, "model": heard.model,
            "output": output, "parallel_tool_calls": heard.parallel, "previous_response_id": null,
            "reasoning": { "effort": null, "summary": null }, "store": false, "temperature": 1.0,
            "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "truncation": "disabled", "usage": if status == "completed" { usage } else { Value::Null },
            "user": null, "metadata": {} })
}

/// An answer in one piece, laid out as the vendor does.
pub(super) fn whole(turn: &Turn, heard: &Heard) -> String {
    serde_json::to_string_pretty(&response(turn, heard, "completed", items(turn))).expect("it is JSON") + "\n"
}

/// The events of a stream.
pub(super) fn events(turn: &Turn, heard: &Heard) -> Vec<String> {
    let mut events: Vec<Value> = Vec::new();
    let begun = || response(turn, heard, "in_progress", Vec::new());
    events.push(json!({ "type": "response.created", "response": begun() }));
    events.push(json!({ "type": "response.in_progress", "response": begun() }));
    for (index, item) in items(turn).into_iter().enumerate() {
        let id = item["id"].clone();
        let mut open = item.clone();
        open["status"] = "in_progress".into();
        if item["type"] == "message" {
            open["content"] = json!([]);
            events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": open }));
            let part = |kind: &str, text: &str| {
                json!({ "type": kind, "item_id": id, "output_index": index, "content_index": 0,
                        "part": { "type": "output_text", "text": text, "annotations": [], "logprobs": [] } })
            };
            events.push(part("response.content_part.added", ""));
            events.extend(turn.pieces().map(|piece| {
                json!({ "type": "response.output_text.delta", "item_id": id, "output_index": index, "content_index": 0,
                        "delta": piece, "logprobs": [] })
            }));
            events.push(json!({ "type": "response.output_text.done", "item_id": id, "output_index": index,
                                "content_index": 0, "text": turn.text, "logprobs": [] }));
            events.push(part("response.content_part.done", &turn.text));
        } else {
            open["arguments"] = "".into();
            events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": open }));
            let arguments = item["arguments"].as_str().unwrap_or_default();
            events.extend(arguments.as_bytes().chunks(5).map(|piece| {
                json!({ "type": "response.function_call_arguments.delta", "item_id": id, "output_index": index,
                        "delta": String::from_utf8_lossy(piece) })
            }));
            events.push(json!({ "type": "response.function_call_arguments.done", "item_id": id, "name": item["name"],
                                "output_index": index, "arguments": arguments }));
        }
        events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
    }
    events.push(json!({ "type": "response.completed", "response": response(turn, heard, "completed", items(turn)) }));
    let written = |(number, mut event): (usize, Value)| {
        event["sequence_number"] = number.into();
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    };
    events.into_iter().enumerate().map(written).collect()
}
