//! How a path is read: once, so that matching, expressions and the upstream see the same bytes.

use e2e::client::{Client, get};
use e2e::{Gate, Upstream};

/// A gate whose listener reads paths so; its route tells what an expression saw, and the upstream what came.
fn gate(upstream: &Upstream, paths: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", paths: {{ {paths} }} }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: admin
    path: /admin
    to: {{ respond: {{ status: 403, body: "{{{{ request.path }}}}" }} }}
  - name: all
    policies: {{ headers: {{ response: {{ set: {{ x-path: {{ cel: request.path }}, x-raw: {{ cel: request.raw_path }} }} }} }} }}
    to: u
"#,
        upstream.address
    ))
}

/// Sends a target as it stands and gives what came of it: the path that the upstream saw, or the status.
fn sent(gate: &Gate, upstream: &Upstream, path: &str) -> Result<String, u16> {
    let before = upstream.seen().len();
    let mut client = Client::connect(gate.address("public"));
    let answer = client.call(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    if answer.status != 200 {
        assert_eq!(upstream.seen().len(), before, "{path}: refused, and still it came");
        return Err(answer.status);
    }
    let line = upstream.seen().pop().expect("it came").line;
    let seen = line.split(' ').nth(1).expect("a path").to_owned();
    assert_eq!(
        answer.header("x-path"),
        Some(seen.split('?').next().unwrap()),
        "{path}: an expression saw another path"
    );
    assert_eq!(answer.header("x-raw"), Some(path.split('?').next().unwrap()), "{path}");
    Ok(seen)
}

fn assert_table(paths: &str, table: &[(&str, Result<&str, u16>)]) {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, paths);
    for (path, expected) in table {
        assert_eq!(sent(&gate, &upstream, path).as_deref(), expected.as_ref().copied(), "{paths}: {path}");
    }
}

#[test]
fn as_it_is_by_default() {
    assert_table(
        "",
        &[
            ("/a/b", Ok("/a/b")),
            ("/a/b?c=/../d", Ok("/a/b?c=/../d")),
            ("/a/./b/../c", Ok("/a/c")),
            ("/a/b/..", Ok("/a/")),
            ("/../../a", Ok("/a")),
            ("/a/%2e%2E/b", Ok("/b")),
            // Whatever way it is written, what is refused is refused.
            ("/admin", Err(403)),
            ("/x/../admin", Err(403)),
            ("/x/%2e%2e/admin", Err(403)),
            ("/%61dmin", Err(403)),
            ("/./admin/", Err(403)),
            // Case is kept, and it counts.
            ("/ADMIN", Ok("/ADMIN")),
            ("/A%2db%7E", Ok("/A-b~")),
            ("/caf%c3%a9", Ok("/caf%C3%A9")),
            // Encoded slashes are data, repeated ones are kept, parameters are plain text.
            ("/a%2fb", Ok("/a%2Fb")),
            ("/a%5cb", Ok("/a%5Cb")),
            ("/a//b", Ok("/a//b")),
            ("//admin", Ok("//admin")),
            ("/a;v=1/b;w", Ok("/a;v=1/b;w")),
            ("/admin;x", Ok("/admin;x")),
            ("/a+b", Ok("/a+b")),
            // What different servers read differently is nobody's guess.
            ("/a/..%2fadmin", Err(400)),
            ("/a/..%5cadmin", Err(400)),
            ("/a%00b", Err(400)),
            ("/a%", Err(400)),
            ("/a%4", Err(400)),
            ("/a%zz", Err(400)),
        ],
    );
}

#[test]
fn by_choice() {
    assert_table("dot_segments: reject", &[("/a/b", Ok("/a/b")), ("/a/../b", Err(400)), ("/a/%2e/b", Err(400))]);
    assert_table("dot_segments: keep", &[("/a/../b", Ok("/a/../b")), ("/a/./b", Ok("/a/./b"))]);
    assert_table("slashes: merge", &[("//a///b//", Ok("/a/b/")), ("//admin", Err(403))]);
    assert_table("slashes: reject", &[("/a/b", Ok("/a/b")), ("/a//b", Err(400))]);
    assert_table("encoded_slashes: reject", &[("/a/b", Ok("/a/b")), ("/a%2fb", Err(400)), ("/a%5Cb", Err(400))]);
}

