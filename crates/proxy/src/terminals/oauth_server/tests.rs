use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program_in, try_program};
use crate::program::{Environment, Program};

const NOW: u64 = 1_800_000_000;
const EXAMPLE: &str = include_str!("example.yaml");

fn program() -> (Arc<Program>, Arc<std::sync::atomic::AtomicU64>) {
    let (clock, hand) = Clock::manual();
    hand.store(NOW * 1_000_000_000, Relaxed);
    (program_in(EXAMPLE, &Environment { clock, ..environment() }), hand)
}

fn told(program: &Arc<Program>, request: Request<Body>) -> (u16, Value, HeaderMap) {
    let (head, body) = answer(program, request).into_parts();
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null), head.headers)
}

fn post(program: &Arc<Program>, path: &str, form: &str) -> (u16, Value, HeaderMap) {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    told(program, request.body(Body::from(form.to_owned())).unwrap())
}

fn call(program: &Arc<Program>, token: &str) -> (u16, Value) {
    let request = Request::get("/users").header("authorization", format!("Bearer {token}"));
    let (status, body, _) = told(program, request.body(Body::Empty).unwrap());
    (status, body)
}

const MOBILE: &str = "client_id=mobile&client_secret=mobile-key-of-24-letters";
const READER: &str = "client_id=reader&client_secret=reader-key-of-24-letters";

