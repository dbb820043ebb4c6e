//! Connections are used again, and a stale one costs nobody a request.

use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::upstream::testing::{Upstream, get, program, targets, text};

#[tokio::test]
async fn one_connection_serves_requests_in_turn() {
    let upstream = Upstream::serve(async |request| text(request.uri().to_string())).await;
    let program = program(&targets(&[upstream.address]));
    for at in 0..20 {
        let path = format!("/p/{at}?q={at}");
        assert_eq!(get(&program, &path).await, (200, path));
    }
    assert_eq!(upstream.seen.requests(), 20);
    assert_eq!(upstream.seen.connections(), 1);
}

#[tokio::test]
async fn one_connection_serves_chunked_and_large_bodies() {
    let upstream = Upstream::serve(async |_| {
        let parts = (0..100).map(|_| Ok(http_body::Frame::data(vec![b'x'; 10_000].into())));
        http::Response::new(StreamBody::new(futures_util::stream::iter(parts)).boxed())
    })
    .await;
    let program = program(&targets(&[upstream.address]));
    for _ in 0..5 {
        let (status, body) = get(&program, "/").await;
        assert_eq!((status, body.len()), (200, 1_000_000));
    }
    assert_eq!(upstream.seen.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    // Each connection answers one request, says nothing of closing, and closes.
    let upstream = Upstream::raw(async |mut stream| {
        let mut seen = vec![0; 4096];
        let _ = stream.read(&mut seen).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    })
    .await;
    let program = program(&targets(&[upstream.address]));
    for _ in 0..10 {
        assert_eq!(get(&program, "/").await, (200, "ok".to_owned()));
    }
    assert_eq!(upstream.seen.connections(), 10);
}
