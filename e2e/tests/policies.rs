//! Policies as a client and an upstream see them.

use e2e::client::{Client, call, get};
use e2e::{Gate, Upstream};

fn gate(upstream: &Upstream, apis: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
{apis}
"#,
        upstream.address
    ))
}

#[test]
fn a_key_names_its_consumer_and_stays_in_the_gate() {
    let upstream = Upstream::text("in");
    let gate = gate(
        &upstream,
        r#"
apis:
  - { name: a, access: identified, policies: { key_auth: {} }, to: u }
consumers:
  - { name: mobile, credentials: [{ key: mobile-key-0123456789 }] }
"#,
    );
    let address = gate.address("public");
    let missing = get(address, "/", &[]);
    assert_eq!((missing.status, missing.json()["code"].as_str()), (401, Some("auth.missing")));
    assert!(missing.header("www-authenticate").is_some());
    let wrong = get(address, "/", &["x-api-key: nobody"]);
    assert_eq!(wrong.status, 401);
    assert_eq!(upstream.seen().len(), 0, "what is refused does not reach the upstream");
    for header in ["x-api-key: mobile-key-0123456789", "authorization: Bearer mobile-key-0123456789"] {
        assert_eq!(get(address, "/", &[header]).text(), "in");
    }
    for seen in upstream.seen() {
        assert_eq!((seen.header("x-api-key"), seen.header("authorization")), (None, None));
    }
}

#[test]
fn a_limit_holds_to_the_request() {
    let upstream = Upstream::text("in");
    let gate = gate(
        &upstream,
        "apis: [{ name: a, policies: { rate_limit: { limits: [{ limit: 60/hour, by: client, burst: 3 }] } }, to: u }]",
    );
    let statuses: Vec<u16> = (0..5).map(|_| get(gate.address("public"), "/", &[]).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let refused = get(gate.address("public"), "/", &[]);
    assert_eq!(refused.json()["code"], "rate_limit.exceeded");
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert!(refused.header("ratelimit").is_some() && refused.header("ratelimit-policy").is_some());
    assert_eq!(upstream.seen().len(), 3);
}

#[test]
fn a_limit_survives_a_reload() {
    let upstream = Upstream::text("in");
    let text = |marker: &str| {
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: a
    tags: [{marker}]
    policies: {{ rate_limit: {{ limits: [{{ limit: 60/hour, by: client, burst: 2 }}] }} }}
    to: u
"#,
            upstream.address
        )
    };
    let gate = Gate::start(&text("before"));
    let address = gate.address("public");
    assert_eq!([get(address, "/", &[]).status, get(address, "/", &[]).status], [200, 200]);
    gate.reload(&text("after"));
    assert_eq!(get(address, "/", &[]).status, 429);
}

#[test]
fn headers_and_rewrite_shape_what_is_sent() {
    let upstream = Upstream::start(|_| Some(e2e::response("200 OK", "server: secret\r\n", "ok")));
    let gate = gate(
        &upstream,
        r#"
apis:
  - name: a
    path: /a
    policies:
      headers: { request: { set: { x-gate: tollgate }, remove: [x-gone] }, response: { remove: [server], set: { x-served-by: gate } } }
    routes:
      - { match: { path: "/{id}" }, policies: { rewrite: { path: "/v2/items/{id}" } }, to: u }
"#,
    );
    let answer = get(gate.address("public"), "/a/7?q=1", &["x-gone: 1", "x-gate: forged"]);
    assert_eq!((answer.header("server"), answer.header("x-served-by")), (None, Some("gate")));
    let seen = upstream.seen().remove(0);
    assert_eq!(seen.line, "GET /v2/items/7?q=1 HTTP/1.1");
    assert_eq!((seen.header("x-gate"), seen.header("x-gone")), (Some("tollgate"), None));
}

#[test]
fn addresses_and_bodies_are_bounded() {
    let upstream = Upstream::text("in");
    let gate = gate(
        &upstream,
        r#"
apis:
  - { name: closed, path: /closed, policies: { ip: { deny: ["127.0.0.0/8"] } }, to: u }
  - { name: small, path: /small, policies: { body_limit: { limit: 8B } }, to: u }
"#,
    );
    let address = gate.address("public");
    assert_eq!(get(address, "/closed", &[]).status, 403);
    assert_eq!(call(address, "POST", "/small", &[], "12345678").status, 200);
    let large = call(address, "POST", "/small", &[], "123456789");
    assert_eq!((large.status, large.json()["code"].as_str()), (413, Some("request.body_too_large")));
    let mut client = Client::connect(address);
    client.send("POST /small HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n");
    assert_eq!(client.read().map(|answer| answer.status), Some(413), "a chunked body is bounded as it comes");
}

