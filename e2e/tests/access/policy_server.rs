//! `opa`: a server that speaks the published REST API, decides, breaks, hangs and errs.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{SyncSender, sync_channel};

use e2e::client::get;

use e2e::{Gate, Seen, Upstream, response, until};
use serde_json::{Value, json};

const ANN: &str = "x-api-key: key-of-ann-0123456789";

fn configuration(opa: &Upstream, upstream: &Upstream, more: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: documents
    identify: {{ mode: optional }}
    policies:
      key_auth: {{}}
      opa: {{ url: "http://{}", decision: httpapi/authz, upstream: [x-scope]{more} }}
    to: u
consumers: [{{ name: ann, groups: [staff], credentials: [{{ key: key-of-ann-0123456789 }}] }}]
access_log: {{ fields: [path, status, error, error_cause, shadow_denied] }}
"#,
        upstream.address, opa.address
    )
}

fn ok(result: &Value) -> Option<Vec<u8>> {
    Some(response("200 OK", "content-type: application/json\r\n", &json!({ "result": result }).to_string()))
}

fn input(seen: &Seen) -> Value {
    serde_json::from_slice::<Value>(&seen.body).unwrap()["input"].clone()
}

/// Decides as a policy would: by path and caller.
fn decide(seen: &Seen) -> Option<Vec<u8>> {
    assert_eq!(seen.line, "POST /v1/data/httpapi/authz HTTP/1.1");
    let input = input(seen);
    let http = &input["attributes"]["request"]["http"];
    assert_eq!(http["method"], "GET");
    match input["parsed_path"][0].as_str().unwrap() {
        "open" => ok(&json!(true)),
        "closed" => ok(&json!(false)),
        "own" => ok(&json!({ "allow": input["auth"]["consumer"] == input["parsed_path"][1], "reason": "not yours" })),
        "hidden" => ok(&json!({ "allow": false, "status": 404, "headers": { "x-why": "hidden" } })),
        "scope" => ok(&json!({ "allow": true, "headers": { "x-scope": "all", "x-other": "no" } })),
        "known" => ok(&json!({ "allow": false, "status": 401 })),
        "undefined" => Some(response("200 OK", "", "{}")),
        "error" => {
            let body = r#"{"code":"internal_error","message":"error(s) occurred while evaluating query"}"#;
            Some(response("500 Internal Server Error", "content-type: application/json\r\n", body))
        }
        "garbage" => Some(response("200 OK", "", "<html>")),
        _ => None,
    }
}

#[test]
fn the_server_decides() {
    let (opa, upstream) = (Upstream::start(decide), Upstream::text("in"));
    let gate = Gate::start(&configuration(&opa, &upstream, ""));
    for (path, headers, status, code) in [
        ("/open", &[][..], 200, ""),
        ("/closed", &[], 403, "opa.denied"),
        ("/own/ann", &[ANN], 200, ""),
        ("/own/bob", &[ANN], 403, "opa.denied"),
        ("/own/ann", &[], 403, "opa.denied"),
        ("/hidden", &[], 404, "opa.hidden"),
        ("/known", &[], 401, "opa.unidentified"),
        ("/undefined", &[], 403, "opa.denied"),
        ("/error", &[], 503, "opa.unavailable"),
        ("/garbage", &[], 503, "opa.unavailable"),
        ("/cut", &[], 503, "opa.unavailable"),
    ] {
        let answer = get(gate.address("public"), path, headers);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        if status != 200 {
            assert_eq!(answer.json()["code"], code, "{path}");
            assert!(!answer.text().contains("not yours"), "{}", answer.text());
        }
        match path {
            "/hidden" => assert_eq!(answer.header("x-why"), Some("hidden")),
            "/known" => assert!(answer.header("www-authenticate").is_some()),
            "/error" => assert_eq!(answer.header("retry-after"), Some("1")),
            _ => {}
        }
    }
    let answer = get(gate.address("public"), "/scope", &["x-scope: forged", "x-other: mine"]);
    assert_eq!(answer.status, 200);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!((seen.header("x-scope"), seen.header("x-other")), (Some("all"), Some("mine")));
    get(gate.address("public"), "/open", &["x-scope: forged"]);
    assert_eq!(upstream.seen().pop().unwrap().header("x-scope"), None);
    let left = gate.leave();
    assert!(left.output.contains("the policy denies it: not yours"), "{}", left.output);
    assert!(left.output.contains("the decision is undefined"), "{}", left.output);
    assert!(left.said.contains("it answered 500: internal_error"), "{}", left.said);
}

