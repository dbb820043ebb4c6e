//! Connections to targets: kept, shared, bounded, and never trusted too long.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::client::{Client, call, get};
use e2e::frames::{Frames, kind};
use e2e::{Gate, Held, Upstream, response, until};

/// A gate of one worker (pools are each worker's own) whose upstream has these pool settings.
fn gate(address: SocketAddr, pool: &str) -> Gate {
    gate_to(&format!("http://{address}"), pool)
}

fn gate_to(url: &str, pool: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
workers: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "{url}" }}], pool: {{ {pool} }} }}]
apis: [{{ name: a, to: u }}]
"#
    ))
}

fn connections(gate: &Gate, state: &str) -> f64 {
    gate.metric("tollgate_upstream_connections", &[state])
}

#[test]
fn one_connection_serves_many_clients_in_turn() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    for _ in 0..5 {
        assert_eq!(get(gate.address("public"), "/", &[]).text(), "in");
        assert_eq!(call(gate.address("public"), "POST", "/", &[], "body").text(), "in");
    }
    assert_eq!(upstream.connections(), 1);
    until("it is idle", || (connections(&gate, "active"), connections(&gate, "idle")) == (0.0, 1.0));
}

#[test]
fn a_reload_keeps_connections() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    assert_eq!(get(gate.address("public"), "/", &[]).text(), "in");
    gate.reload(&format!(
        r#"
version: 1
workers: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u, tags: [other] }}]
"#,
        upstream.address
    ));
    assert_eq!(get(gate.address("public"), "/", &[]).text(), "in");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn above_the_bound_requests_wait_and_then_are_refused() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "connections: 2, queue_timeout: 700ms");
    let ask = |path: &str| {
        let mut client = Client::connect(gate.address("public"));
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        client
    };
    let (mut first, mut second) = (ask("/1"), ask("/2"));
    let (mut one, head) = upstream.accept();
    let (mut other, _) = upstream.accept();
    let since = Instant::now();
    let refused = get(gate.address("public"), "/3", &[]);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("upstream.connection_limit")));
    assert!((650..5_000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    // Who waits gets what becomes free: the same connection, as the bound is two.
    let mut third = ask("/4");
    until("it waits", || gate.metric("tollgate_requests_in_flight", &[]) == 3.0);
    one.write_all(&response("200 OK", "", "one")).unwrap();
    assert!(e2e::read_head(&mut one).starts_with("GET /4 "));
    one.write_all(&response("200 OK", "", "four")).unwrap();
    other.write_all(&response("200 OK", "", "other")).unwrap();
    assert_eq!(third.read().map(|answer| answer.text()), Some("four".to_owned()));
    let expected = if head.starts_with("GET /1 ") { ["one", "other"] } else { ["other", "one"] };
    assert_eq!([first.read(), second.read()].map(|answer| answer.unwrap().text()), expected);
}

#[test]
fn idle_connections_are_few_and_not_kept_too_long() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "idle: 2, idle_timeout: 800ms");
    let clients: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = Client::connect(gate.address("public"));
            client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            client
        })
        .collect();
    let mut streams: Vec<_> = (0..4).map(|_| upstream.accept().0).collect();
    for stream in &mut streams {
        stream.write_all(&response("200 OK", "", "in")).unwrap();
    }
    for mut client in clients {
        assert_eq!(client.read().map(|answer| answer.text()), Some("in".to_owned()));
    }
    until("two are kept", || connections(&gate, "idle") == 2.0 && connections(&gate, "active") == 0.0);
    let since = Instant::now();
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0]).ok(), Some(0), "in the end each is closed");
    }
    assert!((300..5_000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    until("the gauge knows", || connections(&gate, "idle") == 0.0);
}

#[test]
fn a_connection_has_so_many_requests_and_so_much_time() {
    let upstream = Upstream::text("in");
    let by_requests = gate(upstream.address, "max_requests: 3");
    for _ in 0..7 {
        assert_eq!(get(by_requests.address("public"), "/", &[]).text(), "in");
    }
    let used: Vec<usize> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(used, [0, 0, 0, 1, 1, 1, 2]);

    let upstream = Upstream::text("in");
    let by_age = gate(upstream.address, "max_age: 1s");
    let since = Instant::now();
    let mut client = Client::connect(by_age.address("public"));
    while upstream.connections() < 3 {
        assert_eq!(client.call("GET / HTTP/1.1\r\nhost: a\r\n\r\n").text(), "in");
        assert!(since.elapsed() < Duration::from_secs(10), "the first connection is used for ever");
    }
    assert!(since.elapsed() >= Duration::from_millis(1_900), "{:?}: two had their time", since.elapsed());
}

/// An upstream that answers the first request of each connection and closes on the second.
fn dies_at_the_second() -> Upstream {
    let last = AtomicUsize::new(usize::MAX);
    Upstream::start(move |seen| {
        let first = last.swap(seen.connection, Ordering::SeqCst) != seen.connection;
        first.then(|| response("200 OK", "", "in"))
    })
}

#[test]
fn a_request_that_meets_a_dying_connection_is_sent_again_only_if_it_may_be() {
    for (method, body, answered) in [
        ("GET", "", true),
        ("HEAD", "", true),
        ("PUT", "", true),
        ("DELETE", "", true),
        ("POST", "body", false),
        ("PATCH", "body", false),
    ] {
        let upstream = dies_at_the_second();
        let gate = gate(upstream.address, "");
        assert_eq!(get(gate.address("public"), "/first", &[]).text(), "in");
        until("the connection is kept", || connections(&gate, "idle") == 1.0);
        let mut client = Client::connect(gate.address("public"));
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        client.send(format!("{method} /second HTTP/1.1\r\nhost: a\r\n{length}\r\n{body}"));
        let status = if method == "HEAD" { client.read_head() } else { client.read() }.map(|answer| answer.status);
        let arrived = upstream.seen().iter().filter(|seen| seen.line.contains("/second")).count();
        // A method that may be repeated (RFC 9110 section 9.2.2) is, once; another may have been carried out already.
        let expected = if answered { (Some(200), 2) } else { (Some(502), 1) };
        assert_eq!((status, arrived), expected, "{method}");
    }
}

#[test]
fn a_connection_that_was_closed_while_idle_costs_no_request() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "");
    for _ in 0..20 {
        let mut client = Client::connect(gate.address("public"));
        // Not even one that may not be repeated.
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody");
        let (mut stream, _) = upstream.accept();
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(&response("200 OK", "", "in")).unwrap();
        assert_eq!(client.read().map(|answer| answer.text()), Some("in".to_owned()));
        until("it is kept", || connections(&gate, "idle") == 1.0);
        drop(stream);
        // What is sent while its end is still on the way is lost; from here on the gate can know.
        until("its end has arrived", || kernel(upstream.address).iter().all(|(state, _)| state != ESTABLISHED));
    }
}

