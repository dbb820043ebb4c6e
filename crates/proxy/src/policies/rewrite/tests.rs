use http::Request;
use serde_json::{Value, json};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(api: &str, matches: &str, policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - {{ name: a, {api} routes: [{{ match: {matches}, policies: {{ rewrite: {policy} }}, to: {{ echo: {{}} }} }}] }}
"#
    )
}

/// The path and query that the terminal sees.
fn rewritten(api: &str, matches: &str, policy: &str, target: &str) -> (String, Value) {
    let request = Request::get(target).header("host", "gate.example").body(Body::Empty).unwrap();
    let answer = answer(&program(&configuration(api, matches, policy)), request);
    let mut seen: Value = serde_json::from_slice(answer.body()).unwrap();
    if answer.status() != 200 {
        return (seen["code"].as_str().unwrap().to_owned(), Value::Null);
    }
    (seen["path"].as_str().unwrap().to_owned(), seen["query"].take())
}

#[test]
fn a_path_is_changed() {
    let stripped = "path: /api, path_mode: strip,";
    for (api, matches, policy, target, path) in [
        ("", "{}", "{ path: /new }", "/old?a=1", "/new"),
        ("", "{ path: '/u/{id}' }", "{ path: '/v2/{id}' }", "/u/7", "/v2/7"),
        // A capture stays encoded, so that it stays one segment.
        ("", "{ path: '/u/{id}' }", "{ path: '/v2/{id}/x' }", "/u/a%3Fb", "/v2/a%3Fb/x"),
        ("", "{ path: '/u/{rest*}' }", "{ path: '/v2/{rest}' }", "/u/a/b", "/v2/a/b"),
        ("", "{ regex: '/(?P<a>[a-z]+)/(?P<b>[0-9]+)' }", "{ path: '/{b}/{a}' }", "/x/1", "/1/x"),
        ("", "{}", "{ path: '/at{request.path}' }", "/a/b", "/at/a/b"),
        ("", "{}", "{ path: '/a b' }", "/", "/a%20b"),
        ("", "{}", "{ strip_prefix: /api }", "/api/a", "/a"),
        ("", "{}", "{ strip_prefix: /api/ }", "/api", "/"),
        ("", "{}", "{ strip_prefix: /api }", "/apis/a", "/apis/a"),
        ("", "{}", "{ add_prefix: /in }", "/a", "/in/a"),
        ("", "{}", "{ add_prefix: /in/ }", "/", "/in"),
        ("", "{}", "{ strip_prefix: /api, add_prefix: /in }", "/api/a/", "/in/a/"),
        ("", "{}", "{ regex: { pattern: '^/v([0-9]+)/', replace: '/version-$1/' } }", "/v2/a", "/version-2/a"),
        ("", "{}", "{ regex: { pattern: '(?P<x>b+)', replace: '[$x]' } }", "/abba", "/a[bb]a"),
        ("", "{}", "{ strip_prefix: /a, regex: { pattern: '^/b', replace: /c }, add_prefix: /d }", "/a/b/e", "/d/c/e"),
        // What the upstream would see is changed, and nothing is stripped once more.
        (stripped, "{}", "{ add_prefix: /in }", "/api/a", "/in/a"),
        (stripped, "{}", "{ strip_prefix: /api }", "/api/api/a", "/a"),
        (stripped, "{}", "{ path: /x }", "/api", "/x"),
    ] {
        assert_eq!(rewritten(api, matches, policy, target).0, path, "{policy} {target}");
    }
}

#[test]
fn a_path_that_leads_away_is_refused() {
    for (policy, target) in [
        ("{ regex: { pattern: 'x', replace: '..' } }", "/a/x/b"),
        ("{ regex: { pattern: 'x', replace: '%2e%2E' } }", "/a/x/b"),
        ("{ regex: { pattern: '^/', replace: '' } }", "/a"),
    ] {
        assert_eq!(rewritten("", "{}", policy, target).0, "rewrite.failed", "{policy}");
    }
}

#[test]
fn a_query_is_changed() {
    for (policy, target, query) in [
        ("{ path: /x }", "/?a=1&b=2", json!({ "a": "1", "b": "2" })),
        ("{ query: { remove: [a] } }", "/?a=1&b=2&a=3", json!({ "b": "2" })),
        ("{ query: { remove: ['*'], set: { c: 3 } } }", "/?a=1&b=2", json!({ "c": "3" })),
        ("{ query: { set: { a: 'x y&z' } } }", "/?a=1&b=2&a=3", json!({ "b": "2", "a": "x y&z" })),
        ("{ query: { add: { a: 2 } } }", "/?a=1", json!({ "a": ["1", "2"] })),
        ("{ query: { add: { a: 2 } } }", "/", json!({ "a": "2" })),
        ("{ query: { remove: [a] } }", "/?a=1", json!({})),
    ] {
        assert_eq!(rewritten("", "{}", policy, target).1, query, "{policy} {target}");
    }
    // A capture in the query is what it means, encoded anew.
    let captured = rewritten("", "{ path: '/u/{id}' }", "{ query: { set: { id: '{id}' } } }", "/u/a%26b%20c");
    assert_eq!(captured, ("/u/a%26b%20c".to_owned(), json!({ "id": "a&b c" })));
}

#[test]
fn a_host_is_left_for_the_upstream() {
    let policy = "{ host: '{tenant}.internal:8443' }";
    let program = program(&configuration("", "{ path: '/{tenant}' }", policy));
    let mut x = crate::exchange::testing::exchange_of(&program, Request::get("/t1").body(Body::Empty).unwrap());
    x.captures = crate::exchange::Captures {
        names: Some(["tenant".into()].into()),
        path: http::uri::PathAndQuery::from_static("/t1"),
        ranges: smallvec::smallvec![(1, 3)],
    };
    let plan = program.routes.iter().find(|plan| &*plan.api == "a").unwrap();
    assert!(matches!(
        plan.steps[0].step.request(&mut x),
        crate::policies::Verdict::Done(crate::policies::Outcome::Next)
    ));
    assert_eq!(x.upstream_host.as_ref().unwrap(), "t1.internal:8443");
    assert_eq!(x.request.uri, "/t1");
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "changes nothing"),
        ("{ path: x }", "begins with `/`"),
        ("{ path: '/x?a=1' }", "has no query"),
        ("{ path: '/a/../b' }", "no segments"),
        ("{ path: '/{id}' }", "no route here captures `id`"),
        ("{ path: /a, add_prefix: /b }", "keep `path`, or the others"),
        ("{ strip_prefix: a }", "begins with `/`"),
        ("{ regex: { pattern: '(', replace: x } }", "not a regular expression"),
        ("{ regex: { pattern: x } }", "replace"),
        ("{ host: 'a b' }", "not a host"),
        ("{ host: 'u@a' }", "not a host"),
        ("{ query: { drop: [a] } }", "drop"),
    ] {
        let problems = try_program(&configuration("", "{}", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