#[test]
fn decisions_are_remembered_for_what_was_sent() {
    let (opa, upstream) = (Upstream::start(decide), Upstream::text("in"));
    let more = ", cache: { ttl: 1h }, input: { headers: [x-tenant], query: off }, tell: client";
    let gate = Gate::start(&configuration(&opa, &upstream, more));
    let ask = |path: &str, headers: &[&str]| get(gate.address("public"), path, headers).status;
    for _ in 0..5 {
        assert_eq!(ask("/own/ann?q=1", &[ANN]), 200);
        assert_eq!(ask("/own/ann?q=2", &[ANN, "x-other: 1"]), 200);
        assert_eq!(ask("/closed", &[]), 403);
    }
    assert_eq!(opa.requests(), 2);
    assert_eq!(ask("/own/ann", &[ANN, "x-tenant: a"]), 200);
    assert_eq!(ask("/own/ann", &[]), 403);
    assert_eq!(opa.requests(), 4, "another tenant, and nobody, are other questions");
    let told = get(gate.address("public"), "/own/bob", &[ANN]).json();
    assert_eq!(told["detail"], "The caller may not do this: not yours.");
    assert_eq!((ask("/error", &[]), ask("/error", &[])), (503, 503));
    assert_eq!(opa.requests(), 7, "no decision is not remembered");
}

#[test]
fn equal_questions_at_the_same_time_are_one() {
    let waiting = Arc::new(Mutex::new(Vec::<SyncSender<()>>::new()));
    let held = waiting.clone();
    let opa = Upstream::start(move |_| {
        let (go, wait) = sync_channel(1);
        held.lock().unwrap().push(go);
        let _ = wait.recv();
        ok(&json!(true))
    });
    let upstream = Upstream::text("in");
    let gate = Gate::start(&configuration(&opa, &upstream, ""));
    let address = gate.address("public");
    let passed = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let passed = passed.clone();
            std::thread::spawn(move || passed.fetch_add(usize::from(get(address, "/open", &[]).status == 200), SeqCst))
        })
        .collect();
    until("all eight are there", || gate.metric("tollgate_requests_in_flight", &[]) >= 8.0);
    until("the question came", || opa.requests() > 0);
    until("all have passed", || {
        waiting.lock().unwrap().clear();
        passed.load(SeqCst) == 8
    });
    callers.into_iter().for_each(|caller| caller.join().map(|_| ()).unwrap());
    assert!(opa.requests() <= 2, "{} calls", opa.requests());
}

#[test]
fn without_a_decision_the_configuration_says() {
    let (hold, wait) = sync_channel::<()>(1);
    let wait = Mutex::new(wait);
    let opa = Upstream::start(move |seen| {
        if input(seen)["parsed_path"][0] == "hang" {
            let _ = wait.lock().unwrap().recv();
        }
        decide(seen)
    });
    let upstream = Upstream::text("in");
    let gate = Gate::start(&configuration(&opa, &upstream, ", calls: { timeout: 1s }"));
    assert_eq!(get(gate.address("public"), "/hang", &[]).status, 503);
    gate.reload(&configuration(&opa, &upstream, ", calls: { timeout: 1s }, on_error: allow"));
    assert_eq!(get(gate.address("public"), "/hang", &[]).status, 200);
    assert_eq!(get(gate.address("public"), "/error", &[]).status, 200);
    assert_eq!(get(gate.address("public"), "/undefined", &[]).status, 403, "that is a decision");
    gate.reload(&configuration(&opa, &upstream, ", mode: shadow"));
    assert_eq!(get(gate.address("public"), "/closed", &[]).status, 200);
    drop(hold);
    assert!(gate.leave().output.contains("opa: the policy denies it"));
}
