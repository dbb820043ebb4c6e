//! What failed is tried again where that is right, and never more than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use crate::clock::Clock;
use crate::exchange::Body;
use crate::program::{Environment, Program};
use crate::upstream::testing::{
    Answer, Upstream, code, environment, get, post, program, program_with, read, read_head, refusing, request, send,
    targets, text, until,
};

fn answer(status: u16, fields: &[(&'static str, &'static str)]) -> Answer {
    let mut answer = text(status.to_string());
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    for (name, value) in fields {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

/// Answers with these statuses, one after the other, and 200 from then on.
async fn answering(statuses: &'static [u16]) -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::serve(move |request| {
        let count = count.clone();
        async move {
            let sent = request.into_body().collect().await.unwrap().to_bytes();
            let status = statuses.get(count.fetch_add(1, SeqCst)).copied().unwrap_or(200);
            if status == 200 && !sent.is_empty() { text(sent) } else { answer(status, &[]) }
        }
    })
    .await
}

const FAST: &str = "backoff: 1ms";

#[tokio::test]
async fn listed_statuses_are_tried_again_as_often_as_it_says() {
    for (statuses, retry, expected, requests) in [
        (&[503][..], "when: [503]", 200, 2),
        (&[503, 500, 502], "when: [5xx], attempts: 3", 200, 4),
        (&[503, 503, 503], "when: [502-504]", 503, 3),
        (&[500], "when: [502-504]", 500, 1),
        (&[404], "when: [reset, 5xx]", 404, 1),
        (&[429], "when: [429]", 200, 2),
    ] {
        let upstream = answering(statuses).await;
        let program = program(&format!("{}, retry: {{ {retry}, {FAST} }}", upstream.targets()));
        assert_eq!(get(&program, "/").await.0, expected, "{statuses:?} {retry}");
        assert_eq!(upstream.seen.requests(), requests, "{statuses:?} {retry}");
        assert_eq!(upstream.seen.connections(), 1, "what is not wanted is read, so that the connection is kept");
    }
}

#[tokio::test]
async fn what_may_not_be_executed_twice_is_not_sent_twice() {
    for (method, key, methods, requests) in [
        (Method::POST, false, "", 1),
        (Method::PATCH, false, "", 1),
        (Method::POST, true, "", 2),
        (Method::POST, false, ", methods: [POST]", 2),
        (Method::PUT, false, "", 2),
        (Method::DELETE, false, "", 2),
    ] {
        let upstream = answering(&[503]).await;
        let program = program(&format!("{}, retry: {{ when: [5xx], {FAST}{methods} }}", upstream.targets()));
        let mut request = Request::builder().method(method.clone()).uri("/").header("host", "a");
        if key {
            request = request.header("idempotency-key", "1");
        }
        let request = request.body(Body::from("the whole body".to_owned())).unwrap();
        let (status, said) = read(send(&program, request).await).await;
        assert_eq!(upstream.seen.requests(), requests, "{method} {key} {methods}");
        if requests == 2 {
            assert_eq!((status, said.as_str()), (200, "the whole body"), "{method}");
        }
    }
}

#[tokio::test]
async fn a_body_over_the_bound_is_sent_once() {
    for (bound, requests) in [("1KiB", 1), ("4KiB", 2)] {
        let upstream = answering(&[503]).await;
        let retry = format!("retry: {{ when: [5xx], methods: [POST], body: {bound}, {FAST} }}");
        let program = program(&format!("{}, {retry}", upstream.targets()));
        read(send(&program, post("/", "x".repeat(2000))).await).await;
        assert_eq!(upstream.seen.requests(), requests, "{bound}");
    }
}

