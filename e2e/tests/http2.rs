//! HTTP/2 as a client sees it, well-behaved or not.

use e2e::client::{Client, get};
use e2e::frames::{Frames, field, frame, kind, request};
use e2e::{Gate, Held, Upstream, until};

fn gate(address: std::net::SocketAddr, limits: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", limits: {{ {limits} }} }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{address}" }}] }}]
apis: [{{ name: a, to: u }}]
"#
    ))
}

/// Whether the gate still serves others, and nothing of those before is left.
#[track_caller]
fn assert_well(gate: &Gate) {
    until("its connections are gone", || gate.metric("tollgate_connections_open", &["public"]) == 0.0);
    until("its requests are gone", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
    until("no upstream works for it", || gate.metric("tollgate_upstream_requests_in_flight", &[]) == 0.0);
    assert_eq!(get(gate.address("public"), "/", &[]).status, 200);
    assert_eq!(gate.metric("tollgate_panics_total", &[]), 0.0);
}

/// The status of a response's HEADERS, as its first field is an indexed one (RFC 7541 appendix A).
fn status(block: &[u8]) -> Option<u16> {
    Some(match block.first()? {
        0x88 => 200,
        0x89 => 204,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        // A literal with the indexed name `:status`, Huffman coded: the tests below only need to know that it is another.
        _ => 0,
    })
}

#[test]
fn both_protocols_share_a_port() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    assert_eq!(get(gate.address("public"), "/", &[]).text(), "in");
    let mut client = Frames::connect(gate.address("public"));
    for stream in [1, 3, 5] {
        client.ask(stream, "GET", "/");
        let head = client.until(kind::HEADERS).expect("a response");
        assert_eq!((head.stream, status(&head.payload)), (stream, Some(200)));
        assert_eq!(client.until(kind::DATA).expect("a body").payload, b"in");
    }
    // What only begins like the preface is HTTP/1.
    let mut client = Client::connect(gate.address("public"));
    client.send("P");
    client.send("OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi");
    assert_eq!(client.read().map(|answer| answer.text()), Some("in".to_owned()));
}

#[test]
fn streams_run_beside_each_other_up_to_their_bound() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "streams_per_connection: 2");
    let mut client = Frames::connect(gate.address("public"));
    let settings = client.until(kind::SETTINGS).expect("the gate says hello");
    // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113 section 6.5.2).
    assert!(settings.payload.chunks(6).any(|one| one == [0, 3, 0, 0, 0, 2]), "{settings:?}");
    for stream in [1, 3, 5] {
        client.ask(stream, "GET", &format!("/{stream}"));
    }
    let refused = client.until(kind::RST_STREAM).expect("one too many is refused");
    assert_eq!((refused.stream, refused.payload.as_slice()), (5, &[0, 0, 0, 7][..]), "REFUSED_STREAM: safe to retry");
    // Both of the others are with the upstream at the same time, and the later may be answered first.
    let mut open: Vec<_> = (0..2).map(|_| upstream.accept()).collect();
    open.sort_by(|(_, one), (_, other)| other.cmp(one));
    for ((mut stream, head), id) in open.into_iter().zip([3, 1]) {
        assert!(head.starts_with(&format!("GET /{id} ")), "{head}");
        std::io::Write::write_all(&mut stream, &e2e::response("200 OK", "", "in")).unwrap();
        assert_eq!(client.until(kind::HEADERS).map(|head| head.stream), Some(id));
    }
}

#[test]
fn rapid_resets_end_the_connection() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    let mut client = Frames::connect(gate.address("public"));
    let mut attack = Vec::new();
    for at in 0..5_000 {
        attack.extend(frame(kind::HEADERS, 0b101, at * 2 + 1, &request("GET", "/attack")));
        attack.extend(frame(kind::RST_STREAM, 0, at * 2 + 1, &[0, 0, 0, 8]));
    }
    // The gate may hang up before all of it is sent: that is the point.
    let _ = client.try_send(&attack);
    while client.read().is_some() {}
    let reached = upstream.seen().len();
    assert!(reached < 1_000, "{reached} of 5000 requests that nobody waits for reached the upstream");
    assert_well(&gate);
}