#[test]
fn answers_are_compressed_where_the_client_takes_it() {
    let long = "tollgate ".repeat(1000);
    let body = long.clone();
    let upstream = Upstream::start(move |_| Some(e2e::response("200 OK", "content-type: text/plain\r\n", &body)));
    let gate = gate(&upstream, "apis: [{ name: a, policies: { compress: {} }, to: u }]");
    let plain = get(gate.address("public"), "/", &[]);
    assert_eq!((plain.header("content-encoding"), plain.text()), (None, long));
    for encoding in ["gzip", "br", "zstd"] {
        let answer = get(gate.address("public"), "/", &[&format!("accept-encoding: {encoding}")]);
        assert_eq!(answer.header("content-encoding"), Some(encoding));
        assert!(answer.body.len() < 1000, "{encoding}: {}", answer.body.len());
        assert!(answer.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("accept-encoding")));
    }
}

#[test]
fn a_preflight_is_answered_before_anything_asks_for_a_key() {
    let upstream = Upstream::text("in");
    let gate = gate(
        &upstream,
        r#"
apis:
  - name: a
    access: identified
    policies: { key_auth: {}, cors: { origins: ["https://app.test"] } }
    routes: [{ match: { path: /x, methods: [PUT] }, to: u }]
consumers: [{ name: c, credentials: [{ key: some-key-0123456789 }] }]
"#,
    );
    let preflight = call(
        gate.address("public"),
        "OPTIONS",
        "/x",
        &["origin: https://app.test", "access-control-request-method: PUT"],
        "",
    );
    assert!(matches!(preflight.status, 200 | 204), "{}", preflight.status);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.test"));
    let refused = call(gate.address("public"), "PUT", "/x", &["origin: https://app.test"], "");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://app.test"), "a page can read the refusal");
    assert_eq!(upstream.seen().len(), 0);
}

#[test]
fn errors_are_shown_as_each_client_likes_them() {
    let upstream = Upstream::start(|request| match request.line.as_str() {
        line if line.contains("/own") => {
            let head = "content-type: text/html\r\netag: \"1\"\r\nset-cookie: a=b\r\n";
            Some(e2e::response("503 Service Unavailable", head, "<p>a stack trace</p>"))
        }
        line if line.contains("/bare") => Some(e2e::response("404 Not Found", "", "")),
        _ => Some(e2e::response("200 OK", "", "fine")),
    });
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners:
  - name: public
    address: "127.0.0.1:0"
    policies:
      request_id: {{}}
      error_pages:
        pages:
          - {{ body: "<h1>{{{{ error.status }}}} {{{{ error.title }}}}</h1>{{{{ request.path }}}} {{{{ request.id }}}}\n" }}
          - {{ content_type: application/json, body: '{{"oops": {{{{ error.detail }}}}, "id": "{{{{ request.id }}}}"}}' }}
upstreams:
  - {{ name: u, targets: [{{ url: "http://{}" }}] }}
  - {{ name: dead, targets: [{{ url: "http://127.0.0.1:1" }}] }}
apis:
  - {{ name: plain, path: /plain, to: u }}
  - {{ name: shown, path: /shown, policies: {{ error_pages: {{ answers: all, pages: [{{ status: 5xx, body: ours }}] }} }}, to: u }}
  - {{ name: dead, path: /dead, to: dead }}
  - {{ name: keyed, path: /keyed, access: identified, policies: {{ key_auth: {{}} }}, to: u }}
  - name: limited
    path: /limited
    policies: {{ rate_limit: {{ limits: [{{ limit: 1/hour, by: client }}] }} }}
    routes: [{{ match: {{ path: /, methods: [GET] }}, to: u }}]
"#,
        upstream.address
    ));
    let address = gate.address("public");
    let browser = "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    // No route, in three forms; what the client sent never becomes markup.
    let page = get(address, "/none/%3Cb%3E", &[browser]);
    let id = page.header("x-request-id").unwrap().to_owned();
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert_eq!(page.text(), format!("<h1>404 No route</h1>&#x2f;none&#x2f;%3Cb%3E {id}\n"));
    assert_eq!(page.header("content-length"), Some(page.body.len().to_string().as_str()));
    assert_eq!(page.header("vary"), Some("accept"));
    let json = get(address, "/none", &["accept: application/json"]);
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.json()["id"].as_str(), json.header("x-request-id"));
    let problem = get(address, "/none", &["accept: application/problem+json"]);
    assert_eq!(problem.json()["code"], "route.not_found");

    // The same head without the page.
    let mut client = Client::connect(address);
    client.send(format!("HEAD /none HTTP/1.1\r\nhost: a\r\n{browser}\r\n\r\nGET /plain HTTP/1.1\r\nhost: a\r\n\r\n"));
    let head = client.read_head().unwrap();
    assert_eq!((head.status, head.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 20);
    assert_eq!(client.read().unwrap().text(), "fine", "the next answer follows at once");

    // What an error says in its head stays there.
    let unknown = get(address, "/keyed", &[browser]);
    assert!(
        unknown.status == 401 && unknown.header("www-authenticate").is_some() && unknown.text().starts_with("<h1>")
    );
    let method = call(address, "PUT", "/limited", &[browser], "");
    assert_eq!((method.status, method.header("allow")), (405, Some("GET, HEAD")));
    assert!(method.text().starts_with("<h1>405"));
    assert_eq!(get(address, "/limited", &[browser]).text(), "fine");
    let limited = get(address, "/limited", &[browser]);
    assert!(limited.status == 429 && limited.header("retry-after").is_some() && limited.text().starts_with("<h1>429"));
    let dead = get(address, "/dead", &[browser]);
    assert!(dead.status >= 502 && dead.text().starts_with("<h1>"), "{}", dead.text());

    // An upstream's own errors stay its own, but where asked.
    assert_eq!(get(address, "/plain/own", &[browser]).text(), "<p>a stack trace</p>");
    let shown = get(address, "/shown/own", &[browser]);
    assert_eq!((shown.status, shown.text().as_str(), shown.header("etag")), (503, "ours", None));
    assert_eq!(shown.header("set-cookie"), Some("a=b"));
    let bare = get(address, "/shown/bare", &[browser]);
    assert_eq!((bare.status, bare.text().as_str()), (404, ""));
}