#[tokio::test]
async fn another_target_is_tried_each_time() {
    let all = [answering(&[503]).await, answering(&[503]).await, answering(&[503]).await];
    let addresses = all.each_ref().map(|upstream| upstream.address);
    let program = program(&format!("{}, retry: {{ when: [503], attempts: 3, {FAST} }}", targets(&addresses)));
    assert_eq!(get(&program, "/").await.0, 200);
    let mut seen = all.each_ref().map(|upstream| upstream.seen.requests());
    seen.sort_unstable();
    assert_eq!(seen, [1, 1, 2], "then the first again");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_only_where_it_says_so() {
    for (when, expected, requests) in [("[reset]", "200", 2), ("[connect]", "502 upstream.reset", 1)] {
        let upstream = Upstream::raw(async |mut stream, number| {
            read_head(&mut stream).await;
            if number > 0 {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
        })
        .await;
        let program = program(&format!("{}, retry: {{ when: {when}, {FAST} }}", upstream.targets()));
        if expected == "200" {
            assert_eq!(get(&program, "/").await, (200, "ok".to_owned()));
        } else {
            assert_eq!(code(&program, request("/")).await, expected);
        }
        assert_eq!(upstream.seen.connections(), requests, "{when}");
    }
}

#[tokio::test]
async fn a_try_that_takes_too_long_gives_way() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let upstream = Upstream::serve(move |_| {
        let number = counted.fetch_add(1, SeqCst);
        async move {
            if number == 0 {
                std::future::pending::<()>().await;
            }
            text("soon")
        }
    })
    .await;
    let retry = "retry: { when: [timeout], per_try: 50ms, backoff: 1ms }";
    let program = program(&format!("{}, {retry}", upstream.targets()));
    assert_eq!(get(&program, "/").await, (200, "soon".to_owned()));
    assert_eq!(count.load(SeqCst), 2);
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_waited_for() {
    let address = refusing();
    let program =
        program(&format!("{}, retry: {{ when: [connect], attempts: 10, backoff: 50ms }}", targets(&[address])));
    let asked = tokio::spawn(async move { get(&program, "/").await });
    // It comes back while the request is tried again.
    tokio::task::yield_now().await;
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(asked.await.unwrap(), (200, "ok".to_owned()));
}

#[tokio::test]
async fn retry_after_is_kept_to_or_the_answer_stands() {
    for (said, requests) in [("0", 2), ("120", 1), ("Fri, 31 Dec 2038 23:59:59 GMT", 1)] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let upstream = Upstream::serve(move |_| {
            let number = counted.fetch_add(1, SeqCst);
            async move { if number == 0 { answer(503, &[("retry-after", said)]) } else { text("ok") } }
        })
        .await;
        let program = program(&format!("{}, retry: {{ when: [503], {FAST} }}", upstream.targets()));
        assert_eq!(get(&program, "/").await.0, if requests == 2 { 200 } else { 503 });
        assert_eq!(count.load(SeqCst), requests, "{said}");
    }
}

#[tokio::test]
async fn grpc_is_tried_again_by_its_own_status() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let upstream = Upstream::h2c(100, move |request| {
        let number = counted.fetch_add(1, SeqCst);
        async move {
            let sent = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(&sent[..], b"message");
            match number {
                0 => answer(200, &[("grpc-status", "14"), ("content-type", "application/grpc")]),
                _ => answer(200, &[("grpc-status", "0"), ("content-type", "application/grpc")]),
            }
        }
    })
    .await;
    let retry = "retry: { when: [grpc_unavailable], methods: [POST], backoff: 1ms }";
    let program = program(&format!("targets: [{{ url: 'h2c://{}' }}], {retry}", upstream.address));
    let answer = send(&program, post("/", "message")).await;
    assert_eq!(answer.headers()["grpc-status"], "0");
    assert_eq!(count.load(SeqCst), 2);
}

/// However many fail, retries stay within what the budget says.
#[tokio::test]
async fn retries_are_a_share_of_requests() {
    let upstream = Upstream::serve(async |_| answer(503, &[])).await;
    let (clock, hand) = Clock::manual();
    hand.store(1_000_000_000, SeqCst);
    let env = Environment { clock, ..environment() };
    let retry = "retry: { when: [503], attempts: 3, backoff: 0s, budget: 20% }";
    let program = program_with(&format!("{}, {retry}", upstream.targets()), &env);
    for _ in 0..500 {
        assert_eq!(get(&program, "/").await.0, 503);
    }
    let retries = upstream.seen.requests() - 500;
    // A fifth of 500, and ten at first.
    assert!((100..=110).contains(&retries), "{retries}");
    let status = program.upstreams[0].status();
    assert_eq!(status.retries, retries as u64);
    assert!(status.held_back > 300, "{}", status.held_back);
}

/// An upstream that keeps a request until it is told, the first `held` of them.
async fn slow(held: usize) -> (Upstream, Arc<tokio::sync::Semaphore>) {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (waits, count) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let upstream = Upstream::serve(move |_| {
        let (waits, number) = (waits.clone(), count.fetch_add(1, SeqCst));
        async move {
            if number < held {
                waits.acquire().await.unwrap().forget();
            }
            text("slow")
        }
    })
    .await;
    (upstream, gate)
}

fn two(first: &Upstream, second: &Upstream, more: &str) -> Arc<Program> {
    program(&format!("{}, {more}", targets(&[first.address, second.address])))
}

#[tokio::test]
async fn a_second_try_answers_for_a_first_that_is_slow_and_the_first_is_cancelled() {
    let (first, _gate) = slow(usize::MAX).await;
    let second = Upstream::serve(async |_| text("fast")).await;
    let program = two(&first, &second, "hedge: { after: 5ms }");
    for _ in 0..6 {
        assert_eq!(get(&program, "/").await, (200, "fast".to_owned()));
    }
    until(|| first.seen.closed() == 3).await;
    assert_eq!((first.seen.requests(), second.seen.requests()), (3, 6));
    assert_eq!(program.upstreams[0].status().hedges, 3);
}

