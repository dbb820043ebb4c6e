//! The list of models, as the SDKs read it.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, response};
use proxy::exchange::Body;
use serde_json::{Value, json};

/// All of them, in OpenAI's format or Anthropic's.
pub(super) fn list<'m>(names: impl Iterator<Item = &'m str>, anthropic: bool) -> (response::Parts, Body) {
    reply(&document(names, anthropic))
}

fn reply(value: &Value) -> (response::Parts, Body) {
    let text = Bytes::from(value.to_string());
    let mut head = Response::new(()).into_parts().0;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    (head, Body::from(text))
}

/// One of them, in either format.
pub(super) fn one(name: &str, anthropic: bool) -> (response::Parts, Body) {
    let mut list = document(std::iter::once(name), anthropic);
    let one = list.get_mut("data").and_then(|data| data.get_mut(0)).map(Value::take).unwrap_or_default();
    reply(&one)
}

fn document<'m>(names: impl Iterator<Item = &'m str>, anthropic: bool) -> Value {
    if !anthropic {
        let one = |name| json!({ "id": name, "object": "model", "created": 0, "owned_by": "tollgate" });
        return json!({ "object": "list", "data": names.map(one).collect::<Vec<_>>() });
    }
    let one =
        |name: &str| json!({ "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z" });
    let data: Vec<Value> = names.map(one).collect();
    let end = |one: Option<&Value>| one.and_then(|one| one.get("id")).cloned().unwrap_or_default();
    json!({ "first_id": end(data.first()), "last_id": end(data.last()), "has_more": false, "data": data })
}