#[test]
fn a_key_is_traded_for_a_token_that_opens_the_api() {
    let (program, hand) = program();
    let (status, given, headers) = post(&program, "/oauth/token", &format!("grant_type=client_credentials&{MOBILE}"));
    assert_eq!((status, &given["token_type"], &given["expires_in"]), (200, &json!("Bearer"), &json!(600)), "{given}");
    assert_eq!((&given["scope"], &headers["cache-control"]), (&json!("read write"), &"no-store".parse().unwrap()));
    let token = given["access_token"].as_str().unwrap();
    let (status, echo) = call(&program, token);
    assert_eq!((status, &echo["consumer"]), (200, &json!("mobile")), "{echo}");
    // A refresh token opens nothing but the next one.
    let refresh = given["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(call(&program, &refresh).1["code"], "jwt.type");
    let again = format!("grant_type=refresh_token&refresh_token={refresh}&scope=read&{MOBILE}");
    let (status, next, _) = post(&program, "/oauth/token", &again);
    assert_eq!((status, &next["scope"]), (200, &json!("read")), "{next}");
    assert_eq!(call(&program, next["access_token"].as_str().unwrap()).0, 200);
    assert_eq!(post(&program, "/oauth/token", &again).1["error"], "invalid_grant", "it is good once");
    // It is taken back: at once, also where it was seen before.
    let taken = format!("token={token}&{MOBILE}");
    assert_eq!(post(&program, "/oauth/revoke", &format!("token={token}&{READER}")).0, 200);
    assert_eq!(call(&program, token).0, 200, "another client takes nothing back");
    assert_eq!(post(&program, "/oauth/revoke", &taken).0, 200);
    assert_eq!(call(&program, token).0, 401);
    assert_eq!(post(&program, "/oauth/revoke", &format!("token=nonsense&{MOBILE}")).0, 200);
    // Its time ends.
    let other = next["access_token"].as_str().unwrap();
    hand.store((NOW + 631) * 1_000_000_000, Relaxed);
    assert_eq!(call(&program, other).1["code"], "jwt.expired");
}

#[test]
fn who_may_not_gets_no_token() {
    let (program, _) = program();
    let grant = "grant_type=client_credentials";
    for (form, status, error) in [
        (String::new(), 401, "invalid_client"),
        (grant.to_owned(), 401, "invalid_client"),
        (format!("{grant}&client_id=mobile&client_secret=wrong"), 401, "invalid_client"),
        // A good secret of somebody else.
        (format!("{grant}&client_id=reader&client_secret=mobile-key-of-24-letters"), 401, "invalid_client"),
        (format!("{grant}&client_id=&client_secret=mobile-key-of-24-letters"), 401, "invalid_client"),
        (format!("{grant}&client_secret=mobile-key-of-24-letters"), 401, "invalid_client"),
        (format!("{grant}&{READER}&scope=write"), 400, "invalid_scope"),
        (format!("{grant}&{MOBILE}&scope=read%20admin"), 400, "invalid_scope"),
        (format!("{grant}&{MOBILE}&scope=read&scope=write"), 400, "invalid_request"),
        (format!("grant_type=password&{MOBILE}&username=a&password=b"), 400, "unsupported_grant_type"),
        (format!("grant_type=authorization_code&{MOBILE}&code=x"), 400, "unsupported_grant_type"),
        (MOBILE.to_owned(), 400, "invalid_request"),
        (format!("grant_type=refresh_token&{MOBILE}"), 400, "invalid_request"),
        (format!("grant_type=refresh_token&refresh_token=x&{MOBILE}"), 400, "invalid_grant"),
        (format!("{grant}&{MOBILE}&x={}", "y".repeat(17 << 10)), 400, "invalid_request"),
    ] {
        let (got, told, headers) = post(&program, "/oauth/token", &form);
        assert_eq!((got, &told["error"]), (status, &json!(error)), "{form:.100}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401);
        assert_eq!(headers["cache-control"], "no-store");
    }
    let json =
        Request::post("/oauth/token").header("content-type", "application/json").body(Body::from("{}".to_owned()));
    assert_eq!(told(&program, json.unwrap()).1["error"], "invalid_request");
    // By `Authorization: Basic`, and not in two ways.
    let basic = |token: &str, form: &str| {
        let request = Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("authorization", format!("Basic {token}"));
        told(&program, request.body(Body::from(form.to_owned())).unwrap())
    };
    let good = "cmVhZGVyOnJlYWRlci1rZXktb2YtMjQtbGV0dGVycw==";
    let (status, given, _) = basic(good, grant);
    assert_eq!((status, &given["scope"]), (200, &json!("read")), "{given}");
    assert_eq!(basic(good, &format!("{grant}&{READER}")).1["error"], "invalid_request");
    assert_eq!(basic(good, &format!("{grant}&client_id=mobile")).1["error"], "invalid_client");
    assert_eq!(basic("nonsense", grant).1["error"], "invalid_client");
}

/// A key with scopes of its own gets no token that may do more.
#[test]
fn a_key_with_scopes_gets_no_others() {
    let key = r#"{ key: "mobile-key-of-24-letters" "#;
    let narrow = EXAMPLE.replace(key, &format!("{key}, scopes: [read]"));
    let program = program_in(&narrow, &environment());
    let ask = |more: &str| post(&program, "/oauth/token", &format!("grant_type=client_credentials&{MOBILE}{more}")).1;
    assert_eq!(ask("")["scope"], "read");
    assert_eq!(ask("&scope=write")["error"], "invalid_scope");
}

#[test]
fn its_keys_and_its_metadata_are_public() {
    let (program, hand) = program();
    let get = |path: &str| told(&program, Request::get(path).body(Body::Empty).unwrap());
    let (status, metadata, _) = get("/oauth/.well-known/oauth-authorization-server");
    assert_eq!((status, &metadata["token_endpoint"]), (200, &json!("http://127.0.0.1:8080/oauth/token")));
    let keys = |count: usize| {
        let (status, keys, _) = get("/oauth/jwks");
        let keys = keys["keys"].as_array().unwrap().clone();
        assert_eq!((status, keys.len()), (200, count));
        assert!(keys.iter().all(|key| key.get("d").is_none() && key["alg"] == "ES256"), "no private half");
        keys[0]["kid"].clone()
    };
    let first = keys(1);
    let (_, given, _) = post(&program, "/oauth/token", &format!("grant_type=client_credentials&{MOBILE}"));
    // Before the week is over the next key is published, and the old one stays for its tokens.
    hand.store((NOW + 7 * 86_400 - 3600) * 1_000_000_000, Relaxed);
    assert_eq!(keys(2), first, "it still signs");
    hand.store((NOW + 8 * 86_400) * 1_000_000_000, Relaxed);
    let kid = |given: &Value| {
        let token = given["access_token"].as_str().unwrap().split('.').next().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&crate::tokens::unbase64(token).unwrap()).unwrap();
        header["kid"].clone()
    };
    let (_, next, _) = post(&program, "/oauth/token", &format!("grant_type=client_credentials&{MOBILE}"));
    assert_eq!((kid(&given), kid(&next) == first), (first.clone(), false));
    let again = format!("grant_type=refresh_token&refresh_token={}&{MOBILE}", given["refresh_token"].as_str().unwrap());
    assert_eq!(post(&program, "/oauth/token", &again).0, 200, "signed by the old one");
    hand.store((NOW + 60 * 86_400) * 1_000_000_000, Relaxed);
    assert_ne!(keys(2), first, "its tokens are long over");
    for (method, path, status) in [("GET", "/oauth/token", 405), ("POST", "/oauth/jwks", 405), ("GET", "/oauth/x", 404)]
    {
        let request = Request::builder().method(method).uri(path).body(Body::Empty).unwrap();
        assert_eq!(told(&program, request).0, status, "{method} {path}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (server, says) in [
        ("{}", "issuer"),
        ("{ issuer: nobody, audience: a }", "not an issuer's URL"),
        ("{ issuer: 'https://a.test/x/', audience: a }", "not an issuer's URL"),
        ("{ issuer: 'https://a.test/x?y', audience: a }", "not an issuer's URL"),
        ("{ issuer: 'https://a.test', audience: [] }", "names nobody"),
        ("{ issuer: 'https://a.test', audience: a, lifetime: 2d }", "`1m` to `1d`"),
        ("{ issuer: 'https://a.test', audience: a, rotate: 1m }", "`1h` at least"),
        ("{ issuer: 'https://a.test', audience: a, refresh_lifetime: 91d }", "up to `90d`"),
        (
            "{ issuer: 'https://a.test', audience: a, refresh_lifetime: 30d, rotate: 1h }",
            "keys would be good at a time",
        ),
        ("{ issuer: 'https://a.test', audience: a, scopes: ['a b'] }", "not a scope"),
        ("{ issuer: 'https://a.test', audience: a, keys: nonsense }", "not a private key"),
    ] {
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\napis: [{{ name: a, to: {{ oauth_server: {server} }} }}]"
        );
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{server}: {problems}");
    }
    let orphan = EXAMPLE
        .replace("issuer: \"http://127.0.0.1:8080/oauth\", audience: users, signed_by", "audience: users, signed_by");
    assert!(try_program(&orphan, &environment()).err().unwrap_or_default().contains("`issuer`"));
}
