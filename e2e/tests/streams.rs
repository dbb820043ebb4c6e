//! Streams are streams: what the upstream sends, the client gets before the upstream sends more.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use e2e::client::Client;
use e2e::{Gate, Held, PATIENCE, read_head, until};

fn gate(upstream: &Held) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u }}]
"#,
        upstream.address
    ))
}

#[test]
fn each_event_arrives_before_the_next_is_sent() {
    let upstream = Held::start();
    let gate = gate(&upstream);
    let mut client = Client::connect(gate.address("public"));
    client.send("GET /events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n");
    let (mut stream, _) = upstream.accept();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    assert_eq!(client.read_head().expect("the head comes at once").status, 200);
    for at in 0..5 {
        let event = format!("data: {at}\n\n");
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).unwrap();
        assert_eq!(client.read_chunk(), Some(event.into_bytes()));
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(client.read_chunk(), None);
}

#[test]
fn a_request_body_streams_too() {
    let upstream = Held::start();
    let gate = gate(&upstream);
    let mut client = Client::connect(gate.address("public"));
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    let (mut stream, head) = upstream.accept();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut part = [0; 10];
    stream.read_exact(&mut part).unwrap();
    assert_eq!(&part, b"5\r\nfirst\r\n");
    client.send("6\r\nsecond\r\n0\r\n\r\n");
    let mut rest = [0; 16];
    stream.read_exact(&mut rest).unwrap();
    assert_eq!(&rest, b"6\r\nsecond\r\n0\r\n\r\n");
    stream.write_all(&e2e::response("200 OK", "", "got it")).unwrap();
    assert_eq!(client.read().map(|answer| answer.text()), Some("got it".to_owned()));
}

#[test]
fn a_slow_client_holds_the_upstream_back() {
    let upstream = Held::start();
    let gate = gate(&upstream);
    let mut client = Client::connect(gate.address("public"));
    client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut stream, _) = upstream.accept();
    const LENGTH: usize = 256 << 20;
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n").as_bytes()).unwrap();
    // The client reads nothing. What the gate and the kernel take must stop well short of the whole.
    stream.set_nonblocking(true).unwrap();
    let chunk = vec![b'x'; 64 << 10];
    let (mut sent, mut idle_since) = (0, Instant::now());
    while sent < LENGTH && idle_since.elapsed().as_millis() < 500 {
        match stream.write(chunk.get(..chunk.len().min(LENGTH - sent)).unwrap()) {
            Ok(count) => {
                sent += count;
                idle_since = Instant::now();
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(sent < 64 << 20, "{sent} bytes were taken although nobody reads");
    stream.set_nonblocking(false).unwrap();
    let writer = std::thread::spawn(move || {
        while sent < LENGTH {
            let count = chunk.len().min(LENGTH - sent);
            stream.write_all(chunk.get(..count).unwrap()).unwrap();
            sent += count;
        }
        stream
    });
    let answer = client.read().expect("the whole body comes once it is read");
    assert_eq!(answer.body.len(), LENGTH);
    writer.join().unwrap();
}

#[test]
fn a_client_that_leaves_cancels_the_work() {
    let upstream = Held::start();
    let gate = gate(&upstream);
    // Before the answer, in the middle of the answer, in the middle of the request.
    for (sent, answered) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", ""),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome"),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nsome", ""),
    ] {
        let mut client = TcpStream::connect(gate.address("public")).unwrap();
        client.write_all(sent.as_bytes()).unwrap();
        let (mut stream, _) = upstream.accept();
        stream.write_all(answered.as_bytes()).unwrap();
        if answered.is_empty() {
            until("it is counted", || gate.metric("tollgate_requests_in_flight", &[]) >= 1.0);
        } else {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            read_head(&mut client);
        }
        client.shutdown(Shutdown::Both).unwrap();
        drop(client);
        // The upstream sees its connection end: nothing goes on for nobody.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        until("counters return to zero", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
    }
}

#[test]
fn an_upstream_that_breaks_is_seen() {
    let upstream = Held::start();
    let gate = gate(&upstream);
    let mut client = Client::connect(gate.address("public"));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let (stream, _) = upstream.accept();
    drop(stream);
    // A GET that was never answered on a fresh connection is not sent again: the upstream may have acted.
    let answer = client.read().expect("an answer");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some("upstream.reset")));

    let mut client = Client::connect(gate.address("public"));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let (mut stream, _) = upstream.accept();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
    assert_eq!(client.read_head().map(|head| head.status), Some(200));
    drop(stream);
    let mut rest = Vec::new();
    while let Some(line) = client.read_line() {
        rest.push(line);
    }
    assert!(rest.concat().len() < 10, "a truncated body is visibly truncated: {rest:?}");
}

#[test]
fn expect_is_answered_by_the_gate() {
    let upstream = Held::start();
    let gate = gate(&upstream);
    let mut client = Client::connect(gate.address("public"));
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n");
    let (mut stream, head) = upstream.accept();
    assert!(!head.to_ascii_lowercase().contains("expect:"), "{head}");
    assert_eq!(client.read_head().map(|head| head.status), Some(100));
    client.send("body");
    let mut body = [0; 4];
    stream.read_exact(&mut body).unwrap();
    assert_eq!(&body, b"body");
    stream.write_all(&e2e::response("200 OK", "", "done")).unwrap();
    assert_eq!(client.read().map(|answer| answer.text()), Some("done".to_owned()));
}
