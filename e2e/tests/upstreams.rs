//! Targets: how one is chosen, its names, its time.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use e2e::client::{Answer, Client, call, get};
use e2e::{Gate, Held, Upstream, response, until};

/// A gate of one worker in front of an upstream that has these fields.
fn gate(upstream: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
workers: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, {upstream} }}]
apis: [{{ name: a, to: u }}]
"#
    ))
}

fn targets(addresses: &[(SocketAddr, u16)]) -> String {
    let targets =
        addresses.iter().map(|(address, weight)| format!("{{ url: \"http://{address}\", weight: {weight} }}"));
    format!("targets: [{}]", targets.collect::<Vec<_>>().join(", "))
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/problem+json")));
    assert_eq!(answer.json()["code"].as_str(), Some(code));
}

/// A port where nothing listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).unwrap()
}

#[test]
fn weights_are_followed() {
    for (balance, exact) in [("round_robin", true), ("random", false)] {
        let upstreams = ["a", "b", "c", "none"].map(Upstream::text);
        let weights: Vec<(SocketAddr, u16)> =
            upstreams.iter().zip([5, 3, 2, 0]).map(|(upstream, weight)| (upstream.address, weight)).collect();
        let gate = gate(&format!("balance: {balance}, {}", targets(&weights)));
        let mut client = Client::connect(gate.address("public"));
        let order: String = (0..400).map(|_| client.call("GET / HTTP/1.1\r\nhost: a\r\n\r\n").text()).collect();
        let counts = upstreams.each_ref().map(|upstream| upstream.seen().len());
        if exact {
            assert_eq!(counts, [200, 120, 80, 0]);
            assert!(!order.contains("aaa"), "it is smooth: {order}");
        } else {
            // Bounds that one of a billion runs misses (6 sigma).
            for (count, (mean, spread)) in counts.into_iter().zip([(200, 60), (120, 55), (80, 48), (0, 0)]) {
                assert!((mean - spread..=mean + spread).contains(&count), "{counts:?}");
            }
        }
    }
}

#[test]
fn least_request_keeps_away_from_the_busy() {
    let (busy, free) = (Held::start(), Upstream::text("free"));
    let gate = gate(&format!("balance: least_request, {}", targets(&[(busy.address, 1), (free.address, 1)])));
    // One request hangs at the busy one; then nothing else may go there.
    let hanging = (0..200).find_map(|_| {
        let mut client = Client::connect(gate.address("public"));
        client.send("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n");
        Some((client, busy.accept_within(Duration::from_millis(100))?))
    });
    let hanging = hanging.expect("one of them goes to the busy target");
    let before = free.seen().len();
    for _ in 0..50 {
        assert_eq!(get(gate.address("public"), "/", &[]).text(), "free");
    }
    assert_eq!(free.seen().len() - before, 50);
    drop(hanging);
}

#[test]
fn all_addresses_of_a_name_are_used_and_one_is_enough() {
    // A port that is free in both families.
    let (v4, v6) = (0..50)
        .find_map(|_| {
            let v4 = TcpListener::bind("127.0.0.1:0").ok()?;
            let v6 = TcpListener::bind(("::1", v4.local_addr().ok()?.port())).ok()?;
            Some((v4, v6))
        })
        .expect("a port that is free on 127.0.0.1 and ::1");
    let port = v4.local_addr().unwrap().port();
    let gate = gate(&format!("targets: [{{ url: \"http://localhost:{port}\" }}]"));
    let serve = |listener: TcpListener, name: &'static str| {
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(1);
        listener.set_nonblocking(true).unwrap();
        let server = std::thread::spawn(move || {
            while stopped.try_recv().is_err() {
                if let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nonblocking(false).unwrap();
                    e2e::read_head(&mut stream);
                    let _ = stream.write_all(&response("200 OK", "connection: close\r\n", name));
                }
                std::thread::yield_now();
            }
        });
        move || {
            stop.send(()).unwrap();
            server.join().unwrap();
        }
    };
    let (end_v4, end_v6) = (serve(v4, "v4"), serve(v6, "v6"));
    let answers = |count: usize| -> Vec<String> {
        let mut answers: Vec<String> = (0..count).map(|_| get(gate.address("public"), "/", &[]).text()).collect();
        answers.sort();
        answers.dedup();
        answers
    };
    assert_eq!(answers(20), ["v4", "v6"]);
    end_v6();
    assert_eq!(answers(20), ["v4"], "one address that refuses costs no request");
    end_v4();
    assert_problem(&get(gate.address("public"), "/", &[]), 502, "upstream.connect");
}

