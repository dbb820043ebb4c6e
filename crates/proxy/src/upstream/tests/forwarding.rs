//! The head that a target sees, byte for byte.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Version;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::exchange::testing::{PEER, program_in};
use crate::exchange::{Body, ClientCertificate, Connection, Tls};
use crate::pipeline;
use crate::program::{ListenerSlot, Program};
use crate::upstream::testing::{Upstream, environment, exchange_from, read, read_head, send, soon, yaml};

/// An upstream that tells the heads it reads.
async fn telling() -> (Upstream, mpsc::Receiver<String>) {
    let (told, heads) = mpsc::channel(10);
    let upstream = Upstream::raw(move |mut stream, _| {
        let told = told.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                told.send(head).await.unwrap();
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    (upstream, heads)
}

/// The fields of a head, less `traceparent`, sorted, and its first line before them.
fn lines(head: &str) -> Vec<String> {
    let mut lines: Vec<String> = head.trim_end().split("\r\n").map(str::to_owned).collect();
    lines.retain(|line| !line.starts_with("traceparent:"));
    lines[1..].sort();
    lines
}

struct Seen {
    program: Arc<Program>,
    heads: mpsc::Receiver<String>,
    _upstream: Upstream,
}

impl Seen {
    async fn with(fields: &str, more: &str) -> Self {
        let (upstream, heads) = telling().await;
        let yaml = yaml(&format!("{}{fields}", upstream.targets()), more);
        Self { program: program_in(&yaml, &environment()), heads, _upstream: upstream }
    }

    async fn head(&mut self, peer: SocketAddr, request: http::Request<Body>) -> String {
        let response = soon(pipeline::serve(exchange_from(&self.program, peer, request))).await;
        assert_eq!(response.status(), 204);
        soon(self.heads.recv()).await.unwrap()
    }
}

#[tokio::test]
async fn a_plain_request_gets_what_tells_who_asked() {
    let mut seen = Seen::with("", "").await;
    let target = seen._upstream.address;
    let request = http::Request::get("/a/b?c=d%20e").header("Host", "gate.example:8080").header("accept", "*/*");
    let head = seen.head(PEER, request.body(Body::Empty).unwrap()).await;
    let expected = [
        "GET /a/b?c=d%20e HTTP/1.1".to_owned(),
        "accept: */*".to_owned(),
        format!("host: {target}"),
        "via: 1.1 tollgate".to_owned(),
        "x-forwarded-for: 192.0.2.7".to_owned(),
        "x-forwarded-host: gate.example:8080".to_owned(),
        "x-forwarded-port: 8080".to_owned(),
        "x-forwarded-proto: http".to_owned(),
    ];
    assert_eq!(lines(&head), expected);
    assert!(head.contains("\r\ntraceparent: 00-"), "a trace is begun: {head}");
}

#[tokio::test]
async fn what_a_stranger_says_of_others_is_not_believed() {
    let mut seen = Seen::with(", host: preserve", "").await;
    let request = http::Request::get("/")
        .header("host", "a")
        .header("x-forwarded-for", "203.0.113.1")
        .header("x-forwarded-for", "203.0.113.2")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil")
        .header("x-forwarded-port", "1")
        .header("forwarded", "for=203.0.113.1")
        .header("client-cert", ":AAAA:")
        .header("via", "1.0 fred")
        .header("connection", "keep-alive, x-own")
        .header("keep-alive", "timeout=5")
        .header("expect", "100-continue")
        .header("te", "gzip");
    let head = seen.head(PEER, request.body(Body::Empty).unwrap()).await;
    let expected = [
        "GET / HTTP/1.1",
        "host: a",
        "via: 1.0 fred",
        "via: 1.1 tollgate",
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-host: a",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
    ];
    assert_eq!(lines(&head), expected);
}

#[tokio::test]
async fn a_client_takes_out_its_own_fields_but_not_the_gateways() {
    let (upstream, mut heads) = telling().await;
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0' }}]\nupstreams: [{{ name: up, {} }}]\n\
         apis: [{{ name: a, access: public, policies: {{ headers: {{ request: {{ set: {{ x-user: known }} }} }} }}, \
         routes: [{{ to: up }}] }}]\n",
        upstream.targets()
    );
    let program = program_in(&yaml, &environment());
    let request = http::Request::get("/")
        .header("host", "a")
        .header("connection", "x-own, X-User, x-forwarded-for, traceparent, host")
        .header("x-own", "1")
        .header("x-user", "admin")
        .body(Body::Empty)
        .unwrap();
    assert_eq!(send(&program, request).await.status(), 204);
    let head = soon(heads.recv()).await.unwrap();
    assert!(head.contains("x-user: known\r\n") && !head.contains("x-own"), "{head}");
    assert!(head.contains("x-forwarded-for: 192.0.2.7\r\n") && head.contains("traceparent: 00-"), "{head}");
    assert!(head.contains("\r\nhost: "), "{head}");
}

#[tokio::test]
async fn what_a_trusted_proxy_says_is_added_to() {
    let mut seen = Seen::with(", host: preserve", "trusted_proxies: [192.0.2.0/24, '2001:db8::/32']").await;
    let request = || {
        http::Request::get("/")
            .header("host", "a")
            .header("x-forwarded-for", "203.0.113.1")
            .header("x-forwarded-for", "203.0.113.2")
            .header("x-forwarded-host", "first.example")
            .header("x-forwarded-port", "443")
            .header("forwarded", "for=203.0.113.1;proto=https")
            .body(Body::Empty)
            .unwrap()
    };
    let head = seen.head(PEER, request()).await;
    let expected = [
        "GET / HTTP/1.1",
        "forwarded: for=203.0.113.1;proto=https, for=192.0.2.7;host=\"a\";proto=http",
        "host: a",
        "via: 1.1 tollgate",
        "x-forwarded-for: 203.0.113.1, 203.0.113.2, 192.0.2.7",
        "x-forwarded-host: first.example",
        "x-forwarded-port: 443",
        "x-forwarded-proto: http",
    ];
    assert_eq!(lines(&head), expected);
    let head = seen.head("[2001:db8::5]:9".parse().unwrap(), request()).await;
    assert!(head.contains("for=\"[2001:db8::5]\""), "{head}");
    assert!(head.contains("203.0.113.2, 2001:db8::5\r\n"), "{head}");
}

#[tokio::test]
async fn the_host_is_the_targets_the_clients_or_a_fixed_one() {
    for (policy, expected) in [
        ("", None),
        (", host: target", None),
        (", host: preserve", Some("gate.example")),
        (", host: 'in:81'", Some("in:81")),
    ] {
        let mut seen = Seen::with(policy, "").await;
        let target = seen._upstream.address.to_string();
        let head = seen.head(PEER, crate::upstream::testing::request("/")).await;
        let expected = format!("\r\nhost: {}\r\n", expected.unwrap_or(&target));
        assert!(head.contains(&expected), "{policy}: {head}");
    }
}

#[tokio::test]
async fn an_http2_clients_head_becomes_one_of_http1() {
    let mut seen = Seen::with(", host: preserve", "").await;
    let mut request = http::Request::get("https://gate.example/a?b")
        .version(Version::HTTP_2)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("cookie", "c=3")
        .header("te", "trailers")
        .body(Body::Empty)
        .unwrap();
    request.extensions_mut().clear();
    let head = seen.head(PEER, request).await;
    let expected = [
        "GET /a?b HTTP/1.1",
        "cookie: a=1; b=2; c=3",
        "host: gate.example",
        "te: trailers",
        "via: 2.0 tollgate",
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-host: gate.example",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
    ];
    assert_eq!(lines(&head), expected);
}

#[tokio::test]
async fn a_trace_is_passed_on_and_only_a_bad_one_replaced() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut seen = Seen::with("", "").await;
    for (sent, passes) in [(good, true), ("00-zz-b7ad6b7169203331-01", false)] {
        let request =
            http::Request::get("/").header("host", "a").header("traceparent", sent).header("tracestate", "k=v");
        let head = seen.head(PEER, request.body(Body::Empty).unwrap()).await;
        assert_eq!(head.contains(&format!("traceparent: {sent}\r\n")), passes, "{head}");
        assert_eq!(head.contains("tracestate: k=v"), passes, "{head}");
        assert_eq!(head.matches("traceparent: 00-").count(), 1, "{head}");
    }
}

