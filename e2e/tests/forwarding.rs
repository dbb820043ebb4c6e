//! What a request and a response become on their way through the gate: the fields of each hop, and framing.

use std::io::Write as _;

use e2e::client::{Client, call, get};
use e2e::{Gate, Held, Seen, Upstream, response};

fn gate(upstream: &Upstream, host: &str, more: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, host: "{host}", targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u }}]
{more}"#,
        upstream.address
    ))
}

/// All values of a field, in order.
fn all<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    seen.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn an_upstream_learns_who_asked_and_how() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "target", "");
    let port = gate.address("public").port().to_string();
    get(gate.address("public"), "/a/b?c=d%20e", &["host: shop.test:8080", "accept: text/plain", "x-mine: 1"]);
    let seen = upstream.seen().remove(0);
    assert_eq!(seen.line, "GET /a/b?c=d%20e HTTP/1.1");
    let target = upstream.address.to_string();
    for (name, value) in [
        ("host", target.as_str()),
        ("via", "1.1 tollgate"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "shop.test:8080"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", &port),
        ("accept", "text/plain"),
        ("x-mine", "1"),
    ] {
        assert_eq!(all(&seen, name), [value], "{name}");
    }
    assert_eq!(seen.header("connection"), None);
}

#[test]
fn strangers_are_not_believed_and_trusted_proxies_are_added_to() {
    let claims = [
        "x-forwarded-for: 203.0.113.1",
        "x-forwarded-for: 10.9.9.9",
        "x-forwarded-proto: https",
        "x-forwarded-host: shop.test",
        "forwarded: for=203.0.113.1;proto=https",
        "via: 1.0 fred",
    ];
    let upstream = Upstream::text("in");
    let stranger = gate(&upstream, "preserve", "");
    get(stranger.address("public"), "/", &claims);
    let trusted = gate(&upstream, "preserve", "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\n");
    get(trusted.address("public"), "/", &claims);
    let [by_stranger, by_trusted] = upstream.seen().try_into().expect("both came");
    assert_eq!(all(&by_stranger, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(all(&by_stranger, "x-forwarded-proto"), ["http"]);
    assert_eq!(all(&by_stranger, "x-forwarded-host"), ["gate.test"]);
    assert_eq!(all(&by_stranger, "forwarded"), [""; 0]);
    assert_eq!(all(&by_stranger, "via").join(", "), "1.0 fred, 1.1 tollgate");
    assert_eq!(all(&by_trusted, "x-forwarded-for").join(", "), "203.0.113.1, 10.9.9.9, 127.0.0.1");
    assert_eq!(all(&by_trusted, "x-forwarded-proto"), ["https"]);
    assert_eq!(all(&by_trusted, "x-forwarded-host"), ["shop.test"]);
    let forwarded = all(&by_trusted, "forwarded").join(", ");
    assert!(forwarded.starts_with("for=203.0.113.1;proto=https, for=127.0.0.1;"), "{forwarded}");
}

#[test]
fn routes_and_policies_see_the_client_behind_trusted_hops() {
    let routes = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]
apis:
  - name: a
    routes:
      - { match: { client: ["203.0.113.0/24"] }, to: { respond: { status: 200, body: "{{ client.address }}" } } }
      - { to: { respond: { status: 403, body: "{{ client.address }}" } } }
"#;
    let gate = Gate::start(routes);
    for (claim, status, client) in [
        ("x-forwarded-for: 203.0.113.1, 10.9.9.9", 200, "203.0.113.1"),
        ("x-forwarded-for: 203.0.113.1, 198.51.100.7, 10.9.9.9", 403, "198.51.100.7"),
        ("forwarded: for=203.0.113.9", 200, "203.0.113.9"),
        ("x-other: 203.0.113.1", 403, "127.0.0.1"),
    ] {
        let answer = get(gate.address("public"), "/", &[claim]);
        assert_eq!((answer.status, answer.text().as_str()), (status, client), "{claim}");
    }
}

#[test]
fn the_host_is_the_targets_the_clients_or_a_fixed_one() {
    for (policy, expected) in [("target", None), ("preserve", Some("gate.test")), ("in.test:81", Some("in.test:81"))] {
        let upstream = Upstream::text("in");
        let gate = gate(&upstream, policy, "");
        get(gate.address("public"), "/", &[]);
        let own = upstream.address.to_string();
        assert_eq!(all(&upstream.seen()[0], "host"), [expected.unwrap_or(&own)], "{policy}");
    }
}

#[test]
fn fields_of_a_hop_stay_on_it() {
    let upstream = Upstream::start(|_| {
        let hop = "connection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\nproxy-connection: x\r\n\
                   set-cookie: a=1\r\nset-cookie: b=2\r\nx-kept: 2\r\n";
        Some(response("200 OK", hop, "in"))
    });
    let gate = gate(&upstream, "target", "");
    let mut client = Client::connect(gate.address("public"));
    client.send(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, x-own, host, x-forwarded-for\r\nx-own: 1\r\n\
         keep-alive: timeout=5\r\nproxy-connection: x\r\nte: gzip\r\nupgrade-insecure-requests: 1\r\n\r\n",
    );
    let answer = client.read().expect("an answer");
    let seen = upstream.seen().remove(0);
    for name in ["connection", "keep-alive", "proxy-connection", "te", "x-own"] {
        assert_eq!(seen.header(name), None, "towards the upstream: {name}");
    }
    // What the gate itself says cannot be taken out by naming it.
    assert!(seen.header("host").is_some() && seen.header("x-forwarded-for").is_some());
    assert_eq!(seen.header("upgrade-insecure-requests"), Some("1"));
    for name in ["keep-alive", "proxy-connection", "x-hop"] {
        assert_eq!(answer.header(name), None, "towards the client: {name}");
    }
    let cookies: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!((cookies.len(), answer.header("x-kept")), (2, Some("2")));
}

#[test]
fn a_trace_is_passed_on_or_begun() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "target", "");
    get(gate.address("public"), "/", &[&format!("traceparent: {TRACE}"), "tracestate: k=v"]);
    get(gate.address("public"), "/", &[]);
    get(gate.address("public"), "/", &["traceparent: 00-nonsense", "tracestate: k=v"]);
    let [passed, begun, replaced] = upstream.seen().try_into().expect("three came");
    assert_eq!((all(&passed, "traceparent"), passed.header("tracestate")), (vec![TRACE], Some("k=v")));
    for seen in [&begun, &replaced] {
        let parts: Vec<&str> = seen.header("traceparent").expect("one is begun").split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{parts:?}");
        assert!(parts[1].chars().all(|digit| digit.is_ascii_hexdigit()) && parts[1] != "0".repeat(32));
        assert_eq!(seen.header("tracestate"), None);
    }
    assert_ne!(begun.header("traceparent"), replaced.header("traceparent"));
}

