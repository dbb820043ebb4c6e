//! Bodies both ways: framing, bounds, streams that overlap, trailers, back-pressure.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::timeouts::channel;
use crate::exchange::testing::PEER;
use crate::exchange::{Body, BodyError};
use crate::pipeline;
use crate::upstream::testing::{
    Front, Upstream, addresses, code, exchange_from, frames, in_flight, post, program, read, read_head, request, send,
    soon, text, until,
};

/// Echoes head lines that frame the body, and the body.
async fn echo() -> Upstream {
    Upstream::serve(async |request| {
        let (head, body) = request.into_parts();
        let field = |name: &str| head.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        let framing = format!("{} {} {}:", head.method, field("content-length"), field("transfer-encoding"));
        let body = body.collect().await.unwrap().to_bytes();
        text(framing + std::str::from_utf8(&body).unwrap())
    })
    .await
}

#[tokio::test]
async fn a_request_body_is_framed_for_what_is_sent() {
    let upstream = echo().await;
    let program = program(&upstream.targets());
    let stream = |parts: &'static [&'static str]| {
        let parts = parts.iter().map(|part| Ok::<_, BodyError>(Frame::data(Bytes::from_static(part.as_bytes()))));
        Body::Stream(Box::pin(http_body_util::StreamBody::new(futures_util::stream::iter(parts))))
    };
    let build = |method: &str, fields: &[(&str, &str)], body: Body| {
        let mut builder = http::Request::builder().method(method).uri("/").header("host", "a");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(body).unwrap()
    };
    let cases = [
        (build("GET", &[], Body::Empty), "GET - -:"),
        (build("POST", &[("content-length", "0")], Body::Empty), "POST 0 -:"),
        // A step emptied or changed the body.
        (build("POST", &[("content-length", "7")], Body::Empty), "POST 0 -:"),
        (build("POST", &[("content-length", "7")], Body::from("longer than 7".to_owned())), "POST 13 -:longer than 7"),
        (build("POST", &[("content-length", "7")], stream(&["a", "b"])), "POST - chunked:ab"),
        (build("PUT", &[("transfer-encoding", "chunked")], stream(&["a", "", "b"])), "PUT - chunked:ab"),
        (build("GET", &[], stream(&["q"])), "GET - chunked:q"),
        (build("GET", &[], Body::from("q".to_owned())), "GET 1 -:q"),
    ];
    for (request, expected) in cases {
        assert_eq!(read(send(&program, request).await).await, (200, expected.to_owned()));
    }
    assert_eq!(upstream.seen.connections(), 1);
}

#[tokio::test]
async fn bodies_without_content_are_framed_for_the_client() {
    let upstream = Upstream::raw(async |mut stream, _| {
        loop {
            let head = read_head(&mut stream).await;
            let answer = match head.split(' ').nth(1) {
                None => return,
                Some("/204") => "HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n",
                Some("/304") => "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
                Some("/chunked") => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                Some(_) => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let program = program(&upstream.targets());
    let front = Front::h1(&program).await;
    for (line, length) in
        [("GET /204", None), ("GET /304", None), ("HEAD /", Some("9")), ("HEAD /chunked", None), ("GET /204", None)]
    {
        let answer =
            front.talk(&format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await.to_lowercase();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "", "{line}: {answer}");
        let found = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(found, length, "{line}: {answer}");
        assert!(!head.contains("transfer-encoding"), "{line}: {answer}");
    }
    assert_eq!(upstream.seen.connections(), 1, "each response ended where its head did");
}

#[tokio::test]
async fn a_body_over_its_bound_is_refused_before_or_while_it_is_sent() {
    let upstream = echo().await;
    let program = program(&upstream.targets());
    let limited = |body: Body| {
        let request = http::Request::post("/").header("host", "a").body(body).unwrap();
        let mut x = exchange_from(&program, PEER, request);
        x.body_limit = 10;
        x
    };
    // Said to be too long: nothing is sent.
    let response = pipeline::serve(limited(Body::from("x".repeat(11)))).await;
    assert_eq!((response.status().as_u16(), addresses(&program)[0].requests), (413, 0));
    assert_eq!(pipeline::serve(limited(Body::from("x".repeat(10)))).await.status(), 200);
    // Found to be too long: the connection is given up, and the target is not to blame.
    let (sender, body) = channel();
    let sending = async {
        for _ in 0..3 {
            let _ = sender.send(Bytes::from_static(b"12345")).await;
        }
    };
    let (response, ()) = tokio::join!(soon(pipeline::serve(limited(body))), sending);
    assert_eq!(response.status(), 413);
    assert_eq!((addresses(&program)[0].errors, in_flight(&program)), (0, 0));
}

#[tokio::test]
async fn an_early_response_is_given_while_the_body_is_still_sent() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nearly\r\n").await.unwrap();
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
        let text = String::from_utf8(body).unwrap().replace("\r\n", "|");
        stream.write_all(format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len()).as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let program = program(&upstream.targets());
    let (sender, body) = channel();
    let request = http::Request::post("/").header("host", "a").body(body).unwrap();
    let mut response = send(&program, request).await;
    assert_eq!(response.status(), 200);
    let first = soon(response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "early");
    for part in ["more", "and more"] {
        soon(sender.send(Bytes::from_static(part.as_bytes()))).await.unwrap();
    }
    drop(sender);
    assert_eq!(read(response).await.1, "4|more|8|and more|0||");
    assert_eq!(in_flight(&program), 0);
}

#[tokio::test]
async fn a_refusal_while_the_body_is_sent_arrives_and_the_connection_is_not_kept() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let program = program(&upstream.targets());
    let (sender, body) = channel();
    let request = http::Request::post("/").header("host", "a").body(body).unwrap();
    assert_eq!(read(send(&program, request).await).await, (401, "no".to_owned()));
    until(|| upstream.seen.closed() == 1).await;
    drop(sender);
    assert_eq!((in_flight(&program), addresses(&program)[0].connections), (0, 0));
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let upstream = Upstream::serve(async |request| {
        let collected = request.into_body().collect().await.unwrap();
        let sum = collected.trailers().and_then(|fields| fields.get("x-sum").cloned());
        let mut trailers = HeaderMap::new();
        trailers.insert("x-echo", sum.unwrap_or_else(|| "none".parse().unwrap()));
        let parts = [Frame::data(collected.to_bytes()), Frame::trailers(trailers)];
        let mut answer = frames(futures_util::stream::iter(parts));
        answer.headers_mut().insert("trailer", "x-echo".parse().unwrap());
        answer
    })
    .await;
    let program = program(&upstream.targets());
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "42".parse().unwrap());
    let request = http::Request::post("/")
        .header("host", "a")
        .header("te", "trailers")
        .header("trailer", "x-sum")
        .body(Body::Parts([Bytes::from_static(b"body")].into(), Some(trailers)))
        .unwrap();
    let response = send(&program, request).await;
    let collected = soon(response.into_body().collect()).await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-echo"], "42");
    assert_eq!(collected.to_bytes(), "body");
}

/// A response that counts how much of it was taken.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.fetch_add(16 << 10, SeqCst);
        Poll::Ready(Some(Ok(Frame::data(vec![0; 16 << 10].into()))))
    }
}

