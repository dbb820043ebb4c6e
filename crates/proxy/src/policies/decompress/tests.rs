use std::collections::VecDeque;
use std::io::Write;

use bytes::Bytes;
use http::{HeaderMap, Request};
use proptest::prelude::*;

use super::decoder::Decoder;
use super::{Bounds, Coding};
use crate::exchange::testing::{answer, environment, program, try_program};
use crate::exchange::{Body, Transform};

const CODINGS: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Br, Coding::Zstd];

fn encode(coding: Coding, plain: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Br => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
            encoder.write_all(plain).unwrap();
            encoder.into_inner()
        }
        Coding::Zstd => zstd::encode_all(plain, 3).unwrap(),
    }
}

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ decompress: {policy} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

/// Status, head and body of the answer to a body in this coding.
fn send(policy: &str, encoding: &str, body: Vec<u8>) -> (u16, HeaderMap, String) {
    let request = Request::post("/").header("content-encoding", encoding).header("content-length", body.len());
    let request = request.header("content-digest", "sha-256=:AA==:");
    let answer = answer(&program(&configuration(policy)), request.body(Body::from(Bytes::from(body))).unwrap());
    let (head, body) = answer.into_parts();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn the_coding_is_taken_off() {
    let plain = "a body that is sent compressed ".repeat(100);
    for coding in CODINGS {
        let (status, _, seen) = send("{}", coding.as_str(), encode(coding, plain.as_bytes()));
        assert_eq!(status, 200, "{coding:?}: {seen}");
        let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen["body"], plain, "{coding:?}");
        for gone in ["content-encoding", "content-digest"] {
            assert!(seen["headers"].get(gone).is_none(), "{coding:?} {gone}");
        }
    }
    let (status, _, seen) = send("{}", "identity, X-GZIP", encode(Coding::Gzip, b"named otherwise"));
    assert_eq!((status, seen.contains("named otherwise")), (200, true));
}

#[test]
fn what_cannot_be_taken_off_is_refused() {
    let gzip = encode(Coding::Gzip, b"plain");
    let half = |coding| {
        let mut coded = encode(coding, "plain ".repeat(50).as_bytes());
        coded.truncate(coded.len() / 2);
        coded
    };
    let behind = |coding| [encode(coding, b"plain"), b"more".to_vec()].concat();
    for (policy, encoding, body, status, code) in [
        ("{}", "compress", gzip.clone(), 415, "unsupported"),
        ("{}", "gzip, br", gzip.clone(), 415, "unsupported"),
        ("{ algorithms: [br] }", "gzip", gzip.clone(), 415, "unsupported"),
        ("{}", "gzip", b"plain".to_vec(), 400, "malformed"),
        ("{}", "zstd", gzip.clone(), 400, "malformed"),
        ("{}", "br", vec![0xff; 40], 400, "malformed"),
        ("{}", "gzip", half(Coding::Gzip), 400, "malformed"),
        ("{}", "deflate", half(Coding::Deflate), 400, "malformed"),
        ("{}", "br", half(Coding::Br), 400, "malformed"),
        ("{}", "zstd", half(Coding::Zstd), 400, "malformed"),
        ("{}", "gzip", behind(Coding::Gzip), 400, "malformed"),
        ("{}", "deflate", behind(Coding::Deflate), 400, "malformed"),
        ("{}", "br", behind(Coding::Br), 400, "malformed"),
        ("{}", "zstd", behind(Coding::Zstd), 400, "malformed"),
        ("{ max_size: 4B }", "gzip", gzip.clone(), 413, "too_large"),
    ] {
        let (answered, headers, body) = send(policy, encoding, body);
        assert_eq!(answered, status, "{policy} {encoding}: {body}");
        assert!(body.contains(&format!("decompress.{code}")), "{policy} {encoding}: {body}");
        assert_eq!(headers.contains_key("accept-encoding"), status == 415, "{policy} {encoding}");
    }
    let (status, _, seen) = send("{ other: pass }", "compress", b"kept".to_vec());
    assert_eq!((status, seen.contains("compress"), seen.contains("kept")), (200, true, true));
}

#[test]
fn bombs_do_not_go_off() {
    let zeros = vec![b'0'; 4 << 20];
    for coding in CODINGS {
        for (policy, size) in [("{ max_size: 1MiB, max_ratio: 10000 }", 4 << 20), ("{ max_ratio: 10 }", 1 << 20)] {
            let coded = encode(coding, &zeros[..size]);
            let (status, _, body) = send(policy, coding.as_str(), coded);
            assert_eq!(status, 413, "{coding:?} {policy}: {}", body.chars().take(200).collect::<String>());
        }
        // Small ones are none.
        assert_eq!(send("{ max_ratio: 1 }", coding.as_str(), encode(coding, &zeros[..60 << 10])).0, 200, "{coding:?}");
    }
}

#[test]
fn members_and_frames_one_after_the_other_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let (status, _, seen) = send("{}", coding.as_str(), [encode(coding, b"one "), encode(coding, b"two")].concat());
        assert_eq!((status, seen.contains("one two")), (200, true), "{coding:?}: {seen}");
    }
}

proptest! {
    /// Whatever the chunks and pauses: what comes out is what went in.
    #[test]
    fn a_stream_comes_out_as_it_was(
        coding in prop::sample::select(&CODINGS[..]),
        plain in prop::collection::vec(any::<u8>(), 0..20_000),
        cuts in prop::collection::vec((1usize..4_000, any::<bool>()), 1..8),
    ) {
        let bounds = Bounds { size: 1 << 20, ratio: 10_000 };
        let (mut decoder, mut out) = (Decoder::new(coding, bounds).unwrap(), VecDeque::new());
        let coded = encode(coding, &plain);
        let mut rest = &coded[..];
        for (cut, pause) in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, after) = rest.split_at((*cut).min(rest.len()));
            decoder.push(Bytes::copy_from_slice(part), &mut out).unwrap();
            if *pause {
                decoder.flush(&mut out).unwrap();
            }
            rest = after;
        }
        decoder.finish(&mut out).unwrap();
        prop_assert_eq!(out.into_iter().collect::<Vec<_>>().concat(), plain);
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ algorithms: [] }", "no algorithm"),
        ("{ algorithms: [lzma] }", "lzma"),
        ("{ max_ratio: 0 }", "from 1 to 10000"),
        ("{ max_size: 5 }", "5B"),
        ("{ size: 1MiB }", "size"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
