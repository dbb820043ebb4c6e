//! The list of models, as the SDKs read it.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, response};
use proxy::exchange::Body;
use serde_json::{Value, json};

use crate::translate::Format;

/// All of them, as this SDK reads them.
pub(super) fn list<'m>(names: impl Iterator<Item = &'m str>, sdk: Format) -> (response::Parts, Body) {
    let all: Vec<Value> = names.map(|name| model(name, sdk)).collect();
    reply(&match sdk {
        Format::AnthropicMessages => {
            let end = |one: Option<&Value>| one.and_then(|one| one.get("id")).cloned().unwrap_or_default();
            json!({ "first_id": end(all.first()), "last_id": end(all.last()), "has_more": false, "data": all })
        }
        Format::Gemini => json!({ "models": all }),
        _ => json!({ "object": "list", "data": all }),
    })
}

/// One of them.
pub(super) fn one(name: &str, sdk: Format) -> (response::Parts, Body) {
    reply(&model(name, sdk))
}

fn model(name: &str, sdk: Format) -> Value {
    match sdk {
        Format::AnthropicMessages => {
            json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z" })
        }
        Format::Gemini => {
            let methods = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"];
            json!({ "name": format!("models/{name}"), "version": "1", "displayName": name,
                    "supportedGenerationMethods": methods })
        }
        _ => json!({ "id": name, "object": "model", "created": 0, "owned_by": "tollgate" }),
    }
}

fn reply(value: &Value) -> (response::Parts, Body) {
    let text = Bytes::from(value.to_string());
    let mut head = Response::new(()).into_parts().0;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    (head, Body::from(text))
}
