//! The `jwt` policy before an upstream, with the issuer's keys behind a URL.

use std::net::SocketAddr;
use std::thread;

use e2e::client::{Answer, get};
use e2e::{Gate, Upstream, until};
use serde_json::json;

use crate::issuer::{Issuer, Mood, Signer};

/// A gate before `upstream` that takes tokens of `issuer`, and a route that needs none.
fn configuration(upstream: &Upstream, issuer: &str, more: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
access_log: {{ path: access.log }}
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: users
    path: /users
    policies:
      jwt:
        issuers: [{{ audience: users, {issuer} }}]
        headers: {{ x-user: sub }}
        {more}
    to: u
  - {{ name: open, path: /open, to: u }}
"#,
        upstream.address
    )
}

fn ask(gate: &Gate, token: &str) -> Answer {
    ask_at(gate.address("public"), token)
}

fn ask_at(address: SocketAddr, token: &str) -> Answer {
    get(address, "/users/1", &[&format!("authorization: Bearer {token}"), "x-user: forged"])
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_token_of_a_discovered_issuer_is_good() {
    let (upstream, k1) = (Upstream::text("in"), Signer::new("k1"));
    let issuer = Issuer::start(Mood::Keys(vec![k1.jwk()]));
    let discovery = format!("discovery: \"{}\"", issuer.url());
    let gate = Gate::start(&configuration(&upstream, &discovery, ""));
    let token = issuer.token(&k1, &json!({}));
    // All at once: one of them asks, the others wait for the same answer.
    let address = gate.address("public");
    thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| ask_at(address, &token).status)).collect();
        for one in all {
            assert_eq!(one.join().unwrap(), 200);
        }
    });
    assert_eq!(issuer.asked(), 1);
    for seen in upstream.seen() {
        assert_eq!((seen.header("x-user"), seen.header("authorization")), (Some("u1"), None));
    }
    let passed = upstream.seen().len();
    let late = issuer.token(&k1, &json!({ "exp": 1 }));
    let answer = ask(&gate, &late);
    assert_eq!(code(&answer), (401, "jwt.expired".into()));
    let challenge = "Bearer realm=\"users\", error=\"invalid_token\", error_description=\"The token has expired.\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    assert_eq!(code(&ask(&gate, &issuer.token(&Signer::new("k1"), &json!({})))), (401, "jwt.signature".into()));
    assert_eq!(get(gate.address("public"), "/users/1", &[]).status, 401);
    assert_eq!(upstream.seen().len(), passed, "what is refused does not reach the upstream");
    // What was learnt outlives a reload.
    gate.reload(&configuration(&upstream, &discovery, "realm: again"));
    assert_eq!(ask(&gate, &token).status, 200);
    assert_eq!(issuer.asked(), 1);
    let log = std::fs::read_to_string(gate.folder().join("access.log")).unwrap_or_default();
    let left = gate.leave();
    for secret in [&token, &late] {
        let said = [&left.said, &left.output, &log].map(|said| said.contains(secret.as_str()));
        assert_eq!(said, [false; 3], "no log holds a token");
    }
}

#[test]
fn a_new_key_is_found_and_made_up_ones_are_not_looked_for() {
    let (upstream, k1, k2) = (Upstream::text("in"), Signer::new("k1"), Signer::new("k2"));
    let issuer = Issuer::start(Mood::Keys(vec![k1.jwk()]));
    let keys = format!("issuer: \"{0}\", jwks_url: \"{0}/keys\", unknown_refresh: 1s", issuer.url());
    let gate = Gate::start(&configuration(&upstream, &keys, ""));
    assert_eq!(ask(&gate, &issuer.token(&k1, &json!({}))).status, 200);
    assert_eq!(issuer.asked(), 1);
    // The issuer rotates. Its new key is fetched as soon as that is allowed again.
    issuer.become_(Mood::Keys(vec![k2.jwk()]));
    let token = issuer.token(&k2, &json!({}));
    until("the new key is known", || ask(&gate, &token).status == 200);
    assert_eq!(issuer.asked(), 2);
    assert_eq!(
        code(&ask(&gate, &issuer.token(&k1, &json!({})))),
        (401, "jwt.unknown_key".into()),
        "the old one is gone"
    );
    let asked = issuer.asked();
    for number in 0..200 {
        let made_up = Signer::new(&format!("x{number}"));
        assert_eq!(code(&ask(&gate, &issuer.token(&made_up, &json!({})))), (401, "jwt.unknown_key".into()));
    }
    assert!(issuer.asked() <= asked + 10, "{} calls for 200 made-up keys", issuer.asked() - asked);
}

