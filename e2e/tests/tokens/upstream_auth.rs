//! The `upstream_auth` policy with a token server that counts, ends and hangs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use e2e::client::get;
use e2e::{Gate, Upstream, response, until};
use serde_json::json;

#[derive(Default)]
struct State {
    given: AtomicUsize,
    short: AtomicBool,
    hanging: Mutex<bool>,
    changed: Condvar,
}

impl State {
    fn hang(&self, hanging: bool) {
        *self.hanging.lock().unwrap() = hanging;
        self.changed.notify_all();
    }
}

/// Gives numbered tokens to who shows the secret, and exchanges all but bad ones.
fn server() -> (Upstream, Arc<State>) {
    let state = Arc::new(State::default());
    let shared = state.clone();
    let server = Upstream::start(move |seen| {
        let mut hanging = shared.hanging.lock().unwrap();
        while *hanging {
            hanging = shared.changed.wait(hanging).unwrap();
        }
        drop(hanging);
        let form = String::from_utf8(seen.body.clone()).unwrap();
        if !form.contains("client_id=gate&client_secret=s3cret") {
            return Some(response("401 Unauthorized", "", "{\"error\":\"invalid_client\"}"));
        }
        let subject = form.split('&').find_map(|pair| pair.strip_prefix("subject_token="));
        let number = shared.given.fetch_add(1, SeqCst) + 1;
        let token = match subject {
            Some("bad") => return Some(response("400 Bad Request", "", "{\"error\":\"invalid_grant\"}")),
            Some(subject) => {
                assert!(form.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&"));
                format!("for-{subject}")
            }
            None => {
                assert!(form.starts_with("grant_type=client_credentials&scope=a%20b&audience=orders&"), "{form}");
                format!("t{number}")
            }
        };
        let life = if shared.short.load(SeqCst) { 1 } else { 600 };
        let told = json!({ "access_token": token, "token_type": "bearer", "expires_in": life });
        Some(response("200 OK", "content-type: application/json\r\n", &told.to_string()))
    });
    (server, state)
}

fn configuration(upstream: &Upstream, server: &Upstream) -> String {
    let client = "client: { id: gate, secret: s3cret, method: post }, calls: { timeout: 2s }";
    format!(
        r#"
version: 1
workers: 2
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{0}" }}] }}]
apis:
  - name: own
    path: /own
    policies:
      upstream_auth:
        client_credentials: {{ url: "http://{1}/token", {client}, scopes: [a, b], audience: orders }}
    to: u
  - name: exchanged
    path: /exchanged
    policies: {{ upstream_auth: {{ exchange: {{ url: "http://{1}/token", {client} }} }} }}
    to: u
  - {{ name: open, path: /open, to: u }}
"#,
        upstream.address, server.address
    )
}

#[test]
fn a_token_is_got_once_and_again_before_it_ends() {
    let (upstream, (server, state)) = (Upstream::text("in"), server());
    let gate = Gate::start(&configuration(&upstream, &server));
    let address = gate.address("public");
    let shown = || upstream.seen().last().unwrap().header("authorization").unwrap().to_owned();
    thread::scope(|scope| {
        let ask = || get(address, "/own", &["authorization: Bearer of-the-client"]).status;
        let all: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
        assert!(all.into_iter().all(|one| one.join().unwrap() == 200));
    });
    assert_eq!(state.given.load(SeqCst), 1);
    assert!(upstream.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer t1")));
    // It outlives a reload.
    gate.reload(&configuration(&upstream, &server).replace("path: /open,", "path: /opened,"));
    assert_eq!((get(address, "/own", &[]).status, shown().as_str()), (200, "Bearer t1"));
    let left = gate.leave();
    assert!(!left.said.contains("s3cret") && !left.said.contains("t1"));
    // One that ends soon is got again.
    state.short.store(true, SeqCst);
    let gate = Gate::start(&configuration(&upstream, &server));
    let address = gate.address("public");
    assert_eq!((get(address, "/own", &[]).status, shown().as_str()), (200, "Bearer t2"));
    until("there is another token", || get(address, "/own", &[]).status == 200 && shown() != "Bearer t2");
}

#[test]
fn a_callers_token_is_exchanged() {
    let (upstream, (server, state)) = (Upstream::text("in"), server());
    let gate = Gate::start(&configuration(&upstream, &server));
    let ask = |token: &str| get(gate.address("public"), "/exchanged", &[&format!("authorization: Bearer {token}")]);
    for _ in 0..3 {
        assert_eq!((ask("ann").status, ask("bob").status), (200, 200));
    }
    assert_eq!(state.given.load(SeqCst), 2, "one for each");
    for (seen, token) in upstream.seen().iter().zip(["ann", "bob"].iter().cycle()) {
        assert_eq!(seen.header("authorization"), Some(format!("Bearer for-{token}").as_str()));
    }
    let bad = ask("bad");
    assert_eq!((bad.status, bad.json()["code"].as_str()), (403, Some("upstream_auth.refused")));
    let none = get(gate.address("public"), "/exchanged", &[]);
    assert_eq!((none.status, none.json()["code"].as_str()), (401, Some("upstream_auth.missing")));
    assert_eq!(upstream.seen().len(), 6);
}

#[test]
fn without_a_token_nothing_goes_out_and_the_others_go_on() {
    let (upstream, (server, state)) = (Upstream::text("in"), server());
    state.hang(true);
    let gate = Gate::start(&configuration(&upstream, &server));
    let address = gate.address("public");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..20).map(|_| scope.spawn(|| get(address, "/own", &[]))).collect();
        for _ in 0..50 {
            assert_eq!(get(address, "/open", &[]).status, 200);
        }
        for one in waiting {
            let answer = one.join().unwrap();
            assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("upstream_auth.unavailable")));
        }
    });
    assert_eq!(upstream.seen().len(), 50, "nothing went out without a token");
    state.hang(false);
    until("it is back", || get(address, "/own", &[]).status == 200);
}
