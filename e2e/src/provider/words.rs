//! Embeddings in OpenAI's words ("Create embeddings" in its API reference) by a model named `words`: the more words two
//! texts have in common, the nearer they are.

use serde_json::{Value, json};

use super::PROVIDER_KEY;
use super::heard::{list, only};
use crate::Seen;

/// Dimensions; so many that two words seldom share one.
const DIMENSIONS: usize = 1024;

/// The answer where it is such a call: a status and a body.
pub(super) fn answer(seen: &Seen) -> Option<(&'static str, String)> {
    let body: Value = serde_json::from_slice(&seen.body).ok()?;
    if seen.line != "POST /v1/embeddings HTTP/1.1" || body["model"] != "words" {
        return None;
    }
    if seen.header("authorization") != Some(&format!("Bearer {PROVIDER_KEY}")) {
        return Some((
            "401 Unauthorized",
            json!({ "error": { "message": "Incorrect API key provided." } }).to_string(),
        ));
    }
    if let Err(name) = only(&["dimensions", "encoding_format", "input", "model", "user"], &body) {
        return Some(("400 Bad Request", json!({ "error": { "message": format!("unknown: {name}") } }).to_string()));
    }
    let texts = match &body["input"] {
        Value::String(one) => vec![one.as_str()],
        many => list(many).iter().filter_map(Value::as_str).collect(),
    };
    let one =
        |(index, text): (usize, &&str)| json!({ "object": "embedding", "index": index, "embedding": vector(text) });
    let data: Vec<Value> = texts.iter().enumerate().map(one).collect();
    let tokens: usize = texts.iter().map(|text| words(text).count()).sum();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Some(("200 OK", json!({ "object": "list", "data": data, "model": "words", "usage": usage }).to_string()))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let bare = |word: &str| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty())
}

/// How often each word stands in it.
fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    for word in words(text) {
        let hash = word.bytes().fold(5381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte));
        vector[hash % DIMENSIONS] += 1.0;
    }
    vector
}
