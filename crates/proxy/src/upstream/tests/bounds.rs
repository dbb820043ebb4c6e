//! The bound on connections, and who waits for one.

use std::sync::Arc;

use crate::exchange::testing::PEER;
use crate::exchange::{Connection, Exchange};
use crate::pipeline;
use crate::program::{Environment, ListenerSlot, Local, Program};
use crate::upstream::testing::{
    Upstream, addresses, code, environment, exchange_from, in_flight, program, program_with, read, request, send, soon,
    text, until,
};

#[tokio::test]
async fn above_the_bound_a_request_waits_and_then_is_refused() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!("{}, pool: {{ connections: 2, queue_timeout: 50ms }}", upstream.targets()));
    let held = [send(&program, request("/")).await, send(&program, request("/")).await];
    assert_eq!(code(&program, request("/")).await, "503 upstream.connection_limit");
    assert_eq!(in_flight(&program), 2);
    for response in held {
        assert_eq!(read(response).await.0, 200);
    }
    assert_eq!(read(send(&program, request("/")).await).await.0, 200);
    assert_eq!(upstream.seen.connections(), 2);
}

#[tokio::test]
async fn who_waits_gets_what_becomes_free() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!("{}, pool: {{ connections: 1, queue_timeout: 20s }}", upstream.targets()));
    let held = send(&program, request("/")).await;
    let mut waiting: Vec<_> = (0..4)
        .map(|_| {
            let program = program.clone();
            tokio::spawn(async move { read(send(&program, request("/")).await).await.0 })
        })
        .collect();
    until(|| in_flight(&program) == 5).await;
    // One gives up: its turn goes to another.
    waiting.remove(0).abort();
    until(|| in_flight(&program) == 4).await;
    assert_eq!(read(held).await.0, 200);
    for waiting in waiting {
        assert_eq!(soon(waiting).await.unwrap(), 200);
    }
    assert_eq!(upstream.seen.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_is_given_up_lets_another_be_opened() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!("{}, pool: {{ connections: 1, queue_timeout: 20s }}", upstream.targets()));
    let held = send(&program, request("/")).await;
    let waiting = {
        let program = program.clone();
        tokio::spawn(async move { read(send(&program, request("/")).await).await.0 })
    };
    until(|| in_flight(&program) == 2).await;
    drop(held);
    assert_eq!(soon(waiting).await.unwrap(), 200);
    assert_eq!(upstream.seen.connections(), 2);
}

/// An exchange on this worker.
fn on(worker: usize, program: &Arc<Program>) -> Box<Exchange> {
    let local = Arc::new(Local { worker, program: program.clone() });
    let connection = Arc::new(Connection::new(ListenerSlot(0), PEER, PEER, None));
    let (head, body) = request("/").into_parts();
    Exchange::new(local, connection, head, body)
}

#[tokio::test]
async fn workers_share_the_bound_but_not_the_connections() {
    let env = Environment { workers: 2, ..environment() };
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let pool = "pool: { connections: 1, queue_timeout: 20s }";
    let program = program_with(&format!("{}, {pool}", upstream.targets()), &env);
    let held = soon(pipeline::serve(on(0, &program))).await;
    let waiting = {
        let program = program.clone();
        tokio::spawn(async move { read(pipeline::serve(on(1, &program)).await).await.0 })
    };
    until(|| in_flight(&program) == 2).await;
    // The connection of worker 0 is of no use to worker 1: it is closed, so that worker 1 can open its own.
    assert_eq!(read(held).await.0, 200);
    assert_eq!(soon(waiting).await.unwrap(), 200);
    assert_eq!((upstream.seen.connections(), addresses(&program)[0].connections), (2, 1));
}

#[tokio::test]
async fn without_an_end_of_waiting_the_total_ends_it() {
    let upstream = Upstream::serve(async |_| text("ok")).await;
    let program = program(&format!(
        "{}, pool: {{ connections: 1, queue_timeout: 1h }}, timeouts: {{ total: 80ms }}",
        upstream.targets()
    ));
    let _held = send(&program, request("/")).await;
    let response = soon(pipeline::serve(exchange_from(&program, PEER, request("/")))).await;
    assert_eq!(response.status(), 503);
}
