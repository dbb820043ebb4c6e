//! Clients that go away at any moment: the work for them ends, and every gauge returns to zero.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use e2e::frames::{Frames, field, frame, kind, request};
use e2e::{Authority, Gate, Held, PATIENCE, read_head, until};

fn gate(address: SocketAddr, upstream: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
workers: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, {upstream} targets: [{{ url: "http://{address}" }}] }}]
apis: [{{ name: a, to: u }}]
"#
    ))
}

/// Gauges that are zero when nobody asks for anything.
const GAUGES: [(&str, &[&str]); 4] = [
    ("tollgate_connections_open", &["public"]),
    ("tollgate_requests_in_flight", &[]),
    ("tollgate_upstream_requests_in_flight", &[]),
    ("tollgate_upstream_connections", &["active"]),
];

#[track_caller]
fn assert_quiet(gate: &Gate, what: &str) {
    for (gauge, labels) in GAUGES {
        until(&format!("{what}: {gauge} is zero"), || gate.metric(gauge, labels) == 0.0);
    }
    assert_eq!(gate.metric("tollgate_panics_total", &[]), 0.0, "{what}");
}

/// Ways to go.
#[derive(Clone, Copy, Debug)]
enum Go {
    /// Ends both directions in order.
    Close,
    /// Resets the connection.
    Reset,
}

impl Go {
    fn away(self, client: TcpStream) {
        match self {
            Go::Close => client.shutdown(Shutdown::Both).expect("it is open"),
            Go::Reset => {
                socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("it can be set");
            }
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nsome";
const CHUNKED: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n";

#[test]
fn an_http_1_client_leaves_at_any_moment() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "");
    // What the client sends; whether that reaches the upstream; what this answers before the client goes.
    for (moment, sent, answered) in [
        ("before a head", "", None),
        ("within a head", "GET / HTTP/1.1\r\nhos", None),
        ("after a head", GET, Some("")),
        ("within a body", POST, Some("")),
        ("within a chunked body", CHUNKED, Some("")),
        ("within a chunk", &CHUNKED[..CHUNKED.len() - 4], Some("")),
        ("after a body", &format!("{POST} more"), Some("")),
        ("within a response's head", GET, Some("HTTP/1.1 200 OK\r\ncontent-le")),
        ("within a response", GET, Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome")),
        ("within a chunked response", GET, Some("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n")),
        ("within both bodies", POST, Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome")),
    ] {
        for go in [Go::Close, Go::Reset] {
            let what = format!("{moment}, {go:?}");
            let mut client = TcpStream::connect(gate.address("public")).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(sent.as_bytes()).unwrap();
            let Some(answered) = answered else {
                until("it is taken", || gate.metric("tollgate_connections_open", &["public"]) == 1.0);
                go.away(client);
                assert_quiet(&gate, &what);
                continue;
            };
            let (mut stream, _) = upstream.accept();
            stream.write_all(answered.as_bytes()).unwrap();
            if answered.ends_with("some") || answered.ends_with("some\r\n") {
                read_head(&mut client);
            } else {
                until("it is counted", || gate.metric("tollgate_requests_in_flight", &[]) == 1.0);
            }
            go.away(client);
            // Nothing goes on for nobody: the upstream's connection ends, whatever had been sent on it before.
            let ended = stream.read_to_end(&mut Vec::new());
            assert!(
                !matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
                "{what}: {ended:?}"
            );
            assert_quiet(&gate, &what);
            assert_eq!(gate.metric("tollgate_upstream_errors_total", &[]), 0.0, "{what}: the upstream is not to blame");
        }
    }
}

#[test]
fn an_http_2_client_leaves_or_resets_at_any_moment() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "");
    let get = frame(kind::HEADERS, 0b101, 1, &request("GET", "/"));
    let post = [
        frame(kind::HEADERS, 0b100, 1, &[request("POST", "/"), field("content-length", "9")].concat()),
        frame(kind::DATA, 0, 1, b"some"),
    ]
    .concat();
    let reset = frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    for (moment, sent, answered) in [
        ("before a request", Vec::new(), None),
        ("within a head", frame(kind::HEADERS, 0, 1, &request("GET", "/")), None),
        ("after a head", get.clone(), Some("")),
        ("within a body", post.clone(), Some("")),
        ("within a response", get, Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome")),
        ("within both bodies", post, Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome")),
    ] {
        for resets in [false, true] {
            let what = format!("{moment}, {}", if resets { "RST_STREAM" } else { "the connection" });
            let mut client = Frames::connect(gate.address("public"));
            client.send(&sent);
            let Some(answered) = answered else {
                assert!(client.until(kind::SETTINGS).is_some());
                client.abandon();
                assert_quiet(&gate, &what);
                continue;
            };
            let (mut stream, _) = upstream.accept();
            stream.write_all(answered.as_bytes()).unwrap();
            match answered {
                "" => until("it is counted", || gate.metric("tollgate_requests_in_flight", &[]) == 1.0),
                _ => assert!(client.until(kind::DATA).is_some()),
            }
            if resets {
                client.send(&reset);
                // The connection goes on, and answers.
                client.send(frame(kind::PING, 0, 0, &[7; 8]));
                assert!(client.until(kind::PING).is_some());
                let _ = stream.read_to_end(&mut Vec::new());
                until("the stream is over", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
                assert_eq!(gate.metric("tollgate_connections_open", &["public"]), 1.0);
            }
            client.abandon();
            let _ = stream.read_to_end(&mut Vec::new());
            assert_quiet(&gate, &what);
        }
    }
}

#[test]
fn a_client_leaves_while_it_waits_for_a_connection() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "pool: { connections: 1, queue_timeout: 30s },");
    let mut first = TcpStream::connect(gate.address("public")).unwrap();
    first.write_all(GET.as_bytes()).unwrap();
    let (mut stream, _) = upstream.accept();
    let mut second = TcpStream::connect(gate.address("public")).unwrap();
    second.write_all(b"GET /second HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    until("it waits", || gate.metric("tollgate_requests_in_flight", &[]) == 2.0);
    drop(second);
    until("it is gone", || gate.metric("tollgate_requests_in_flight", &[]) == 1.0);
    // What becomes free does not go to who left.
    stream.write_all(&e2e::response("200 OK", "", "in")).unwrap();
    first.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(read_head(&mut first).starts_with("HTTP/1.1 200"));
    first.write_all(b"GET /third HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert!(read_head(&mut stream).starts_with("GET /third "));
    drop(first);
    let _ = stream.read_to_end(&mut Vec::new());
    assert_quiet(&gate, "waiting");
}

#[test]
fn a_client_of_a_tunnel_leaves_and_so_does_an_upstream() {
    let upstream = Held::start();
    let gate = gate(upstream.address, "");
    for client_goes in [true, false] {
        let mut client = TcpStream::connect(gate.address("public")).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n").unwrap();
        let (mut stream, head) = upstream.accept();
        assert!(head.to_ascii_lowercase().contains("\r\nupgrade: shout\r\n"), "any protocol may be asked for: {head}");
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\nfirst")
            .unwrap();
        assert!(read_head(&mut client).starts_with("HTTP/1.1 101 "));
        let mut five = [0; 5];
        client.read_exact(&mut five).unwrap();
        assert_eq!(&five, b"first");
        client.write_all(b"hello").unwrap();
        stream.read_exact(&mut five).unwrap();
        assert_eq!(&five, b"hello");
        let (gone, mut stays) = if client_goes { (client, stream) } else { (stream, client) };
        drop(gone);
        assert_eq!(stays.read(&mut five).ok(), Some(0), "the other end is told");
        drop(stays);
        assert_quiet(&gate, "a tunnel");
    }
}

#[test]
fn a_client_leaves_within_a_handshake_or_an_encrypted_exchange() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("a", &["a.test"]);
    let upstream = Held::start();
    let text = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", tls: {{ certificates: [{{ certificate: a.pem, key: a.key }}] }} }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u }}]
"#,
        upstream.address
    );
    let ca = authority.pem();
    let gate = Gate::start_with(&text, &[("a.pem", &certificate), ("a.key", &key), ("ca.pem", &ca)], &[]);
    let address = gate.address("public");
    // A hello that stops, and one that is none.
    for sent in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET / HTTP/1.1\r\n\r\n", b""] {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(sent).unwrap();
        drop(client);
        assert_quiet(&gate, "a handshake");
    }
    let resolve = format!("a.test:{}:{}", address.port(), address.ip());
    let mut curl = std::process::Command::new("curl")
        .args(["--silent", "--cacert", "ca.pem", "--resolve", &resolve])
        .arg(format!("https://a.test:{}/", address.port()))
        .current_dir(gate.folder())
        .spawn()
        .expect("curl runs");
    let (mut stream, _) = upstream.accept();
    curl.kill().unwrap();
    curl.wait().unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).ok(), Some(0));
    assert_quiet(&gate, "an encrypted exchange");
}

