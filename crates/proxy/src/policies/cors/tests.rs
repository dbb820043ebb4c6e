use std::collections::BTreeMap;

use http::{Method, Request};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: a
    policies: {{ cors: {policy}, key_auth: {{}} }}
    routes:
      - match: {{ path: /x, methods: [GET, PUT] }}
        to: {{ respond: {{ headers: {{ access-control-allow-origin: "https://upstream.example", vary: accept }}, body: hi }} }}
consumers: [{{ name: c, credentials: [{{ key: good }}] }}]
"#
    )
}

/// The status, and the fields that CORS is about.
fn ask(policy: &str, method: Method, headers: &[(&str, &str)]) -> (u16, BTreeMap<String, String>) {
    let request = headers
        .iter()
        .fold(Request::builder().method(method).uri("/x"), |request, (name, value)| request.header(*name, *value));
    let answer = answer(&program(&configuration(policy)), request.body(Body::Empty).unwrap());
    let mut fields = BTreeMap::new();
    for (name, value) in answer.headers() {
        if let Some(name) = name.as_str().strip_prefix("access-control-").or((name == "vary").then_some("vary")) {
            let text: &mut String = fields.entry(name.to_owned()).or_default();
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(value.to_str().unwrap());
        }
    }
    (answer.status().as_u16(), fields)
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const PAGE: (&str, &str) = ("origin", "https://app.example.com");
const KEY: (&str, &str) = ("x-api-key", "good");
const PUT: (&str, &str) = ("access-control-request-method", "PUT");
const PREFLIGHT_VARY: &str = "access-control-request-method, access-control-request-headers, origin";

#[test]
fn a_preflight_is_answered_without_credentials() {
    let ours = "{ origins: ['https://app.example.com'] }";
    assert_eq!(
        ask(ours, Method::OPTIONS, &[PAGE, PUT, ("access-control-request-headers", "x-a,x-api-key")]),
        (
            204,
            fields(&[
                ("allow-origin", PAGE.1),
                ("allow-methods", "PUT"),
                ("allow-headers", "x-a,x-api-key"),
                ("max-age", "600"),
                ("vary", PREFLIGHT_VARY),
            ])
        )
    );
    let full = "{ origins: ['https://app.example.com'], methods: [GET], headers: [x-a], expose: [x-b], credentials: allow, max_age: 1h, private_network: allow }";
    assert_eq!(
        ask(full, Method::OPTIONS, &[PAGE, PUT, ("access-control-request-private-network", "true")]),
        (
            204,
            fields(&[
                ("allow-origin", PAGE.1),
                ("allow-methods", "GET"),
                ("allow-headers", "x-a"),
                ("max-age", "3600"),
                ("allow-credentials", "true"),
                ("allow-private-network", "true"),
                ("expose-headers", "x-b"),
                ("vary", PREFLIGHT_VARY),
            ])
        )
    );
    assert_eq!(
        ask("{ origins: '*' }", Method::OPTIONS, &[PAGE, PUT]),
        (
            204,
            fields(&[
                ("allow-origin", "*"),
                ("allow-methods", "PUT"),
                ("max-age", "600"),
                ("vary", "access-control-request-method, access-control-request-headers"),
            ])
        )
    );
    // Nothing is given back that is no list of names.
    let (_, odd) = ask(ours, Method::OPTIONS, &[PAGE, PUT, ("access-control-request-headers", "x-a: <b>")]);
    assert!(!odd.contains_key("allow-headers"));
}

#[test]
fn a_preflight_of_another_origin_or_method_is_refused() {
    let ours = "{ origins: ['https://app.example.com'] }";
    let (status, refused) = ask(ours, Method::OPTIONS, &[("origin", "https://evil.example"), PUT]);
    assert_eq!((status, refused), (403, fields(&[("vary", "origin")])));
    // No route takes DELETE, nor OPTIONS that is no preflight.
    assert_eq!(ask(ours, Method::OPTIONS, &[PAGE, ("access-control-request-method", "DELETE")]).0, 405);
    assert_eq!(ask(ours, Method::OPTIONS, &[PUT]).0, 405);
    assert_eq!(ask(ours, Method::OPTIONS, &[PAGE]).0, 405);
}

#[test]
fn every_answer_says_who_may_read_it() {
    let ours = "{ origins: ['https://app.example.com'], credentials: allow, expose: [x-a, x-b] }";
    let shared = [("allow-credentials", "true"), ("allow-origin", PAGE.1), ("expose-headers", "x-a, x-b")];
    let with_vary = |vary| fields(&[&shared[..], &[("vary", vary)]].concat());
    assert_eq!(ask(ours, Method::GET, &[PAGE, KEY]), (200, with_vary("accept, origin")));
    assert_eq!(ask(ours, Method::GET, &[PAGE]), (401, with_vary("origin")));
    // The upstream's own word does not count.
    let others = (200, fields(&[("vary", "accept, origin")]));
    assert_eq!(ask(ours, Method::GET, &[("origin", "https://upstream.example"), KEY]), others);
    assert_eq!(ask(ours, Method::GET, &[KEY]), others);
    let any = (200, fields(&[("allow-origin", "*"), ("vary", "accept")]));
    assert_eq!(ask("{ origins: '*' }", Method::GET, &[PAGE, KEY]), any);
}

#[test]
fn origins_are_matched_whole() {
    let may = |origins: &str, origin: &str| {
        let (_, fields) = ask(&format!("{{ origins: {origins} }}"), Method::GET, &[("origin", origin), KEY]);
        fields.contains_key("allow-origin")
    };
    for (origins, origin, allowed) in [
        ("'https://a.example'", "https://a.example", true),
        ("'HTTPS://A.example'", "https://a.example", true),
        ("'https://a.example'", "http://a.example", false),
        ("'https://a.example'", "https://a.example:8443", false),
        ("'https://a.example'", "https://a.example.evil.example", false),
        ("'https://a.example:8443'", "https://a.example:8443", true),
        ("'https://*.a.example'", "https://b.a.example", true),
        ("'https://*.a.example'", "https://c.b.a.example", true),
        ("'https://*.a.example'", "https://a.example", false),
        ("'https://*.a.example'", "https://.a.example", false),
        ("'https://*.a.example'", "https://evila.example", false),
        ("'https://*.a.example'", "https://evil.example/.a.example", false),
        ("'https://*.a.example'", "https://evil.example:1@b.a.example", false),
        ("{ regex: 'https://[a-c]\\.example' }", "https://b.example", true),
        ("{ regex: 'https://[a-c]\\.example' }", "https://b.example.evil.example", false),
        ("{ regex: 'a|https://b' }", "https://b.evil.example", false),
        ("['null', 'https://a.example']", "null", true),
        ("'https://a.example'", "null", false),
    ] {
        assert_eq!(may(origins, origin), allowed, "{origins} {origin}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "origins"),
        ("{ origins: [] }", "not from 1 to 1000"),
        ("{ origins: '*', credentials: allow }", "let any page act as its visitor"),
        ("{ origins: 'null', credentials: allow }", "let any page act as its visitor"),
        ("{ origins: app.example.com }", "write scheme and host"),
        ("{ origins: 'https://app.example.com/' }", "an origin has no path"),
        ("{ origins: 'https://app.*.com' }", "first labels"),
        ("{ origins: 'https://a.example:443' }", "own port"),
        ("{ origins: 'https://u@a.example' }", "write scheme and host"),
        ("{ origins: { regex: '(' } }", "not a regular expression"),
        // It does not reach out of its anchors.
        ("{ origins: { regex: 'https://a)|(https://b' } }", "not a regular expression"),
        ("{ origins: '*', methods: ['G T'] }", "not a method"),
        ("{ origins: '*', headers: ['a b'] }", "not a header name"),
        ("{ origins: '*', max_age: 25h }", "over 24h"),
        ("{ origins: '*', credentials: true }", "credentials"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
