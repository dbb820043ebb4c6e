//! HTTP/2 towards targets: shared connections, streams, trailers, conversion both ways.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::timeouts::channel;
use crate::exchange::Body;
use crate::program::Program;
use crate::upstream::testing::{
    Front, Upstream, addresses, frames, get, in_flight, post, program, read, request, send, soon, text, until,
};

/// Answers with what it saw of the head.
async fn describing(streams: u32) -> Upstream {
    Upstream::h2c(streams, async |request| {
        let fields = ["host", "connection", "te", "transfer-encoding", "cookie", "via"];
        let seen: Vec<String> = fields
            .iter()
            .filter(|name| request.headers().contains_key(**name))
            .map(|name| format!("{name}={}", request.headers()[*name].to_str().unwrap()))
            .collect();
        text(format!("{:?} {} {} {}", request.version(), request.method(), request.uri(), seen.join(" ")))
    })
    .await
}

fn by_h2c(upstream: &Upstream, more: &str) -> Arc<Program> {
    program(&format!("targets: [{{ url: 'h2c://{}' }}]{more}", upstream.address))
}

#[tokio::test]
async fn the_head_is_one_of_http2() {
    let upstream = describing(100).await;
    let program = by_h2c(&upstream, ", host: in.example");
    let request = http::Request::get("/a?b")
        .header("host", "gate.example")
        .header("connection", "keep-alive")
        .header("te", "trailers, gzip")
        .header("cookie", "a=1")
        .body(Body::Empty)
        .unwrap();
    let expected = "HTTP/2.0 GET http://in.example/a?b te=trailers cookie=a=1 via=1.1 tollgate";
    assert_eq!(read(send(&program, request).await).await, (200, expected.to_owned()));
    let (_, body) = channel();
    let request = http::Request::get("/").header("host", "a").body(body).unwrap();
    let (_, seen) = read(send(&program, request).await).await;
    assert_eq!(seen, "HTTP/2.0 GET http://in.example/ via=1.1 tollgate", "no field frames a body of HTTP/2");
}

#[tokio::test]
async fn protocol_h2_means_http2_by_prior_knowledge() {
    let upstream = describing(100).await;
    let program = program(&format!("{}, protocol: h2", upstream.targets()));
    assert!(get(&program, "/").await.1.starts_with("HTTP/2.0 GET"));
}

#[tokio::test]
async fn exchanges_share_a_connection_and_another_is_opened_when_it_is_full() {
    for (streams, most, connections) in [(100, 128, 1), (100, 4, 3), (4, 128, 3)] {
        let gate = Arc::new(Semaphore::new(0));
        let held = gate.clone();
        let upstream = Upstream::h2c(streams, move |_| {
            let held = held.clone();
            async move {
                drop(held.acquire().await.unwrap());
                text("ok")
            }
        })
        .await;
        let program = by_h2c(&upstream, &format!(", pool: {{ streams: {most} }}"));
        // The first learns what the target allows.
        gate.add_permits(1);
        assert_eq!(get(&program, "/").await.0, 200);
        gate.forget_permits(1);
        let waiting: Vec<_> = (0..12)
            .map(|_| {
                let program = program.clone();
                tokio::spawn(async move { get(&program, "/").await.0 })
            })
            .collect();
        until(|| upstream.seen.requests() == 13).await;
        assert_eq!(in_flight(&program), 12);
        gate.add_permits(1);
        for waiting in waiting {
            assert_eq!(soon(waiting).await.unwrap(), 200);
        }
        assert_eq!(upstream.seen.connections(), connections, "{streams} allowed, {most} configured");
        let [status] = addresses(&program)[..] else { panic!() };
        assert_eq!((status.in_flight, status.idle), (0, connections as u64));
    }
}

#[tokio::test]
async fn requests_that_come_together_do_not_each_open_a_connection() {
    let upstream = describing(100).await;
    let program = by_h2c(&upstream, "");
    let all = futures_util::future::join_all((0..50).map(|_| get(&program, "/"))).await;
    assert!(all.iter().all(|(status, _)| *status == 200));
    assert_eq!(upstream.seen.connections(), 1);
}

