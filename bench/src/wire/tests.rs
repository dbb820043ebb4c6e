//! The two ends against each other, and against servers that misbehave.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::load::*;
use super::rig::Rig;
use super::upstream::models;

fn load(address: SocketAddr, protocol: Protocol) -> Load {
    let (authority, path) = ("bench.test".into(), "/bytes/3000".into());
    let shape = Shape { scheme: "http", authority, path, headers: vec![], body: String::new() };
    Load {
        target: Target { address, tls: None, protocol, host: "bench.test".into() },
        requests: Arc::new([Request::new(protocol, &shape)]),
        connections: 3,
        streams: 2,
        pace: Pace::Closed,
        lifetime: Lifetime::Keep,
        warmup: Duration::ZERO,
        until: Until::Answered(500),
        wait: Wait::Sleep,
        patience: Duration::from_secs(20),
        expect: Some(3000),
        says: None,
        marker: None,
        timeline: Timeline::Keep,
        gauge: None,
    }
}

/// Answers each of some connections with `answer` once a whole head is there, and closes.
fn canned(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            read_head(&mut socket);
            socket.write_all(answer).unwrap();
        }
    });
    address
}

fn read_head(socket: &mut impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if socket.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
}

#[test]
fn the_upstream_answers_what_was_asked() {
    let rig = Rig::start(None, 0).unwrap();
    let table: [(&str, &[usize]); 7] = [
        ("GET / HTTP/1.1\r\n\r\n", &[1024]),
        ("GET /any/bytes/7?x HTTP/1.1\r\n\r\n", &[7]),
        ("HEAD /bytes/9 HTTP/1.1\r\n\r\n", &[]),
        ("GET /bytes/0 HTTP/1.1\r\n\r\nGET /bytes/100000 HTTP/1.1\r\n\r\n", &[0, 100_000]),
        ("POST /bytes/5 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /bytes/6 HTTP/1.1\r\n\r\n", &[5, 6]),
        (
            "POST /bytes/5 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\na;x=1\r\n0123456789\r\n0\r\nt: v\r\n\r\nGET /bytes/6 HTTP/1.1\r\n\r\n",
            &[5, 6],
        ),
        ("GET /bytes/4 HTTP/1.1\r\nConnection: close\r\n\r\n", &[4]),
    ];
    for (request, bodies) in table {
        // Sent in two pieces, cut at every place: what arrives together must not matter.
        for cut in (0..request.len()).step_by(7) {
            let mut socket = TcpStream::connect(rig.upstream()).unwrap();
            socket.set_nodelay(true).unwrap();
            let (one, other) = request.split_at(cut);
            socket.write_all(one.as_bytes()).unwrap();
            socket.write_all(other.as_bytes()).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            let lengths: Vec<usize> = answer
                .split("HTTP/1.1 200 OK\r\n")
                .skip(1)
                .map(|one| one.split_once("\r\n\r\n").unwrap().1.len())
                .collect();
            let expected = if request.starts_with("HEAD") { &[0][..] } else { bodies };
            assert_eq!(lengths, expected, "{request:?} cut at {cut}");
        }
    }
}

#[test]
fn a_closed_loop_gets_every_answer() {
    let rig = Rig::start(None, 0).unwrap();
    let outcome = rig.run(load(rig.upstream(), Protocol::H1)).unwrap();
    assert!(outcome.total >= 500, "{}", outcome.total);
    assert_eq!((outcome.failed(), outcome.reconnects, outcome.unsent), (0, 0, 0));
    assert_eq!(outcome.timeline.len() as u64, outcome.requests);
    assert_eq!(outcome.latency.count(), outcome.requests);
}

#[test]
fn streams_come_at_their_pace() {
    let rig = Rig::start(None, 0).unwrap();
    let (authority, path) = ("bench.test".into(), "/stream/20/5/v1/chat/completions".into());
    let shape = Shape { scheme: "http", authority, path, headers: vec![], body: "{}".into() };
    let outcome = rig.run(Load {
        requests: Arc::new([Request::new(Protocol::H1, &shape)]),
        expect: None,
        says: Some(models::END),
        until: Until::Answered(6),
        ..load(rig.upstream(), Protocol::H1)
    });
    let outcome = outcome.unwrap();
    assert!(outcome.total >= 6 && outcome.failed() == 0, "{} {}", outcome.total, outcome.faults_text());
    assert_eq!(outcome.first.count(), outcome.requests);
    assert!(outcome.late.count() >= 6 * 20, "{}", outcome.late.count());
    // The first token comes at once, the last one nineteen intervals after the second.
    let quantile = |histogram: &crate::histogram::Histogram, q| histogram.quantile(q).unwrap();
    assert!(quantile(&outcome.latency, 0.0) - quantile(&outcome.first, 0.0) > 0.9 * 19.0 * 5e6);
}

