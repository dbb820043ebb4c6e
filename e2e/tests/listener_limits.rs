//! What a listener lets a connection and a request cost, and what it does to those that ask for more.

use std::time::{Duration, Instant};

use e2e::client::{Answer, Client, call};
use e2e::{Gate, Upstream, until};

/// A gate whose one listener has these limits, in front of an upstream that answers everything.
fn gate(upstream: &Upstream, limits: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", limits: {{ {limits} }} }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u }}]
"#,
        upstream.address
    ))
}

/// Asserts that a problem document of this status and code came.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/problem+json")));
    let problem = answer.json();
    assert_eq!((problem["status"].as_u64(), problem["code"].as_str()), (Some(status.into()), Some(code)));
}

#[test]
fn heads_have_a_size() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "header_bytes: 2KiB, headers: 8, uri_bytes: 512B");
    let fields = |count: usize, size: usize| -> Vec<String> {
        (0..count).map(|at| format!("x-{at}: {}", "v".repeat(size))).collect()
    };
    let path = |length: usize| format!("/{}", "p".repeat(length - 1));
    // `connection` and `host` are two of the eight.
    let table = [
        ("as many fields as allowed", path(1), fields(6, 10), None),
        ("one more", path(1), fields(7, 10), Some((431, "request.headers_too_large"))),
        ("as many bytes as allowed, nearly", path(1), fields(1, 1900), None),
        ("more", path(1), fields(1, 2100), Some((431, "request.headers_too_large"))),
        ("in several fields", path(1), fields(5, 500), Some((431, "request.headers_too_large"))),
        ("the longest target", path(512), fields(0, 0), None),
        ("one byte longer", path(513), fields(0, 0), Some((414, "request.uri_too_long"))),
    ];
    for (what, path, fields, refused) in &table {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let answer = call(gate.address("public"), "GET", path, &fields, "");
        match refused {
            None => assert_eq!(answer.status, 200, "{what}"),
            Some((status, code)) => assert_problem(&answer, *status, code),
        }
    }
    // Far too much is cut off as it comes, still with a status.
    let mut client = Client::connect(gate.address("public"));
    let _ = client.try_send(format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "v".repeat(1 << 20)));
    assert_eq!(client.read().map(|answer| answer.status), Some(431));
    assert_eq!(upstream.seen().len(), table.iter().filter(|row| row.3.is_none()).count());
    until("nothing is left", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
}

#[test]
fn a_body_has_a_size_however_it_is_framed() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "body_bytes: 1KiB");
    let address = gate.address("public");
    assert_eq!(call(address, "POST", "/", &[], &"b".repeat(1024)).status, 200);
    assert_problem(&call(address, "POST", "/", &[], &"b".repeat(1025)), 413, "request.body_too_large");
    let chunk = format!("200\r\n{}\r\n", "b".repeat(512));
    for (chunks, status) in [(2, 200), (3, 413)] {
        let mut client = Client::connect(address);
        client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        let _ = client.try_send(chunk.repeat(chunks) + "0\r\n\r\n");
        assert_eq!(client.read().map(|answer| answer.status), Some(status), "{chunks} chunks");
    }
    assert_eq!(upstream.seen().iter().filter(|seen| seen.body.len() == 1024).count(), 2);
}

#[test]
fn a_head_has_its_time_and_trickling_does_not_buy_more() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "header_timeout: 500ms, idle_timeout: 20s");
    for begun in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: a\r\nx-slow: "] {
        let mut client = Client::connect(gate.address("public"));
        let started = Instant::now();
        client.send(begun);
        let answer = client.read().expect("it is told");
        assert_problem(&answer, 408, "request.head_timeout");
        assert!(client.is_closed());
        assert!((400..5_000).contains(&started.elapsed().as_millis()), "{begun:?}: {:?}", started.elapsed());
    }
    let mut client = Client::connect(gate.address("public"));
    let started = Instant::now();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ");
    while client.try_send("v").is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "a byte now and then keeps it open");
        // The client's own pace: what is tested is that the gate ends it meanwhile.
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_handshake_has_its_time() {
    let (certificate, key) = e2e::Authority::new().sign("a", &["a.test"]);
    let text = r#"
version: 1
listeners:
  - name: public
    address: "127.0.0.1:0"
    tls: { certificates: [{ certificate: a.pem, key: a.key }] }
    limits: { handshake_timeout: 500ms }
apis: [{ name: a, to: { respond: { status: 200 } } }]
"#;
    let gate = Gate::start_with(text, &[("a.pem", &certificate), ("a.key", &key)], &[]);
    for begun in ["", "\x16\x03\x01\x01"] {
        let mut client = Client::connect(gate.address("public"));
        let started = Instant::now();
        client.send(begun);
        assert!(client.is_closed());
        assert!((400..5_000).contains(&started.elapsed().as_millis()), "{begun:?}: {:?}", started.elapsed());
    }
    until("both are counted", || gate.metric("tollgate_connections_refused_total", &["handshake"]) == 2.0);
}

#[test]
fn many_slow_heads_keep_nobody_out() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "header_timeout: 1s");
    let slow: Vec<Client> = (0..200)
        .map(|_| {
            let mut client = Client::connect(gate.address("public"));
            client.send("GET / HTTP/1.1\r\nhost: a\r\nx-");
            client
        })
        .collect();
    assert_eq!(e2e::client::get(gate.address("public"), "/", &[]).text(), "in");
    until("all of them are ended", || gate.metric("tollgate_connections_open", &["public"]) == 0.0);
    for mut client in slow {
        assert_eq!(client.read().map(|answer| answer.status), Some(408));
    }
}

