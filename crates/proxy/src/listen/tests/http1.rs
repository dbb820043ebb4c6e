//! HTTP/1 in the clear.

use super::kit::{Gate, echo, until};

#[test]
fn exchanges_run_one_after_another_on_a_connection() {
    for workers in [1, 3] {
        let gate = Gate::with_workers(&echo(""), workers);
        let mut client = gate.connect("main");
        for at in 0..3 {
            let response = client.get(&format!("/{at}"));
            assert_eq!(response.status(), 200, "{}", response.head);
            assert!(response.body.contains(&format!("/{at}")), "{}", response.body);
            assert!(response.header("date").is_some());
        }
        until("no exchange is open", || gate.gateway.in_flight() == 0);
        assert_eq!(gate.connections(), 1);
        drop(client);
        until("the connection is gone", || gate.connections() == 0);
    }
}

#[test]
fn what_matches_no_route_is_an_exchange_too() {
    let gate = Gate::start("version: 1\nlisteners: [{ name: main, address: '127.0.0.1:0' }]\n");
    let response = gate.connect("main").get("/nothing/here");
    assert_eq!(response.status(), 404);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert!(response.body.contains("route.not_found"), "{}", response.body);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    let requests: String = (0..40).map(|at| format!("GET /p{at} HTTP/1.1\r\nHost: gate\r\n\r\n")).collect();
    // The last one arrives in two pieces.
    let (first, rest) = requests.split_at(requests.len() - 10);
    client.send(first);
    for at in 0..39 {
        assert!(client.response().body.contains(&format!("/p{at}\"")));
    }
    client.send(rest);
    assert!(client.response().body.contains("/p39\""));
}

#[test]
fn empty_lines_before_a_request_are_nothing() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    for before in ["\r\n", "\r\n\r\n\r\n", "\n\n"] {
        // In one piece, and in two.
        client.send(&format!("{before}POST /a HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\nhi{before}"));
        assert_eq!(client.response().status(), 200, "{before:?}");
        client.send("\r\nGET /b HTTP/1.1\r\nHost: gate\r\n\r\n");
        assert!(client.response().body.contains("/b\""), "{before:?}");
    }
}

#[test]
fn a_head_request_gets_no_body() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("HEAD / HTTP/1.1\r\nHost: gate\r\n\r\n");
    assert_eq!(client.try_response("HEAD").expect("a head").status(), 200);
    assert_eq!(client.get("/after").status(), 200);
}

#[test]
fn http_1_0_keeps_its_connection_only_when_asked() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("GET / HTTP/1.0\r\nHost: gate\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response();
    assert!(response.head.starts_with("HTTP/1.0 200"), "{}", response.head);
    assert_eq!(response.header("connection"), Some("keep-alive"));
    client.send("GET / HTTP/1.0\r\nHost: gate\r\n\r\n");
    assert_eq!(client.response().status(), 200);
    assert!(client.is_closed());
}

#[test]
fn a_body_comes_whole_with_a_length_or_in_chunks() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 5\r\n\r\nhel");
    client.send("lo");
    assert!(client.response().body.contains("hello"));
    client.send("POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbye\r\n");
    client.send("0\r\n\r\n");
    assert!(client.response().body.contains("bye"));
}

#[test]
fn malformed_heads_are_refused_and_counted() {
    let gate = Gate::start(&echo(""));
    for (head, status) in [
        ("GET /\x01 HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nbad header: x\r\n\r\n", 400),
        ("GET / HTTP/3.7\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
    ] {
        let mut client = gate.connect("main");
        client.send(head);
        assert_eq!(client.response().status(), status, "{head:?}");
        assert!(client.is_closed(), "{head:?}");
    }
    let refused = "tollgate_connections_refused_total{listener=\"main\",reason=\"malformed\"}";
    until("they are counted", || gate.metric(refused) == 5);
}

#[test]
fn a_client_that_leaves_ends_its_exchange() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 5\r\n\r\nhel");
    until("the exchange is open", || gate.gateway.in_flight() == 1);
    drop(client);
    until("the exchange is over", || gate.gateway.in_flight() == 0);
    until("the connection is gone", || gate.connections() == 0);
}