#[test]
fn fresh_connections_carry_one_request_each() {
    let rig = Rig::start(None, 0).unwrap();
    let outcome =
        rig.run(Load { lifetime: Lifetime::Fresh, until: Until::Answered(50), ..load(rig.upstream(), Protocol::H1) });
    let outcome = outcome.unwrap();
    assert!(outcome.total >= 50 && outcome.failed() == 0, "{} {}", outcome.total, outcome.faults_text());
}

#[test]
fn an_open_loop_asks_as_often_as_it_says() {
    let rig = Rig::start(None, 0).unwrap();
    for lifetime in [Lifetime::Keep, Lifetime::Fresh] {
        let window = Until::Elapsed(Duration::from_millis(300));
        let load = load(rig.upstream(), Protocol::H1);
        let outcome = rig.run(Load { pace: Pace::Open(1000.0), until: window, lifetime, ..load }).unwrap();
        let due = outcome.elapsed.as_secs_f64() * 1000.0;
        assert!((outcome.requests as f64 - due).abs() <= 2.0, "{} of {due}", outcome.requests);
        assert_eq!(outcome.failed(), 0, "{}", outcome.faults_text());
    }
}

#[test]
fn once_leaves_connections_open_until_told() {
    let rig = Rig::start(None, 0).unwrap();
    let load = load(rig.upstream(), Protocol::H1);
    let running = rig.begin(Load { pace: Pace::Once, until: Until::Told, connections: 200, ..load }).unwrap();
    while running.progress.answered.load(std::sync::atomic::Ordering::Relaxed) < 200 {
        std::thread::yield_now();
    }
    let outcome = running.stop().unwrap();
    assert_eq!((outcome.total, outcome.failed()), (200, 0));
}

#[test]
fn failures_are_told_apart() {
    let rig = Rig::start(None, 0).unwrap();
    for (answer, expected) in [
        (&b""[..], Some(Fault::Closed)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3000\r\n\r\nabc", Some(Fault::Closed)),
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", Some(Fault::Status)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", Some(Fault::Length)),
        (b"HTTP/1.1 200 OK\r\nserver: no length\r\n\r\n", Some(Fault::Malformed)),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Some(Fault::Malformed)),
    ] {
        let load = load(canned(answer), Protocol::H1);
        let window = Until::Elapsed(Duration::from_millis(50));
        let outcome = rig.run(Load { lifetime: Lifetime::Fresh, until: window, ..load }).unwrap();
        let answer = String::from_utf8_lossy(answer);
        assert_eq!(outcome.faults.keys().next().copied(), expected, "{answer}: {}", outcome.faults_text());
        assert_eq!((outcome.faults.len(), outcome.total), (1, 0), "{answer}: {}", outcome.faults_text());
    }
}

#[test]
fn who_does_not_answer_has_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::start(None, 0).unwrap();
    let load = load(listener.local_addr().unwrap(), Protocol::H1);
    let (patience, window) = (Duration::from_millis(50), Until::Elapsed(Duration::from_millis(1)));
    let outcome = rig.run(Load { patience, until: window, ..load }).unwrap();
    assert_eq!(outcome.faults.get(&Fault::Timeout), Some(&3));
}

#[test]
fn nobody_listening_is_an_error() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rig = Rig::start(None, 0).unwrap();
    let patience = Duration::from_millis(500);
    let error = rig.run(Load { patience, ..load(address, Protocol::H1) }).err().unwrap().to_string();
    assert!(error.contains("0 of 3") && error.contains("connect failed"), "{error}");
}

#[test]
fn tls_connections() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(["bench.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(session, socket.unwrap());
            read_head(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3000\r\n\r\n");
            let _ = stream.write_all(&[b'x'; 3000]);
            let _ = stream.flush();
            // Until the client has left, so that nothing it is yet to read is lost.
            let _ = stream.read(&mut [0]);
        }
    });
    let mut load = load(address, Protocol::H1);
    load.target.tls = Some(client_config(Protocol::H1, Offer::One).unwrap());
    let rig = Rig::start(None, 0).unwrap();
    let outcome =
        rig.run(Load { lifetime: Lifetime::Fresh, connections: 1, until: Until::Answered(5), ..load }).unwrap();
    assert!(outcome.total >= 5 && outcome.failed() == 0, "{} {}", outcome.total, outcome.faults_text());
}
