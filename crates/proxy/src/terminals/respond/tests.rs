use http::{Method, Request};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(respond: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, to: {{ respond: {respond} }} }}]
"#
    )
}

fn ask(respond: &str, method: Method) -> (u16, Vec<(String, String)>, String) {
    let request = Request::builder().method(method).uri("/").body(Body::Empty).unwrap();
    let (head, body) = answer(&program(&configuration(respond)), request).into_parts();
    let fields = head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (head.status.as_u16(), fields.collect(), String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn it_answers_as_written() {
    for (respond, status, fields, body) in [
        ("{}", 200, vec![("content-length", "0")], ""),
        ("{ status: 404 }", 404, vec![("content-length", "0")], ""),
        ("{ status: 204 }", 204, vec![], ""),
        ("{ status: 304, headers: { etag: '\"a\"' } }", 304, vec![("etag", "\"a\"")], ""),
        ("{ body: hello }", 200, vec![("content-type", "text/plain; charset=utf-8"), ("content-length", "5")], "hello"),
        (
            "{ status: 503, headers: { content-type: text/html, retry-after: 5 }, body: '<p>' }",
            503,
            vec![("content-type", "text/html"), ("retry-after", "5"), ("content-length", "3")],
            "<p>",
        ),
        (
            "{ json: { b: [1, null, true], a: 'x' } }",
            200,
            vec![("content-type", "application/json"), ("content-length", "29")],
            r#"{"b":[1,null,true],"a":"x"}"#,
        ),
    ] {
        let got = ask(respond, Method::GET);
        let mut fields: Vec<_> = fields.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        if let Some((_, length)) = fields.iter_mut().find(|(name, _)| name == "content-length") {
            *length = body.len().to_string();
        }
        assert_eq!(got, (status, fields, body.to_owned()), "{respond}");
    }
}

#[test]
fn head_gets_the_length_alone() {
    let (status, fields, body) = ask("{ body: hello }", Method::HEAD);
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(fields.contains(&("content-length".to_owned(), "5".to_owned())), "{fields:?}");
}

#[test]
fn what_a_client_sends_is_escaped_for_the_type_of_the_body() {
    let request = || Request::get("/?q=%3Cb%3E%22").body(Body::Empty).unwrap();
    for (kind, body, expected) in [
        ("text/plain", "q={{ request.query.q }}", "q=<b>\""),
        ("text/html", "<p>{{ request.query.q }}", "<p>&lt;b&gt;&quot;"),
        ("Text/HTML; charset=utf-8", "<p>{{ request.query.q }}", "<p>&lt;b&gt;&quot;"),
        ("image/svg+xml", "<t>{{ request.query.q }}", "<t>&lt;b&gt;&quot;"),
        ("application/json", r#"{"q": "{{ request.query.q }}"}"#, r#"{"q": "<b>\""}"#),
    ] {
        let program = program(&configuration(&format!("{{ headers: {{ Content-Type: '{kind}' }}, body: '{body}' }}")));
        let (head, text) = answer(&program, request()).into_parts();
        assert_eq!((head.headers["content-type"].to_str().unwrap(), &*text), (kind, expected.as_bytes()), "{kind}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (respond, says) in [
        ("{ status: 99 }", "not a final status"),
        ("{ status: 101 }", "not a final status"),
        ("{ status: 600 }", "not a final status"),
        ("{ status: ok }", "ok"),
        ("{ status: 204, body: x }", "a 204 has no body"),
        ("{ body: x, json: {} }", "`body` and `json` are two"),
        ("{ headers: { transfer-encoding: chunked } }", "set by the gateway itself"),
        ("{ headers: { 'a b': c } }", "not a header name"),
        ("{ headers: { content-type: { cel: request.host } }, body: '{{ request.path }}' }", "how the body is escaped"),
        ("{ text: x }", "text"),
    ] {
        let problems = try_program(&configuration(respond), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{respond}: {problems}");
    }
}
