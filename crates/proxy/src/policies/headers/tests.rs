use http::Request;
use serde_json::{Value, json};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(listener: &str, api: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ {listener} }} }}]
apis:
  - {{ name: users, policies: {{ headers: {api} }}, to: {{ echo: {{}} }} }}
"#
    )
}

/// What the terminal saw, for a request with `a: 1`, `a: 2`, `b: 3`, `x-in-1: 4` and `x-in-2: 5`.
fn seen(yaml: &str) -> Value {
    let request = Request::get("/").header("a", "1").header("a", "2").header("b", "3");
    let request = request.header("x-in-1", "4").header("x-in-2", "5").body(Body::Empty).unwrap();
    let answer = answer(&program(yaml), request);
    let mut seen = serde_json::from_slice::<Value>(answer.body()).unwrap()["headers"].take();
    seen.as_object_mut().unwrap().shift_remove("host");
    seen
}

#[test]
fn a_request_is_changed() {
    for (changes, expected) in [
        ("set: { a: x }", json!({ "a": "x", "b": "3", "x-in-1": "4", "x-in-2": "5" })),
        (
            "set: { c: 7, d: true }",
            json!({ "a": ["1", "2"], "b": "3", "x-in-1": "4", "x-in-2": "5", "c": "7", "d": "true" }),
        ),
        ("add: { a: x }", json!({ "a": ["1", "2", "x"], "b": "3", "x-in-1": "4", "x-in-2": "5" })),
        ("remove: [a, 'x-in-*', none]", json!({ "b": "3" })),
        ("rename: { a: c }, remove: ['x-in-*']", json!({ "b": "3", "c": ["1", "2"] })),
        // The new name's own value goes, as a client may have sent it.
        ("rename: { a: b }, remove: ['x-in-*']", json!({ "b": ["1", "2"] })),
        ("rename: { none: b }, remove: ['x-in-*']", json!({ "a": ["1", "2"], "b": "3" })),
        // remove, rename, set, add.
        ("add: { b: z }, set: { b: y }, rename: { a: b }, remove: [b, 'x-in-*']", json!({ "b": ["y", "z"] })),
    ] {
        assert_eq!(seen(&configuration("", &format!("{{ request: {{ {changes} }} }}"))), expected, "{changes}");
    }
}

#[test]
fn levels_add_up_from_the_outside_in() {
    let yaml = configuration(
        "headers: { request: { set: { l: outer, a: outer }, remove: ['x-in-*'] } }",
        "{ request: { set: { a: inner }, remove: [b] } }",
    );
    assert_eq!(seen(&yaml), json!({ "l": "outer", "a": "inner" }));
}

#[test]
fn a_response_is_changed() {
    let yaml = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0", policies: { headers: { response: { set: { level: outer } } } } }]
apis:
  - name: users
    policies: { headers: { response: { remove: [server], set: { x-gate: tollgate, level: inner }, add: { x-seen: "1" } } } }
    to: { respond: { headers: { server: secret, x-seen: "0", cache-control: no-store }, body: hello } }
"#;
    let (head, body) = answer(&program(yaml), Request::get("/").body(Body::Empty).unwrap()).into_parts();
    assert_eq!(body, "hello");
    assert!(!head.headers.contains_key("server"));
    assert_eq!(head.headers["x-gate"], "tollgate");
    // The outer level has the last word on what leaves.
    assert_eq!(head.headers["level"], "outer");
    assert_eq!(head.headers["cache-control"], "no-store");
    assert_eq!(head.headers.get_all("x-seen").iter().collect::<Vec<_>>(), ["0", "1"]);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "changes nothing"),
        ("{ request: { set: { 'a b': x } } }", "not a header name"),
        ("{ request: { set: { a: \"x\\ny\" } } }", "control characters"),
        ("{ request: { set: { host: x } } }", "decides where a request goes"),
        ("{ request: { set: { content-length: 1 } } }", "set by the gateway itself"),
        ("{ response: { remove: [transfer-encoding] } }", "set by the gateway itself"),
        ("{ response: { rename: { a: connection } } }", "set by the gateway itself"),
        ("{ request: { remove: ['*'] } }", "not a header name"),
        ("{ request: { set: { a: 1.10 } } }", "in quotes"),
        ("{ request: { set: { a: { sel: x } } } }", "sel"),
        ("{ request: { replace: { a: b } } }", "replace"),
    ] {
        let problems = try_program(&configuration("", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