#[test]
fn responses_without_content_are_framed_so() {
    let upstream = Upstream::start(|seen| {
        Some(match seen.line.split(' ').nth(1)? {
            "/204" => b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n".to_vec(),
            "/304" => b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\netag: \"a\"\r\n\r\n".to_vec(),
            "/chunked" if seen.line.starts_with("HEAD") => {
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
            }
            _ if seen.line.starts_with("HEAD") => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec(),
            "/dated" => response("200 OK", "date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", "in"),
            _ => response("200 OK", "", "in"),
        })
    });
    let gate = gate(&upstream, "target", "");
    // All on one connection: if one answer were framed wrongly, the next would not be found.
    let mut client = Client::connect(gate.address("public"));
    for (request, length) in [
        ("GET /204", None),
        ("GET /304", None),
        ("HEAD /", Some("9")),
        ("HEAD /chunked", None),
        ("HEAD /204", None),
        ("GET /last", Some("2")),
    ] {
        client.send(format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let answer = if request.starts_with("HEAD") { client.read_head() } else { client.read() }.expect("an answer");
        if request != "GET /304" {
            assert_eq!(answer.header("content-length"), length, "{request}");
        }
        assert_eq!(answer.header("transfer-encoding").filter(|_| !request.contains("chunked")), None, "{request}");
        assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")), "{request}: {answer:?}");
    }
    assert_eq!(upstream.connections(), 1, "nor did the upstream's connection lose its step");
    assert_eq!(get(gate.address("public"), "/dated", &[]).header("date"), Some("Tue, 01 Jan 2030 00:00:00 GMT"));
}

#[test]
fn expect_is_answered_when_the_body_is_wanted_and_only_then() {
    let upstream = Held::start();
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - {{ name: up, path: /up, to: u }}
  - {{ name: no, path: /no, to: {{ respond: {{ status: 403, body: "no" }} }} }}
"#,
        upstream.address
    ));
    let ask = |path: &str, expect: &str| {
        let mut client = Client::connect(gate.address("public"));
        client.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\nexpect: {expect}\r\ncontent-length: 4\r\n\r\n"));
        client
    };
    // A refusal comes instead of `100 Continue`: the client need not send what nobody reads.
    assert_eq!(ask("/no", "100-continue").read().map(|answer| answer.status), Some(403));
    assert_eq!(ask("/up", "200-maybe").read().map(|answer| answer.status), Some(417));
    let mut client = ask("/up", "100-continue");
    let (mut stream, head) = upstream.accept();
    assert!(!head.to_ascii_lowercase().contains("expect:"), "{head}");
    assert_eq!(client.read_head().map(|head| head.status), Some(100));
    client.send("body");
    let mut body = [0; 4];
    std::io::Read::read_exact(&mut stream, &mut body).unwrap();
    stream.write_all(&response("200 OK", "", "done")).unwrap();
    assert_eq!(client.read().map(|answer| answer.text()), Some("done".to_owned()));
}