#[test]
fn a_target_that_refuses_gives_way_to_the_next() {
    let upstream = Upstream::text("in");
    let gate = gate(&targets(&[(nobody(), 9), (upstream.address, 1)]));
    for _ in 0..20 {
        assert_eq!(get(gate.address("public"), "/", &[]).text(), "in");
        assert_eq!(call(gate.address("public"), "POST", "/", &[], "body").text(), "in");
    }
    assert!(gate.metric("tollgate_upstream_connects_total", &["failed"]) > 0.0);
}

#[test]
fn names_that_do_not_resolve_and_targets_that_refuse_are_answers() {
    let gate_of_nobody = gate(&targets(&[(nobody(), 1)]));
    assert_problem(&get(gate_of_nobody.address("public"), "/", &[]), 502, "upstream.connect");
    // `.invalid` never resolves (RFC 6761).
    let gate = gate("targets: [{ url: \"http://nowhere.invalid:81\" }], timeouts: { connect: 10s }");
    assert_problem(&get(gate.address("public"), "/", &[]), 502, "upstream.dns");
}

#[test]
fn each_timeout_is_an_answer_of_its_own() {
    let upstream = Held::start();
    let gate = gate(&format!(
        "timeouts: {{ first_byte: 400ms, idle: 600ms, total: 1200ms }}, {}",
        targets(&[(upstream.address, 1)])
    ));
    let ask = || {
        let mut client = Client::connect(gate.address("public"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        (client, upstream.accept().0, Instant::now())
    };
    let in_time = |since: Instant, least: u128| {
        let took = since.elapsed().as_millis();
        assert!((least..least + 5_000).contains(&took), "{took} ms");
    };
    // No head at all.
    let (mut client, mut stream, since) = ask();
    assert_problem(&client.read().expect("it is told"), 504, "upstream.timeout");
    in_time(since, 350);
    assert_eq!(std::io::Read::read(&mut stream, &mut [0]).ok(), Some(0), "the upstream need not go on");
    // A body that stops: its answer has begun, so it is cut.
    let (mut client, mut stream, since) = ask();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf!").unwrap();
    assert_eq!(client.read_head().map(|head| head.status), Some(200));
    let mut rest = String::new();
    while let Some(line) = client.read_line() {
        rest.push_str(&line);
    }
    assert_eq!(rest, "half!");
    in_time(since, 550);
    // A body that never stops meets the total.
    let (mut client, mut stream, since) = ask();
    let endless = std::thread::spawn(move || {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while stream.write_all(b"1\r\n.\r\n").is_ok() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    assert_eq!(client.read_head().map(|head| head.status), Some(200));
    let mut ended = false;
    while let Some(chunk) = client.read_chunk() {
        ended |= chunk.is_empty();
    }
    assert!(!ended, "it is cut, not ended well");
    in_time(since, 1_100);
    endless.join().unwrap();
    until("each is counted", || gate.metric("tollgate_errors_total", &["upstream.idle_timeout"]) == 1.0);
    until("each is counted", || gate.metric("tollgate_errors_total", &["upstream.total_timeout"]) == 1.0);
    until("nothing is left", || gate.metric("tollgate_upstream_requests_in_flight", &[]) == 0.0);
}

#[test]
fn a_connection_that_does_not_open_is_an_answer() {
    // A listener whose backlog is full answers no SYN.
    let (address, _listener, _held) = full();
    let gate = gate(&format!("timeouts: {{ connect: 500ms }}, {}", targets(&[(address, 1)])));
    let since = Instant::now();
    assert_problem(&get(gate.address("public"), "/", &[]), 504, "upstream.connect_timeout");
    assert!((450..6_000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
}

/// A listener with its backlog full, and what fills it.
fn full() -> (SocketAddr, TcpListener, Vec<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        held.push(stream);
        assert!(held.len() < 10_000, "the backlog has no end");
    }
    (address, listener, held)
}

#[test]
fn a_route_has_timeouts_of_its_own() {
    let upstream = Held::start();
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}], timeouts: {{ first_byte: 30s }} }}]
apis: [{{ name: a, routes: [{{ match: {{ path: /fast }}, to: u, timeouts: {{ first_byte: 300ms }} }}] }}]
"#,
        upstream.address
    ));
    let since = Instant::now();
    assert_problem(&get(gate.address("public"), "/fast", &[]), 504, "upstream.timeout");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

