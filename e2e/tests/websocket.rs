//! WebSocket through the gate, with a real client and server.

use e2e::Gate;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

async fn echo_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() || socket.send(message).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn messages_go_both_ways_and_the_end_is_seen() {
    let upstream = echo_server().await;
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{upstream}" }}] }}]
apis: [{{ name: ws, path: /ws, to: u }}]
"#
    ));
    let stream = TcpStream::connect(gate.address("public")).await.unwrap();
    let (mut socket, answer) = tokio_tungstenite::client_async("ws://gate.test/ws/chat", stream).await.unwrap();
    assert_eq!(answer.status().as_u16(), 101);
    for size in [0, 1, 125, 126, 70_000] {
        let message = Message::binary(vec![7; size]);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    drop(socket);
    let metrics = tokio::task::spawn_blocking(move || {
        loop {
            let text = e2e::client::get(gate.address("operations"), "/metrics", &["host: localhost"]).text();
            let open = text.lines().find(|line| line.starts_with("tollgate_requests_in_flight")).map(str::to_owned);
            if open.as_deref().is_some_and(|line| line.ends_with(" 0")) {
                return text;
            }
            std::thread::yield_now();
        }
    });
    tokio::time::timeout(e2e::PATIENCE, metrics).await.expect("the exchange ends with the socket").unwrap();
}

#[tokio::test]
async fn a_refused_upgrade_is_a_plain_answer() {
    let upstream = e2e::Upstream::text("no sockets here");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: ws, to: u }}]
"#,
        upstream.address
    ));
    let answer = tokio::task::spawn_blocking(move || {
        let headers =
            ["upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="];
        let text = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n{}\r\n\r\n", headers.join("\r\n"));
        e2e::client::Client::connect(gate.address("public")).call(text)
    });
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "no sockets here"));
}
