//! The `ext_auth` policy before a server of the user's own, over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use e2e::client::{Answer, Client, call, get};
use e2e::{Gate, Held, Upstream, response};

fn configuration(upstream: &Upstream, server: &str, more: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: users
    path: /users
    policies:
      ext_auth:
        url: "{server}"
        {more}
    to: u
  - {{ name: open, path: /open, to: u }}
consumers: [{{ name: mobile }}]
"#,
        upstream.address
    )
}

/// A server that decides by the cookie.
fn server() -> (Upstream, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(false));
    let shared = broken.clone();
    let server = Upstream::start(move |seen| {
        if shared.load(SeqCst) {
            return Some(response("500 Internal Server Error", "", "a stack trace"));
        }
        Some(match seen.header("cookie") {
            Some("sid=good") => {
                response("200 OK", "x-user: ann\r\nx-consumer: mobile\r\nx-secret: s\r\nconnection: x-user\r\n", "")
            }
            Some("sid=nobody") => response("204 No Content", "", ""),
            Some("sid=stranger") => response("200 OK", "x-consumer: stranger\r\n", ""),
            Some("sid=old") => response(
                "302 Found",
                "location: https://login.test/?back=1\r\nset-cookie: sid=; Max-Age=0\r\nx-secret: s\r\n",
                "",
            ),
            _ => response(
                "401 Unauthorized",
                "www-authenticate: Basic realm=\"x\"\r\ncontent-type: text/plain\r\n",
                "who?",
            ),
        })
    });
    (server, broken)
}

/// The policy's fields, each on its line.
fn lines(fields: &[&str]) -> String {
    fields.join("\n        ")
}

fn ask(gate: &Gate, fields: &[&str]) -> Answer {
    get(gate.address("public"), "/users/1?q=2", fields)
}

#[test]
fn a_server_over_http_decides() {
    let (upstream, (server, broken)) = (Upstream::text("in"), server());
    let more = lines(&["upstream: [x-user, x-auth-*]", "identity: { consumer: x-consumer, subject: x-user }"]);
    let gate = Gate::start(&configuration(&upstream, &format!("http://{}/check?by=gate", server.address), &more));
    let passed =
        ask(&gate, &["cookie: sid=good", "x-user: forged", "x-auth-level: 9", "x-tenant: t", "x-forwarded-uri: /x"]);
    assert_eq!((passed.status, passed.text().as_str()), (200, "in"));
    let asked = server.seen().remove(0);
    assert_eq!(asked.line, "GET /check?by=gate HTTP/1.1");
    for (name, value) in [
        ("x-forwarded-method", Some("GET")),
        ("x-forwarded-uri", Some("/users/1?q=2")),
        ("x-forwarded-host", Some("gate.test")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("cookie", Some("sid=good")),
        // Only what is chosen goes there.
        ("x-tenant", None),
        ("x-user", None),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    let seen = upstream.seen().remove(0);
    for (name, value) in [("x-user", Some("ann")), ("x-auth-level", None), ("x-secret", None), ("x-tenant", Some("t"))]
    {
        assert_eq!(seen.header(name), value, "{name}");
    }
    // The server's refusal is the answer, in what of it is for clients.
    let refused = ask(&gate, &["cookie: sid=bad"]);
    assert_eq!((refused.status, refused.text().as_str()), (401, "who?"));
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"x\""));
    let away = ask(&gate, &["cookie: sid=old"]);
    assert_eq!((away.status, away.header("location")), (302, Some("https://login.test/?back=1")));
    assert_eq!((away.header("set-cookie"), away.header("x-secret")), (Some("sid=; Max-Age=0"), None));
    // It let them pass and named nobody, or a stranger.
    assert_eq!(ask(&gate, &["cookie: sid=nobody"]).json()["code"], "auth.missing");
    assert_eq!(ask(&gate, &["cookie: sid=stranger"]).json()["code"], "ext_auth.denied");
    let posted = call(gate.address("public"), "POST", "/users/2", &["cookie: sid=good"], "a body");
    assert_eq!(posted.status, 200);
    assert_eq!(upstream.seen()[1].body, b"a body", "the body goes to the upstream alone");
    assert_eq!(server.seen().last().unwrap().header("x-forwarded-method"), Some("POST"));
    broken.store(true, SeqCst);
    let failed = ask(&gate, &["cookie: sid=good"]);
    assert_eq!((failed.status, failed.json()["code"].as_str()), (503, Some("ext_auth.unavailable")));
    assert!(!failed.text().contains("stack"));
    assert_eq!(upstream.seen().len(), 2, "nothing more came through");
    assert!(server.connections() <= 4, "connections are kept: {}", server.connections());
}

