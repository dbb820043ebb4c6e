//! Everything that a target may take its time with has a bound.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::exchange::Body;
use crate::upstream::testing::{
    Upstream, code, get, in_flight, post, program, read, read_head, request, send, text, until,
};

/// Reads a head, says `first`, and then nothing until the gateway closes.
async fn stalls_after(first: &'static str) -> Upstream {
    Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        stream.write_all(first.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

#[tokio::test]
async fn a_head_must_come_in_time() {
    for (timeouts, expected) in [
        ("first_byte: 50ms", "504 upstream.timeout"),
        ("total: 50ms", "504 upstream.total_timeout"),
        ("first_byte: 50ms, total: 1h", "504 upstream.timeout"),
    ] {
        let upstream = stalls_after("HTTP/1.1 200 OK\r\n").await;
        let program = program(&format!("{}, timeouts: {{ {timeouts} }}", upstream.targets()));
        let began = Instant::now();
        assert_eq!(code(&program, request("/")).await, expected, "{timeouts}");
        assert!(began.elapsed() >= Duration::from_millis(50), "{timeouts}");
        // The connection is of no use to anyone.
        until(|| upstream.seen.closed() == 1).await;
        assert_eq!(in_flight(&program), 0);
    }
}

#[tokio::test]
async fn a_body_must_go_on() {
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    for (timeouts, expected) in
        [("idle: 50ms", "upstream.idle_timeout"), ("idle: 1h, total: 50ms", "upstream.total_timeout")]
    {
        let upstream = stalls_after(HALF).await;
        let program = program(&format!("{}, timeouts: {{ {timeouts} }}", upstream.targets()));
        assert_eq!(get(&program, "/").await, (200, expected.to_owned()), "{timeouts}");
        until(|| upstream.seen.closed() == 1).await;
        assert_eq!(in_flight(&program), 0);
    }
}

#[tokio::test]
async fn a_stream_that_never_pauses_ends_with_the_total() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 16 << 10]).await.is_ok() {}
    })
    .await;
    let program = program(&format!("{}, timeouts: {{ total: 100ms }}", upstream.targets()));
    assert_eq!(get(&program, "/").await, (200, "upstream.total_timeout".to_owned()));
}

#[tokio::test]
async fn a_route_has_timeouts_of_its_own() {
    let upstream = stalls_after("").await;
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0' }}]\nupstreams: [{{ name: up, {} }}]\n\
         apis: [{{ name: a, access: public, routes: [{{ to: up, timeouts: {{ first_byte: 30ms }} }}] }}]\n",
        upstream.targets()
    );
    let program = crate::exchange::testing::program_in(&yaml, &crate::upstream::testing::environment());
    assert_eq!(code(&program, request("/")).await, "504 upstream.timeout");
}

#[tokio::test]
async fn a_connection_must_open_in_time() {
    // A listener that accepts nothing and whose backlog is full drops what comes.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut fillers = Vec::new();
    while let Ok(Ok(filler)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        fillers.push(filler);
    }
    let program = program(&format!("{}, timeouts: {{ connect: 50ms }}", crate::upstream::testing::targets(&[address])));
    assert_eq!(code(&program, request("/")).await, "504 upstream.connect_timeout");
    assert_eq!(in_flight(&program), 0);
}

#[tokio::test]
async fn a_head_is_waited_for_from_the_last_byte_of_the_request() {
    // The body takes several times as long as a head may take.
    let (sender, body) = channel();
    let upstream = Upstream::serve(async |request| {
        let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
        text(body)
    })
    .await;
    let program = program(&format!("{}, timeouts: {{ first_byte: 100ms }}", upstream.targets()));
    let request = http::Request::post("/").header("host", "a").body(body).unwrap();
    let sending = async {
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            sender.send(b"part".as_slice().into()).await.unwrap();
        }
        drop(sender);
    };
    let (response, ()) = tokio::join!(send(&program, request), sending);
    assert_eq!(read(response).await, (200, "part".repeat(6)));
}

#[tokio::test]
async fn a_target_that_stops_reading_is_found_out() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let program = program(&format!("{}, timeouts: {{ first_byte: 100ms }}", upstream.targets()));
    let large = vec![0; 64 << 20];
    assert_eq!(code(&program, post("/", large)).await, "504 upstream.timeout");
}

/// A body that is sent piece by piece.
pub(super) fn channel() -> (tokio::sync::mpsc::Sender<bytes::Bytes>, Body) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<bytes::Bytes>(1);
    let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
        let part = receiver.recv().await?;
        Some((Ok(http_body::Frame::data(part)), receiver))
    });
    (sender, Body::Stream(Box::pin(http_body_util::StreamBody::new(stream))))
}
