//! WebSocket through the gate, with a real client and server.

use e2e::Gate;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

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

/// A socket is asked who it is, and counted, like any request; once open it stays, whatever becomes of its key.
#[tokio::test]
async fn a_socket_needs_a_key_and_is_counted() {
    let upstream = echo_server().await;
    let configuration = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{upstream}" }}] }}]
apis:
  - name: ws
    access: identified
    policies: {{ key_auth: {{}}, concurrency: {{ limits: [{{ limit: 1, by: consumer }}] }} }}
    to: u
consumers: [{{ name: ann, credentials: [{{ key: key-of-ann-0123456789, enabled: true }}] }}]
"#
    );
    let gate = Gate::start(&configuration);
    let address = gate.address("public");
    let open = |key: Option<&'static str>| async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = "ws://gate.test/chat".into_client_request().unwrap();
        if let Some(key) = key {
            request.headers_mut().insert("x-api-key", key.parse().unwrap());
        }
        tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket).map_err(|error| match error {
            Error::Http(answer) => answer.status().as_u16(),
            other => panic!("{other}"),
        })
    };
    let key = Some("key-of-ann-0123456789");
    assert_eq!(open(None).await.err(), Some(401));
    assert_eq!(open(Some("wrong")).await.err(), Some(401));
    let mut socket = open(key).await.unwrap();
    assert_eq!(open(key).await.err(), Some(429), "it has its place as long as it is open");
    let revoked = configuration.replace("enabled: true", "enabled: false");
    let reloaded = tokio::task::spawn_blocking(move || {
        gate.reload(&revoked);
        gate
    });
    let _gate = reloaded.await.unwrap();
    assert_eq!(open(key).await.err(), Some(401), "the key is revoked");
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still here"));
}