#[test]
fn what_happens_without_a_decision_is_the_users_choice() {
    let (upstream, held) = (Upstream::text("in"), Held::start());
    for (server, more, status) in [
        (format!("http://{}/", held.address), lines(&["calls: { timeout: 300ms }"]), 503),
        (format!("http://{}/", held.address), lines(&["calls: { timeout: 300ms }", "on_error: allow"]), 200),
        ("http://127.0.0.1:1/".to_owned(), String::new(), 503),
        ("http://127.0.0.1:1/".to_owned(), "on_error: allow".to_owned(), 200),
    ] {
        let gate = Gate::start(&configuration(&upstream, &server, &more));
        assert_eq!(ask(&gate, &[]).status, status, "{server} {more}");
        assert_eq!(get(gate.address("public"), "/open", &[]).status, 200);
    }
    let (server, _) = self::server();
    let more = "refusal: forbid";
    let gate = Gate::start(&configuration(&upstream, &format!("http://{}", server.address), more));
    let refused = ask(&gate, &[]);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("ext_auth.denied")));
    assert_eq!(refused.header("www-authenticate"), None);
}

#[test]
fn a_server_over_http_sees_the_body() {
    let (upstream, (server, _)) = (Upstream::text("in"), server());
    let more = lines(&["body: { max: 1KiB }", "send: '*'"]);
    let gate = Gate::start(&configuration(&upstream, &format!("http://{}/check", server.address), &more));
    let address = gate.address("public");
    let fields = ["cookie: sid=good", "content-type: text/csv", "x-envoy-auth-partial-body: true"];
    assert_eq!(call(address, "PUT", "/users/2", &fields, "a,b").status, 200);
    let asked = server.seen().remove(0);
    assert_eq!((asked.line.as_str(), asked.body.as_slice()), ("POST /check HTTP/1.1", &b"a,b"[..]));
    for (name, value) in [
        ("content-type", Some("text/csv")),
        ("content-length", Some("3")),
        ("x-forwarded-method", Some("PUT")),
        ("x-envoy-auth-partial-body", Some("false")),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    let seen = upstream.seen().remove(0);
    assert_eq!((seen.line.as_str(), seen.body.as_slice()), ("PUT /users/2 HTTP/1.1", &b"a,b"[..]));
    // In chunks, with trailers, and without a body at all.
    let chunked = "POST /users/3 HTTP/1.1\r\nhost: gate.test\r\ncookie: sid=good\r\ntransfer-encoding: chunked\r\n\r\n\
                   2\r\na,\r\n2\r\nbc\r\n0\r\nx-sum: 1\r\n\r\n";
    assert_eq!(Client::connect(address).call(chunked).status, 200);
    assert_eq!((server.seen()[1].body.as_slice(), upstream.seen()[1].body.as_slice()), (&b"a,bc"[..], &b"a,bc"[..]));
    assert_eq!(ask(&gate, &["cookie: sid=good"]).status, 200);
    assert_eq!((server.seen()[2].line.as_str(), server.seen()[2].body.len()), ("POST /check HTTP/1.1", 0));
    let large = call(address, "POST", "/users/2", &fields, &"x".repeat(1025));
    assert_eq!((large.status, large.json()["code"].as_str()), (413, Some("request.body_too_large")));
    let stream = call(address, "POST", "/users/2", &["cookie: sid=good", "content-type: text/event-stream"], "x");
    assert_eq!((stream.status, stream.json()["code"].as_str()), (415, Some("ext_auth.unreadable")));
    assert_eq!((server.seen().len(), upstream.seen().len()), (3, 3));
}

/// It is asked about what will be done: a path has one form, and nobody else writes what is asked.
#[test]
fn the_server_is_asked_for_what_the_upstream_gets() {
    let upstream = Upstream::text("in");
    let server = Upstream::start(|seen| {
        let public = seen.header("x-forwarded-uri").is_some_and(|uri| uri.starts_with("/users/public/"));
        Some(response(if public { "200 OK" } else { "403 Forbidden" }, "", ""))
    });
    let more = lines(&["send: '*'"]);
    let gate = Gate::start(&configuration(&upstream, &format!("http://{}/", server.address), &more));
    for (path, status) in [
        ("/users/public/1?a=/../b", 200),
        ("/users/%70ublic/1", 200),
        ("/users/1", 403),
        ("/users/public/../1", 403),
        ("/users/public/%2e%2e/1", 403),
        ("/users/public/..%2f1", 400),
        ("/users/public/..;/1", 400),
    ] {
        let lies = ["x-forwarded-uri: /users/public/1", "x_forwarded_uri: /users/public/1"];
        assert_eq!(get(gate.address("public"), path, &lies).status, status, "{path}");
    }
    let asked = server.seen();
    for (asked, uri) in asked.iter().zip(["/users/public/1?a=/../b", "/users/public/1", "/users/1"]) {
        assert_eq!(asked.header("x-forwarded-uri"), Some(uri));
    }
    assert!(!asked.iter().any(|asked| asked.header("x_forwarded_uri").is_some()));
    let sent = upstream.seen();
    let sent: Vec<_> = sent.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(sent, ["GET /users/public/1?a=/../b HTTP/1.1", "GET /users/public/1 HTTP/1.1"]);
}
