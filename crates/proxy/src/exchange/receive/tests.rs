use std::sync::Arc;

use http::{Request, Version};

use super::*;
use crate::exchange::testing::{self, PEER};
use crate::exchange::{Connection, Tls};
use crate::program::{ListenerSlot, Program};

const API: &str = "apis: [{ name: a, to: u }]
upstreams: [{ name: u, targets: [{ url: 'http://127.0.0.1:1' }] }]";

fn program(listener: &str, more: &str) -> Arc<Program> {
    testing::program(&format!(
        "version: 1\nlisteners: [{{ name: l, address: '127.0.0.1:0', {listener} }}]\n{API}\n{more}"
    ))
}

/// An exchange as a connection makes it: nothing is added to the request.
fn arrive(program: &Arc<Program>, request: Request<Body>) -> Box<Exchange> {
    let connection = Connection::new(ListenerSlot(0), PEER, testing::LOCAL, None);
    arrive_by(program, connection, request)
}

fn arrive_by(program: &Arc<Program>, connection: Connection, request: Request<Body>) -> Box<Exchange> {
    let local = testing::exchange_of(program, Request::new(Body::Empty)).local.clone();
    let (parts, body) = request.into_parts();
    Exchange::new(local, Arc::new(connection), parts, body)
}

/// `METHOD target [VERSION]` and header fields.
fn request(line: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut words = line.split(' ');
    let mut request = Request::builder().method(words.next().unwrap()).uri(words.next().unwrap());
    request = match words.next() {
        Some("1.0") => request.version(Version::HTTP_10),
        Some("2") => request.version(Version::HTTP_2),
        _ => request,
    };
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::Empty).unwrap()
}

/// `host target` where it is let through, else the status.
fn learn(program: &Arc<Program>, line: &str, fields: &[(&str, &str)]) -> String {
    let mut x = arrive(program, request(line, fields));
    match checked(&mut x) {
        Outcome::Next => format!("{} {}", x.host, x.request.uri.path_and_query().unwrap()),
        Outcome::Reply(reply) => {
            let location = reply.head.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap());
            format!("{} {location}", reply.head.status.as_u16())
        }
        Outcome::Fail(error) => error.code.status.to_string(),
    }
}

type Fields<'a> = &'a [(&'a str, &'a str)];

fn checked(x: &mut Exchange) -> Outcome {
    let local = x.local.clone();
    head(x, &local)
}

