//! Bedrock's Converse and its event stream. Source: Amazon Bedrock's API reference, "Converse", "ConverseStream" and
//! "Common errors"; AWS's specification of the event stream.

use serde_json::{Value, json};

use super::heard::{decoded, list, only, text};
use super::{Heard, Turn};

/// The fields of a request.
const KNOWN: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];

/// Reads a request for this model.
pub(super) fn heard(body: &Value, model: &str, stream: bool) -> Result<Heard, String> {
    only(KNOWN, body).map_err(|name| format!("extraneous key [{name}] is not permitted"))?;
    let schema = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    let schema = match schema.as_str() {
        Some(text) => Some(serde_json::from_str(text).map_err(|error| format!("the schema is no JSON: {error}"))?),
        None => None,
    };
    let config = &body["inferenceConfig"];
    let mut heard = Heard {
        model: model.to_owned(),
        parallel: true,
        schema,
        stop: list(&config["stopSequences"]).iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        stream,
        ..Heard::default()
    };
    for block in list(&body["system"]).iter().filter(|block| block["cachePoint"].is_null()) {
        heard.system.push(text(block, "text")?.to_owned());
    }
    for tool in list(&body["toolConfig"]["tools"]).iter().filter(|tool| tool["cachePoint"].is_null()) {
        if tool["toolSpec"]["inputSchema"]["json"]["type"] != "object" {
            return Err("The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be object.".to_owned());
        }
        heard.tools.push(text(&tool["toolSpec"], "name")?.to_owned());
    }
    let mut open = Vec::new();
    for message in list(&body["messages"]) {
        message_of(message, &mut open, &mut heard)?;
    }
    match list(&body["messages"]).last() {
        None => Err("The conversation must start with a user message.".to_owned()),
        Some(_) if heard.tools.is_empty() && !heard.results.is_empty() => {
            Err("The toolConfig field must be defined when using toolUse and toolResult content blocks.".to_owned())
        }
        Some(_) => Ok(heard),
    }
}

/// `open` are the calls of the turn before.
fn message_of(message: &Value, open: &mut Vec<String>, heard: &mut Heard) -> Result<(), String> {
    let role = text(message, "role")?;
    let (mut texts, mut images, mut results, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for block in list(&message["content"]) {
        let kind = block.as_object().and_then(|block| block.keys().next()).ok_or("a block is empty")?;
        match (kind.as_str(), role) {
            ("text", _) if block["text"].as_str().is_none_or(str::is_empty) => {
                return Err("The text field in the ContentBlock object is blank.".to_owned());
            }
            ("text", _) => texts.push(text(block, "text")?.to_owned()),
            ("cachePoint", _) if block["cachePoint"]["type"] == "default" => {}
            ("image", "user") => {
                let (format, source) = (text(&block["image"], "format")?, &block["image"]["source"]);
                images.push(format!("image/{format} of {} bytes", decoded(text(source, "bytes")?)?));
            }
            ("toolUse", "assistant") if block["toolUse"]["input"].is_object() => {
                text(&block["toolUse"], "name")?;
                calls.push(text(&block["toolUse"], "toolUseId")?.to_owned());
            }
            ("toolResult", "user") => {
                let result = &block["toolResult"];
                let id = text(result, "toolUseId")?;
                let at = open
                    .iter()
                    .position(|known| known == id)
                    .ok_or_else(|| format!("The toolResult block `{id}` has no toolUse block in the previous turn."))?;
                open.remove(at);
                let said = list(&result["content"]).iter().filter_map(|one| one["text"].as_str());
                results.push(said.collect::<Vec<_>>().join(" "));
            }
            (kind, role) => return Err(format!("a block `{kind}` of {role} is not supported")),
        }
    }
    if !open.is_empty() {
        return Err("Expected toolResult blocks for all toolUse blocks of the previous turn.".to_owned());
    }
    *open = calls;
    match role {
        "user" => {
            if !texts.is_empty() || !images.is_empty() {
                (heard.text, heard.images) = (texts.join(" "), images);
            }
            heard.results = results;
        }
        "assistant" => {}
        other => return Err(format!("Value '{other}' at 'messages.1.member.role' failed to satisfy constraint.")),
    }
    Ok(())
}

fn reason(turn: &Turn, heard: &Heard) -> &'static str {
    match heard.stops_at() {
        _ if !turn.calls.is_empty() => "tool_use",
        Some(_) => "stop_sequence",
        None => "end_turn",
    }
}