#[test]
fn every_answer_tells_browsers_what_a_page_may_do() {
    let upstream =
        Upstream::start(|_| Some(e2e::response("200 OK", "x-frame-options: SAMEORIGIN\r\nserver: s\r\n", "ok")));
    let gate =
        gate(&upstream, "apis: [{ name: a, path: /a, policies: { security_headers: { remove: [server] } }, to: u }]");
    let answer = get(gate.address("public"), "/a", &[]);
    let fields = ["x-content-type-options", "x-frame-options", "server", "strict-transport-security"];
    assert_eq!(fields.map(|name| answer.header(name)), [Some("nosniff"), Some("SAMEORIGIN"), None, None]);
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
}

#[test]
fn pages_of_other_sites_do_not_act_as_their_visitor() {
    let upstream = Upstream::text("done");
    let gate = gate(&upstream, "apis: [{ name: a, policies: { csrf: { origins: ['https://app.test'] } }, to: u }]");
    let address = gate.address("public");
    let post = |fields: &[&str]| call(address, "POST", "/", fields, "x");
    let refused = post(&["cookie: s=1", "origin: https://evil.test", "sec-fetch-site: cross-site"]);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("csrf.denied")));
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(post(&["cookie: s=1", "origin: https://app.test", "sec-fetch-site: cross-site"]).status, 200);
    assert_eq!(post(&["cookie: s=1", "origin: http://gate.test"]).status, 200);
    assert_eq!(post(&["authorization: Bearer t", "origin: https://evil.test"]).status, 200);
    assert_eq!(get(address, "/", &["cookie: s=1", "origin: https://evil.test"]).status, 200);
}

#[test]
fn bodies_of_other_content_types_are_refused() {
    let upstream = Upstream::text("in");
    let policy = "content_types: { request: [application/json], response: [text/plain] }";
    let gate = gate(&upstream, &format!("apis: [{{ name: a, policies: {{ {policy} }}, to: u }}]"));
    let address = gate.address("public");
    let refused = call(address, "POST", "/", &["content-type: application/xml"], "<a/>");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (415, Some("content_types.unsupported")));
    assert_eq!(refused.header("accept-post"), Some("application/json"));
    assert_eq!(get(address, "/", &["accept: image/png"]).status, 406);
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(call(address, "POST", "/", &["content-type: application/json"], "{}").status, 200);
}