#[test]
fn bodies_are_framed_anew_and_smuggling_is_refused() {
    let upstream = Upstream::start(|seen| Some(response("200 OK", "", &String::from_utf8_lossy(&seen.body))));
    let gate = gate(&upstream, "target", "");
    let address = gate.address("public");
    assert_eq!(call(address, "POST", "/", &[], "hello").text(), "hello");
    let chunked =
        |head: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{head}\r\n5;x=y\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n");
    let mut client = Client::connect(address);
    assert_eq!(client.call(chunked("transfer-encoding: chunked\r\n")).text(), "hello");
    let good = upstream.seen().len();
    for (what, bytes) in [
        (
            "two lengths",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_owned(),
        ),
        // RFC 9112 section 6.3 lets a server refuse it, which no proxy on the way reads in another way.
        ("length and chunks", chunked("content-length: 3\r\ntransfer-encoding: chunked\r\n")),
        ("chunks and length", chunked("transfer-encoding: chunked\r\ncontent-length: 3\r\n")),
        ("chunks twice", chunked("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n")),
        ("a signed length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello".to_owned()),
        ("an unknown coding", chunked("transfer-encoding: chunked, identity\r\n")),
        ("a space before the colon", chunked("transfer-encoding : chunked\r\n")),
        ("a folded field", chunked("x-a: 1\r\n 2\r\ntransfer-encoding: chunked\r\n")),
    ] {
        let mut client = Client::connect(address);
        client.send(bytes + "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n");
        let status = client.read().map(|answer| answer.status);
        assert!(matches!(status, Some(400 | 501)), "{what}: {status:?}");
        assert!(client.read().is_none(), "{what}: what comes after is not trusted");
    }
    assert_eq!(upstream.seen().len(), good, "{:?}", upstream.seen().last());
    // Where only the meaning is wrong, the bytes are still in step.
    for (what, bytes) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned()),
        ("a host that is none", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned()),
        ("CONNECT", "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n".to_owned()),
    ] {
        let status = Client::connect(address).call(bytes).status;
        assert!(matches!(status, 400 | 501), "{what}: {status}");
    }
    assert_eq!(upstream.seen().len(), good, "{:?}", upstream.seen().last());
}