/// A stream of a shared connection is reset; the connection stays.
#[tokio::test]
async fn on_a_shared_connection_only_the_stream_ends() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut requests) = tokio::sync::mpsc::channel(10);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            let _: Result<(), _> = sender.send((request, respond)).await;
        }
    });
    let gate = gate(address, "protocol: h2,");
    let mut clients: Vec<Frames> = (0..2).map(|_| Frames::connect(gate.address("public"))).collect();
    clients.iter_mut().enumerate().for_each(|(at, client)| client.ask(1, "GET", &format!("/{at}")));
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(tokio::time::timeout(PATIENCE, requests.recv()).await.expect("it comes").unwrap());
    }
    open.sort_by_key(|(request, _)| request.uri().path().to_owned());
    clients.remove(0).abandon();
    let (_, mut first) = open.remove(0);
    let reset = std::future::poll_fn(|cx| first.poll_reset(cx));
    let reset = tokio::time::timeout(PATIENCE, reset).await.expect("it is reset").unwrap();
    assert_eq!(reset, h2::Reason::CANCEL);
    let (_, mut second) = open.remove(0);
    second.send_response(http::Response::new(()), true).unwrap();
    let mut client = clients.remove(0);
    let answered = tokio::task::spawn_blocking(move || client.until(kind::HEADERS).is_some());
    assert!(answered.await.unwrap(), "the other stream of the same connection goes on");
    assert!(!server.is_finished());
}
