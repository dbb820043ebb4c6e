use http::{HeaderMap, Method, Request};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ content_types: {policy} }}, to: {{ respond: {{}} }} }}]
"#
    )
}

fn ask(policy: &str, method: Method, body: &str, fields: &[(&str, &str)]) -> (u16, HeaderMap) {
    let request = Request::builder().method(method).uri("/");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (head, _) =
        answer(&program(&configuration(policy)), request.body(Body::from(body.to_owned())).unwrap()).into_parts();
    (head.status.as_u16(), head.headers)
}

#[test]
fn bodies_of_other_types_are_refused() {
    let json = "{ request: [application/json, '*+json', 'text/*'] }";
    for (policy, kinds, body, expected) in [
        (json, vec!["application/json"], "{}", 200),
        (json, vec!["Application/JSON; charset=utf-8"], "{}", 200),
        (json, vec!["application/merge-patch+json"], "{}", 200),
        (json, vec!["text/csv"], "a", 200),
        (json, vec!["application/xml"], "<a/>", 415),
        (json, vec!["application/jsonx"], "{}", 415),
        (json, vec!["application/json", "application/xml"], "{}", 415),
        (json, vec![], "{}", 415),
        (json, vec![], "", 200),
        (json, vec!["application/xml"], "", 200),
        ("{ request: [text/plain], untyped: allow }", vec![], "a", 200),
        ("{ response: [text/plain] }", vec!["application/xml"], "a", 200),
    ] {
        let fields: Vec<_> = kinds.iter().map(|kind| ("content-type", *kind)).collect();
        assert_eq!(ask(policy, Method::POST, body, &fields).0, expected, "{policy} {kinds:?} {body}");
    }
    // What is said is enough.
    let fields = [("content-type", "a/b"), ("content-length", "5")];
    assert_eq!(ask(json, Method::PUT, "", &fields).0, 415);
}

#[test]
fn a_refusal_says_what_is_taken() {
    let taken = "application/json, text/*";
    for (method, post, patch) in
        [(Method::POST, Some(taken), None), (Method::PATCH, None, Some(taken)), (Method::PUT, None, None)]
    {
        let (_, headers) = ask("{ request: [application/json, '*+json', 'text/*'] }", method, "x", &[]);
        let field = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!([field("accept"), field("accept-post"), field("accept-patch")], [Some(taken), post, patch]);
    }
    assert!(!ask("{ request: ['*+json'] }", Method::POST, "x", &[]).1.contains_key("accept"));
}

#[test]
fn who_accepts_no_answer_is_told() {
    for (accept, expected) in [
        (None, 200),
        (Some("*/*"), 200),
        (Some("text/html, application/json;q=0.1"), 200),
        (Some("APPLICATION/*"), 200),
        (Some("text/html"), 406),
        (Some("text/html, */*;q=0.1"), 200),
        (Some("application/json;q=0, */*"), 406),
        (Some("application/*;q=0, */*"), 406),
    ] {
        let fields: Vec<_> = accept.iter().map(|accept| ("accept", *accept)).collect();
        assert_eq!(ask("{ response: [application/json] }", Method::GET, "", &fields).0, expected, "{accept:?}");
    }
    let two = "{ response: [application/json, text/csv] }";
    assert_eq!(ask(two, Method::GET, "", &[("accept", "a/b"), ("accept", "text/csv")]).0, 200);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "takes everything"),
        ("{ request: [json] }", "not a content type"),
        ("{ response: ['text/*'] }", "not one content type"),
        ("{ response: [text] }", "not a content type"),
        ("{ types: [] }", "types"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