#[tokio::test]
async fn the_first_may_still_win() {
    let (first, gate) = slow(1).await;
    let (second, _never) = slow(usize::MAX).await;
    let program = two(&first, &second, "hedge: { after: 5ms }");
    let asked = tokio::spawn(async move { get(&program, "/").await });
    until(|| second.seen.requests() == 1).await;
    gate.add_permits(1);
    assert_eq!(asked.await.unwrap(), (200, "slow".to_owned()));
    until(|| second.seen.closed() == 1).await;
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_not_hedged() {
    let (first, gate) = slow(1).await;
    let second = Upstream::serve(async |_| text("fast")).await;
    let program = two(&first, &second, "hedge: { after: 1ms }");
    let held = program.clone();
    let asked = tokio::spawn(async move { read(send(&held, post("/", "pay")).await).await });
    until(|| first.seen.requests() == 1).await;
    // Longer than the delay.
    tokio::time::timeout(Duration::from_millis(30), std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(second.seen.requests(), 0);
    gate.add_permits(1);
    assert_eq!(asked.await.unwrap().0, 200);
}

#[tokio::test]
async fn a_breaker_opens_lets_probes_through_and_closes() {
    let bad = Arc::new(AtomicU64::new(1));
    let said = bad.clone();
    let upstream = Upstream::serve(move |_| {
        let bad = said.load(SeqCst) == 1;
        async move { answer(if bad { 500 } else { 200 }, &[]) }
    })
    .await;
    let (clock, hand) = Clock::manual();
    hand.store(100_000_000_000, SeqCst);
    let env = Environment { clock, ..environment() };
    let breaker = "breaker: { error_rate: 50%, min_requests: 10, open_for: 5s, probes: 1 }";
    let program = program_with(&format!("{}, {breaker}", upstream.targets()), &env);
    for _ in 0..10 {
        assert_eq!(get(&program, "/").await.0, 500);
    }
    let refused = send(&program, request("/")).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    assert_eq!(code(&program, request("/")).await, "503 upstream.breaker_open");
    assert_eq!(upstream.seen.requests(), 10);
    hand.fetch_add(5_000_000_000, SeqCst);
    assert_eq!(get(&program, "/").await.0, 500, "a probe");
    assert_eq!(code(&program, request("/")).await, "503 upstream.breaker_open");
    hand.fetch_add(5_000_000_000, SeqCst);
    bad.store(0, SeqCst);
    for _ in 0..3 {
        assert_eq!(get(&program, "/").await.0, 200);
    }
}

#[tokio::test]
async fn requests_in_flight_are_bounded() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!("{}, breaker: {{ requests: 2 }}", upstream.targets()));
    let held = [send(&program, request("/")).await, send(&program, request("/")).await];
    assert_eq!(code(&program, request("/")).await, "503 upstream.busy");
    for response in held {
        read(response).await;
    }
    assert_eq!(get(&program, "/").await.0, 200);
}

/// A program whose first upstream has these fields, and whose second is `spare`.
fn with_spare(first: &str, spare: &str) -> Arc<Program> {
    let yaml = crate::upstream::testing::yaml(first, "")
        .replace("upstreams: [", &format!("upstreams: [{{ name: spare, {spare} }}, "));
    crate::exchange::testing::program_in(&yaml, &environment())
}

#[tokio::test]
async fn another_upstream_takes_what_one_cannot() {
    let spare = answering(&[]).await;
    let fallback = "fallback: { upstream: spare }";
    let program = with_spare(&format!("{}, {fallback}", targets(&[refusing()])), &spare.targets());
    assert_eq!(read(send(&program, post("/", "anything")).await).await, (200, "anything".to_owned()));
    // A request that may have been executed stays failed, unless it may be executed twice.
    let breaks = Upstream::raw(async |mut stream, _| drop(read_head(&mut stream).await)).await;
    let program = with_spare(&format!("{}, {fallback}", breaks.targets()), &spare.targets());
    assert_eq!(read(send(&program, post("/", "anything")).await).await.0, 502);
    assert_eq!(get(&program, "/").await, (200, "200".to_owned()));
}

#[tokio::test]
async fn a_fixed_answer_takes_it_too() {
    let fallback = "fallback: { respond: { status: 200, content_type: application/json, body: '[]' } }";
    let program = program(&format!("{}, {fallback}", targets(&[refusing()])));
    let answer = send(&program, request("/")).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(read(answer).await, (200, "[]".to_owned()));
}
