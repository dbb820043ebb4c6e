mod aws;
mod messages;
mod structured;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::Request;
use serde_json::Value;

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program_in};
use crate::program::{Environment, Program};

/// A program by a clock that stands at so many seconds after 1970.
fn gate(policy: &str, at: u64) -> (Arc<Program>, Arc<AtomicU64>) {
    let (clock, hand) = Clock::manual();
    turn(&hand, at);
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, access: identified, policies: {{ hmac_auth: {policy} }}, to: {{ echo: {{}} }} }}]
consumers:
  - name: shared
    credentials:
      # RFC 9421 appendix B.1.5.
      - hmac: {{ id: test-shared-secret, encoding: base64, secret: "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==" }}
  - name: edwards
    credentials:
      # RFC 9421 appendix B.1.4.
      - public_key: {{ id: test-key-ed25519, pem: "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n" }}
  - name: amazon
    credentials:
      # Of AWS's published test suite.
      - hmac: {{ id: AKIDEXAMPLE, secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }}
  - {{ name: plain, credentials: [{{ hmac: {{ id: plain, secret: "0123456789abcdef" }} }}] }}
  - {{ name: off, enabled: false, credentials: [{{ hmac: {{ id: off, secret: "0123456789abcdef" }} }}] }}
"#
    );
    (program_in(&yaml, &Environment { clock, ..environment() }), hand)
}

fn turn(hand: &AtomicU64, at: u64) {
    hand.store(Duration::from_secs(at).as_nanos() as u64, Relaxed);
}

/// The consumer, or the code of the refusal.
fn ask(program: &Arc<Program>, request: http::request::Builder, body: &'static str) -> String {
    let body = if body.is_empty() { Body::Empty } else { Body::Full(body.into()) };
    let (head, body) = answer(program, request.body(body).unwrap()).into_parts();
    let told: Value = serde_json::from_slice(&body).unwrap();
    let who = told["consumer"].as_str().or(told["code"].as_str()).unwrap().to_owned();
    let challenged = head.headers.contains_key("www-authenticate");
    assert_eq!(challenged, head.status == 401, "{told}");
    assert!(head.status != 200 || told["headers"]["signature"].is_null(), "hidden from the upstream: {told}");
    who
}

fn get(uri: &str, fields: &[(&str, &str)]) -> http::request::Builder {
    fields.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value))
}