#[test]
fn keys_stay_while_the_issuer_is_broken() {
    let (upstream, k1, k2) = (Upstream::text("in"), Signer::new("k1"), Signer::new("k2"));
    let issuer = Issuer::start(Mood::Keys(vec![k1.jwk()]));
    let keys =
        format!("issuer: \"{0}\", jwks_url: \"{0}/keys\", refresh: 1s, calls: {{ timeout: 500ms }}", issuer.url());
    let gate = Gate::start(&configuration(&upstream, &keys, ""));
    let token = issuer.token(&k1, &json!({}));
    assert_eq!(ask(&gate, &token).status, 200);
    let private = json!({ "kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAxMjM0", "alg": "HS256" });
    for (mood, says) in [
        (Mood::Status("500 Internal Server Error"), "it answered 500"),
        (Mood::Large, "larger than 1048576 bytes"),
        (Mood::Redirect, "it answered 302"),
        (Mood::Keys(vec![]), "no key to use"),
        (Mood::Keys(vec![private]), "no secrets"),
        (Mood::Hanging, "did not come in time"),
    ] {
        let asked = issuer.asked();
        issuer.become_(mood);
        // Traffic goes on, and some of it finds that the keys are old.
        until("the keys are asked for again", || {
            assert_eq!(ask(&gate, &token).status, 200, "{says}");
            issuer.asked() > asked
        });
        until("the failure is told", || {
            assert_eq!(ask(&gate, &token).status, 200, "{says}");
            gate.said().contains(says)
        });
        // It comes back, with another key beside, so that the gate says that it has them.
        let fetched = || gate.said().matches("keys of an issuer").count();
        let before = fetched();
        issuer.become_(Mood::Keys(vec![k1.jwk(), Signer::new("spare").jwk()]));
        until("the keys are fetched", || {
            assert_eq!(ask(&gate, &token).status, 200, "{says}");
            fetched() > before
        });
    }
    // A key that is taken back is good no more, whatever is remembered of its tokens.
    issuer.become_(Mood::Keys(vec![k2.jwk()]));
    until("the old key is gone", || ask(&gate, &token).status == 401);
}

#[test]
fn an_issuer_that_hangs_costs_no_worker() {
    let (upstream, k1) = (Upstream::text("in"), Signer::new("k1"));
    let issuer = Issuer::start(Mood::Hanging);
    let keys = format!("issuer: \"{0}\", jwks_url: \"{0}/keys\", calls: {{ timeout: 2s }}", issuer.url());
    let gate = Gate::start(&configuration(&upstream, &keys, ""));
    let token = issuer.token(&k1, &json!({}));
    let address = gate.address("public");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..50).map(|_| scope.spawn(|| ask_at(address, &token))).collect();
        until("the issuer is asked", || issuer.asked() > 0);
        // Meanwhile the others are served.
        for _ in 0..100 {
            assert_eq!(get(gate.address("public"), "/open", &[]).status, 200);
        }
        assert!(!waiting.iter().any(|one| one.is_finished()), "they still wait");
        for one in waiting {
            let answer = one.join().unwrap();
            assert_eq!(code(&answer), (503, "jwt.keys_unavailable".into()));
            assert!(answer.header("retry-after").is_some());
        }
    });
    assert_eq!(issuer.asked(), 1, "one call for all");
    // A token that is wrong whatever the keys are is refused without asking.
    assert_eq!(code(&ask(&gate, "a.b.c")), (401, "jwt.malformed".into()));
    issuer.become_(Mood::Keys(vec![k1.jwk()]));
    until("the issuer is back", || ask(&gate, &token).status == 200);
}

#[test]
fn what_cannot_be_right_is_said_before_it_runs() {
    let upstream = Upstream::text("in");
    for (issuer, says) in [
        ("issuer: a, keys: { secret: short }", "at least 32 bytes"),
        ("jwks_url: \"not a url\"", "not an HTTP URL"),
        ("issuer: a, keys: { pem: \"-----BEGIN\" }", "not PEM"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tollgate.yaml");
        std::fs::write(&file, configuration(&upstream, issuer, "")).unwrap();
        let check = std::process::Command::new(e2e::binary()).arg("check").arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&check.stderr).into_owned() + &String::from_utf8_lossy(&check.stdout);
        assert!(check.status.code() == Some(1) && said.contains(says), "{said}");
    }
}

#[test]
fn keys_are_there_before_the_first_token() {
    let k1 = Signer::new("k1");
    let upstream = Upstream::text("in");
    let (direct, discovered) = (Issuer::start(Mood::Keys(vec![k1.jwk()])), Issuer::start(Mood::Keys(vec![k1.jwk()])));
    for (issuer, written) in [
        (&direct, format!("issuer: \"{0}\", jwks_url: \"{0}/keys\"", direct.url())),
        (&discovered, format!("discovery: \"{}\"", discovered.url())),
    ] {
        let gate = Gate::start(&configuration(&upstream, &written, ""));
        until("the keys are there", || gate.said().contains("keys of an issuer"));
        issuer.become_(Mood::Status("503 Service Unavailable"));
        assert_eq!(ask(&gate, &issuer.token(&k1, &json!({}))).status, 200, "{written}");
        assert_eq!(issuer.asked(), 1);
    }
    // One that is down is said in the log, and keeps nothing from starting.
    direct.become_(Mood::Status("503 Service Unavailable"));
    let gate =
        Gate::start(&configuration(&upstream, &format!("issuer: \"{0}\", jwks_url: \"{0}/keys\"", direct.url()), ""));
    until("that is said", || gate.said().contains("no keys from an issuer"));
    assert_eq!(ask(&gate, &direct.token(&k1, &json!({}))).status, 503);
}
