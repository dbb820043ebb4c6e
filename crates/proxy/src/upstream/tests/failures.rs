//! Each way a target fails has its code.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::upstream::testing::{
    Upstream, addresses, code, get, in_flight, post, program, read_head, refusing, request, targets,
};

/// An upstream that reads a head, says this, and closes.
async fn says(bytes: &'static [u8]) -> Upstream {
    Upstream::raw(async |mut stream: TcpStream, _| {
        read_head(&mut stream).await;
        let _ = stream.write_all(bytes).await;
    })
    .await
}

#[tokio::test]
async fn what_fails_before_a_response_is_an_answer() {
    let cases: [(&[u8], &str); 7] = [
        (b"", "502 upstream.reset"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "502 upstream.reset"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "502 upstream.protocol"),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "502 upstream.protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "502 upstream.protocol"),
        (b"HTTP/3.0 200 OK\r\n\r\n", "502 upstream.protocol"),
        (b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "502 upstream.protocol"),
    ];
    for (bytes, expected) in cases {
        let upstream = says(bytes).await;
        let program = program(&upstream.targets());
        assert_eq!(code(&program, request("/")).await, expected, "{}", bytes.escape_ascii());
        let [status] = addresses(&program)[..] else { panic!() };
        assert_eq!((status.in_flight, status.errors, status.connections), (0, 1, 0), "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn what_fails_after_it_cuts_the_response() {
    let cases: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "upstream.reset"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", "upstream.reset"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n", "upstream.protocol"),
        // Without a length the end of the connection is the end of the body.
        (b"HTTP/1.0 200 OK\r\n\r\nwhole", "whole"),
    ];
    for (bytes, expected) in cases {
        let upstream = says(bytes).await;
        let program = program(&upstream.targets());
        assert_eq!(get(&program, "/").await, (200, expected.to_owned()), "{}", bytes.escape_ascii());
        assert_eq!(in_flight(&program), 0);
    }
}

#[tokio::test]
async fn a_head_is_only_so_large() {
    for (length, expected) in [(900, None), (2000, Some("502 upstream.response_too_large"))] {
        let upstream = Upstream::raw(move |mut stream: TcpStream, _| async move {
            read_head(&mut stream).await;
            let long = "x".repeat(length);
            let _ = stream.write_all(format!("HTTP/1.1 204 No Content\r\nx-long: {long}\r\n\r\n").as_bytes()).await;
        })
        .await;
        let program = program(&format!("{}, pool: {{ header_bytes: 1KiB }}", upstream.targets()));
        match expected {
            Some(expected) => assert_eq!(code(&program, request("/")).await, expected),
            None => assert_eq!(get(&program, "/").await.0, 204),
        }
    }
}

#[tokio::test]
async fn a_target_that_refuses_connections_gives_way_to_the_next() {
    let upstream = Upstream::serve(async |_| crate::upstream::testing::text("ok")).await;
    let program = program(&targets(&[refusing(), upstream.address]));
    for at in 0..6 {
        // Whatever the request: nothing of it was sent.
        let sent = if at % 2 == 0 { request("/") } else { post("/", "body") };
        let response = crate::upstream::testing::send(&program, sent).await;
        assert_eq!(response.status(), 200);
    }
    let [refused, alive] = addresses(&program)[..] else { panic!() };
    assert_eq!((refused.connect_errors, refused.errors, refused.in_flight), (3, 3, 0));
    assert_eq!((alive.requests, alive.errors), (6, 0));
}

#[tokio::test]
async fn where_all_refuse_there_is_an_answer() {
    let program = program(&targets(&[refusing(), refusing(), refusing()]));
    assert_eq!(code(&program, request("/")).await, "502 upstream.connect");
    assert!(addresses(&program).iter().all(|address| address.connect_errors == 1), "each was tried once");
}

#[tokio::test]
async fn a_grpc_client_reads_the_failure_from_its_status() {
    let program = program(&targets(&[refusing()]));
    let request = http::Request::post("/pkg.Service/Call")
        .header("content-type", "application/grpc")
        .body(crate::exchange::Body::from("x".to_owned()))
        .unwrap();
    let response = crate::upstream::testing::send(&program, request).await;
    assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
}
