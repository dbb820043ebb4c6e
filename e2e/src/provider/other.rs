//! Calls other than conversations: embeddings and images in each vendor's words, speech, moderations, and how many tokens a
//! request has.
//! Sources: OpenAI's API reference, "Create embeddings", "Create image", "Create speech", "Create moderation"; the Gemini API's
//! "batchEmbedContents" and Imagen's "predict"; Amazon Bedrock's user guide, "Amazon Titan Text Embeddings" and "Amazon Nova
//! Canvas"; Anthropic's API reference, "Count tokens in a Message".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::heard::{list, only, text};
use super::{PROVIDER_KEY, clouds};
use crate::Seen;

/// The answer where it is such a call: a status and a body.
pub(super) fn answer(seen: &Seen) -> Option<(u16, String)> {
    let path = seen.line.strip_prefix("POST ")?.strip_suffix(" HTTP/1.1")?;
    let body = || serde_json::from_slice::<Value>(&seen.body).map_err(|error| (400, error.to_string()));
    let bad = |why: String| (400, why);
    let done = match path {
        "/v1/embeddings" => bearer(seen).and_then(|()| openai(&body()?).map_err(bad)),
        "/v1/images/generations" => bearer(seen).and_then(|()| images(&body()?).map_err(bad)),
        "/v1/moderations" => bearer(seen).and_then(|()| moderation(&body()?).map_err(bad)),
        "/v1/messages/count_tokens" => {
            key(seen).and_then(|()| Ok(json!({ "input_tokens": body()?.to_string().len() })))
        }
        "/v1beta/models/embed:batchEmbedContents" => {
            clouds::google(seen, false).and_then(|()| gemini(&body()?).map_err(bad))
        }
        "/v1beta/models/draw:predict" => clouds::google(seen, false).and_then(|()| imagen(&body()?).map_err(bad)),
        "/model/draw/invoke" => clouds::aws(seen).and_then(|()| canvas(&body()?).map_err(bad)),
        "/model/embed/invoke" => clouds::aws(seen).and_then(|()| titan(&body()?).map_err(bad)),
        _ => return None,
    };
    Some(match done {
        Ok(answer) => (200, answer.to_string()),
        Err((status, why)) => (status, json!({ "error": { "message": why } }).to_string()),
    })
}

fn bearer(seen: &Seen) -> Result<(), (u16, String)> {
    let good = seen.header("authorization").is_some_and(|shown| shown.starts_with(&format!("Bearer {PROVIDER_KEY}")));
    if good { Ok(()) } else { Err((401, "Incorrect API key provided.".to_owned())) }
}

fn key(seen: &Seen) -> Result<(), (u16, String)> {
    let good = seen.header("x-api-key").is_some_and(|key| key.starts_with(PROVIDER_KEY));
    if good { Ok(()) } else { Err((401, "invalid x-api-key".to_owned())) }
}

/// A text's place in a world of three dimensions.
fn vector(text: &str) -> [f32; 3] {
    [0.5, -1.0, text.len() as f32]
}

fn openai(body: &Value) -> Result<Value, String> {
    only(&["dimensions", "encoding_format", "input", "model", "user"], body)?;
    let texts: Vec<&str> = match &body["input"] {
        Value::String(one) => vec![one],
        many => list(many).iter().filter_map(Value::as_str).collect(),
    };
    if texts.is_empty() {
        return Err("'$.input' is invalid.".to_owned());
    }
    let one = |(index, text): (usize, &&str)| {
        let embedding = match body["encoding_format"].as_str() {
            Some("base64") => STANDARD.encode(vector(text).map(f32::to_le_bytes).concat()).into(),
            _ => json!(vector(text)),
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = texts.iter().enumerate().map(one).collect();
    let usage = json!({ "prompt_tokens": texts.len() * 3, "total_tokens": texts.len() * 3 });
    Ok(json!({ "object": "list", "data": data, "model": text(body, "model")?, "usage": usage }))
}

fn gemini(body: &Value) -> Result<Value, String> {
    only(&["requests"], body)?;
    let mut embeddings = Vec::new();
    for request in list(&body["requests"]) {
        if request["model"] != "models/embed" {
            return Err(format!("the request's model is not that of the path: {request}"));
        }
        embeddings.push(json!({ "values": vector(text(&request["content"]["parts"][0], "text")?) }));
    }
    Ok(json!({ "embeddings": embeddings }))
}

fn titan(body: &Value) -> Result<Value, String> {
    only(&["inputText", "dimensions", "normalize", "embeddingTypes"], body)?;
    Ok(json!({ "embedding": vector(text(body, "inputText")?), "inputTextTokenCount": 3 }))
}

/// What an image of this looks like: its words in bytes.
fn drawn(prompt: &str, count: u64) -> Vec<String> {
    (0..count).map(|at| STANDARD.encode(format!("{prompt} {at}"))).collect()
}

fn images(body: &Value) -> Result<Value, String> {
    only(&["background", "model", "moderation", "n", "output_format", "prompt", "quality", "size", "user"], body)?;
    let drawn = drawn(text(body, "prompt")?, body["n"].as_u64().unwrap_or(1));
    let data: Vec<Value> = drawn.iter().map(|image| json!({ "b64_json": image })).collect();
    let usage = json!({ "input_tokens": 5, "output_tokens": 272, "total_tokens": 277,
                        "input_tokens_details": { "text_tokens": 5, "image_tokens": 0 } });
    Ok(json!({ "created": 1, "data": data, "usage": usage }))
}

fn imagen(body: &Value) -> Result<Value, String> {
    only(&["instances", "parameters"], body)?;
    only(&["aspectRatio", "outputOptions", "sampleCount"], &body["parameters"])?;
    let count = body["parameters"]["sampleCount"].as_u64().ok_or("sampleCount")?;
    let drawn = drawn(text(&body["instances"][0], "prompt")?, count);
    let one = |image| json!({ "mimeType": "image/png", "bytesBase64Encoded": image });
    Ok(json!({ "predictions": drawn.iter().map(one).collect::<Vec<_>>() }))
}

fn canvas(body: &Value) -> Result<Value, String> {
    only(&["imageGenerationConfig", "taskType", "textToImageParams"], body)?;
    only(&["height", "numberOfImages", "quality", "seed", "width"], &body["imageGenerationConfig"])?;
    if body["taskType"] != "TEXT_IMAGE" {
        return Err(format!("taskType: {}", body["taskType"]));
    }
    let count = body["imageGenerationConfig"]["numberOfImages"].as_u64().unwrap_or(1);
    Ok(json!({ "images": drawn(text(&body["textToImageParams"], "text")?, count), "error": null }))
}

fn moderation(body: &Value) -> Result<Value, String> {
    only(&["input", "model"], body)?;
    let flagged = body["input"].to_string().contains("harm");
    Ok(json!({ "id": "modr-1", "model": text(body, "model")?, "results": [{ "flagged": flagged, "categories": {},
               "category_scores": {}, "category_applied_input_types": {} }] }))
}
