//! Connections are used again, and a stale one costs nobody a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use http_body::Frame;
use tokio::io::AsyncWriteExt;

use crate::clock::Clock;
use crate::exchange::testing::environment as manual;
use crate::program::Environment;
use crate::upstream::testing::{
    Upstream, addresses, code, environment, frames, get, post, program, program_with, read, read_head, request, send,
    text, until,
};

#[tokio::test]
async fn one_connection_serves_requests_in_turn() {
    let upstream = Upstream::serve(async |request| text(request.uri().to_string())).await;
    let program = program(&upstream.targets());
    for at in 0..20 {
        let path = format!("/p/{at}?q={at}");
        assert_eq!(get(&program, &path).await, (200, path));
    }
    assert_eq!((upstream.seen.requests(), upstream.seen.connections()), (20, 1));
    let [status] = addresses(&program)[..] else { panic!() };
    assert_eq!((status.connections, status.idle, status.in_flight), (1, 1, 0));
    assert_eq!((status.requests, status.errors, status.connects), (20, 0, 1));
}

#[tokio::test]
async fn one_connection_serves_every_kind_of_body() {
    let upstream = Upstream::serve(async |request| match request.uri().path() {
        "/chunked" => frames(futures_util::stream::iter((0..100).map(|_| Frame::data(vec![b'x'; 10_000].into())))),
        "/large" => text(vec![b'x'; 1_000_000]),
        "/small" => text("small"),
        _ => http::Response::builder().status(204).body(text("").into_body()).unwrap(),
    })
    .await;
    let program = program(&upstream.targets());
    for (path, status, length) in
        [("/chunked", 200, 1_000_000), ("/none", 204, 0), ("/large", 200, 1_000_000), ("/small", 200, 5)].repeat(3)
    {
        let (got, body) = get(&program, path).await;
        assert_eq!((got, body.len()), (status, length), "{path}");
    }
    assert_eq!(upstream.seen.connections(), 1);
}

#[tokio::test]
async fn exchanges_at_the_same_time_have_connections_of_their_own() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&upstream.targets());
    let held: Vec<_> = futures_util::future::join_all((0..5).map(|_| send(&program, request("/")))).await;
    assert_eq!(upstream.seen.connections(), 5);
    for response in held {
        assert_eq!(read(response).await, (200, "ok".to_owned()));
    }
    assert_eq!(addresses(&program)[0].idle, 5);
    assert_eq!(get(&program, "/").await.0, 200);
    assert_eq!(upstream.seen.connections(), 5);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    // Each connection answers one request, says nothing of closing, and closes.
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let program = program(&upstream.targets());
    for at in 0..10 {
        // Also for what must not be sent twice: it has not been sent at all.
        assert_eq!(read(send(&program, post("/", "body")).await).await, (200, "ok".to_owned()));
        until(|| upstream.seen.closed() == at + 1).await;
    }
    assert_eq!(upstream.seen.connections(), 10);
}

/// Answers the first request of each connection; the first connection reads a second one and closes.
async fn dies_at_the_second_request() -> Upstream {
    Upstream::raw(async |mut stream, number| {
        for turn in 0.. {
            if read_head(&mut stream).await.is_empty() || (number == 0 && turn == 1) {
                return;
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_met_a_dying_connection_is_repeated_if_it_may_be() {
    let upstream = dies_at_the_second_request().await;
    let program = program(&upstream.targets());
    assert_eq!(get(&program, "/").await, (200, "0".to_owned()));
    assert_eq!(get(&program, "/").await, (200, "1".to_owned()));
    assert_eq!(addresses(&program)[0].errors, 0);
}

#[tokio::test]
async fn a_request_that_may_not_be_repeated_is_an_error() {
    let empty = || http::Request::post("/").header("host", "a").body(crate::exchange::Body::Empty).unwrap();
    for request in [empty(), post("/", "body")] {
        let upstream = dies_at_the_second_request().await;
        let program = program(&upstream.targets());
        assert_eq!(get(&program, "/").await, (200, "0".to_owned()));
        assert_eq!(code(&program, request).await, "502 upstream.reset");
        assert_eq!(addresses(&program)[0].errors, 1);
    }
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_it_may() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!("{}, pool: {{ max_requests: 4 }}", upstream.targets()));
    for _ in 0..12 {
        assert_eq!(get(&program, "/").await.0, 200);
    }
    assert_eq!(upstream.seen.connections(), 3);
}

/// An environment whose clock is turned by hand.
fn by_hand() -> (Environment, Arc<AtomicU64>) {
    let (clock, hand) = Clock::manual();
    (Environment { clock, ..manual() }, hand)
}

#[tokio::test]
async fn a_connection_is_not_used_past_its_time() {
    let cases = [("idle_timeout: 10s", [9, 9, 9, 10], 2), ("max_age: 10s", [4, 4, 4, 4], 2)];
    for (pool, waits, expected) in cases {
        let (env, hand) = by_hand();
        let upstream = Upstream::serve(async |_| text("ok")).await;
        let program = program_with(&format!("{}, pool: {{ {pool} }}", upstream.targets()), &env);
        assert_eq!(get(&program, "/").await.0, 200);
        for wait in waits {
            hand.fetch_add(Duration::from_secs(wait).as_nanos() as u64, SeqCst);
            assert_eq!(get(&program, "/").await.0, 200);
        }
        assert_eq!(upstream.seen.connections(), expected, "{pool}");
    }
}

#[tokio::test]
async fn what_is_idle_for_too_long_is_closed_without_a_request() {
    let (env, hand) = by_hand();
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program_with(&format!("{}, pool: {{ idle_timeout: 200ms }}", upstream.targets()), &env);
    assert_eq!(get(&program, "/").await.0, 200);
    hand.fetch_add(Duration::from_millis(200).as_nanos() as u64, SeqCst);
    until(|| upstream.seen.closed() == 1).await;
    assert_eq!((addresses(&program)[0].connections, addresses(&program)[0].idle), (0, 0));
}

#[tokio::test]
async fn no_more_are_kept_than_may_be() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!("{}, pool: {{ idle: 2 }}", upstream.targets()));
    let held = futures_util::future::join_all((0..5).map(|_| send(&program, request("/")))).await;
    for response in held {
        read(response).await;
    }
    until(|| upstream.seen.closed() == 3).await;
    assert_eq!((addresses(&program)[0].connections, addresses(&program)[0].idle), (2, 2));
}

#[tokio::test]
async fn pools_and_counters_outlive_a_program() {
    let env = environment();
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let first = program_with(&upstream.targets(), &env);
    assert_eq!(get(&first, "/").await.0, 200);
    let second = program_with(&format!("{}, timeouts: {{ connect: 9s }}", upstream.targets()), &env);
    drop(first);
    assert_eq!(get(&second, "/").await.0, 200);
    assert_eq!(upstream.seen.connections(), 1);
    assert_eq!(addresses(&second)[0].requests, 2);
    drop(second);
    until(|| upstream.seen.closed() == 1).await;
}
