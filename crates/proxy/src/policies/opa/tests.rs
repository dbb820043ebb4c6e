use std::sync::Arc;

use http::{HeaderMap, Request};
use serde_json::json;

use super::ask::{Decision, read};
use super::input::{Claims, Input};
use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::exchange::{Body, Exchange, Finding, Learnt};
use crate::policies::FieldNames;

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ opa: {policy} }}, routes: [{{ name: r, to: {{ echo: {{}} }} }}] }}]
consumers: [{{ name: ann, plan: gold, groups: [staff] }}]
plans: [{{ name: gold }}]
"#
    )
}

fn exchange(uri: &str, headers: &[(&str, &str)], identified: bool) -> Box<Exchange> {
    let program = program(&configuration("{ url: 'http://127.0.0.1:1', decision: a }"));
    let mut request = Request::get(uri).header("host", "api.example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut x = exchange_of(&program, request.body(Body::Empty).unwrap());
    let at = program.routes.iter().position(|plan| &*plan.name == "r").unwrap();
    x.route = crate::program::RouteId(u32::try_from(at).unwrap());
    if identified {
        let consumer = program.consumers.by_name("ann").map(|consumer| consumer.slot);
        let learnt = Learnt {
            subject: Some("a-1".into()),
            scopes: ["read".into()].into(),
            groups: ["beta".into()].into(),
            claims: json!({ "sub": "a-1", "roles": ["x"], "jti": "7" }).as_object().unwrap().clone(),
        };
        x.identify(Finding { method: "jwt", consumer, credential: None, learnt: Some(Arc::new(learnt)) }).unwrap();
    }
    x
}

fn input(headers: &[&str], claims: Claims, query: bool) -> Input {
    let whole = headers.iter().map(|name| name.parse().unwrap()).collect();
    Input { headers: FieldNames { whole, ..FieldNames::default() }, claims, query }
}

#[test]
fn the_input_is_what_was_chosen() {
    let x =
        exchange("/a/b%2Fc/d?q=1&p=x+y&q=2", &[("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("authorization", "s")], true);
    let sent = input(&["x-a"], Claims::Named(["roles".into(), "none".into()].into()), true).of(&x);
    let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
    let expected = json!({ "input": {
        "attributes": {
            "source": { "address": { "socketAddress": { "address": "192.0.2.7" } } },
            "request": { "http": {
                "method": "GET", "scheme": "http", "host": "api.example.com", "path": "/a/b%2Fc/d?q=1&p=x+y&q=2",
                "headers": { "x-a": "1, 2" },
            } },
        },
        "parsed_path": ["a", "b/c", "d"],
        "parsed_query": { "p": ["x y"], "q": ["1", "2"] },
        "route": { "api": "a", "name": "r" },
        "client": { "address": "192.0.2.7" },
        "auth": {
            "consumer": "ann", "plan": "gold", "method": "jwt", "subject": "a-1", "groups": ["staff", "beta"],
            "scopes": ["read"], "claims": { "roles": ["x"] },
        },
    } });
    assert_eq!(sent, expected);
    let nobody = input(&[], Claims::All, false);
    let sent: serde_json::Value = serde_json::from_slice(&nobody.of(&exchange("/?q=1", &[], false))).unwrap();
    assert_eq!(sent["input"].get("auth"), None);
    assert_eq!(sent["input"]["attributes"]["request"]["http"]["path"], "/");
    assert_eq!(sent["input"]["parsed_query"], json!({}));
    let (one, other) = ([("x-a", "1"), ("x-b", "2")], [("x-b", "2"), ("x-a", "1"), ("x-c", "3")]);
    let chosen = input(&["x-a", "x-b"], Claims::All, false);
    assert_eq!(chosen.of(&exchange("/?a", &one, true)), chosen.of(&exchange("/?b", &other, true)), "not byte by byte");
}

#[test]
fn a_result_is_a_decision() {
    let allow = |headers: &[(&'static str, &str)]| {
        let fields = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Ok::<_, String>(Decision::Allow { headers: fields.collect::<HeaderMap>() })
    };
    let deny = |reason: Option<&str>, status| {
        Ok(Decision::Deny { reason: reason.map(ToOwned::to_owned), status, headers: HeaderMap::new() })
    };
    for (body, expected) in [
        (r#"{"result": true}"#, allow(&[])),
        (r#"{"result": false, "decision_id": "1"}"#, deny(None, 403)),
        ("{}", deny(Some("the decision is undefined"), 403)),
        (r#"{"result": {}}"#, deny(Some("the decision has no `allow`"), 403)),
        (
            r#"{"result": {"allow": true, "headers": {"x-a": "1", "host": "h", "content-length": "3"}}}"#,
            allow(&[("x-a", "1")]),
        ),
        (r#"{"result": {"allowed": true}}"#, allow(&[])),
        (r#"{"result": {"allow": false, "reason": "too\nlate", "status": 404}}"#, deny(Some("too late"), 404)),
        (r#"{"result": {"allow": false, "http_status": 401}}"#, deny(None, 401)),
    ] {
        assert_eq!(read(body.as_bytes()), expected, "{body}");
    }
    for (body, says) in [
        ("", "not a JSON object"),
        ("[true]", "not a JSON object"),
        (r#"{"result": true, "result": false}"#, "not a JSON object"),
        (r#"{"result": "true"}"#, "neither a boolean nor an object"),
        (r#"{"result": 1}"#, "neither a boolean nor an object"),
        (r#"{"result": null}"#, "neither a boolean nor an object"),
        (r#"{"result": {"allow": "yes"}}"#, "`allow` is not a boolean"),
        (r#"{"result": {"allow": true, "headers": {"x a": "1"}}}"#, "bad field `x a`"),
        (r#"{"result": {"allow": true, "headers": {"x-a": "1\r\nx: 2"}}}"#, "bad field `x-a`"),
        (r#"{"result": {"allow": true, "headers": []}}"#, "not an object"),
        (r#"{"result": {"allow": false, "status": "404"}}"#, "no status"),
    ] {
        assert!(read(body.as_bytes()).is_err_and(|why| why.contains(says)), "{body}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ url: 'http://127.0.0.1:8181' }", "decision"),
        ("{ url: 'http://127.0.0.1:8181', decision: /a/b }", "is not the path of a decision"),
        ("{ url: 'http://127.0.0.1:8181', decision: 'a?b=c' }", "is not the path of a decision"),
        ("{ url: 'http://127.0.0.1:8181?a', decision: a }", "has a query"),
        ("{ url: 'tcp://h', decision: a }", "is not an HTTP URL"),
        ("{ url: 'http://127.0.0.1:8181', decision: a, cache: {} }", "ttl"),
        ("{ url: 'http://127.0.0.1:8181', decision: a, cache: { ttl: 2h } }", "at most `1h`"),
        ("{ url: 'http://127.0.0.1:8181', decision: a, upstream: [content-length] }", "set by the gateway itself"),
        ("{ url: 'http://127.0.0.1:8181', decision: a, calls: { timeout: 1ms } }", "from 10ms"),
        ("{ url: 'http://127.0.0.1:8181', decision: a, on_error: refuse }", "refuse"),
        ("{ url: 'http://127.0.0.1:8181', decision: a, input: { body: on } }", "body"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
