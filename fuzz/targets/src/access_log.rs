//! Lines of the access log: each is one line and, where it is JSON, an object of the fields that were chosen; no
//! credential is in it.

use http::Request;
use proxy::exchange::{Body, testing};
use serde_json::{Value, json};

use crate::kit;

/// A value that no line may show, where a key stands.
const KEY: &str = "the-key-that-nobody-sees";

pub(crate) fn run(input: &[u8]) {
    let Some([format, request, name]) = kit::parts(input) else { return };
    let Some(mut request) = kit::request(request) else { return };
    // A key in the query, under whatever name.
    if !name.is_empty() {
        let query = request.uri().query().map_or(String::new(), |query| format!("{query}&"));
        let mut with_key = query;
        proxy::fuzzing::query::push(&mut with_key, name, KEY);
        let Ok(uri) = format!("{}?{with_key}", request.uri().path()).parse() else { return };
        *request.uri_mut() = uri;
        request.headers_mut().insert("authorization", http::HeaderValue::from_static(KEY));
        request.headers_mut().insert("x-key", http::HeaderValue::from_static(KEY));
    }
    let fields: Vec<&str> = format.lines().collect();
    for log in [
        json!({ "path": "/nowhere", "format": "template", "template": format }),
        json!({ "path": "/nowhere", "fields": fields }),
    ] {
        line(&log, copy(&request), name);
    }
}

fn line(log: &Value, request: Request<Body>, name: &str) {
    let places = if name.is_empty() { json!(["x-key"]) } else { json!([{ "query": name }, "x-key"]) };
    let configuration = json!({
        "version": 1,
        "listeners": [{ "name": "public", "address": "127.0.0.1:0" }],
        "apis": [{ "name": "a", "policies": { "key_auth": { "names": places } }, "routes": [{ "to": { "echo": {} } }] }],
        "access_log": log,
    });
    let Some(program) = kit::program(&configuration) else { return };
    let mut x = testing::exchange_of(&program, request);
    x.record.status = 200;
    let line = proxy::fuzzing::access_line(&x).expect("a log");
    let text = String::from_utf8(line).expect("lines are UTF-8");
    let bare = text.strip_suffix('\n').expect("a line has an end");
    assert!(!bare.contains(|char: char| char.is_control() && char != '\t'), "{log}: {bare:?}");
    assert!(!bare.contains(KEY), "{log} {name}: {bare}");
    if let Some(fields) = log["fields"].as_array() {
        let read: Value = serde_json::from_str(bare).unwrap_or_else(|error| panic!("{bare}: {error}"));
        assert!(
            read.as_object().expect("an object").keys().all(|key| fields.iter().any(|field| field == key)),
            "{bare}"
        );
    }
}

fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
