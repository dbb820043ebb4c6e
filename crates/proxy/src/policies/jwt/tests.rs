use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::exchange::testing::{LOCAL, PEER, answer, answer_to, environment, exchange_by, program_in, try_program};
use crate::exchange::{Body, ClientCertificate, Connection, Tls};
use crate::program::{Environment, ListenerSlot, Program, sha256};
use crate::tokens::algorithm::Algorithm;
use crate::tokens::base64;
use crate::tokens::key::thumbprint;
use crate::tokens::testing::Signer;

const NOW: u64 = 1_800_000_000;

fn ec() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::new(Algorithm::ES256))
}

/// An api behind this policy, and where `ISSUER` stands an issuer with a key.
fn configuration(policy: &str) -> String {
    let issuer = format!("issuer: 'https://id.test', audience: users, keys: [{{ jwk: {} }}]", ec().jwk(Some("k1")));
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: users
    policies: {{ jwt: {} }}
    routes: [{{ to: {{ echo: {{}} }} }}]
consumers:
  - {{ name: mobile, groups: [apps], metadata: {{ client_id: c-1 }} }}
  - {{ name: gone, enabled: false }}
"#,
        policy.replace("ISSUER", &issuer)
    )
}

fn at(seconds: u64) -> Environment {
    let (clock, hand) = Clock::manual();
    hand.store(seconds * 1_000_000_000, Relaxed);
    Environment { clock, ..environment() }
}

fn program(policy: &str) -> Arc<Program> {
    program_in(&configuration(policy), &at(NOW))
}

fn claims(more: Value) -> Value {
    let mut claims = json!({ "iss": "https://id.test", "aud": "users", "sub": "u1", "exp": NOW + 60, "iat": NOW });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn token(more: Value) -> String {
    ec().token(Algorithm::ES256, Some("k1"), &claims(more))
}

type Told = (StatusCode, Value, http::HeaderMap);

fn ask(program: &Arc<Program>, target: &str, headers: &[(&str, &str)]) -> Told {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, body) = answer(program, request.body(Body::Empty).unwrap()).into_parts();
    (head.status, serde_json::from_slice(&body).unwrap(), head.headers)
}

#[test]
fn a_token_is_found_wherever_it_may_stand_and_taken_out() {
    let good = token(json!({}));
    let bearer = format!("Bearer {good}");
    let from = "{ issuers: { ISSUER }, from: [authorization, x-token, { cookie: t }, { query: access_token }] }";
    for (policy, target, headers) in [
        ("{ issuers: { ISSUER } }", "/".to_owned(), vec![("authorization", bearer.as_str())]),
        (from, "/".to_owned(), vec![("authorization", bearer.as_str())]),
        (from, "/".to_owned(), vec![("x-token", good.as_str())]),
        (from, format!("/?a=1&access_token={good}"), vec![]),
        (from, "/".to_owned(), vec![("x-token", good.as_str()), ("authorization", bearer.as_str())]),
    ] {
        // Twice: verified, then remembered.
        let program = program(policy);
        for round in 0..2 {
            let (status, echo, _) = ask(&program, &target, &headers);
            assert_eq!(status, 200, "{policy} {target} round {round}: {echo}");
            let seen = echo["headers"].as_object().unwrap();
            assert_eq!(seen.keys().collect::<Vec<_>>(), ["host"], "{policy}");
            assert!(!echo["query"].to_string().contains("access_token"));
        }
    }
    let cookie = format!("a=1; t={good}");
    let (status, echo, _) = ask(&program(from), "/", &[("cookie", &cookie)]);
    assert_eq!((status, &echo["headers"]["cookie"]), (StatusCode::OK, &json!("***")));
    let kept = program("{ issuers: { ISSUER }, upstream: keep }");
    assert_eq!(ask(&kept, "/", &[("authorization", &bearer)]).1["headers"]["authorization"], "***");
}