#[test]
fn what_is_no_http_is_an_answer() {
    let large = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\n\r\n", "v".repeat(100 << 10));
    for (bytes, code) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "upstream.protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!", "upstream.protocol"),
        (b"", "upstream.reset"),
        (b"HTTP/1.1 20", "upstream.reset"),
        (large.as_bytes(), "upstream.response_too_large"),
    ] {
        let upstream = Held::start();
        let gate = gate(&targets(&[(upstream.address, 1)]));
        let mut client = Client::connect(gate.address("public"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let (mut stream, _) = upstream.accept();
        let _ = stream.write_all(bytes);
        drop(stream);
        let answer = client.read().expect("an answer");
        assert_problem(&answer, 502, code);
    }
}

/// The example, with upstreams of the test's in the place of addresses that nobody has.
#[test]
fn the_example_keeps_keys_and_clients_where_they_are_and_spills_over() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/upstreams.yaml")).unwrap();
    let ready = || Upstream::start(|_| Some(response("200 OK", "", "{\"ready\":true}")));
    let (home, cloud) = (ready(), ready());
    let caches = [Upstream::text("a"), Upstream::text("b"), Upstream::text("c")];
    let carts = [Upstream::text("a"), Upstream::text("b")];
    let mut text = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("interval: 5s", "interval: 20ms");
    for (written, upstream) in
        [("10.0.0.11:9000", &home), ("10.0.0.21:6081", &caches[0]), ("10.0.0.22:6081", &caches[1])].into_iter().chain([
            ("10.0.0.23:6081", &caches[2]),
            ("10.0.0.31:9000", &carts[0]),
            ("10.0.0.32:9000", &carts[1]),
        ])
    {
        text = text.replace(written, &upstream.address.to_string());
    }
    // Nobody is there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    text = text.replace("10.0.0.12:9000", &gone).replace("10.0.1.11:9000", &gone);
    text = text.replace("https://users.cloud.example", &format!("http://{}", cloud.address));
    let gate = Gate::start_with(&text, &[], &[("ZONE", "eu-1")]);
    let address = gate.address("public");
    until("checks find who is gone", || gate.metric("tollgate_upstream_address_available", &["users", &gone]) == 0.0);
    for user in 0..30 {
        let user = format!("x-user: {user}");
        let first = get(address, "/pictures/1", &[&user]).text();
        assert!((0..3).all(|_| get(address, "/pictures/1", &[&user]).text() == first));
    }
    assert!(caches.iter().all(|cache| cache.requests() > 0));
    let first = get(address, "/carts/1", &[]);
    let cookie = first.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();
    let cookie = format!("cookie: {cookie}");
    assert!((0..5).all(|_| get(address, "/carts/1", &[&cookie]).text() == first.text()));
    // Half of the zone's tier is well: it keeps 71 % of the requests, and the others go where somebody is.
    let before = cloud.requests();
    assert!((0..100).all(|_| get(address, "/users/1", &[]).status == 200));
    let (home, cloud) = (home.seen(), cloud.requests() - before);
    let home = home.iter().filter(|seen| seen.line.starts_with("GET /users/1")).count();
    assert!(home > 40 && cloud > 5, "{home} {cloud}");
}
