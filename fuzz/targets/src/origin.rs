//! Origins of `cors`: who is let in is named by one of the patterns, read in the simplest way.

use http::Request;
use proxy::exchange::{Body, testing};
use serde_json::json;

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([origin, patterns]) = kit::parts(input) else { return };
    let Ok(value) = http::HeaderValue::from_bytes(origin.as_bytes()) else { return };
    let patterns: Vec<&str> = patterns.lines().take(4).collect();
    let configuration = json!({
        "version": 1,
        "listeners": [{ "name": "public", "address": "127.0.0.1:0" }],
        "apis": [{
            "name": "a",
            "policies": { "cors": { "origins": patterns } },
            "routes": [{ "to": { "respond": { "status": 204 } } }],
        }],
    });
    let Some(program) = kit::program(&configuration) else { return };
    let request = Request::get("/").header("origin", value).body(Body::Empty).expect("a request");
    let answer = testing::answer(&program, request);
    let said = answer.headers().get("access-control-allow-origin").map(|said| said.to_str().expect("text").to_owned());
    let named = patterns.iter().any(|pattern| names(&pattern.to_ascii_lowercase(), origin));
    match said.as_deref() {
        Some("*") => assert!(patterns.contains(&"*")),
        Some(said) => assert!(said == origin && named, "{origin} by {patterns:?}"),
        None => assert!(!named, "{origin} by {patterns:?}"),
    }
}

fn names(pattern: &str, origin: &str) -> bool {
    match pattern.split_once("*.") {
        _ if pattern == "*" => true,
        None => pattern == origin,
        Some((scheme, host)) => {
            let whole = format!("^{}[A-Za-z0-9._-]+\\.{}$", regex::escape(scheme), regex::escape(host));
            regex::Regex::new(&whole).expect("a pattern").is_match(origin)
        }
    }
}