/// The states and timers of the connections to this address, as the kernel's own table has them.
fn kernel(address: SocketAddr) -> Vec<(String, String)> {
    let peer = format!("0100007F:{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = lines.filter(|fields| fields.get(2) == Some(&peer.as_str()));
    let ours =
        ours.filter_map(|fields| Some((fields.get(3)?.to_string(), fields.get(5)?.split(':').next()?.to_owned())));
    ours.collect()
}

const ESTABLISHED: &str = "01";

#[test]
fn a_retry_happens_once() {
    // Every connection dies at its second request; so does, here, the first request of a new one.
    let upstream = Upstream::start(|seen| seen.line.contains("/first").then(|| response("200 OK", "", "in")));
    let gate = gate(upstream.address, "");
    assert_eq!(get(gate.address("public"), "/first", &[]).text(), "in");
    until("the connection is kept", || connections(&gate, "idle") == 1.0);
    let answer = get(gate.address("public"), "/second", &[]);
    assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some("upstream.reset")));
    assert_eq!(upstream.seen().len(), 3, "the first, the second on the kept connection and on a new one");
}

/// An HTTP/2 upstream (h2c) that answers when told to: how many requests wait, and over how many connections they came.
struct Streams {
    address: SocketAddr,
    waiting: tokio::sync::mpsc::Receiver<h2::server::SendResponse<bytes::Bytes>>,
    connections: std::sync::Arc<AtomicUsize>,
}

impl Streams {
    async fn start(most: u32) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, waiting) = tokio::sync::mpsc::channel(1000);
        let connections = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let sender = sender.clone();
                tokio::spawn(async move {
                    let mut builder = h2::server::Builder::new();
                    let mut connection = builder.max_concurrent_streams(most).handshake(stream).await.unwrap();
                    while let Some(Ok((_, respond))) = connection.accept().await {
                        sender.send(respond).await.unwrap();
                    }
                });
            }
        });
        Self { address, waiting, connections }
    }

    async fn next(&mut self) -> h2::server::SendResponse<bytes::Bytes> {
        tokio::time::timeout(e2e::PATIENCE, self.waiting.recv()).await.expect("a request comes").unwrap()
    }
}

fn answer(mut respond: h2::server::SendResponse<bytes::Bytes>) {
    respond.send_response(http::Response::new(()), true).unwrap();
}

#[tokio::test]
async fn http2_shares_a_connection_among_requests() {
    let mut upstream = Streams::start(100).await;
    let gate = gate_to(&format!("h2c://{}", upstream.address), "");
    let mut client = Frames::connect(gate.address("public"));
    for at in 0..20 {
        client.ask(at * 2 + 1, "GET", "/");
    }
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(upstream.next().await);
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1, "20 at once, one connection");
    waiting.into_iter().rev().for_each(answer);
    let answered =
        tokio::task::spawn_blocking(move || (0..20).filter(|_| client.until(kind::HEADERS).is_some()).count());
    assert_eq!(answered.await.unwrap(), 20);
}

#[tokio::test]
async fn http2_opens_another_connection_when_the_targets_bound_or_the_pools_is_reached() {
    for (targets, pool, expected) in [(2, "", 3), (100, "streams: 2", 3)] {
        let mut upstream = Streams::start(targets).await;
        let gate = gate_to(&format!("h2c://{}", upstream.address), pool);
        let mut client = Frames::connect(gate.address("public"));
        // The first tells the gate what the target allows.
        client.ask(1, "GET", "/");
        let mut waiting = vec![upstream.next().await];
        for at in 1..6 {
            client.ask(at * 2 + 1, "GET", "/");
            waiting.push(upstream.next().await);
        }
        assert_eq!(upstream.connections.load(Ordering::SeqCst), expected, "6 at once, {targets}, {pool:?}");
        waiting.into_iter().for_each(answer);
    }
}

#[test]
fn silent_connections_are_probed_unless_that_is_off() {
    for (pool, probed) in [("", true), ("tcp_keepalive: 0s", false)] {
        let upstream = Upstream::text("in");
        let gate = gate(upstream.address, pool);
        assert_eq!(get(gate.address("public"), "/", &[]).text(), "in");
        until("it is idle", || connections(&gate, "idle") == 1.0);
        // Timer 02 is that of keepalive.
        let timer =
            || kernel(upstream.address).iter().find(|(state, _)| state == ESTABLISHED).map(|(_, timer)| timer == "02");
        until("the timer is as it should be", || timer() == Some(probed));
    }
}
