//! Rewrites and redirects: where a request goes is a path that leads nowhere else, and no part of the request decides
//! the host.

use std::sync::Arc;

use http::{Request, Uri};
use proxy::exchange::{Body, testing};
use proxy::program::Program;
use serde_json::{Value, json};

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([pattern, path, url, query, target]) = kit::parts(input) else { return };
    let Ok(uri) = target.parse::<Uri>() else { return };
    if !uri.path().starts_with('/') || uri.authority().is_some() {
        return;
    }
    let (name, value) = query.split_once('=').unwrap_or((query, ""));
    let rewrite = json!({ "path": path, "query": { "set": { name: value } } });
    if let Some(program) = program(pattern, json!({ "rewrite": rewrite }), json!({ "echo": {} })) {
        rewritten(&program, &uri, name);
    }
    let redirect = json!({ "redirect": { "to": url } });
    if let Some(program) = program(pattern, json!({}), redirect) {
        redirected(&program, &uri, url);
    }
}

fn program(pattern: &str, policies: Value, to: Value) -> Option<Arc<Program>> {
    kit::program(&json!({
        "version": 1,
        "listeners": [{ "name": "public", "address": "127.0.0.1:0" }],
        "apis": [{ "name": "a", "routes": [{ "match": { "path": pattern }, "policies": policies, "to": to }] }],
    }))
}

fn rewritten(program: &Arc<Program>, uri: &Uri, name: &str) {
    let answer = testing::answer(program, Request::get(uri).body(Body::Empty).expect("a request"));
    if answer.status() != 200 {
        return;
    }
    let seen: Value = serde_json::from_slice(answer.body()).expect("echo answers JSON");
    let path = seen["path"].as_str().expect("a path");
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    assert!(path.starts_with('/') && !path.contains(['?', '#', ' ']), "{path}");
    assert!(!decoded.split(['/', '\\']).any(|part| matches!(part, "." | "..")), "{path} leads away");
    assert!(!seen["query"].is_null(), "the query has {name}: {seen}");
}

fn redirected(program: &Arc<Program>, uri: &Uri, url: &str) {
    let host_of = |uri: &Uri| {
        let request = Request::get(uri).header("host", "gate.test").body(Body::Empty).expect("a request");
        let answer = testing::answer(program, request);
        let location = answer.headers().get("location")?.to_str().expect("a location is ASCII").to_owned();
        let odd = |char: char| char.is_control() || " \"<>\\^`{|}".contains(char);
        assert!(answer.status().is_redirection() && !location.contains(odd), "{location:?}");
        Some(authority(&location).to_owned())
    };
    let Some(host) = host_of(uri) else { return };
    // The same route with plain values, if it takes them.
    let plain = uri.path().split('/').map(|part| if part.is_empty() { "" } else { "x" }).collect::<Vec<_>>().join("/");
    if let Some(usual) = plain.parse::<Uri>().ok().and_then(|plain| host_of(&plain)) {
        assert_eq!(host, usual, "{url} by {uri}");
    }
}

/// What a browser takes for scheme and host: it reads `\` as `/`.
fn authority(location: &str) -> &str {
    let slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let after = match location.find("://") {
        Some(at) if location[..at].bytes().all(|byte| byte.is_ascii_alphanumeric()) => at + 3,
        _ if location.bytes().take(2).filter(slash).count() == 2 => 2,
        _ => return "",
    };
    let end = location[after..].find(['/', '\\', '?', '#']).map_or(location.len(), |end| after + end);
    &location[..end]
}
