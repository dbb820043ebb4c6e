//! HTTP Message Signatures: the vectors of RFC 9421, and requests that a test signs itself.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;

use super::{ask, gate, get, turn};

/// When the examples of RFC 9421 were signed.
const SIGNED: u64 = 1_618_884_473;
const OPEN: &str = "{ required: [] }";

/// The request of RFC 9421 appendix B.2.
fn example() -> http::request::Builder {
    Request::post("/foo?param=Value&Pet=dog")
        .header("host", "example.com")
        .header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .header("content-type", "application/json")
        .header(
            "content-digest",
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        )
        .header("content-length", "18")
}

const HMAC: (&str, &str) = (
    r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
    "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
);
const EDWARDS: (&str, &str) = (
    r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
);

#[test]
fn the_examples_of_the_rfc_are_right() {
    let (program, hand) = gate(OPEN, SIGNED);
    let signed = |(input, value): (&str, &str)| example().header("signature-input", input).header("signature", value);
    let body = r#"{"hello": "world"}"#;
    assert_eq!(ask(&program, signed(HMAC), body), "shared");
    assert_eq!(ask(&program, signed(EDWARDS), body), "edwards");
    // Several signatures: the one whose key is known.
    let both = example()
        .header("signature-input", format!(r#"x=("date");created=1;keyid="who", {}"#, EDWARDS.0))
        .header("signature", format!("x=:AAAA:, {}", EDWARDS.1));
    assert_eq!(ask(&program, both, body), "edwards");
    for (at, expected) in [
        (SIGNED + 300, "edwards"),
        (SIGNED + 301, "hmac_auth.expired"),
        (SIGNED - 300, "edwards"),
        (SIGNED - 301, "hmac_auth.expired"),
    ] {
        turn(&hand, at);
        assert_eq!(ask(&program, signed(EDWARDS), body), expected, "{at}");
    }
    turn(&hand, SIGNED);
    for (name, value) in [("date", "Tue, 20 Apr 2021 02:07:56 GMT"), ("host", "example.org"), ("content-type", "a/b")] {
        let mut changed = signed(EDWARDS);
        changed.headers_mut().unwrap().insert(name, value.parse().unwrap());
        assert_eq!(ask(&program, changed, body), "hmac_auth.invalid", "{name}");
    }
    assert_eq!(ask(&program, signed(EDWARDS).method("PUT"), body), "hmac_auth.invalid");
    assert_eq!(ask(&program, signed(EDWARDS).uri("/foo2"), body), "hmac_auth.invalid");
    let (defaults, _) = gate("{}", SIGNED);
    assert_eq!(ask(&defaults, signed(EDWARDS), body), "hmac_auth.uncovered", "the query is not covered");
}

/// Signs a base by the key `plain`, as the second implementation of these tests.
fn signature(base: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
    format!("s=:{}:", STANDARD.encode(hmac::sign(&key, base.as_bytes()).as_ref()))
}

/// A request to `/a%2Fb?q=x+y&e=` on `Gate.test:80` that signs these components, whose values are these.
fn signed(components: &[(&str, &str)], parameters: &str) -> http::request::Builder {
    let names: Vec<&str> = components.iter().map(|(name, _)| *name).collect();
    let list = format!("({}){parameters}", names.join(" "));
    let lines: String = components.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let value = signature(&format!("{lines}\"@signature-params\": {list}"));
    get("/a%2Fb?q=x+y&e=", &[("host", "Gate.test:80"), ("x-two", " a"), ("x-two", "b "), ("x-empty", "")])
        .header("signature-input", format!("s={list}"))
        .header("signature", value)
}

const FRESH: &str = r#";created=1618884473;keyid="plain""#;

#[test]
fn each_component_has_its_value() {
    let (program, _) = gate(OPEN, SIGNED);
    for (name, value) in [
        (r#""@method""#, "GET"),
        (r#""@authority""#, "gate.test"),
        (r#""@scheme""#, "http"),
        (r#""@path""#, "/a%2Fb"),
        (r#""@query""#, "?q=x+y&e="),
        (r#""@request-target""#, "/a%2Fb?q=x+y&e="),
        (r#""@target-uri""#, "http://gate.test/a%2Fb?q=x+y&e="),
        (r#""@query-param";name="q""#, "x%20y"),
        (r#""@query-param";name="e""#, ""),
        (r#""x-two""#, "a, b"),
        (r#""x-empty""#, ""),
    ] {
        assert_eq!(ask(&program, signed(&[(name, value)], FRESH), ""), "plain", "{name}");
        let other = format!("{value}x");
        assert_eq!(ask(&program, signed(&[(name, &other)], FRESH), ""), "hmac_auth.invalid", "{name}");
    }
    for name in [r#""@status""#, r#""x-none""#, r#""@query-param""#, r#""@query-param";name="none""#, r#""x-two";sf"#] {
        assert_eq!(ask(&program, signed(&[(name, "")], FRESH), ""), "hmac_auth.invalid", "{name}");
    }
    let twice = signed(&[(r#""@method""#, "GET"), (r#""@method""#, "GET")], FRESH);
    assert_eq!(ask(&program, twice, ""), "hmac_auth.invalid");
}

#[test]
fn parameters_bound_what_a_signature_is_good_for() {
    let whole = [(r#""@method""#, "GET"), (r#""@target-uri""#, "http://gate.test/a%2Fb?q=x+y&e=")];
    for (policy, parameters, expected) in [
        ("{}", FRESH, "plain"),
        ("{ required: ['@authority', '@path'] }", FRESH, "plain"),
        ("{ required: [x-two] }", FRESH, "hmac_auth.uncovered"),
        ("{}", r#";keyid="plain""#, "hmac_auth.uncovered"),
        ("{}", r#";created=1618884473"#, "hmac_auth.invalid"),
        ("{}", r#";created=1618884473;keyid="nobody""#, "hmac_auth.invalid"),
        ("{}", r#";created=1618884473;keyid="off""#, "auth.consumer_disabled"),
        ("{}", r#";created="1618884473";keyid="plain""#, "hmac_auth.invalid"),
        ("{}", r#";created=1618884473;expires=1618884474;keyid="plain""#, "plain"),
        ("{}", r#";created=1618884473;expires=1618884473;keyid="plain""#, "hmac_auth.expired"),
        ("{ window: 10s }", r#";created=1618884463;keyid="plain""#, "plain"),
        ("{ window: 10s }", r#";created=1618884462;keyid="plain""#, "hmac_auth.expired"),
        ("{}", r#";created=1618884473;keyid="plain";alg="hmac-sha256""#, "plain"),
        ("{}", r#";created=1618884473;keyid="plain";alg="ed25519""#, "hmac_auth.invalid"),
        ("{ nonce: required }", FRESH, "hmac_auth.uncovered"),
        ("{ nonce: required }", r#";created=1618884473;keyid="plain";nonce="n""#, "plain"),
        ("{ schemes: [aws4] }", FRESH, "auth.missing"),
    ] {
        let (program, _) = gate(policy, SIGNED);
        assert_eq!(ask(&program, signed(&whole, parameters), ""), expected, "{policy} {parameters}");
    }
}

#[test]
fn a_nonce_is_good_once_for_as_long_as_the_signature_could_be() {
    let (program, hand) = gate("{ required: [], window: 60s }", SIGNED);
    let with = |nonce: &str, created: u64| signed(&[], &format!(r#";created={created};keyid="plain";nonce="{nonce}""#));
    turn(&hand, SIGNED - 60);
    assert_eq!(ask(&program, with("a", SIGNED), ""), "plain");
    for at in [SIGNED - 60, SIGNED, SIGNED + 59, SIGNED + 60] {
        turn(&hand, at);
        assert_eq!(ask(&program, with("a", SIGNED), ""), "hmac_auth.replayed", "{at}");
    }
    assert_eq!(ask(&program, with("b", SIGNED), ""), "plain");
    // A wrong signature uses nothing up.
    let mut forged = with("c", SIGNED);
    forged.headers_mut().unwrap().insert("signature", "s=:AAAA:".parse().unwrap());
    assert_eq!(ask(&program, forged, ""), "hmac_auth.invalid");
    assert_eq!(ask(&program, with("c", SIGNED), ""), "plain");
}

#[test]
fn a_body_is_the_one_that_was_signed() {
    const SHA256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let with = |digest: &str| {
        let mut request = signed(&[(r#""content-digest""#, digest)], FRESH).method("POST");
        request.headers_mut().unwrap().insert("content-digest", digest.parse().unwrap());
        request
    };
    let bare = || signed(&[], FRESH).method("POST");
    let body = r#"{"hello": "world"}"#;
    for (policy, request, body, expected) in [
        ("{ required: [] }", with(SHA256), body, "plain"),
        ("{ required: [] }", with(SHA256), "{}", "hmac_auth.digest"),
        ("{ required: [] }", with(SHA256), "", "hmac_auth.digest"),
        ("{ required: [] }", with(&format!("{SHA256}, sha-512=:AAAA:")), body, "hmac_auth.digest"),
        ("{ required: [] }", with(&format!("md5=:AAAA:, {SHA256}")), body, "plain"),
        ("{ required: [] }", with("md5=:AAAA:"), body, "hmac_auth.invalid"),
        ("{ required: [], digest: off }", with(SHA256), "{}", "plain"),
        ("{ required: [] }", bare(), body, "plain"),
        ("{ required: [], digest: required }", bare(), body, "hmac_auth.uncovered"),
        ("{ required: [], digest: required }", bare(), "", "plain"),
        ("{ required: [], digest: required }", with(SHA256), body, "plain"),
        ("{ required: [], body: 17B }", with(SHA256), body, "request.body_too_large"),
    ] {
        let (program, _) = gate(policy, SIGNED);
        assert_eq!(ask(&program, request, body), expected, "{policy} {body}");
    }
}

#[test]
fn no_signature_is_none_and_half_of_one_is_wrong() {
    let (program, _) = gate("{}", SIGNED);
    let input = ("signature-input", r#"s=("@method");created=1618884473;keyid="plain""#);
    for (fields, expected) in [
        (&[][..], "auth.missing"),
        (&[("authorization", "Bearer x")], "auth.missing"),
        (&[input], "hmac_auth.invalid"),
        (&[("signature", "s=:AAAA:")], "hmac_auth.invalid"),
        (&[input, ("signature", "t=:AAAA:")], "hmac_auth.invalid"),
        (&[input, ("signature", "nonsense")], "hmac_auth.invalid"),
        (&[("signature-input", "s=x"), ("signature", "s=:AAAA:")], "hmac_auth.invalid"),
    ] {
        assert_eq!(ask(&program, get("/", fields), ""), expected, "{fields:?}");
    }
}

#[test]
fn a_p256_key_checks_what_its_half_signed() {
    use crate::program::SigningKey;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let key = SigningKey::P256(pair.public_key().as_ref().into());
    let made = pair.sign(&SystemRandom::new(), b"base").unwrap();
    assert!(super::super::is_right(&key, None, b"base", made.as_ref()));
    assert!(super::super::is_right(&key, Some("ecdsa-p256-sha256"), b"base", made.as_ref()));
    assert!(!super::super::is_right(&key, Some("hmac-sha256"), b"base", made.as_ref()));
    assert!(!super::super::is_right(&key, None, b"case", made.as_ref()));
    // No secret stands in for a public key.
    let forged = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pair.public_key().as_ref()), b"base");
    assert!(!super::super::is_right(&key, Some("hmac-sha256"), b"base", forged.as_ref()));
}