#[test]
fn an_endless_head_ends_the_connection() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    let mut client = Frames::connect(gate.address("public"));
    client.send(frame(kind::HEADERS, 0b001, 1, &request("GET", "/")));
    // CONTINUATION without END_HEADERS, for ever (CVE-2024-27316 and its kin).
    let more = frame(kind::CONTINUATION, 0, 1, &field("x-filler", &"v".repeat(100)).repeat(100));
    let mut sent = 0;
    while client.try_send(&more).is_ok() {
        sent += more.len();
        assert!(sent < 64 << 20, "the gate takes a head of {sent} bytes");
    }
    drop(client);
    assert_eq!(upstream.seen().len(), 0);
    assert_well(&gate);
}

#[test]
fn empty_frames_and_pings_are_no_way_to_keep_it_busy() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    for (what, flood) in [
        ("empty CONTINUATION", {
            let mut flood = frame(kind::HEADERS, 0b001, 1, &request("GET", "/"));
            flood.extend(frame(kind::CONTINUATION, 0, 1, &[]).repeat(200_000));
            flood
        }),
        ("SETTINGS", frame(kind::SETTINGS, 0, 0, &[]).repeat(200_000)),
        ("PING", frame(kind::PING, 0, 0, &[7; 8]).repeat(200_000)),
    ] {
        let mut client = Frames::connect(gate.address("public"));
        // Nobody reads the answers. It is cut off, or takes it within its bounds.
        let writer = std::thread::spawn(move || {
            let _ = client.try_send(&flood);
            client
        });
        assert_eq!(get(gate.address("public"), "/", &[]).status, 200, "others are served meanwhile: {what}");
        let resident = gate.metric("process_resident_memory_bytes", &[]);
        assert!(resident < f64::from(300 << 20), "{what}: {resident} bytes");
        // What still waits to be sent ends with the connection on this side.
        drop(writer.join().expect("it does not panic"));
        assert_well(&gate);
    }
}

#[test]
fn a_head_that_is_too_large_is_refused_by_its_stream() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "header_bytes: 2KiB, headers: 10");
    let mut client = Frames::connect(gate.address("public"));
    let many = [request("GET", "/many"), (0..20).flat_map(|at| field(&format!("x-{at}"), "v")).collect()].concat();
    let large = [request("GET", "/large"), (0..5).flat_map(|at| field(&format!("x-{at}"), &"v".repeat(120))).collect()];
    let large = [large.concat(), field("x-cookie", &"v".repeat(120)).repeat(15)].concat();
    for (stream, block, reached) in [(1, &many, false), (3, &large, false), (5, &request("GET", "/fine"), true)] {
        client.send(frame(kind::HEADERS, 0b101, stream, block));
        let head = client.until(kind::HEADERS).expect("a response");
        assert_eq!((head.stream, status(&head.payload) == Some(200)), (stream, reached));
    }
    let lines: Vec<String> = upstream.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /fine HTTP/1.1"]);
}

#[test]
fn malformed_requests_are_stream_errors() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "");
    let with = |more: Vec<u8>| [request("GET", "/bad"), more].concat();
    for (what, block) in [
        ("a connection header", with(field("connection", "close"))),
        ("an upper-case name", with(field("X-Upper", "1"))),
        ("transfer-encoding", with(field("transfer-encoding", "chunked"))),
        ("a line feed in a value", with(field("x-a", "1\r\nx-b: 2"))),
        ("a pseudo field after others", with([field("x-a", "1"), field(":path", "/other")].concat())),
        ("no path", [field(":method", "GET"), field(":scheme", "http"), field(":authority", "gate.test")].concat()),
    ] {
        let mut client = Frames::connect(gate.address("public"));
        client.send(frame(kind::HEADERS, 0b101, 1, &block));
        let end = std::iter::from_fn(|| client.read())
            .find(|frame| matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY | kind::HEADERS))
            .unwrap_or_else(|| panic!("{what}: it ended without a word"));
        assert!(end.kind != kind::HEADERS || status(&end.payload) == Some(400), "{what}: {end:?}");
    }
    assert_eq!(upstream.seen().len(), 0, "{:?}", upstream.seen());
    assert_well(&gate);
}

