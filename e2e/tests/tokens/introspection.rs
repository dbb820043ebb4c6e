//! The `oauth2_introspection` policy with an issuer that explains tokens, or does not.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use e2e::client::{Answer, get};
use e2e::{Gate, Upstream, response, until};
use serde_json::json;

use crate::issuer::now;

/// What an issuer that explains tokens does meanwhile.
#[derive(Default)]
struct State {
    revoked: AtomicBool,
    broken: AtomicBool,
    hanging: Mutex<bool>,
    changed: Condvar,
}

impl State {
    fn hang(&self, hanging: bool) {
        *self.hanging.lock().unwrap() = hanging;
        self.changed.notify_all();
    }
}

/// Tokens are explained by their names.
fn issuer() -> (Upstream, Arc<State>) {
    let state = Arc::new(State::default());
    let shared = state.clone();
    let server = Upstream::start(move |seen| {
        let mut hanging = shared.hanging.lock().unwrap();
        while *hanging {
            hanging = shared.changed.wait(hanging).unwrap();
        }
        if shared.broken.load(SeqCst) {
            return Some(response("500 Internal Server Error", "", "a stack trace"));
        }
        let form = String::from_utf8(seen.body.clone()).unwrap();
        let by_field = seen.header("authorization") == Some("Basic Z2F0ZSUzQTE6cyUyNnQ=");
        if !by_field && !form.contains("client_id=gate%3A1&client_secret=s%26t") {
            return Some(response("401 Unauthorized", "", ""));
        }
        let token = form.strip_prefix("token=").unwrap().split('&').next().unwrap();
        let exp = now() + 600;
        let told = match token {
            "good" if shared.revoked.load(SeqCst) => json!({ "active": false }),
            "good" => json!({
                "active": true, "sub": "u1", "client_id": "mobile", "scope": "read write", "aud": "users", "exp": exp
            }),
            "elsewhere" => json!({ "active": true, "client_id": "mobile", "aud": "others", "exp": exp }),
            "nobody" => json!({ "active": true, "client_id": "nobody", "aud": "users", "exp": exp }),
            "over" => json!({ "active": true, "client_id": "mobile", "aud": "users", "exp": now() - 1 }),
            "odd" => json!({ "active": "true" }),
            _ => json!({ "active": false }),
        };
        Some(response("200 OK", "content-type: application/json\r\n", &told.to_string()))
    });
    (server, state)
}

fn configuration(upstream: &Upstream, issuer: &Upstream, more: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: users
    path: /users
    access: identified
    policies:
      oauth2_introspection:
        url: "http://{}/introspect"
        audience: users
        consumer: {{ claim: client_id }}
        headers: {{ x-user: sub }}
        calls: {{ timeout: 2s }}
        {more}
    to: u
  - {{ name: open, path: /open, to: u }}
consumers: [{{ name: mobile }}]
"#,
        upstream.address, issuer.address
    )
}

const BASIC: &str = "client: { id: \"gate:1\", secret: s&t }";

fn ask(gate: &Gate, token: &str) -> Answer {
    get(gate.address("public"), "/users", &[&format!("authorization: Bearer {token}"), "x-user: forged"])
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_token_is_explained_once_and_remembered() {
    let (upstream, (server, state)) = (Upstream::text("in"), issuer());
    for client in [BASIC, "client: { id: \"gate:1\", secret: s&t, method: post }"] {
        let gate = Gate::start(&configuration(&upstream, &server, &format!("{client}\n        good_for: 1s")));
        let (address, before) = (gate.address("public"), server.requests());
        thread::scope(|scope| {
            let call = || get(address, "/users", &["authorization: Bearer good", "x-user: forged"]).status;
            let all: Vec<_> = (0..20).map(|_| scope.spawn(call)).collect();
            assert!(all.into_iter().all(|one| one.join().unwrap() == 200));
        });
        // A second may have gone by meanwhile.
        assert!((1..=2).contains(&(server.requests() - before)), "{}", server.requests() - before);
        assert!(upstream.seen().iter().all(|seen| seen.header("x-user") == Some("u1")));
        for (token, refusal) in [
            ("bad", (401, "oauth2_introspection.inactive")),
            ("over", (401, "oauth2_introspection.inactive")),
            ("elsewhere", (401, "oauth2_introspection.audience")),
            ("nobody", (403, "oauth2_introspection.no_consumer")),
            ("odd", (503, "oauth2_introspection.unavailable")),
        ] {
            assert_eq!(code(&ask(&gate, token)), (refusal.0, refusal.1.into()), "{token}");
        }
        let asked = server.requests();
        for _ in 0..10 {
            assert_eq!(code(&ask(&gate, "bad")), (401, "oauth2_introspection.inactive".into()));
        }
        assert_eq!(server.requests(), asked, "a bad token is remembered too");
        // What is taken back is refused once the answer is old.
        state.revoked.store(true, SeqCst);
        until("the revocation is seen", || ask(&gate, "good").status == 401);
        state.revoked.store(false, SeqCst);
        let left = gate.leave();
        assert!(!left.said.contains("s&t") && !left.said.contains("s%26t") && !left.said.contains("good"));
    }
}

#[test]
fn without_the_issuer_nobody_passes_and_the_others_go_on() {
    let (upstream, (server, state)) = (Upstream::text("in"), issuer());
    let gate = Gate::start(&configuration(&upstream, &server, BASIC));
    assert_eq!(ask(&gate, "good").status, 200);
    state.broken.store(true, SeqCst);
    assert_eq!(code(&ask(&gate, "bad")), (503, "oauth2_introspection.unavailable".into()));
    assert_eq!(ask(&gate, "good").status, 200, "what is remembered is good");
    state.broken.store(false, SeqCst);
    state.hang(true);
    let (address, asked) = (gate.address("public"), server.connections());
    thread::scope(|scope| {
        let call = || get(address, "/users", &["authorization: Bearer other"]);
        let waiting: Vec<_> = (0..30).map(|_| scope.spawn(call)).collect();
        for _ in 0..100 {
            assert_eq!(get(address, "/open", &[]).status, 200);
            assert_eq!(ask(&gate, "good").status, 200);
        }
        for one in waiting {
            let answer = one.join().unwrap();
            assert_eq!(code(&answer), (503, "oauth2_introspection.unavailable".into()));
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    });
    assert!(server.connections() <= asked + 3, "one call for all");
    state.hang(false);
    until("it is back", || code(&ask(&gate, "other")) == (401, "oauth2_introspection.inactive".into()));
    assert!(upstream.seen().iter().all(|seen| seen.header("authorization").is_none()));
}
