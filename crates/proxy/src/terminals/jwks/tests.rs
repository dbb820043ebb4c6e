use std::sync::atomic::Ordering::Relaxed;

use http::Request;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program_in, try_program};
use crate::program::Environment;

const NOW: u64 = 1_800_000_000;

#[test]
fn the_public_halves_are_published_before_they_sign() {
    let (clock, hand) = Clock::manual();
    hand.store(NOW * 1_000_000_000, Relaxed);
    let program = program_in(include_str!("example.yaml"), &Environment { clock, ..environment() });
    let keys = |days: u64| {
        hand.store((NOW + days * 86_400) * 1_000_000_000, Relaxed);
        let (head, body) = answer(&program, Request::get("/keys").body(Body::Empty).unwrap()).into_parts();
        assert_eq!((head.status.as_u16(), &head.headers["cache-control"]), (200, &"max-age=300".parse().unwrap()));
        assert_eq!(head.headers["content-type"], "application/jwk-set+json");
        let keys: Value = serde_json::from_slice(&body).unwrap();
        let keys = keys["keys"].as_array().unwrap().clone();
        assert!(keys.iter().all(|key| key.get("d").is_none() && key["use"] == "sig" && key["alg"] == "ES256"));
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = keys(0);
    assert_eq!((first.len(), keys(28)), (1, first.clone()));
    let both = keys(29);
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "the next one is there a day before it signs");
    assert_eq!(keys(31), both[1..], "its tokens are over");
    let (head, _) = answer(&program, Request::post("/keys").body(Body::Empty).unwrap()).into_parts();
    assert_eq!((head.status.as_u16(), &head.headers["allow"]), (405, &"GET, HEAD".parse().unwrap()));
}

#[test]
fn the_users_keys_are_taken_in_their_order() {
    let pem = |name: &str| rcgen::KeyPair::generate().map(|pair| (name.to_owned(), pair.serialize_pem())).unwrap();
    let (a, b) = (pem("a").1, pem("b").1);
    let quoted = |pem: &str| format!("\"{}\"", pem.replace('\n', "\\n"));
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\napis: [{{ name: a, to: {{ jwks: {{ issuer: 'https://a.test', keys: [{}, {}] }} }} }}]",
        quoted(&a),
        quoted(&b)
    );
    let program = program_in(&yaml, &environment());
    let body = answer(&program, Request::get("/").body(Body::Empty).unwrap()).into_body();
    let keys: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["kty"], json!("EC"));
}

#[test]
fn wrong_configuration_is_a_problem() {
    let two = "[{ name: a, path: /a, to: { jwks: { issuer: 'https://a.test' } } }, { name: b, path: /b, to: { oauth_server: { issuer: 'https://a.test', audience: a } } }]";
    for (apis, says) in [
        ("[{ name: a, to: { jwks: {} } }]".to_owned(), "issuer"),
        ("[{ name: a, to: { jwks: { issuer: 'https://a.test/' } } }]".to_owned(), "not an issuer's URL"),
        ("[{ name: a, to: { jwks: { issuer: 'https://a.test', rotate: 1m } } }]".to_owned(), "`1h` at least"),
        ("[{ name: a, to: { jwks: { issuer: 'https://a.test', keys: x } } }]".to_owned(), "not a private key"),
        (two.to_owned(), "has keys at two places"),
        (
            "[{ name: a, policies: { identity_headers: { jwt: { issuer: 'https://a.tst', audience: a } } }, to: { jwks: { issuer: 'https://a.test' } } }]".to_owned(),
            "did you mean `https://a.test`?",
        ),
    ] {
        let yaml = format!("version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\napis: {apis}");
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{apis}: {problems}");
    }
}