#[tokio::test]
async fn the_apis_own_path_is_taken_off_where_it_asks_for_that() {
    let (upstream, mut heads) = telling().await;
    for (path, mode, sent, expected) in [
        ("/users", "strip", "/users/7?q=1", "/7?q=1"),
        ("/users", "strip", "/users?q=1", "/?q=1"),
        ("/users", "strip", "/users", "/"),
        ("/users", "strip", "/users/", "/"),
        ("/users", "keep", "/users/7", "/users/7"),
        ("/", "strip", "/users/7", "/users/7"),
    ] {
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0' }}]\nupstreams: [{{ name: up, {} }}]\n\
             apis: [{{ name: a, path: '{path}', path_mode: {mode}, access: public, routes: [{{ to: up }}] }}]\n",
            upstream.targets()
        );
        let program = program_in(&yaml, &environment());
        assert_eq!(send(&program, crate::upstream::testing::request(sent)).await.status(), 204);
        let head = soon(heads.recv()).await.unwrap();
        assert!(head.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{sent} {mode}: {head}");
    }
}

#[tokio::test]
async fn a_verified_client_certificate_is_passed_on_where_the_listener_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let authority = super::tls::Authority::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (chain, key) = authority.issue("gate.example");
    let (chain, key, ca) = (file("chain", &chain), file("key", &key), file("ca", &authority.pem()));
    for (forward, expected) in [("on", true), ("off", false)] {
        let (upstream, mut heads) = telling().await;
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0', tls: {{ \
             certificates: [{{ certificate: '{chain}', key: '{key}' }}], \
             client_certificates: {{ ca: '{ca}', forward: {forward} }} }} }}]\nupstreams: [{{ name: up, {} }}]\n\
             apis: [{{ name: a, access: public, routes: [{{ to: up }}] }}]\n",
            upstream.targets()
        );
        let program = program_in(&yaml, &environment());
        let client = ClientCertificate {
            der: bytes::Bytes::from_static(b"a certificate"),
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            names: Vec::new(),
            fingerprint: String::new(),
        };
        let tls = Tls { version: "TLSv1.3", cipher: String::new(), server_name: None, client: Some(client) };
        let connection = Connection::new(ListenerSlot(0), PEER, PEER, Some(Box::new(tls)));
        let request = crate::upstream::testing::request("/");
        let x = crate::exchange::testing::exchange_by(&program, connection, request);
        assert_eq!(read(soon(pipeline::serve(x)).await).await.0, 204);
        let head = soon(heads.recv()).await.unwrap();
        assert_eq!(head.contains("client-cert: :YSBjZXJ0aWZpY2F0ZQ==:\r\n"), expected, "{forward}: {head}");
        assert!(head.contains("x-forwarded-proto: https"), "{head}");
    }
}

#[tokio::test]
async fn fields_of_the_targets_hop_do_not_reach_the_client() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\n\
                    upgrade: h2c\r\ntransfer-encoding: chunked\r\nserver: s\r\nx-kept: 2\r\nset-cookie: a=1\r\n\
                    set-cookie: b=2\r\n\r\n0\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
    })
    .await;
    let program = crate::upstream::testing::program(&upstream.targets());
    let response = send(&program, crate::upstream::testing::request("/")).await;
    let mut names: Vec<&str> = response.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["server", "set-cookie", "x-kept"]);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn informational_responses_are_passed_over() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        let last = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(format!("{early}{last}").as_bytes()).await.unwrap();
    })
    .await;
    let program = crate::upstream::testing::program(&upstream.targets());
    assert_eq!(crate::upstream::testing::get(&program, "/").await, (200, "ok".to_owned()));
}
