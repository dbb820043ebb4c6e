use std::collections::VecDeque;
use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use proptest::prelude::*;

use super::Algorithm;
use super::encoder::Encoder;
use crate::exchange::testing::{answer, environment, program, try_program};
use crate::exchange::{Body, Transform};

fn decoder<'c>(coding: &str, coded: &'c [u8]) -> Box<dyn Read + 'c> {
    match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(coded)),
        "br" => Box::new(brotli::Decompressor::new(coded, 4096)),
        "zstd" => Box::new(zstd::stream::read::Decoder::new(coded).unwrap()),
        _ => Box::new(coded),
    }
}

fn decode(coding: &str, coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    decoder(coding, coded).read_to_end(&mut plain).unwrap();
    plain
}

fn configuration(policy: &str, respond: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ compress: {policy} }}, to: {{ respond: {respond} }} }}]
"#
    )
}

fn ask(yaml: &str, method: Method, accept: Option<&str>) -> (HeaderMap, Bytes) {
    let request = Request::builder().method(method).uri("/");
    let request = accept.iter().fold(request, |request, accept| request.header("accept-encoding", *accept));
    let (head, body) = answer(&program(yaml), request.body(Body::Empty).unwrap()).into_parts();
    (head.headers, body)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("-", |value| value.to_str().unwrap())
}

/// A body that is worth compressing.
fn body() -> String {
    "All work and no play makes a gate a dull thing. ".repeat(50)
}

#[test]
fn an_answer_is_compressed_as_the_client_likes() {
    let fields = "etag: '\"a\"', accept-ranges: bytes, content-digest: 'sha-256=:AA==:'";
    let yaml = configuration("{}", &format!("{{ headers: {{ {fields} }}, body: '{}' }}", body()));
    for (accept, coding) in [
        (None, "-"),
        (Some("identity"), "-"),
        (Some("gzip"), "gzip"),
        (Some("br"), "br"),
        (Some("zstd"), "zstd"),
        (Some("gzip, br;q=0.5"), "gzip"),
        (Some("gzip, deflate, br, zstd"), "zstd"),
    ] {
        let (headers, bytes) = ask(&yaml, Method::GET, accept);
        assert_eq!(text(&headers, "content-encoding"), coding, "{accept:?}");
        assert_eq!(text(&headers, "vary"), "accept-encoding", "{accept:?}");
        assert_eq!(decode(coding, &bytes), body().as_bytes(), "{accept:?}");
        if coding == "-" {
            assert_eq!(text(&headers, "content-length"), body().len().to_string());
            assert_eq!(text(&headers, "etag"), "\"a\"");
        } else {
            assert!(bytes.len() < body().len() / 4, "{accept:?}: {}", bytes.len());
            let gone = ["content-length", "accept-ranges", "content-digest"];
            assert_eq!(gone.map(|name| text(&headers, name)), ["-"; 3], "{accept:?}");
            assert_eq!(text(&headers, "etag"), "W/\"a\"");
        }
    }
}

#[test]
fn what_is_not_to_be_compressed_is_left_alone() {
    let body = body();
    for (policy, fields, varies) in [
        ("{}", "content-type: image/png", false),
        ("{}", "content-encoding: br", false),
        ("{}", "cache-control: 'private, No-Transform'", false),
        ("{}", "content-range: bytes 0-9/99", false),
        ("{ min_size: 1MiB }", "x-a: b", false),
        ("{ types: ['*+json'] }", "x-a: b", false),
        ("{ algorithms: [br] }", "x-a: b", true),
    ] {
        let yaml = configuration(policy, &format!("{{ headers: {{ {fields} }}, body: '{body}' }}"));
        let (headers, bytes) = ask(&yaml, Method::GET, Some("gzip"));
        assert_eq!(bytes, body, "{policy} {fields}");
        assert_eq!(headers.contains_key("vary"), varies, "{policy} {fields}");
    }
    for (status, body) in [(204, ""), (304, ""), (206, ", body: part")] {
        let fields = "headers: { content-type: text/html }";
        let yaml = configuration("{ min_size: 0B }", &format!("{{ status: {status}, {fields}{body} }}"));
        let (headers, _) = ask(&yaml, Method::GET, Some("gzip"));
        assert_eq!(text(&headers, "content-encoding"), "-", "{status}");
    }
}

