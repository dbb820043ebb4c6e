//! How many tokens a request has, where its provider does not say: an estimate, and marked as one.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use proxy::exchange::{Body, Error};
use proxy::policies::Reply;
use serde_json::{Value, json};

use super::super::failure::codes;
use crate::call::AiCall;
use crate::translate::Format;

static ESTIMATED: HeaderName = HeaderName::from_static("x-tollgate-estimated");

/// Bytes of a token, of text in the languages that are written most.
const BYTES: u64 = 4;
/// Tokens of a picture or a page, whatever its size.
const MEDIA: u64 = 1000;

/// The answer.
pub(super) fn estimated(call: &AiCall) -> Result<Reply, Error> {
    let value: Value = serde_json::from_slice(call.body())
        .map_err(|error| Error::new(&codes::BAD_REQUEST, format!("The body is no JSON: {error}.")))?;
    let tokens = tokens(&value).max(1);
    let answer = match call.turn.format {
        Format::Gemini => json!({ "totalTokens": tokens }),
        _ => json!({ "input_tokens": tokens }),
    };
    let text = Bytes::from(answer.to_string());
    let mut head = Response::new(()).into_parts().0;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    head.headers.insert(&ESTIMATED, HeaderValue::from_static("tokens"));
    Ok(Reply { head, body: Body::from(text) })
}

/// Texts, names and schemas by their bytes; media by the piece.
fn tokens(value: &Value) -> u64 {
    let (mut bytes, mut media) = (0, 0);
    weigh("", value, &mut bytes, &mut media);
    bytes.div_ceil(BYTES) + media * MEDIA
}

fn weigh(key: &str, value: &Value, bytes: &mut u64, media: &mut u64) {
    match value {
        Value::String(_) if matches!(key, "data" | "file_id" | "url" | "fileUri") => *media += 1,
        // What says how a piece is to be read is not read by the model.
        Value::String(_) if matches!(key, "type" | "model" | "media_type" | "mimeType" | "signature" | "id") => {}
        Value::String(text) => *bytes += text.len() as u64,
        Value::Number(_) | Value::Bool(_) if !key.is_empty() => {}
        Value::Array(items) => items.iter().for_each(|item| weigh(key, item, bytes, media)),
        Value::Object(fields) => {
            // A message, a tool and a property each have a frame of a few tokens.
            *bytes += BYTES;
            for (key, value) in fields {
                if !matches!(key.as_str(), "metadata" | "thinking" | "generationConfig") {
                    weigh(key, value, bytes, media);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_count_by_their_bytes_and_media_by_the_piece() {
        let long = "word ".repeat(400);
        let said = json!({ "model": "m", "messages": [{ "role": "user", "content": long }] });
        assert!((500..=520).contains(&tokens(&said)), "{}", tokens(&said));
        let seen = json!({ "messages": [{ "role": "user", "content": [
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "x".repeat(90_000) } }] }] });
        assert!((1000..=1020).contains(&tokens(&seen)), "{}", tokens(&seen));
    }
}
