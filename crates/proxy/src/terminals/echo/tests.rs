use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::exchange::Body;
use crate::exchange::testing::{answer, answer_to, environment, exchange_of, program, try_program};

fn configuration(echo: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, to: {{ echo: {echo} }} }}]
"#
    )
}

fn ask(echo: &str, request: http::request::Builder, body: impl Into<Body>) -> Value {
    let answer = answer(&program(&configuration(echo)), request.body(body.into()).unwrap());
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    serde_json::from_slice(answer.body()).unwrap()
}

#[test]
fn it_tells_what_arrived() {
    let request = Request::put("/a/b%20c?x=1&y=a%26b&x=2&api_key=k")
        .header("host", "Example.com:8080")
        .header("accept", "a")
        .header("accept", "b")
        .header("authorization", "Bearer secret");
    assert_eq!(
        ask("{}", request, Bytes::from("hello")),
        json!({
            "method": "PUT", "scheme": "http", "host": "example.com", "path": "/a/b%20c",
            "query": { "x": ["1", "2"], "y": "a&b", "api_key": "***" },
            "http": "1.1",
            "headers": { "host": "Example.com:8080", "accept": ["a", "b"], "authorization": "***" },
            "client": "192.0.2.7", "body": "hello", "body_size": 5
        })
    );
}

#[test]
fn a_body_is_shown_as_far_as_is_said() {
    let post = || Request::post("/");
    let whole = ask("{ body: 4B }", post(), Bytes::from("1234"));
    assert_eq!((&whole["body"], &whole["body_size"], &whole["body_cut"]), (&"1234".into(), &4.into(), &Value::Null));
    let cut = ask("{ body: 4B }", post(), Bytes::from("12345"));
    assert_eq!((&cut["body"], &cut["body_size"], &cut["body_cut"]), (&"1234".into(), &5.into(), &true.into()));
    // A character that is cut through is left out; what is no text is base64.
    assert_eq!(ask("{ body: 4B }", post(), Bytes::from("123ü"))["body"], "123");
    assert_eq!(ask("{ body: 4B }", post(), Bytes::from_static(&[0xff, 0, 1]))["body_base64"], "/wAB");
    assert_eq!(ask("{}", post(), Body::Empty).get("body_size"), None);
}

#[test]
fn a_body_over_the_exchanges_bound_is_refused() {
    let program = program(&configuration("{}"));
    let request = Request::post("/").body(Body::from(Bytes::from("12345"))).unwrap();
    let mut x = exchange_of(&program, request);
    x.body_limit = 4;
    assert_eq!(answer_to(x).status(), 413);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (echo, says) in
        [("{ body: 2MiB }", "more than is shown"), ("{ bodi: 1KiB }", "did you mean"), ("{ body: 5 }", "5B")]
    {
        let problems = try_program(&configuration(echo), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{echo}: {problems}");
    }
}