#[test]
fn content_types_are_matched_without_their_parameters() {
    for (types, kind, coded) in [
        ("['text/html']", "text/html; charset=utf-8", true),
        ("['TEXT/HTML']", "Text/Html", true),
        ("['text/html']", "text/html5", false),
        ("['text/*']", "text/event-stream", true),
        ("['text/*']", "application/text", false),
        ("['*+json']", "application/problem+json", true),
        ("['*+json']", "application/json", false),
    ] {
        let respond = format!("{{ headers: {{ content-type: {kind} }}, body: '{}' }}", body());
        let yaml = configuration(&format!("{{ types: {types} }}"), &respond);
        let (headers, _) = ask(&yaml, Method::GET, Some("gzip"));
        assert_eq!(headers.contains_key("content-encoding"), coded, "{types} {kind}");
    }
}

#[test]
fn head_and_refusals_are_like_any_answer() {
    let yaml = configuration("{ min_size: 1B }", &format!("{{ body: '{}' }}", body()));
    let (headers, bytes) = ask(&yaml, Method::HEAD, Some("gzip"));
    let fields = ["content-length", "content-encoding", "vary"].map(|name| text(&headers, name));
    assert_eq!((bytes.len(), fields), (0, ["-", "gzip", "accept-encoding"]));
    let refusing = yaml.replace("policies: {", "policies: { ip: { deny: [0.0.0.0/0] },");
    let (headers, bytes) = ask(&refusing, Method::GET, Some("gzip"));
    assert_eq!(text(&headers, "content-encoding"), "gzip");
    let problem: serde_json::Value = serde_json::from_slice(&decode("gzip", &bytes)).unwrap();
    assert_eq!(problem["code"], "ip.denied");
}

proptest! {
    /// Whatever the chunks and pauses: what comes out is what went in, and after a pause all of it can be read.
    #[test]
    fn a_stream_is_the_same_and_nothing_is_held(
        algorithm in prop_oneof![Just(Algorithm::Zstd), Just(Algorithm::Br), Just(Algorithm::Gzip)],
        level in 1u32..=9,
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3_000), any::<bool>()), 0..12),
    ) {
        let mut encoder = Encoder::new(algorithm, level).unwrap();
        let (mut plain, mut coded, mut out) = (Vec::new(), Vec::new(), VecDeque::new());
        for (part, pause) in parts {
            plain.extend_from_slice(&part);
            encoder.push(Bytes::from(part), &mut out).unwrap();
            if pause {
                encoder.flush(&mut out).unwrap();
            }
            out.drain(..).for_each(|bytes| coded.extend_from_slice(&bytes));
            if pause && !plain.is_empty() {
                let mut read = vec![0; plain.len()];
                decoder(algorithm.as_str(), &coded).read_exact(&mut read).unwrap();
                prop_assert_eq!(&read, &plain);
            }
        }
        encoder.finish(&mut out).unwrap();
        out.drain(..).for_each(|bytes| coded.extend_from_slice(&bytes));
        prop_assert_eq!(decode(algorithm.as_str(), &coded), plain);
    }
}

#[test]
fn a_pause_without_anything_new_writes_nothing() {
    for algorithm in [Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip] {
        let (mut encoder, mut out) = (Encoder::new(algorithm, 3).unwrap(), VecDeque::new());
        encoder.flush(&mut out).unwrap();
        assert!(out.is_empty(), "{algorithm:?}");
        encoder.push(Bytes::from_static(b"x"), &mut out).unwrap();
        encoder.flush(&mut out).unwrap();
        assert!(!out.is_empty(), "{algorithm:?}");
        out.clear();
        encoder.flush(&mut out).unwrap();
        assert!(out.is_empty(), "{algorithm:?}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ algorithms: [] }", "no algorithm"),
        ("{ algorithms: [br, gzip, br] }", "`br` is named twice"),
        ("{ algorithms: [deflate] }", "deflate"),
        ("{ levels: { gzip: 0 } }", "the level of gzip is from 1 to 9"),
        ("{ levels: { br: 11 } }", "the level of br is from 0 to 9"),
        ("{ levels: { zstd: 22 } }", "the level of zstd is from 1 to 12"),
        ("{ min_size: 5 }", "5B"),
        ("{ types: [text] }", "not a content type"),
        ("{ types: ['*'] }", "not a content type"),
        ("{ types: ['text/html; charset=utf-8'] }", "not a content type"),
        ("{ level: 5 }", "level"),
    ] {
        let problems = try_program(&configuration(policy, "{}"), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
