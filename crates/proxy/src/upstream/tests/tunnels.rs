//! After an upgrade, bytes go both ways and the exchange lives with them.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::upstream::testing::{Front, Upstream, addresses, in_flight, program, read_head, soon, until};

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Agrees to the upgrade and says everything back in upper case until the end.
async fn shouting() -> Upstream {
    Upstream::raw(async |mut stream, _| {
        let head = read_head(&mut stream).await.to_lowercase();
        assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
        assert!(head.contains("sec-websocket-key: "), "{head}");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nHELLO";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..read].to_ascii_uppercase()).await.unwrap();
        }
    })
    .await
}

async fn expect(stream: &mut TcpStream, text: &str) {
    let mut read = vec![0; text.len()];
    soon(stream.read_exact(&mut read)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&read), text);
}

#[tokio::test]
async fn bytes_go_both_ways_until_a_side_ends() {
    let upstream = shouting().await;
    let program = program(&upstream.targets());
    let front = Front::h1(&program).await;
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(ASK.as_bytes()).await.unwrap();
    let head = soon(read_head(&mut client)).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
    assert!(head.contains("sec-websocket-accept: "), "{head}");
    // What the target says right behind its head is not lost.
    expect(&mut client, "HELLO").await;
    for word in ["one", "two"] {
        client.write_all(word.as_bytes()).await.unwrap();
        expect(&mut client, &word.to_uppercase()).await;
    }
    assert_eq!((in_flight(&program), addresses(&program)[0].connections), (1, 1));
    // Half closed: what is on its way still arrives.
    client.write_all(b"last").await.unwrap();
    client.shutdown().await.unwrap();
    let mut rest = String::new();
    soon(client.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "LAST");
    until(|| in_flight(&program) == 0 && addresses(&program)[0].connections == 0).await;
    until(|| upstream.seen.closed() == 1).await;
}

#[tokio::test]
async fn a_client_that_vanishes_ends_the_tunnel() {
    let upstream = shouting().await;
    let program = program(&upstream.targets());
    let front = Front::h1(&program).await;
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(ASK.as_bytes()).await.unwrap();
    soon(read_head(&mut client)).await;
    client.set_zero_linger().unwrap();
    drop(client);
    until(|| in_flight(&program) == 0 && upstream.seen.closed() == 1).await;
}

#[tokio::test]
async fn a_silent_tunnel_is_closed() {
    let upstream = shouting().await;
    let program = program(&format!("{}, timeouts: {{ idle: 80ms }}", upstream.targets()));
    let front = Front::h1(&program).await;
    let mut client = TcpStream::connect(front.address).await.unwrap();
    client.write_all(ASK.as_bytes()).await.unwrap();
    soon(read_head(&mut client)).await;
    let mut rest = Vec::new();
    let _ = soon(client.read_to_end(&mut rest)).await;
    assert_eq!(rest, b"HELLO");
    until(|| in_flight(&program) == 0).await;
}

#[tokio::test]
async fn a_target_may_refuse_to_change() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let program = program(&upstream.targets());
    let front = Front::h1(&program).await;
    let answer = front.talk(&ASK.replace("Upgrade\r\n", "Upgrade, close\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("\r\n\r\nno"), "{answer}");
    assert_eq!(in_flight(&program), 0);
}

#[tokio::test]
async fn http2_in_the_clear_is_not_asked_for() {
    let upstream = Upstream::raw(async |mut stream, _| {
        let head = read_head(&mut stream).await.to_lowercase();
        let hop = ["upgrade", "http2-settings", "connection"].iter().any(|name| head.contains(&format!("\r\n{name}:")));
        let answer =
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{hop}", hop.to_string().len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let program = program(&upstream.targets());
    let front = Front::h1(&program).await;
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\n\
               http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert!(front.talk(ask).await.ends_with("\r\n\r\nfalse"));
}