#[test]
fn a_connection_has_so_many_requests() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "requests_per_connection: 3");
    let mut client = Frames::connect(gate.address("public"));
    for stream in [1, 3, 5] {
        client.ask(stream, "GET", "/");
    }
    let (mut answered, mut told) = (0, false);
    while let Some(frame) = client.read() {
        answered += usize::from(frame.kind == kind::HEADERS && status(&frame.payload) == Some(200));
        told |= frame.kind == kind::GOAWAY && frame.payload[4..8] == [0; 4];
    }
    assert_eq!((answered, told), (3, true), "every answer, then a GOAWAY without an error");
}

#[test]
fn an_idle_connection_is_told_and_ends() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "idle_timeout: 500ms");
    let mut client = Frames::connect(gate.address("public"));
    client.ask(1, "GET", "/");
    assert_eq!(client.until(kind::DATA).map(|data| data.stream), Some(1));
    let goaway = client.until(kind::GOAWAY).expect("it is told");
    assert_eq!(goaway.payload[4..8], [0; 4], "without an error");
    while client.read().is_some() {}
}

#[test]
fn leaving_tells_clients_and_completes_what_they_began() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "");
    let mut quiet = Frames::connect(gate.address("public"));
    assert!(quiet.until(kind::SETTINGS).is_some());
    let mut idle = Client::connect(gate.address("public"));
    let mut busy = Frames::connect(gate.address("public"));
    busy.ask(1, "GET", "/slow");
    let (mut stream, _) = upstream.accept();
    // A keep-alive connection that served a request before.
    idle.send("GET /warm HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut warm, _) = upstream.accept();
    std::io::Write::write_all(&mut warm, &e2e::response("200 OK", "", "warm")).unwrap();
    assert_eq!(idle.read().map(|answer| answer.text()), Some("warm".to_owned()));
    gate.signal("TERM");
    assert_eq!(busy.until(kind::GOAWAY).map(|goaway| goaway.payload[4..8].to_vec()), Some(vec![0; 4]));
    assert!(quiet.until(kind::GOAWAY).is_some(), "so is who asks nothing");
    assert!(idle.is_closed(), "and a quiet HTTP/1 connection is closed");
    std::io::Write::write_all(&mut stream, &e2e::response("200 OK", "", "slow but sure")).unwrap();
    assert_eq!(busy.until(kind::DATA).map(|data| data.payload), Some(b"slow but sure".to_vec()));
    let left = gate.left();
    assert_eq!(left.status.code(), Some(0), "{}", left.said);
}

#[test]
fn a_body_has_a_size_and_its_time() {
    let upstream = Upstream::text("in");
    let gate = gate(upstream.address, "body_bytes: 1KiB, body_timeout: 500ms");
    let mut client = Frames::connect(gate.address("public"));
    // Over the bound by what it says, over it as it comes, and one that stops. None of them ends the connection.
    let long = [request("POST", "/"), field("content-length", "1025")].concat();
    client.send(frame(kind::HEADERS, 0b100, 1, &long));
    client
        .send([frame(kind::HEADERS, 0b100, 3, &request("POST", "/")), frame(kind::DATA, 1, 3, &[b'x'; 1025])].concat());
    client.send([frame(kind::HEADERS, 0b100, 5, &request("POST", "/")), frame(kind::DATA, 0, 5, b"some")].concat());
    let mut refused = Vec::new();
    while refused.len() < 3 {
        let head = client.until(kind::HEADERS).expect("each is answered");
        assert_ne!(status(&head.payload), Some(200));
        refused.push(head.stream);
    }
    refused.sort_unstable();
    assert_eq!(refused, [1, 3, 5]);
    client
        .send([frame(kind::HEADERS, 0b100, 7, &request("POST", "/")), frame(kind::DATA, 1, 7, &[b'x'; 1024])].concat());
    let head = client.until(kind::HEADERS).expect("it goes on");
    assert_eq!((head.stream, status(&head.payload)), (7, Some(200)));
    let whole: Vec<usize> = upstream.seen().iter().map(|seen| seen.body.len()).collect();
    assert_eq!(whole, [1024], "no other came whole");
    let counted = |code: &str| gate.metric("tollgate_errors_total", &[code]);
    until("each is counted", || (counted("request.body_too_large"), counted("request.body_timeout")) == (2.0, 1.0));
}