#[test]
fn each_class_of_fault_has_its_code() {
    let other = Signer::new(Algorithm::ES256);
    let secret = Signer::Secret(ec().pem().into_bytes());
    let large = token(json!({ "x": "y".repeat(8 << 10) }));
    let header = |header: &str| ec().token_of(Algorithm::ES256, header, &claims(json!({})).to_string());
    for (shown, status, code) in [
        ("opaque".to_owned(), 401, "jwt.malformed"),
        ("a.b.c".to_owned(), 401, "jwt.malformed"),
        (header(r#"{"alg":"none"}"#), 401, "jwt.algorithm"),
        (header(r#"{"alg":"ES256","crit":["x"],"x":1}"#), 401, "jwt.malformed"),
        (header(r#"{"alg":"ES256","typ":"dpop+jwt"}"#), 401, "jwt.type"),
        (secret.token(Algorithm::HS256, Some("k1"), &claims(json!({}))), 401, "jwt.algorithm"),
        (other.token(Algorithm::ES256, Some("k1"), &claims(json!({}))), 401, "jwt.signature"),
        (ec().token(Algorithm::ES256, Some("k9"), &claims(json!({}))), 401, "jwt.unknown_key"),
        (large, 401, "jwt.too_large"),
        (token(json!({ "iss": "https://other.test" })), 401, "jwt.issuer"),
        (token(json!({ "iss": null })), 401, "jwt.issuer"),
        (token(json!({ "aud": "admin" })), 401, "jwt.audience"),
        (token(json!({ "exp": NOW - 31 })), 401, "jwt.expired"),
        (token(json!({ "exp": null })), 401, "jwt.claims"),
        (token(json!({ "exp": "soon" })), 401, "jwt.claims"),
        (token(json!({ "nbf": NOW + 31 })), 401, "jwt.not_yet_valid"),
        (token(json!({ "cnf": { "jkt": "x" } })), 401, "jwt.binding"),
        (token(json!({ "cnf": { "jkt": 1 } })), 401, "jwt.binding"),
        (token(json!({ "cnf": { "x5t#S256": "x" } })), 401, "jwt.binding"),
        (token(json!({ "cnf": { "x5t#S256": base64([0; 32]) } })), 401, "jwt.binding"),
    ] {
        let program = program("{ issuers: { ISSUER } }");
        for _ in 0..2 {
            let (got, problem, headers) = ask(&program, "/", &[("authorization", &format!("Bearer {shown}"))]);
            assert_eq!((got.as_u16(), &problem["code"]), (status, &json!(code)), "{shown:.100}: {problem}");
            let challenge = headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer realm=\"users\", error=\"invalid_token\""), "{challenge}");
            assert!(!problem.to_string().contains(&shown), "what is refused is not repeated");
        }
    }
    let two = [("authorization", format!("Bearer {}", token(json!({})))), ("authorization", "Bearer x.y.z".to_owned())];
    let two = two.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (status, problem, _) = ask(&program("{ issuers: { ISSUER } }"), "/", &two);
    assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("jwt.ambiguous")));
    let (status, problem, headers) = ask(&program("{ issuers: { ISSUER } }"), "/", &[]);
    assert_eq!((status.as_u16(), &problem["code"]), (401, &json!("auth.missing")));
    assert_eq!(headers["www-authenticate"], "Bearer realm=\"users\"");
}

#[test]
fn a_remembered_token_ends_when_it_says() {
    let env = at(NOW);
    let Clock::Manual(hand) = env.clock.clone() else { panic!("another") };
    let program = program_in(&configuration("{ issuers: { ISSUER } }"), &env);
    let bearer = format!("Bearer {}", token(json!({})));
    for (second, status) in [(NOW, 200), (NOW + 1, 200), (NOW + 89, 200), (NOW + 90, 401), (NOW + 91, 401)] {
        hand.store(second * 1_000_000_000, Relaxed);
        let (got, problem, _) = ask(&program, "/", &[("authorization", &bearer)]);
        assert_eq!(got.as_u16(), status, "{second}: {problem}");
    }
}

#[test]
fn claims_become_consumer_groups_and_fields() {
    let policy = "{ issuers: { ISSUER }, consumer: { claim: [azp, client_id] }, groups: [groups, realm_access.roles],
        headers: { x-user: sub, x-roles: realm_access.roles, x-level: level, x-odd: odd } }";
    let by_metadata = policy.replace("client_id]", "client_id], metadata: client_id");
    let more = |azp: &str| json!({ "azp": azp, "realm_access": { "roles": ["a", "b"] }, "level": 3, "odd": "a\nb" });
    let forged = [("x-user", "admin"), ("x-odd", "forged"), ("x-level", "9")];
    for (policy, azp, status, consumer) in [
        (policy, "mobile", 200, Some("mobile")),
        (&by_metadata, "c-1", 200, Some("mobile")),
        (&by_metadata, "mobile", 403, None),
        (policy, "nobody", 403, None),
        (policy, "gone", 403, None),
        (&policy.replace("client_id] }", "client_id], missing: allow }"), "nobody", 200, None),
    ] {
        let bearer = format!("Bearer {}", token(more(azp)));
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(forged);
        let program = program(policy);
        for round in 0..2 {
            let (got, echo, _) = ask(&program, "/", &headers);
            assert_eq!(got.as_u16(), status, "{policy} {azp} {round}: {echo}");
            if status == 200 {
                assert_eq!(echo["consumer"].as_str(), consumer, "{azp}");
                let fields = json!({ "host": "gate.test", "x-user": "u1", "x-roles": "a,b", "x-level": "3" });
                assert_eq!(echo["headers"], fields, "and what a client sends in them is gone");
            }
        }
    }
    // Where nobody has to be known, a forged field is taken out all the same.
    let yaml = configuration(policy).replace("name: users\n", "name: users\n    identify: { mode: optional }\n");
    let open = program_in(&yaml, &at(NOW));
    assert_eq!(ask(&open, "/", &forged).1["headers"], json!({ "host": "gate.test" }));
}

#[test]
fn several_issuers_have_keys_and_rules_of_their_own() {
    let (ed, hs) = (Signer::new(Algorithm::EdDSA), Signer::new(Algorithm::HS256));
    let Signer::Secret(secret) = &hs else { panic!("another") };
    let policy = format!(
        "{{ issuers: [{{ ISSUER }}, {{ issuer: b, keys: {{ jwk: {} }} }}, {{ keys: {{ secret: '{}' }} }}] }}",
        ed.jwk(None),
        String::from_utf8_lossy(secret)
    );
    let program = program(&policy);
    let of = |signer: &Signer, algorithm, iss: Value| signer.token(algorithm, None, &claims(json!({ "iss": iss })));
    for (shown, status) in [
        (of(ec(), Algorithm::ES256, json!("https://id.test")), 200),
        (of(&ed, Algorithm::EdDSA, json!("b")), 200),
        (of(&hs, Algorithm::HS256, json!("whoever")), 200),
        (of(&hs, Algorithm::HS256, json!(null)), 200),
        // Nobody speaks for another.
        (of(&ed, Algorithm::EdDSA, json!("https://id.test")), 401),
        (of(ec(), Algorithm::ES256, json!("b")), 401),
        (of(&hs, Algorithm::HS256, json!("b")), 401),
        (of(&ed, Algorithm::EdDSA, json!("c")), 401),
    ] {
        let (got, told, _) = ask(&program, "/", &[("authorization", &format!("Bearer {shown}"))]);
        assert_eq!(got.as_u16(), status, "{shown}: {told}");
    }
}

#[test]
fn a_token_of_others_is_left_to_others() {
    let policy = "{ issuers: { ISSUER }, unknown: skip }";
    for (shown, status, code) in [
        ("opaque".to_owned(), 401, "auth.missing"),
        (token(json!({ "iss": "https://other.test" })), 401, "auth.missing"),
        // One of our own that is not good is refused.
        (token(json!({ "aud": "x" })), 401, "jwt.audience"),
    ] {
        let (got, problem, _) = ask(&program(policy), "/", &[("authorization", &format!("Bearer {shown}"))]);
        assert_eq!((got.as_u16(), &problem["code"]), (status, &json!(code)), "{shown}");
    }
}

/// A proof for `GET http://gate.test/a` with this token, changed by `change`.
fn proof(signer: &Signer, access: &str, change: impl Fn(&mut Value, &mut Value)) -> String {
    let mut header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": signer.jwk(None) });
    let mut body = json!({
        "jti": "j1", "htm": "GET", "htu": "http://gate.test/a", "iat": NOW, "ath": base64(sha256(access.as_bytes()))
    });
    change(&mut header, &mut body);
    signer.token_of(Algorithm::ES256, &header.to_string(), &body.to_string())
}

/// The client is told a nonce, uses it, and is told the next before the one it has is over.
#[test]
fn proofs_have_a_nonce_where_it_is_asked_for() {
    let holder = Signer::new(Algorithm::ES256);
    let jkt = thumbprint(holder.jwk(None).as_object().unwrap()).unwrap();
    let bound = token(json!({ "cnf": { "jkt": jkt }, "exp": NOW + 600 }));
    let key = "0123456789abcdef0123456789abcdef";
    let policy = format!("{{ issuers: {{ ISSUER }}, dpop_nonce: {{ lifetime: 10s, key: '{key}' }} }}");
    let mut number = 0;
    let mut call = |now: u64, nonce: Option<&str>| {
        let program = program_in(&configuration(&policy), &at(now));
        number += 1;
        let proof = proof(&holder, &bound, |_, body| {
            body["jti"] = number.to_string().into();
            body["iat"] = now.into();
            if let Some(nonce) = nonce {
                body["nonce"] = nonce.into();
            }
        });
        let (status, told, headers) =
            ask(&program, "/a", &[("authorization", &format!("DPoP {bound}")), ("dpop", &proof)]);
        let field = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        if status.as_u16() == 401 {
            assert_eq!(told["code"], "jwt.nonce");
            assert!(field("www-authenticate").unwrap().contains("error=\"use_dpop_nonce\""));
        }
        assert!(field("dpop-nonce").is_none() || field("cache-control").is_some_and(|told| told.contains("no-store")));
        (status.as_u16(), field("dpop-nonce"))
    };
    // At the beginning of a window.
    let now = NOW / 10 * 10;
    let (status, first) = call(now, None);
    let first = first.unwrap();
    assert_eq!((status, first.len()), (401, 22));
    for wrong in ["", "made up", first.get(..21).unwrap(), &format!("{first}x")] {
        assert_eq!(call(now, Some(wrong)), (401, Some(first.clone())), "{wrong}");
    }
    assert_eq!(call(now + 9, Some(&first)), (200, None));
    let (status, second) = call(now + 10, Some(&first));
    let second = second.unwrap();
    assert!(status == 200 && second != first);
    assert_eq!(call(now + 20, Some(&first)).0, 401, "its time is over");
    assert_eq!(call(now + 19, Some(&second)), (200, None));
    assert_eq!(call(now, Some(&second)).0, 401, "one of the future was guessed");
    for (nonces, says) in [
        ("{ lifetime: 1s }", "from `10s` to `1h`"),
        ("{ lifetime: 2h }", "from `10s` to `1h`"),
        ("{ key: short }", "at least 32 characters"),
    ] {
        let yaml = configuration(&format!("{{ issuers: {{ ISSUER }}, dpop_nonce: {nonces} }}"));
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{nonces}: {problems}");
    }
}

#[test]
fn a_bound_token_needs_a_proof_for_this_very_request() {
    let (holder, thief) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let jkt = thumbprint(holder.jwk(None).as_object().unwrap()).unwrap();
    let bound = token(json!({ "cnf": { "jkt": jkt } }));
    let shown = format!("DPoP {bound}");
    let good = |_: &mut Value, _: &mut Value| {};
    type Change = fn(&mut Value, &mut Value);
    let changes: [(&str, Change, u16); 17] = [
        ("as it is", |_, _| {}, 200),
        ("a query is not part of it", |_, body| body["htu"] = "http://GATE.test:80/a?x=1#y".into(), 200),
        ("another method", |_, body| body["htm"] = "POST".into(), 401),
        ("a method in lower case", |_, body| body["htm"] = "get".into(), 401),
        ("another path", |_, body| body["htu"] = "http://gate.test/b".into(), 401),
        ("another host", |_, body| body["htu"] = "http://other.test/a".into(), 401),
        ("another scheme", |_, body| body["htu"] = "https://gate.test/a".into(), 401),
        ("another token", |_, body| body["ath"] = base64([1; 32]).into(), 401),
        ("no token", |_, body| body["ath"] = Value::Null, 401),
        ("too old", |_, body| body["iat"] = (NOW - 61).into(), 401),
        ("too early", |_, body| body["iat"] = (NOW + 61).into(), 401),
        ("no time", |_, body| body["iat"] = Value::Null, 401),
        ("no id", |_, body| body["jti"] = Value::Null, 401),
        ("an empty id", |_, body| body["jti"] = "".into(), 401),
        ("another type", |header, _| header["typ"] = "JWT".into(), 401),
        ("no key", |header, _| drop(header.as_object_mut().unwrap().remove("jwk")), 401),
        ("with the private key", |header, _| header["jwk"]["d"] = base64([1; 32]).into(), 401),
    ];
    for (what, change, status) in changes {
        let program = program("{ issuers: { ISSUER } }");
        let proof = proof(&holder, &bound, change);
        let (got, told, _) = ask(&program, "/a?q=1", &[("authorization", &shown), ("dpop", &proof)]);
        assert_eq!(got.as_u16(), status, "{what}: {told}");
        if status == 200 {
            let seen = told["headers"].as_object().unwrap();
            assert!(!seen.contains_key("dpop") && !seen.contains_key("authorization"), "{told}");
        }
        if status == 200 {
            let (again, told, headers) = ask(&program, "/a?q=1", &[("authorization", &shown), ("dpop", &proof)]);
            assert_eq!((again.as_u16(), &told["code"]), (401, &json!("jwt.proof")), "a proof is taken once");
            assert!(headers["www-authenticate"].to_str().unwrap().starts_with("DPoP "));
        }
    }
    let program = program("{ issuers: { ISSUER } }");
    let (plain, bearer) = (token(json!({})), format!("Bearer {bound}"));
    let (by_holder, by_thief) = (proof(&holder, &bound, good), proof(&thief, &bound, good));
    for (what, headers) in [
        ("as a bearer's", vec![("authorization", bearer.as_str())]),
        ("as a bearer's with a proof", vec![("authorization", bearer.as_str()), ("dpop", &by_holder)]),
        ("without a proof", vec![("authorization", shown.as_str())]),
        ("with another's proof", vec![("authorization", shown.as_str()), ("dpop", &by_thief)]),
        ("two proofs", vec![("authorization", shown.as_str()), ("dpop", &by_holder), ("dpop", &by_holder)]),
        ("no proof at all", vec![("authorization", shown.as_str()), ("dpop", "x")]),
        ("a token that is not bound", vec![("authorization", Box::leak(format!("DPoP {plain}").into_boxed_str()))]),
    ] {
        assert_eq!(ask(&program, "/a", &headers).0, 401, "{what}");
    }
    let required = self::program("{ issuers: { ISSUER }, binding: required }");
    assert_eq!(ask(&required, "/a", &[("authorization", &format!("Bearer {plain}"))]).1["code"], "jwt.binding");
    assert_eq!(ask(&required, "/a", &[("authorization", &shown), ("dpop", &by_holder)]).0, 200);
    assert!(ask(&required, "/a", &[]).2["www-authenticate"].to_str().unwrap().starts_with("DPoP algs="));
}

#[test]
fn a_token_of_a_certificate_is_good_with_it_alone() {
    let der = Bytes::from_static(b"a certificate");
    let bound = token(json!({ "cnf": { "x5t#S256": base64(sha256(&der)) } }));
    for (shown, status) in [(Some(der), 200), (Some(Bytes::from_static(b"another")), 401), (None, 401)] {
        let program = program("{ issuers: { ISSUER } }");
        let client = shown.map(|der| ClientCertificate {
            der,
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            names: Vec::new(),
            fingerprint: String::new(),
        });
        let tls = Tls { version: "TLSv1.3", cipher: String::new(), server_name: None, client };
        let connection = Connection::new(ListenerSlot(0), PEER, LOCAL, Some(Box::new(tls)));
        let request = Request::get("/").header("authorization", format!("Bearer {bound}")).body(Body::Empty).unwrap();
        assert_eq!(answer_to(exchange_by(&program, connection, request)).status(), status);
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    let rsa1024 = json!({ "kty": "RSA", "n": base64([0xc5; 128]), "e": "AQAB" });
    let weak = format!("{{ issuers: {{ issuer: a, keys: {{ jwk: {rsa1024} }} }} }}");
    for (policy, says) in [
        ("{}", "issuers"),
        ("{ issuers: [] }", "not from 1 to 32"),
        ("{ issuers: [{ issuer: a }] }", "no keys"),
        ("{ issuers: [{ issuer: a, keys: { secret: short } }] }", "at least 32 bytes, and this one 5"),
        (
            "{ issuers: [{ issuer: a, keys: { secret: 0123456789abcdef0123456789abcdef, algorithm: HS512 } }] }",
            "at least 64",
        ),
        ("{ issuers: [{ issuer: a, keys: { secret: 0123456789abcdef0123456789abcdef, algorithm: RS256 } }] }", "RS256"),
        ("{ issuers: [{ issuer: a, keys: { pem: nonsense } }] }", "not PEM"),
        ("{ issuers: [{ issuer: a, keys: { jwk: nonsense } }] }", "not a JSON object"),
        ("{ issuers: [{ issuer: a, keys: { jwk: { kty: EC } } }] }", "curve"),
        (&weak, "and this one 1024"),
        ("{ issuers: [{ issuer: a, keys: {} }] }", "one of `jwk`, `pem` and `secret`"),
        ("{ issuers: [{ ISSUER, jwks_url: 'https://id.test/keys' }] }", "one of `keys`, `jwks_url` and `discovery`"),
        ("{ issuers: [{ ISSUER }, { ISSUER }] }", "two issuers are `https://id.test`"),
        ("{ issuers: [{ ISSUER, algorithms: HS256 }] }", "nothing to verify"),
        ("{ issuers: [{ ISSUER, algorithms: none }] }", "none"),
        ("{ issuers: [{ ISSUER, leeway: 1h }] }", "not off by more"),
        ("{ issuers: [{ jwks_url: 'https://id.test/keys', algorithms: HS256 }] }", "needs a secret"),
        ("{ issuers: [{ jwks_url: 'id.test/keys' }] }", "not an HTTP URL"),
        ("{ issuers: [{ jwks_url: 'ftp://id.test/keys' }] }", "not an HTTP URL"),
        ("{ issuers: [{ jwks_url: 'https://a:b@id.test/keys' }] }", "must not hold a password"),
        ("{ issuers: [{ jwks_url: 'https://id.test/#keys' }] }", "fragment"),
        ("{ issuers: [{ jwks_url: 'https://id.test/', calls: { timeout: 10m } }] }", "from 10ms to 60s"),
        ("{ issuers: [{ jwks_url: 'https://id.test/', refresh: 1ms }] }", "`1s` to `1d`"),
        ("{ issuers: { ISSUER }, max_bytes: 1MiB }", "64 KiB"),
        ("{ issuers: { ISSUER }, from: [] }", "not from 1 to 16"),
        ("{ issuers: { ISSUER }, headers: { content-length: sub } }", "set by the gateway itself"),
        ("{ issuers: { ISSUER }, headers: { x-user: '' } }", "from 1 to 256"),
        ("{ issuers: { ISSUER }, consumer: { claim: [] } }", "names no claim"),
        ("{ issuer: a }", "issuer"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
    // A secret is not shown where it is wrong.
    let problems =
        try_program(&configuration("{ issuers: [{ issuer: a, keys: { secret: hunter2 } }] }"), &environment());
    assert!(!problems.err().unwrap().contains("hunter2"));
}

/// What a remembered token costs beside everything else of its request.
#[test]
fn a_remembered_token_is_not_taken_apart_again() {
    let program = program("{ issuers: { ISSUER }, consumer: { claim: azp } }");
    let bearer = format!("Bearer {}", token(json!({ "azp": "mobile" })));
    let identity = || {
        let request = Request::get("/").header("authorization", &bearer).body(Body::Empty).unwrap();
        let mut x = crate::exchange::testing::exchange_of(&program, request);
        let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
        let verdict = plan.steps[0].step.request(&mut x);
        assert!(matches!(verdict, crate::policies::Verdict::Done(crate::policies::Outcome::Next)));
        drop(verdict);
        x.identity.clone().unwrap()
    };
    let (first, second) = (identity(), identity());
    assert_eq!(first.method, "jwt");
    assert!(Arc::ptr_eq(first.learnt.as_ref().unwrap(), second.learnt.as_ref().unwrap()));
}
