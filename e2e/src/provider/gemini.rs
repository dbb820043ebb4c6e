//! Gemini's `generateContent`, at Google AI and on Vertex. Source: the Gemini API's reference, "Generating content", and
//! "Troubleshooting guide"; Vertex AI's reference, "Method: models.generateContent".

use serde_json::{Value, json};

use super::heard::{decoded, list, only, text};
use super::{Heard, Turn};

/// The fields of a request.
const KNOWN: &[&str] = &[
    "cachedContent",
    "contents",
    "generationConfig",
    "labels",
    "safetySettings",
    "systemInstruction",
    "toolConfig",
    "tools",
];

/// Reads a request for this model.
pub(super) fn heard(body: &Value, model: &str, stream: bool) -> Result<Heard, String> {
    only(KNOWN, body)
        .map_err(|name| format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."))?;
    let config = &body["generationConfig"];
    let mut heard = Heard {
        model: model.to_owned(),
        parallel: true,
        schema: Some(config["responseJsonSchema"].clone()).filter(|schema| !schema.is_null()),
        stop: list(&config["stopSequences"]).iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect(),
        stream,
        ..Heard::default()
    };
    if heard.schema.is_some() && config["responseMimeType"] != "application/json" {
        return Err("A response schema is only supported with response mime type application/json.".to_owned());
    }
    for part in list(&body["systemInstruction"]["parts"]) {
        heard.system.push(text(part, "text")?.to_owned());
    }
    for tool in list(&body["tools"]) {
        for function in list(&tool["functionDeclarations"]) {
            heard.tools.push(text(function, "name")?.to_owned());
        }
    }
    if list(&body["contents"]).is_empty() {
        return Err("* GenerateContentRequest.contents: contents is not specified".to_owned());
    }
    let mut open: Vec<String> = Vec::new();
    for content in list(&body["contents"]) {
        turn_of(content, &mut open, &mut heard)?;
    }
    Ok(heard)
}

/// `open` are the calls of the turn before.
fn turn_of(content: &Value, open: &mut Vec<String>, heard: &mut Heard) -> Result<(), String> {
    let role = text(content, "role")?;
    let (mut texts, mut images, mut results, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    if list(&content["parts"]).is_empty() {
        return Err("* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.".to_owned());
    }
    for part in list(&content["parts"]) {
        let fields: Vec<&str> = part.as_object().ok_or("a part is no object")?.keys().map(String::as_str).collect();
        match (fields.iter().find(|name| !name.starts_with("thought")).copied(), role) {
            (Some("text"), _) => texts.push(text(part, "text")?.to_owned()),
            (Some("inlineData"), "user") => {
                let data = &part["inlineData"];
                images.push(format!("{} of {} bytes", text(data, "mimeType")?, decoded(text(data, "data")?)?));
            }
            (Some("fileData"), "user") => images.push(text(&part["fileData"], "fileUri")?.to_owned()),
            (Some("functionCall"), "model") if part["functionCall"]["args"].is_object() => {
                calls.push(text(&part["functionCall"], "name")?.to_owned());
            }
            (Some("functionResponse"), "user") if part["functionResponse"]["response"].is_object() => {
                let response = &part["functionResponse"];
                let name = text(response, "name")?;
                let at = open
                    .iter()
                    .position(|known| known == name)
                    .ok_or("Please ensure that function response turn comes immediately after a function call turn.")?;
                open.remove(at);
                results.push(match &response["response"]["result"] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
            }
            (kind, role) => return Err(format!("a part {kind:?} of {role} is not supported: {part}")),
        }
    }
    if !open.is_empty() {
        return Err(
            "Please ensure that the number of function response parts is equal to the number of function call \
                    parts of the function call turn."
                .to_owned(),
        );
    }
    *open = calls;
    match role {
        "user" => {
            if !texts.is_empty() || !images.is_empty() {
                (heard.text, heard.images) = (texts.join(" "), images);
            }
            heard.results = results;
        }
        "model" => {}
        other => return Err(format!("Please use a valid role: user, model; not {other}.")),
    }
    Ok(())
}

fn usage(turn: &Turn) -> Value {
    let (input, output) = turn.usage;
    json!({ "promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output })
}

fn piece(heard: &Heard, parts: Value, finish: Option<&str>, turn: &Turn) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if let Some(finish) = finish {
        candidate["finishReason"] = finish.into();
    }
    json!({
        "candidates": [candidate], "usageMetadata": usage(turn), "modelVersion": heard.model, "responseId": "resp-1"
    })
}

fn calls(turn: &Turn) -> Vec<Value> {
    turn.calls.iter().map(|(name, args)| json!({ "functionCall": { "name": name, "args": args } })).collect()
}

/// An answer in one piece.
pub(super) fn whole(turn: &Turn, heard: &Heard) -> String {
    let mut parts = calls(turn);
    if !turn.text.is_empty() {
        parts.insert(0, json!({ "text": turn.text }));
    }
    serde_json::to_string_pretty(&piece(heard, parts.into(), Some("STOP"), turn)).expect("it is JSON")
}

/// The events of a stream.
pub(super) fn events(turn: &Turn, heard: &Heard) -> Vec<String> {
    let mut parts: Vec<Value> = turn.text.split_inclusive(' ').map(|word| json!([{ "text": word }])).collect();
    parts.extend(calls(turn).into_iter().map(|call| json!([call])));
    let last = parts.len().saturating_sub(1);
    let event = |(at, parts): (usize, Value)| {
        format!("data: {}\r\n\r\n", piece(heard, parts, (at == last).then_some("STOP"), turn))
    };
    parts.into_iter().enumerate().map(event).collect()
}

/// A failure as the reference words it.
pub(super) fn error(status: u16, message: Option<&str>, model: &str) -> String {
    let missing = format!("models/{model} is not found for API version v1beta");
    let (word, said) = match status {
        400 => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
        401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
        403 => ("PERMISSION_DENIED", "Permission denied on resource."),
        404 => ("NOT_FOUND", missing.as_str()),
        413 => ("INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
        429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
        503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        _ => ("INTERNAL", "An internal error has occurred."),
    };
    let error = json!({ "code": status, "message": message.unwrap_or(said), "status": word });
    serde_json::to_string_pretty(&json!({ "error": error })).expect("it is JSON")
}
