use std::sync::Arc;

use serde_json::{Value, json};

use crate::exchange::testing::{environment, program, try_program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: users, policies: {{ oauth2_introspection: {policy} }}, to: {{ echo: {{}} }} }}]
consumers: [{{ name: mobile }}]
"#
    )
}

#[test]
fn without_a_token_the_challenge_says_what_is_missing() {
    let program: Arc<_> = program(&configuration("{ url: 'https://id.test/i', client: { id: a, secret: b } }"));
    let request = http::Request::get("/").body(crate::exchange::Body::Empty).unwrap();
    let (head, body) = crate::exchange::testing::answer(&program, request).into_parts();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((head.status.as_u16(), &problem["code"]), (401, &json!("auth.missing")));
    assert_eq!(head.headers["www-authenticate"], "Bearer realm=\"users\"");
}

#[test]
fn wrong_configuration_is_a_problem() {
    let client = "client: { id: a, secret: b }";
    for (policy, says) in [
        ("{ url: 'https://id.test/i' }".to_owned(), "client"),
        (format!("{{ {client} }}"), "url"),
        (format!("{{ url: id.test, {client} }}"), "not an HTTP URL"),
        ("{ url: 'https://id.test/i', client: { id: '', secret: b } }".to_owned(), "an `id` and a `secret`"),
        ("{ url: 'https://id.test/i', client: { id: a, secret: b, method: jwt } }".to_owned(), "unknown value"),
        (format!("{{ url: 'https://id.test/i', {client}, good_for: 2h }}"), "at most `1h`"),
        (format!("{{ url: 'https://id.test/i', {client}, max_bytes: 1MiB }}"), "64 KiB"),
        (format!("{{ url: 'https://id.test/i', {client}, from: [] }}"), "not from 1 to 16"),
    ] {
        let problems = try_program(&configuration(&policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