#[test]
fn quiet_connections_end() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "header_timeout: 400ms, idle_timeout: 800ms");
    // One that never asks has the time of a head; one that did has the time of an idle connection.
    let mut silent = Client::connect(gate.address("public"));
    let started = Instant::now();
    assert!(silent.is_closed());
    assert!((300..5_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    let mut quiet = Client::connect(gate.address("public"));
    assert_eq!(quiet.call("GET / HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
    let started = Instant::now();
    assert!(quiet.is_closed());
    assert!((700..5_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[test]
fn a_body_that_pauses_ends() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "body_timeout: 500ms");
    let mut client = Client::connect(gate.address("public"));
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfive!");
    let answer = client.read().expect("it is told");
    assert_problem(&answer, 408, "request.body_timeout");
    assert!(client.is_closed());
    assert_eq!(upstream.seen().len(), 0, "the upstream never had the whole of it");
    until("nothing is left", || gate.metric("tollgate_upstream_requests_in_flight", &[]) == 0.0);
}

#[test]
fn a_listener_has_so_many_connections() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "connections: 3");
    let mut held: Vec<Client> = (0..3).map(|_| Client::connect(gate.address("public"))).collect();
    for client in &mut held {
        assert_eq!(client.call("GET / HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
    }
    assert!(Client::connect(gate.address("public")).is_closed(), "the fourth is closed at once");
    assert_eq!(gate.metric("tollgate_connections_refused_total", &["listener_limit"]), 1.0);
    held.pop();
    until("there is room again", || gate.metric("tollgate_connections_open", &["public"]) < 3.0);
    assert_eq!(Client::connect(gate.address("public")).call("GET / HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
}

#[test]
fn a_client_address_has_so_many_connections() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "connections_per_client: 2");
    let address = gate.address("public");
    let curl = |from: &str| {
        let url = format!("http://{address}/");
        let words = ["--silent", "--max-time", "20", "--interface", from, "--write-out", " %{response_code}", &url];
        let output = std::process::Command::new("curl").args(words).output().expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut held: Vec<Client> = (0..2).map(|_| Client::connect(address)).collect();
    for client in &mut held {
        assert_eq!(client.call("GET / HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
    }
    assert_eq!(curl("127.0.0.1"), " 000", "the third of this address is closed");
    assert_eq!(curl("127.0.0.2"), "in 200", "another address has its own");
    assert_eq!(gate.metric("tollgate_connections_refused_total", &["client_limit"]), 1.0);
    drop(held);
    until("there is room again", || gate.metric("tollgate_connections_open", &["public"]) == 0.0);
    assert_eq!(curl("127.0.0.1"), "in 200");
}

#[test]
fn a_connection_has_so_many_requests() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "requests_per_connection: 3");
    let mut client = Client::connect(gate.address("public"));
    for at in 1..=3 {
        let answer = client.call("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let told = answer.header("connection").map(str::to_ascii_lowercase);
        assert_eq!((answer.status, told.as_deref()), (200, (at == 3).then_some("close")), "request {at}");
    }
    assert!(client.is_closed());
    // Pipelined beyond the bound, the rest is not begun: who sent it knows, as the last answer says `close`.
    let mut client = Client::connect(gate.address("public"));
    client.send("GET /piped HTTP/1.1\r\nhost: a\r\n\r\n".repeat(5));
    let answers = std::iter::from_fn(|| client.read()).count();
    let begun = upstream.seen().iter().filter(|seen| seen.line.contains("/piped")).count();
    assert_eq!((answers, begun), (3, 3));
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    use e2e::frames::{HELLO, frame, kind, request};
    use std::io::Write as _;
    // More than the gate and the kernel hold for anyone.
    let upstream = Upstream::start(|_| Some(e2e::response("200 OK", "", &"x".repeat(32 << 20))));
    let gate = gate(&upstream, "body_timeout: 1s");
    // HTTP/2 twice: windows that are full at once, and a connection whose bytes nobody reads.
    let no_window = frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let window = frame(kind::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    let more = frame(8, 0, 0, &[0x7f, 0xf0, 0, 0]);
    let ask = frame(kind::HEADERS, 0b101, 1, &request("GET", "/"));
    for (what, bytes, reads) in [
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), false),
        ("HTTP/2 without a window", [HELLO, &no_window, &ask].concat(), true),
        ("HTTP/2 with a window", [HELLO, &window, &more, &ask].concat(), false),
    ] {
        let mut client = std::net::TcpStream::connect(gate.address("public")).unwrap();
        client.write_all(&bytes).unwrap();
        until("it is begun", || gate.metric("tollgate_requests_in_flight", &[]) == 1.0);
        let since = Instant::now();
        let reader = reads.then(|| {
            // It answers, so that it looks alive, and never opens its window.
            let mut stream = client.try_clone().unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()))
        });
        until(what, || gate.metric("tollgate_upstream_requests_in_flight", &[]) == 0.0);
        until(what, || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
        assert!((500..6_000).contains(&since.elapsed().as_millis()), "{what}: {:?}", since.elapsed());
        client.shutdown(std::net::Shutdown::Both).ok();
        if let Some(reader) = reader {
            let _ = reader.join().unwrap();
        }
    }
}