#[test]
fn hosts_and_targets() {
    let program = program("", "");
    let cases: &[(&str, Fields<'_>, &str)] = &[
        ("GET /a?b=%7e", &[("host", "Example.COM:8080")], "example.com /a?b=%7e"),
        ("GET /a/%2e%2e/b?c=../d", &[("host", "x.")], "x /b?c=../d"),
        ("GET /", &[], "400"),
        ("GET / 1.0", &[], " /"),
        ("GET / 1.0", &[("host", "a"), ("host", "a")], "400"),
        ("GET /", &[("host", "a"), ("host", "a")], "400"),
        ("GET /", &[("host", "")], "400"),
        ("GET /", &[("host", "u@a")], "400"),
        ("GET /", &[("host", "a b")], "400"),
        ("GET /", &[("host", "caf\u{e9}")], "400"),
        ("GET http://B.example:80/x/./y", &[("host", "a")], "b.example /x/y"),
        ("GET http://b.example", &[("host", "b.example")], "b.example /"),
        ("GET http://b.example?q", &[("host", "b.example")], "b.example /?q"),
        ("GET http://b.example/", &[], "400"),
        ("GET http://b.example/ 1.0", &[], "b.example /"),
        ("GET http://u:p@b.example/", &[("host", "b.example")], "400"),
        ("GET ftp://b.example/", &[("host", "b.example")], "400"),
        ("GET http://b.example/ 2", &[], "b.example /"),
        ("GET http://b.example/ 2", &[("host", "B.example")], "b.example /"),
        ("GET http://b.example/ 2", &[("host", "a.example")], "400"),
        ("GET / 2", &[("host", "a.example")], "a.example /"),
        ("GET / 2", &[], "400"),
        ("CONNECT b.example:443", &[("host", "b.example:443")], "501"),
        ("GET b.example:443", &[("host", "b.example:443")], "400"),
        ("OPTIONS *", &[("host", "a")], "200 "),
        ("GET *", &[("host", "a")], "400"),
        ("GET /%zz", &[("host", "a")], "400"),
        ("GET /a%00", &[("host", "a")], "400"),
        ("GET /", &[("host", "a"), ("expect", "100-Continue")], "a /"),
        ("GET /", &[("host", "a"), ("expect", "200-ok")], "417"),
        ("POST /", &[("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "1")], "400"),
    ];
    for (line, fields, expected) in cases {
        assert_eq!(learn(&program, line, fields), *expected, "{line} {fields:?}");
    }
}

#[test]
fn the_target_s_host_goes_on_as_host() {
    let mut x = arrive(&program("", ""), request("GET http://b.example:81/", &[("host", "a.example")]));
    assert!(matches!(checked(&mut x), Outcome::Next));
    assert_eq!(x.request.headers[HOST], "b.example:81");
}

#[test]
fn limits() {
    let limits = "limits: { uri_bytes: 32B, headers: 4, header_bytes: 1KiB, body_bytes: 10B }";
    let program = program(limits, "");
    let host = ("host", "a");
    let long = "x".repeat(1000);
    assert_eq!(learn(&program, &format!("GET /{}", "a".repeat(31)), &[host]).len(), 2 + 32);
    assert_eq!(learn(&program, &format!("GET /{}", "a".repeat(32)), &[host]), "414");
    assert_eq!(learn(&program, "GET /", &[host, ("a", "1"), ("b", "1"), ("c", "1")]), "a /");
    assert_eq!(learn(&program, "GET /", &[host, ("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]), "431");
    assert_eq!(learn(&program, "GET /", &[host, ("a", &long)]), "a /");
    assert_eq!(learn(&program, "GET /", &[host, ("a", &long), ("b", &long)]), "431");
    for (length, expected) in [(10, true), (11, false)] {
        let body = Body::from(Bytes::from(vec![0; length]));
        let mut x = arrive(&program, request("POST /", &[host]).map(|_| body));
        assert_eq!(matches!(checked(&mut x), Outcome::Next), expected);
        assert_eq!(x.body_limit, 10);
    }
}

#[test]
fn path_rules_of_the_listener() {
    let program = program("paths: { dot_segments: reject, slashes: merge, encoded_slashes: reject }", "");
    let cases = [("/a//b", "a /a/b"), ("/a/../b", "400"), ("/a%2fb", "400"), ("/a?b=//../%2f", "a /a?b=//../%2f")];
    for (target, expected) in cases {
        assert_eq!(learn(&program, &format!("GET {target}"), &[("host", "a")]), expected);
    }
}

#[test]
fn escapes_may_make_a_target_too_long() {
    let program = program("limits: { uri_bytes: 64KiB, header_bytes: 128KiB }", "");
    let target = format!("/{}", "%7B".repeat(10_000) + &"{".repeat(20_000));
    assert_eq!(learn(&program, &format!("GET {target}"), &[("host", "a")]), "414");
}

#[test]
fn clients_behind_trusted_proxies() {
    let fields = [("host", "a"), ("x-forwarded-for", "198.51.100.4"), ("x-forwarded-proto", "https")];
    for (trusted, client, scheme) in
        [("[]", PEER.ip().to_string(), Scheme::Http), ("[192.0.2.0/24]", "198.51.100.4".into(), Scheme::Https)]
    {
        let mut x = arrive(&program("", &format!("trusted_proxies: {trusted}")), request("GET /", &fields));
        assert!(matches!(checked(&mut x), Outcome::Next));
        assert_eq!((x.client.to_string(), x.scheme), (client, scheme));
    }
    let trusting = program("", "trusted_proxies: [192.0.2.7]");
    assert_eq!(learn(&trusting, "GET /", &[("host", "a"), ("forwarded", "for=\"")]), "400");
}

#[test]
fn redirects_to_https() {
    let host = ("host", "A.example:8080");
    let plain = program("redirect_to_https: {}", "trusted_proxies: [192.0.2.7]");
    assert_eq!(learn(&plain, "GET /a/../b?c", &[host]), "308 https://a.example/b?c");
    assert_eq!(learn(&plain, "GET / 1.0", &[]), "400");
    assert_eq!(learn(&plain, "GET /", &[("host", "[::1]:80")]), "308 https://[::1]/");
    assert_eq!(learn(&plain, "GET http://b.example?q", &[host]), "308 https://b.example/?q");
    assert_eq!(learn(&plain, "GET /", &[host, ("x-forwarded-proto", "https")]), "a.example /");
    let odd = program("redirect_to_https: { port: 8443, status: 301 }", "");
    assert_eq!(learn(&odd, "GET /x", &[host]), "301 https://a.example:8443/x");
    let tls = Tls { version: "TLSv1.3", cipher: String::new(), server_name: None, client: None };
    let connection = Connection::new(ListenerSlot(0), PEER, testing::LOCAL, Some(Box::new(tls)));
    assert!(matches!(checked(&mut arrive_by(&odd, connection, request("GET /x", &[host]))), Outcome::Next));
}

#[tokio::test]
async fn refusals_are_problem_documents() {
    let x = arrive(&program("", ""), request("GET /%zz", &[("host", "a")]));
    let response = crate::pipeline::serve(x).await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}