#[tokio::test]
async fn a_closed_connection_is_replaced() {
    let upstream = Upstream::h2c(100, async |_| text("ok")).await;
    let program = by_h2c(&upstream, ", pool: { max_requests: 3 }");
    for _ in 0..9 {
        assert_eq!(get(&program, "/").await.0, 200);
    }
    assert_eq!(upstream.seen.connections(), 3);
    until(|| upstream.seen.closed() == 2).await;
}

#[tokio::test]
async fn streams_overlap_and_trailers_come_last() {
    let upstream = Upstream::h2c(100, async |request| {
        // Each part goes back as it comes.
        let parts = futures_util::stream::unfold(request.into_body(), async |mut body| {
            let frame = body.frame().await?.unwrap();
            Some((Frame::data(frame.into_data().unwrap()), body))
        });
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        use futures_util::StreamExt;
        frames(parts.chain(futures_util::stream::iter([Frame::trailers(trailers)])))
    })
    .await;
    let program = by_h2c(&upstream, "");
    let (sender, body) = channel();
    let request = http::Request::post("/pkg.Service/Chat")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let mut response = send(&program, request).await;
    for part in ["one", "two", "three"] {
        soon(sender.send(Bytes::from_static(part.as_bytes()))).await.unwrap();
        let frame = soon(response.body_mut().frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), part);
    }
    drop(sender);
    let last = soon(response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(last.into_trailers().unwrap()["grpc-status"], "0");
    assert!(soon(response.body_mut().frame()).await.is_none());
    drop(response);
    assert_eq!(in_flight(&program), 0);
}

#[tokio::test]
async fn an_http2_client_reaches_both_kinds_of_target() {
    let old = Upstream::serve(async |request| {
        let cookie = request.headers()["cookie"].to_str().unwrap().to_owned();
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        text(format!("{:?} {cookie} {}", head.version, body.len()))
    })
    .await;
    let new = Upstream::h2c(100, async |request| {
        let cookies = request.headers().get_all("cookie").iter().count();
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        text(format!("{:?} {cookies} {}", head.version, body.len()))
    })
    .await;
    let cases = [(program(&old.targets()), "HTTP/1.1 a=1; b=2 100000"), (by_h2c(&new, ""), "HTTP/2.0 1 100000")];
    for (program, expected) in cases {
        let front = Front::h2(&program).await;
        let stream = TcpStream::connect(front.address).await.unwrap();
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..3 {
            let request = http::Request::post(format!("http://{}/x", front.address))
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .body(http_body_util::Full::new(Bytes::from(vec![b'x'; 100_000])))
                .unwrap();
            let response = soon(client.send_request(request)).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
            assert_eq!(body, expected);
        }
        assert_eq!(in_flight(&program), 0);
    }
}

#[tokio::test]
async fn a_large_body_goes_up_and_down() {
    let upstream =
        Upstream::h2c(100, async |request| text(request.into_body().collect().await.unwrap().to_bytes())).await;
    let program = by_h2c(&upstream, "");
    let large: Vec<u8> = (0..5_000_000u32).map(|at| b'a' + (at % 26) as u8).collect();
    let (status, body) = read(send(&program, post("/", large.clone())).await).await;
    assert_eq!((status, body.as_bytes() == large), (200, true));
}

#[tokio::test]
async fn a_body_limit_resets_the_stream_alone() {
    let upstream = Upstream::h2c(100, async |request| {
        let _ = request.into_body().collect().await;
        text("ok")
    })
    .await;
    let program = by_h2c(&upstream, "");
    let (sender, body) = channel();
    let posted = http::Request::post("/").header("host", "a").body(body).unwrap();
    let mut x = crate::upstream::testing::exchange_from(&program, crate::exchange::testing::PEER, posted);
    x.body_limit = 10;
    let sending = async {
        for _ in 0..3 {
            let _ = sender.send(Bytes::from_static(b"12345")).await;
        }
    };
    let (response, ()) = tokio::join!(soon(crate::pipeline::serve(x)), sending);
    assert_eq!(response.status(), 413);
    assert_eq!(read(send(&program, request("/")).await).await.0, 200);
    assert_eq!((upstream.seen.connections(), addresses(&program)[0].errors), (1, 0));
}
