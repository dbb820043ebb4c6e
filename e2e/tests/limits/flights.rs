//! `concurrency`: places in flight, each given back once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use e2e::client::{Client, get};
use e2e::{Gate, Upstream, until};

/// An upstream that answers `/slow` once it is told to, and everything else at once.
fn upstream() -> (Upstream, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let told = go.clone();
    let upstream = Upstream::start(move |seen| {
        if seen.line.contains("/slow") {
            until("it is told to", || told.load(SeqCst));
        }
        Some(e2e::response("200 OK", "", "in"))
    });
    (upstream, go)
}

fn configuration(upstream: &Upstream, policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u, policies: {{ concurrency: {policy} }} }}]
"#,
        upstream.address
    )
}

const SLOW: &str = "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn one_more_than_may_be_is_refused_until_one_is_over() {
    let (upstream, go) = upstream();
    let gate = Gate::start(&configuration(&upstream, "{ limits: [{ limit: 2, by: client }] }"));
    let address = gate.address("public");
    let mut held = [Client::connect(address), Client::connect(address)];
    held.iter_mut().for_each(|client| client.send(SLOW));
    until("both are there", || upstream.requests() == 2);
    let refused = get(address, "/", &[]);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("concurrency.exceeded")));
    assert_eq!(upstream.requests(), 2);
    // A reload keeps count of what is in flight.
    gate.reload(&configuration(&upstream, "{ limits: [{ limit: 3, by: client }], refuse_with: '503' }"));
    let mut third = Client::connect(address);
    third.send(SLOW);
    until("the third is there", || upstream.requests() == 3);
    let refused = get(address, "/", &[]);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("concurrency.busy")));
    go.store(true, SeqCst);
    assert!(held.iter_mut().chain([&mut third]).all(|client| client.read().is_some_and(|answer| answer.status == 200)));
    until("nothing is in flight", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
    assert_eq!(get(address, "/", &[]).status, 200);
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let (upstream, go) = upstream();
    let gate = Gate::start(&configuration(&upstream, "{ limits: [{ limit: 1, by: global }] }"));
    let address = gate.address("public");
    for round in 1..=5 {
        let mut client = Client::connect(address);
        client.send(SLOW);
        until("it is there", || upstream.requests() == round);
        assert_eq!(get(address, "/", &[]).status, 429, "round {round}");
        drop(client);
        until("it is noticed", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
    }
    go.store(true, SeqCst);
    assert_eq!(get(address, "/", &[]).status, 200);
}