#[test]
fn every_form_of_a_target() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "");
    for (request, expected) in [
        ("GET http://shop.test/a?b HTTP/1.1\r\nhost: other.test", (200, "/a?b")),
        ("GET http://shop.test HTTP/1.1\r\nhost: shop.test", (200, "/")),
        ("GET http://shop.test/x/../admin HTTP/1.1\r\nhost: shop.test", (403, "")),
        ("OPTIONS * HTTP/1.1\r\nhost: a", (200, "")),
        ("GET * HTTP/1.1\r\nhost: a", (400, "")),
        ("GET a HTTP/1.1\r\nhost: a", (400, "")),
        ("GET ftp://shop.test/a HTTP/1.1\r\nhost: a", (400, "")),
    ] {
        let before = upstream.seen().len();
        let answer = Client::connect(gate.address("public")).call(format!("{request}\r\n\r\n"));
        let came = upstream.seen().split_off(before).pop();
        let path = came.as_ref().and_then(|seen| seen.line.split(' ').nth(1)).unwrap_or_default();
        assert_eq!((answer.status, path), expected, "{request}");
    }
    // The target's host counts, not the field beside it (RFC 9112 section 3.2.2).
    let first = upstream.seen().remove(0);
    assert_eq!(first.header("x-forwarded-host"), Some("shop.test"));
}

#[test]
fn path_query_and_host_are_rewritten_with_captures() {
    let upstream = Upstream::text("in");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, host: preserve, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: shop
    path: /shop
    path_mode: strip
    routes:
      - match: {{ path: "/{{id}}/photos/{{rest*}}" }}
        policies:
          rewrite:
            path: "/media/{{rest}}"
            host: "photos.test"
            query: {{ set: {{ owner: "{{id}}" }}, add: {{ via: {{ cel: "request.host" }} }}, remove: [debug] }}
        to: u
      - match: {{ regex: "/v(?<version>[0-9]+)/(?<rest>.*)" }}
        policies: {{ rewrite: {{ path: "/{{rest}}", query: {{ set: {{ version: "{{version}}" }} }} }} }}
        to: u
      - match: {{ prefix: /old }}
        policies: {{ rewrite: {{ strip_prefix: /old, add_prefix: /new, regex: {{ pattern: "-([0-9]+)$", replace: "/$1" }} }} }}
        to: u
      - {{ to: u }}
"#,
        upstream.address
    ));
    for (path, expected, host) in [
        ("/shop/7/photos/a/b%20c.jpg?debug=1&x=y", "/media/a/b%20c.jpg?x=y&owner=7&via=gate.test", "photos.test"),
        ("/shop/a%2Fb/photos/c", "/media/c?owner=a%2Fb&via=gate.test", "photos.test"),
        ("/shop/v12/items/3?a=b", "/items/3?a=b&version=12", "gate.test"),
        ("/shop/old/item-12?a=b", "/new/item/12?a=b", "gate.test"),
        ("/shop/other?a=b", "/other?a=b", "gate.test"),
        ("/shop", "/", "gate.test"),
    ] {
        assert_eq!(get(gate.address("public"), path, &[]).status, 200, "{path}");
        let seen = upstream.seen().pop().expect("it came");
        assert_eq!(
            (seen.line.as_str(), seen.header("host")),
            (&*format!("GET {expected} HTTP/1.1"), Some(host)),
            "{path}"
        );
    }
}

#[test]
fn fields_are_set_added_removed_and_renamed_by_expressions() {
    let upstream = Upstream::start(|_| {
        Some(e2e::response("200 OK", "server: secret\r\nx-powered-by: php\r\nx-a: 1\r\nx-kind: old\r\n", "in"))
    });
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: a
    policies:
      headers:
        request:
          set: {{ x-query: {{ cel: 'request.query.q' }}, x-fixed: "1" }}
          add: {{ x-tag: second }}
          remove: ["x-internal-*"]
          rename: {{ x-old: x-new }}
        response:
          set: {{ x-status: {{ cel: 'string(response.status)' }}, x-agent: {{ cel: 'request.headers["user-agent"]' }} }}
          add: {{ x-a: "2" }}
          remove: [server, x-powered-by]
          rename: {{ x-kind: x-sort }}
    to: u
"#,
        upstream.address
    ));
    let headers = ["user-agent: probe", "x-tag: first", "x-internal-a: 1", "x-internal-b: 2", "x-old: 7", "x-fixed: 9"];
    let answer = get(gate.address("public"), "/?q=a%20b", &headers);
    let seen = upstream.seen().remove(0);
    let all = |fields: &[(String, String)], name: &str| -> String {
        let values: Vec<&str> =
            fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        values.join(",")
    };
    for (name, value) in [
        ("x-query", "a b"),
        ("x-fixed", "1"),
        ("x-tag", "first,second"),
        ("x-internal-a", ""),
        ("x-internal-b", ""),
        ("x-old", ""),
        ("x-new", "7"),
    ] {
        assert_eq!(all(&seen.headers, name), value, "request: {name}");
    }
    for (name, value) in [
        ("x-status", "200"),
        ("x-agent", "probe"),
        ("x-a", "1,2"),
        ("server", ""),
        ("x-powered-by", ""),
        ("x-sort", "old"),
    ] {
        assert_eq!(all(&answer.headers, name), value, "response: {name}");
    }
    // An expression without a value sets nothing.
    get(gate.address("public"), "/", &["x-query: forged"]);
    assert_eq!(upstream.seen().pop().and_then(|seen| seen.header("x-query").map(str::to_owned)), None);
}
