//! HTTP/2 in the clear, by prior knowledge, beside HTTP/1 on the same port.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::kit::{Client, Gate, block_on, echo, tcp, until};

#[test]
fn both_protocols_are_told_apart_by_their_first_bytes() {
    let gate = Gate::start(&echo(""));
    block_on(async {
        let stream = tokio::net::TcpStream::connect(gate.address("main")).await.expect("it listens");
        let (mut send, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        for at in 0..3 {
            let request = Request::post(format!("http://gate/{at}")).body(Full::new(Bytes::from("hello")));
            let response = send.send_request(request.expect("a request")).await.expect("a response");
            assert_eq!(response.status(), StatusCode::OK);
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            assert!(String::from_utf8_lossy(&body).contains("hello"));
        }
    });
    assert_eq!(gate.connect("main").get("/").status(), 200);
}

#[test]
fn a_preface_may_come_byte_by_byte() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    for byte in "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".chars() {
        client.send(&byte.to_string());
    }
    // An empty SETTINGS frame, then a PING: the answer to it comes.
    client.stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).expect("it is open");
    client.stream.write_all(&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).expect("it is open");
    let mut read = Vec::new();
    let mut buffer = [0; 1024];
    while !read.windows(17).any(|frame| frame == [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]) {
        let length = client.stream.read(&mut buffer).expect("it is open");
        assert!(length > 0, "it ended after {read:?}");
        read.extend_from_slice(&buffer[..length]);
    }
}

#[test]
fn what_only_looks_like_a_preface_is_http_1() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("P");
    client.send("OST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 2\r\n\r\nhi");
    assert!(client.response().body.contains("hi"));
}

#[test]
fn a_listener_speaks_only_its_protocols() {
    let only = |protocols: &str| echo("").replace("limits: {  }", &format!("protocols: [{protocols}]"));
    let gate = Gate::start(&only("h1"));
    let mut client = gate.connect("main");
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(client.is_closed() || client.response().status() == 400);
    assert_eq!(gate.connect("main").get("/").status(), 200);

    let gate = Gate::start(&only("h2"));
    let mut client = gate.connect("main");
    client.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n");
    assert!(client.try_response("GET").is_none(), "no HTTP/1 answer");
}

#[test]
fn streams_that_are_reset_rapidly_end_the_connection() {
    let gate = Gate::start(&echo(""));
    let mut client = Client::over(tcp(gate.address("main")));
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client.stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).expect("it is open");
    // HEADERS (GET, http, /, gate) and RST_STREAM at once, again and again, without reading.
    let mut frames = Vec::new();
    for at in 0..2000_u32 {
        let id = (at * 2 + 1).to_be_bytes();
        let block = [0x82, 0x86, 0x84, 0x41, 4, b'g', b'a', b't', b'e'];
        frames.extend_from_slice(&[0, 0, 9, 1, 5, id[0], id[1], id[2], id[3]]);
        frames.extend_from_slice(&block);
        frames.extend_from_slice(&[0, 0, 4, 3, 0, id[0], id[1], id[2], id[3], 0, 0, 0, 8]);
    }
    let _ = client.stream.write_all(&frames);
    until("the connection is ended", || client.is_closed() || gate.connections() == 0);
    until("nothing is left of it", || gate.gateway.in_flight() == 0);
}

#[test]
fn more_streams_than_allowed_wait() {
    let gate = Gate::start(&echo("streams_per_connection: 2"));
    block_on(async {
        let stream = tokio::net::TcpStream::connect(gate.address("main")).await.expect("it listens");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        let mut send = send.ready().await.expect("it is ready");
        let request = || Request::get("http://gate/").body(()).expect("a request");
        send.send_request(request(), true).expect("sent").0.await.expect("a response");
        assert_eq!(send.current_max_send_streams(), 2);
    });
}
