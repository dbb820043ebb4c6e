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

fn configuration(ai: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
ai: {ai}
apis: [{{ name: models, path: /v1, policies: {{ key_auth: {{}} }}, to: {{ ai: {{}} }} }}]
consumers: [{{ name: app, credentials: [{{ key: a-key }}] }}]
"#
    )
}

const AI: &str = "{ providers: [{ name: o, preset: openai, keys: [sk-1] }], \
                  models: [{ name: smart, aliases: [clever], targets: [{ provider: o, model: gpt-5 }] }] }";

#[test]
fn the_example_compiles() {
    program_in(include_str!("example.yaml"), &world());
}

#[test]
fn wrong_configuration_is_a_problem() {
    let models = "models: [{ name: m, targets: [{ provider: p }] }]";
    for (ai, says) in [
        ("{}".to_owned(), "there are no models"),
        (format!("{{ {models} }}"), "unknown provider `p`"),
        ("{ models: [{ name: m, targets: [] }] }".to_owned(), "model `m` has no target"),
        (format!("{{ providers: [{{ name: p }}], {models} }}"), "neither `preset` nor `dialect`"),
        (format!("{{ providers: [{{ name: p, preset: opneai }}], {models} }}"), "did you mean `openai`"),
        (format!("{{ providers: [{{ name: p, preset: openai }}], {models} }}"), "provider `p` has no key"),
        (format!("{{ providers: [{{ name: p, preset: openai, keys: [''] }}], {models} }}"), "a key is empty"),
        (format!("{{ providers: [{{ name: p, dialect: openai_chat }}], {models} }}"), "has no `base_url`"),
        (
            format!("{{ providers: [{{ name: p, dialect: openai, base_url: 'http://127.0.0.1' }}], {models} }}"),
            "unknown dialect `openai`",
        ),
        (
            format!("{{ providers: [{{ name: p, dialect: openai_chat, base_url: 'ftp://a' }}], {models} }}"),
            "not an HTTP URL",
        ),
        (format!("{{ providers: [{{ name: p, preset: bedrock }}], {models} }}"), "provider `p` needs `region`"),
        (
            format!("{{ providers: [{{ name: p, preset: bedrock, region: eu-west-1 }}], {models} }}"),
            "provider `p` has no key",
        ),
        (
            format!(
                "{{ providers: [{{ name: p, preset: bedrock, aws: {{ access_key: a, secret_key: b }} }}], {models} }}"
            ),
            "provider `p` needs `region`",
        ),
        (
            format!("{{ providers: [{{ name: p, preset: vertex, service_account: '{{}}' }}], {models} }}"),
            "the key of the service account lacks a field",
        ),
        (
            format!("{{ providers: [{{ name: p, preset: azure, keys: [a] }}], {models} }}"),
            "provider `p` needs `resource`",
        ),
        (
            format!("{{ providers: [{{ name: p, preset: openai, keys: [a], region: x }}], {models} }}"),
            "provider `p` has no use for `region`",
        ),
        (
            format!("{{ providers: [{{ name: p, preset: openai, keys: [a], service_account: x }}], {models} }}"),
            "provider `p` has no use for `service_account`",
        ),
        (AI.replace("targets:", "fallbacks: [{ to: smarter }], targets:"), "unknown model `smarter`"),
        (AI.replace("targets:", "retry: { attempts: 9 }, targets:"), "asks again not at all, or too often"),
        (AI.replace("model: gpt-5", "model: gpt-5, when: 'ai.imagse > 0'"), "did you mean `ai.images`"),
        (AI.replace("keys:", "max_concurrent: 0, keys:"), "takes no call at all"),
        (AI.replace("keys:", "cooldown: { failures: 0 }, keys:"), "no 1 to 1000 failures"),
        (AI.replace("clever", "smart"), "two models are named `smart`"),
    ] {
        let problems = try_program(&configuration(&ai), &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{ai}: {problems}");
    }
}

/// The answer's status and body, to a request with this key.
fn ask(method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> (u16, Value) {
    let program = program_in(&configuration(AI), &world());
    let request = http::Request::builder().method(method).uri(path);
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (head, text) = answer(&program, request.body(Body::Full(body.into())).unwrap()).into_parts();
    (head.status.as_u16(), serde_json::from_slice(&text).unwrap())
}

const KEY: (&str, &str) = ("authorization", "Bearer a-key");
const ANTHROPIC: (&str, &str) = ("anthropic-version", "2023-06-01");

#[test]
fn failures_are_told_in_the_callers_format() {
    let chat = "/v1/chat/completions";
    for (method, path, fields, body, status, kind, message) in [
        ("POST", chat, &[][..], "{}", 401, "authentication_error", "asks for a credential"),
        ("POST", chat, &[("x-api-key", "no")], "{}", 401, "authentication_error", "key"),
        ("POST", chat, &[KEY], "{", 400, "invalid_request_error", "not the JSON"),
        ("POST", chat, &[KEY], r#"{"messages": []}"#, 400, "invalid_request_error", "names no `model`"),
        ("POST", chat, &[KEY], r#"{"model": "gpt-5"}"#, 404, "invalid_request_error", "no model `gpt-5`"),
        ("POST", "/v1/other", &[KEY], "{}", 404, "invalid_request_error", "no such call"),
    ] {
        let (got, told) = ask(method, path, fields, body);
        assert_eq!(got, status, "{path} {body}: {told}");
        assert_eq!(told["error"]["type"], kind, "{path} {body}: {told}");
        assert!(told["error"]["message"].as_str().unwrap().contains(message), "{path} {body}: {told}");
    }
    for (path, fields, body, status, kind) in [
        ("/v1/messages", &[][..], "{}", 401, "authentication_error"),
        ("/v1/messages", &[KEY], "{", 400, "invalid_request_error"),
        ("/v1/messages", &[KEY], r#"{"model": "x"}"#, 404, "not_found_error"),
        ("/v1/other", &[KEY, ANTHROPIC], "{}", 404, "not_found_error"),
    ] {
        let (got, told) = ask("POST", path, fields, body);
        assert_eq!(
            (got, told["type"].as_str(), told["error"]["type"].as_str()),
            (status, Some("error"), Some(kind)),
            "{told}"
        );
    }
}

#[test]
fn models_are_listed_as_the_sdks_read_them() {
    let (status, told) = ask("GET", "/v1/models", &[KEY], "");
    assert_eq!((status, told["object"].as_str(), told["data"][0]["id"].as_str()), (200, Some("list"), Some("smart")));
    let (status, told) = ask("GET", "/v1/models/clever", &[KEY], "");
    assert_eq!((status, told["object"].as_str(), told["id"].as_str()), (200, Some("model"), Some("clever")));
    assert_eq!(ask("GET", "/v1/models/nobody", &[KEY], "").0, 404);
    let (status, told) = ask("GET", "/v1/models", &[KEY, ANTHROPIC], "");
    assert_eq!(
        (status, told["first_id"].as_str(), told["data"][0]["type"].as_str()),
        (200, Some("smart"), Some("model"))
    );
}