fn usage(turn: &Turn) -> Value {
    let (input, output) = turn.usage;
    json!({ "inputTokens": input, "outputTokens": output, "totalTokens": input + output })
}

/// An answer in one piece.
pub(super) fn whole(turn: &Turn, heard: &Heard) -> String {
    let mut content = Vec::new();
    if !turn.text.is_empty() {
        content.push(json!({ "text": turn.text }));
    }
    for (at, (name, input)) in turn.calls.iter().enumerate() {
        content.push(json!({ "toolUse": { "toolUseId": format!("tooluse_{at}"), "name": name, "input": input } }));
    }
    json!({
        "output": { "message": { "role": "assistant", "content": content } }, "stopReason": reason(turn, heard),
        "usage": usage(turn), "metrics": { "latencyMs": 12 }
    })
    .to_string()
}

/// The messages of a stream.
pub(super) fn events(turn: &Turn, heard: &Heard) -> Vec<Vec<u8>> {
    let mut events = vec![message("messageStart", &json!({ "role": "assistant" }))];
    let mut index = 0;
    if !turn.text.is_empty() {
        for word in turn.text.split_inclusive(' ') {
            events.push(message("contentBlockDelta", &json!({ "contentBlockIndex": 0, "delta": { "text": word } })));
        }
        events.push(message("contentBlockStop", &json!({ "contentBlockIndex": 0 })));
        index = 1;
    }
    for (at, (name, input)) in turn.calls.iter().enumerate() {
        let index = index + at;
        let start = json!({ "toolUse": { "toolUseId": format!("tooluse_{at}"), "name": name } });
        events.push(message("contentBlockStart", &json!({ "contentBlockIndex": index, "start": start })));
        for piece in input.to_string().as_bytes().chunks(5) {
            let delta = json!({ "toolUse": { "input": String::from_utf8_lossy(piece) } });
            events.push(message("contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta })));
        }
        events.push(message("contentBlockStop", &json!({ "contentBlockIndex": index })));
    }
    events.push(message("messageStop", &json!({ "stopReason": reason(turn, heard) })));
    events.push(message("metadata", &json!({ "usage": usage(turn), "metrics": { "latencyMs": 12 } })));
    events
}

/// A message: prelude with its checksum, header fields, payload, checksum of all.
fn message(name: &str, payload: &Value) -> Vec<u8> {
    let payload = payload.to_string();
    let mut fields = Vec::new();
    for (key, value) in [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")] {
        fields.push(u8::try_from(key.len()).expect("keys are short"));
        fields.extend(key.as_bytes());
        fields.push(7);
        fields.extend(u16::try_from(value.len()).expect("values are short").to_be_bytes());
        fields.extend(value.as_bytes());
    }
    let total = 12 + fields.len() + payload.len() + 4;
    let mut out = Vec::with_capacity(total);
    out.extend(u32::try_from(total).expect("messages are short").to_be_bytes());
    out.extend(u32::try_from(fields.len()).expect("they are short").to_be_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out.extend(fields);
    out.extend(payload.as_bytes());
    out.extend(crc32(&out).to_be_bytes());
    out
}

/// The checksum of Ethernet and zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum: u32, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// A failure as the reference words it: name and text.
pub(super) fn error(status: u16, message: Option<&str>) -> (&'static str, String) {
    let (name, said) = match status {
        400 | 413 => ("ValidationException", "The provided request is not valid"),
        401 | 403 => ("AccessDeniedException", "You don't have access to the model with the specified model ID."),
        404 => {
            ("ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier.")
        }
        429 => ("ThrottlingException", "Too many requests, please wait before trying again."),
        503 => ("ServiceUnavailableException", "Bedrock is unable to process your request."),
        _ => ("InternalServerException", "The system encountered an unexpected error during processing."),
    };
    (name, json!({ "message": message.unwrap_or(said) }).to_string())
}
