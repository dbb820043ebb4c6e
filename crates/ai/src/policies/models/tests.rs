use proxy::exchange::Body;
use proxy::exchange::testing::{answer, environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;
use serde_json::Value;

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

fn world() -> Environment {
    Environment { registry: &REGISTRY, ..environment() }
}

fn configuration(api: &str, consumer: &str) -> String {
    // Nobody listens there: what is let through cannot be answered.
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
ai:
  providers: [{{ name: p, dialect: openai_chat, base_url: "http://127.0.0.1:1" }}]
  models:
    - {{ name: a, aliases: [b], targets: [{{ provider: p }}] }}
    - {{ name: c, targets: [{{ provider: p }}] }}
    - {{ name: gone, deprecated: {{ until: "1970-01-01T00:00:00Z", successor: a }}, targets: [{{ provider: p }}] }}
apis: [{{ name: models, path: /v1, policies: {{ key_auth: {{}}{api} }}, to: {{ ai: {{}} }} }}]
consumers: [{{ name: app, credentials: [{{ key: a-key }}]{consumer} }}]
"#
    )
}

fn ask(program: &str, model: Option<&str>) -> (u16, Value) {
    let program = program_in(program, &world());
    let (method, path) = if model.is_some() { ("POST", "/v1/chat/completions") } else { ("GET", "/v1/models") };
    let body = model.map(|model| format!(r#"{{"model": "{model}", "messages": []}}"#)).unwrap_or_default();
    let request = http::Request::builder().method(method).uri(path).header("x-api-key", "a-key");
    let (head, text) = answer(&program, request.body(Body::Full(body.into())).unwrap()).into_parts();
    (head.status.as_u16(), serde_json::from_slice(&text).unwrap())
}

#[test]
fn the_example_compiles() {
    program_in(include_str!("example.yaml"), &world());
}

#[test]
fn only_what_is_granted_is_answered_and_listed() {
    let all = ["a", "b", "c", "p/x", "none"];
    for (api, consumer, statuses, listed) in [
        ("", "", [502, 502, 502, 404, 404], &["a", "c", "gone"][..]),
        (", models: { allow: [a] }", "", [502, 502, 403, 403, 404], &["a"]),
        (", models: { allow: [b] }", "", [403, 502, 403, 403, 404], &[]),
        (", models: { deny: [b] }", "", [502, 403, 502, 404, 404], &["a", "c", "gone"]),
        (", models: { allow: ['p/*', 'c*'] }", "", [403, 403, 502, 502, 404], &["c"]),
        (", models: { allow: ['*'], deny: ['p/*'] }", "", [502, 502, 502, 403, 404], &["a", "c", "gone"]),
        // A consumer can only narrow what the api grants.
        (
            ", models: { allow: [a, 'p/*'] }",
            ", policies: { models: { allow: [c, 'p/x'] } }",
            [403, 403, 403, 502, 404],
            &[],
        ),
        (", models: { allow: [a, 'p/*'] }", ", policies: { models: { deny: [a] } }", [403, 403, 403, 502, 404], &[]),
    ] {
        let program = configuration(api, consumer);
        for (model, status) in all.iter().zip(statuses) {
            let (got, told) = ask(&program, Some(model));
            assert_eq!(got, status, "{api} {consumer} {model}: {told}");
        }
        let (_, told) = ask(&program, None);
        let shown: Vec<_> = told["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(shown, listed, "{api} {consumer}");
    }
}

#[test]
fn a_model_that_is_gone_names_its_successor() {
    let (status, told) = ask(&configuration("", ""), Some("gone"));
    assert_eq!(status, 410);
    assert!(told["error"]["message"].as_str().unwrap().ends_with("Use `a`."), "{told}");
}

#[test]
fn what_cannot_be_is_a_problem() {
    for (api, says) in [
        (", models: {}", "grants every model"),
        (", models: { allow: ['a*b'] }", "`a*b` is not a model's name"),
        (", models: { allow: [''] }", "is not a model's name"),
    ] {
        let problems = try_program(&configuration(api, ""), &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{api}: {problems}");
    }
    let elsewhere = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
ai: { providers: [{ name: p, dialect: openai_chat, base_url: "http://127.0.0.1:1" }], models: [{ name: a, targets: [{ provider: p }] }] }
apis:
  - name: mixed
    path: /
    policies: { models: { allow: [a] } }
    routes:
      - { match: { prefix: /v1 }, to: { ai: {} } }
      - { match: { prefix: /hello }, policies: { POLICY }, to: { respond: { status: 200 } } }
"#;
    program_in(&elsewhere.replace("POLICY", ""), &world());
    let problems = try_program(&elsewhere.replace("POLICY", "models: { allow: [a] }"), &world()).err().unwrap();
    assert!(problems.contains("`models` acts on calls of models, and this route makes none"), "{problems}");
}
