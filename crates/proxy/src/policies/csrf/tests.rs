use http::{Method, Request};

use crate::exchange::testing::{answer_to, environment, exchange_of, program, try_program};
use crate::exchange::{Body, Scheme};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ csrf: {policy} }}, to: {{ respond: {{}} }} }}]
"#
    )
}

/// The status of a request to `gate.test` with these fields, one a line.
fn status(policy: &str, method: &Method, path: &str, fields: &str, scheme: Scheme) -> u16 {
    let request = Request::builder().method(method).uri(path);
    let request = fields.lines().fold(request, |request, line| {
        let (name, value) = line.split_once(": ").unwrap();
        request.header(name, value)
    });
    let mut x = exchange_of(&program(&configuration(policy)), request.body(Body::Empty).unwrap());
    x.scheme = scheme;
    answer_to(x).status().as_u16()
}

#[test]
fn only_own_pages_and_listed_ones_act() {
    let listed = "{ origins: ['https://app.test', 'https://*.shop.test', { regex: 'http://localhost:[0-9]+' }] }";
    for (policy, fields, expected) in [
        // What the browser says of the site.
        ("{}", "sec-fetch-site: same-origin\ncookie: s=1", 200),
        ("{}", "sec-fetch-site: none\ncookie: s=1", 200),
        ("{}", "sec-fetch-site: same-site\ncookie: s=1", 403),
        ("{}", "sec-fetch-site: cross-site\ncookie: s=1", 403),
        ("{}", "sec-fetch-site: odd\ncookie: s=1", 403),
        ("{}", "sec-fetch-site: cross-site", 403),
        ("{}", "sec-fetch-site: cross-site\norigin: http://gate.test\ncookie: s=1", 403),
        (listed, "sec-fetch-site: cross-site\norigin: https://app.test\ncookie: s=1", 200),
        // The origin.
        ("{}", "origin: http://gate.test\ncookie: s=1", 200),
        ("{}", "origin: https://gate.test\ncookie: s=1", 200),
        ("{}", "origin: http://gate.test\nhost: GATE.test:80\ncookie: s=1", 200),
        ("{}", "origin: http://gate.test:8080\nhost: gate.test:8080\ncookie: s=1", 200),
        ("{}", "origin: http://gate.test:8080\ncookie: s=1", 403),
        ("{}", "origin: http://gate.test.evil.test\ncookie: s=1", 403),
        ("{}", "origin: ftp://gate.test\ncookie: s=1", 403),
        ("{}", "origin: null\ncookie: s=1", 403),
        ("{}", "origin: https://app.test", 403),
        (listed, "origin: https://app.test\ncookie: s=1", 200),
        (listed, "origin: https://a.shop.test\ncookie: s=1", 200),
        (listed, "origin: http://localhost:3000\ncookie: s=1", 200),
        (listed, "origin: https://evil.test\ncookie: s=1", 403),
        // The page.
        ("{}", "referer: http://gate.test/a?b=http://evil.test\ncookie: s=1", 200),
        ("{}", "referer: http://evil.test/http://gate.test\ncookie: s=1", 403),
        ("{}", "referer: http://gate.test@evil.test/\ncookie: s=1", 403),
        ("{}", "referer: nowhere\ncookie: s=1", 403),
        (listed, "referer: https://app.test?x\ncookie: s=1", 200),
        // Nothing.
        ("{}", "cookie: s=1", 403),
        ("{ undeclared: allow }", "cookie: s=1", 200),
        ("{}", "authorization: Basic YTpi", 403),
        ("{}", "x-a: b", 200),
    ] {
        assert_eq!(status(policy, &Method::POST, "/", fields, Scheme::Http), expected, "{policy} {fields}");
    }
}

#[test]
fn a_page_in_the_clear_does_not_act_over_tls() {
    for (origin, expected) in [("http", 403), ("https", 200)] {
        let fields = format!("origin: {origin}://gate.test\ncookie: s=1");
        assert_eq!(status("{}", &Method::POST, "/", &fields, Scheme::Https), expected, "{origin}");
    }
}

#[test]
fn what_a_browser_does_not_add_by_itself_is_no_forgery() {
    for (policy, fields, expected) in [
        ("{}", "authorization: Bearer x", 200),
        ("{}", "x-api-key: x", 200),
        ("{}", "authorization: Basic x", 403),
        ("{}", "authorization: negotiate x", 403),
        ("{}", "authorization: Bearer x\ncookie: s=1", 403),
        ("{}", "x-token: x", 403),
        ("{ credentials: [x-token] }", "x-token: x", 200),
        ("{ credentials: [x-token] }", "authorization: Bearer x", 403),
        ("{ check: all }", "authorization: Bearer x", 403),
    ] {
        let fields = format!("{fields}\norigin: https://other.test");
        assert_eq!(status(policy, &Method::POST, "/", &fields, Scheme::Http), expected, "{policy} {fields}");
    }
}

#[test]
fn what_changes_nothing_and_what_is_exempt_passes() {
    let policy = "{ exempt: ['/hooks/*', /one] }";
    let foreign = "origin: https://other.test\ncookie: s=1";
    for (method, path, fields, expected) in [
        (Method::GET, "/", foreign, 200),
        (Method::HEAD, "/", foreign, 200),
        (Method::OPTIONS, "/", foreign, 200),
        (Method::PUT, "/", foreign, 403),
        (Method::DELETE, "/", foreign, 403),
        (Method::from_bytes(b"PURGE").unwrap(), "/", foreign, 403),
        (Method::GET, "/", "origin: https://other.test\ncookie: s=1\nconnection: upgrade\nupgrade: websocket", 403),
        (Method::POST, "/hooks", foreign, 200),
        (Method::POST, "/hooks/a/b", foreign, 200),
        (Method::POST, "/hooksx", foreign, 403),
        (Method::POST, "/one", foreign, 200),
        (Method::POST, "/one/a", foreign, 403),
    ] {
        assert_eq!(status(policy, &method, path, fields, Scheme::Http), expected, "{method} {path} {fields}");
    }
}

#[test]
fn in_the_shadow_nothing_is_refused() {
    let fields = "origin: https://other.test\ncookie: s=1";
    assert_eq!(status("{ mode: shadow }", &Method::POST, "/", fields, Scheme::Http), 200);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ origins: '*' }", "any page"),
        ("{ origins: 'null' }", "any page"),
        ("{ origins: app.test }", "not an origin"),
        ("{ exempt: [hooks] }", "no such path"),
        ("{ exempt: ['/*'] }", "no such path"),
        ("{ exempt: ['/a*'] }", "no such path"),
        ("{ credentials: ['a b'] }", "not a header name"),
        ("{ token: x }", "token"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
