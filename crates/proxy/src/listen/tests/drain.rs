//! Leaving: what was accepted completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;

use super::kit::{Client, Gate, PATIENCE, block_on, echo, until};
use crate::listen::Drained;

#[test]
fn what_was_accepted_completes() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 5\r\n\r\nhel");
    until("the exchange is open", || gate.gateway.in_flight() == 1);
    let address = gate.address("main");
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| gate.gateway.drain(PATIENCE));
        until("it stops listening", || std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err());
        client.send("lo");
        let response = client.response();
        assert!(response.body.contains("hello"), "{}", response.body);
        assert_eq!(response.header("connection"), Some("close"));
        assert!(client.is_closed());
        assert_eq!(drained.join().expect("it drains"), Drained { completed: 1, cut: 0 });
    });
}

#[test]
fn what_takes_too_long_is_cut() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    client.send("POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 5\r\n\r\nhel");
    until("the exchange is open", || gate.gateway.in_flight() == 1);
    assert_eq!(gate.gateway.drain(Duration::from_millis(300)), Drained { completed: 0, cut: 1 });
    assert!(client.try_response("POST").is_none());
}

#[test]
fn quiet_connections_do_not_hold_it_up() {
    let gate = Gate::start(&echo(""));
    let mut asked = gate.connect("main");
    assert_eq!(asked.get("/").status(), 200);
    let mut silent = gate.connect("main");
    until("both are open", || gate.connections() == 2);
    let started = Instant::now();
    assert_eq!(gate.gateway.drain(PATIENCE), Drained { completed: 0, cut: 0 });
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(asked.is_closed() && silent.is_closed());
}

#[test]
fn no_request_is_lost_under_load() {
    let gate = Gate::start(&echo(""));
    let address = gate.address("main");
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|at| {
                let asked = &asked;
                // Half of them keep their connection, half have a new one for each request.
                scope.spawn(move || {
                    let mut client: Option<Client> = None;
                    loop {
                        let mut using = match client.take() {
                            Some(client) => client,
                            // Refused is not accepted: the gateway has left.
                            None => match std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
                                Ok(stream) => {
                                    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                                    Client::over(stream)
                                }
                                Err(_) => return,
                            },
                        };
                        let response = using.try_get("/").expect("an accepted request is answered");
                        assert_eq!(response.status(), 200);
                        asked.fetch_add(1, Relaxed);
                        let ends = response.header("connection") == Some("close");
                        client = (at % 2 == 0 && !ends).then_some(using);
                    }
                })
            })
            .collect();
        until("the load runs", || asked.load(Relaxed) > 500);
        let drained = gate.gateway.drain(PATIENCE);
        assert_eq!(drained.cut, 0);
        clients.into_iter().for_each(|client| client.join().expect("no request was lost"));
    });
}

#[test]
fn http_2_clients_are_told_to_go_and_complete() {
    let gate = Arc::new(Gate::start(&echo("")));
    let address = gate.address("main");
    let asked = gate.clone();
    block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2 is spoken");
        let connection = tokio::spawn(connection);
        let mut send = send.ready().await.expect("it is ready");
        let request = Request::post("http://gate/").body(()).expect("a request");
        let (answer, mut body) = send.send_request(request, false).expect("it is sent");
        while asked.gateway.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
        let draining = tokio::task::spawn_blocking(move || asked.gateway.drain(PATIENCE));
        // GOAWAY: no further request is taken, while this one goes on.
        while let Ok(still) = send.clone().ready().await {
            drop(still);
            tokio::task::yield_now().await;
        }
        body.send_data(Bytes::from("hello"), true).expect("it goes on");
        let mut body = answer.await.expect("a response").into_body();
        let mut echoed = Vec::new();
        while let Some(chunk) = body.data().await {
            echoed.extend_from_slice(&chunk.expect("a chunk"));
        }
        assert!(String::from_utf8_lossy(&echoed).contains("hello"));
        connection.await.expect("it runs").expect("it ends well");
        assert_eq!(draining.await.expect("it drains"), Drained { completed: 1, cut: 0 });
    });
}