#[tokio::test]
async fn a_slow_client_slows_the_target_down() {
    for scheme in ["http", "h2c"] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = taken.clone();
        let handler = move |_| {
            let body = Endless(counted.clone()).boxed();
            async move { http::Response::new(body) }
        };
        let upstream = match scheme {
            "http" => Upstream::serve(handler).await,
            _ => Upstream::h2c(100, handler).await,
        };
        let program = program(&format!("targets: [{{ url: '{scheme}://{}' }}]", upstream.address));
        let mut response = send(&program, request("/")).await;
        let mut read = 0;
        while read < 1 << 20 {
            let frame = soon(response.body_mut().frame()).await.unwrap().unwrap();
            read += frame.into_data().unwrap().len();
        }
        // Whatever the sockets between take: once they are full, nothing more is taken.
        let mut before = 0;
        while before != taken.load(SeqCst) {
            before = taken.load(SeqCst);
            for _ in 0..2_000 {
                tokio::task::yield_now().await;
            }
        }
        assert!(before < 32 << 20, "{scheme}: {before} bytes ahead of a client that read {read}");
        drop(response);
        assert_eq!(in_flight(&program), 0);
    }
}

#[tokio::test]
async fn a_slow_target_slows_the_client_down() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let program = program(&upstream.targets());
    let taken = Arc::new(AtomicUsize::new(0));
    let body = Endless(taken.clone()).map_err(|never| match never {});
    let request = http::Request::post("/").header("host", "a").body(Body::Stream(Box::pin(body))).unwrap();
    let mut served = Box::pin(pipeline::serve(exchange_from(&program, PEER, request)));
    let mut before = usize::MAX;
    while before != taken.load(SeqCst) {
        before = taken.load(SeqCst);
        for _ in 0..200 {
            tokio::select! {
                biased;
                _ = &mut served => panic!("nothing was answered"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    assert!((1..32 << 20).contains(&before), "{before} bytes ahead of a target that read nothing");
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let upstream = Upstream::serve(async |request| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        text(format!("{} {}", body.len(), body.iter().map(|&byte| u64::from(byte)).sum::<u64>()))
    })
    .await;
    let program = program(&upstream.targets());
    let large: Vec<u8> = (0..8 << 20).map(|at: u32| at as u8).collect();
    let sum: u64 = large.iter().map(|&byte| u64::from(byte)).sum();
    assert_eq!(read(send(&program, post("/", large)).await).await.1, format!("{} {sum}", 8 << 20));
}

#[tokio::test]
async fn connect_is_not_forwarded() {
    let upstream = echo().await;
    let program = program(&upstream.targets());
    let request = http::Request::connect("example.com:443").body(Body::Empty).unwrap();
    assert_eq!(code(&program, request).await, "501 request.method_not_implemented");
}
