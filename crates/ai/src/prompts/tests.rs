use std::fmt::Write as _;

use proxy::exchange::Body;
use proxy::exchange::testing::{answer, environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;
use serde_json::{Value, json};

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

const EXAMPLE: &str = include_str!("example.yaml");
const KEY: (&str, &str) = ("x-api-key", "an-app-key-of-32-characters-long");

fn world() -> Environment {
    Environment { registry: &REGISTRY, ..environment() }
}

fn ask(program: &str, method: &str, body: &Value) -> (u16, Value) {
    let program = program_in(program, &world());
    let request = http::Request::builder().method(method).uri("/summaries").header(KEY.0, KEY.1);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (head, text) = answer(&program, request.body(Body::Full(body.into())).unwrap()).into_parts();
    (head.status.as_u16(), serde_json::from_slice(&text).unwrap())
}

/// The example with the first version alone.
fn first() -> String {
    EXAMPLE.replace("label: production }", "version: v1 }")
}

#[test]
fn a_dry_run_shows_what_would_be_asked() {
    let given = json!({
        "variables": { "text": "It {{ rains }}." },
        "messages": [{ "role": "user", "content": "Shorter." }],
        "dry_run": true, "stream": true,
    });
    let (status, told) = ask(&first(), "POST", &given);
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["prompt"], json!({ "name": "summary", "version": "v1" }));
    let expected = json!({
        "model": "smart",
        "messages": [
            { "role": "system", "content": "You sum texts up in English, in one sentence." },
            { "role": "user", "content": "Rain is expected all day, with storms from noon." },
            { "role": "assistant", "content": "A rainy day, stormy from noon." },
            { "role": "user", "content": "It {{ rains }}." },
            { "role": "user", "content": "Shorter." },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
        "max_completion_tokens": 500,
    });
    assert_eq!(told["request"], expected);
    let second = EXAMPLE.replace("label: production }", "label: next }");
    let (_, told) =
        ask(&second, "POST", &json!({ "variables": { "text": "x", "language": "Latin" }, "dry_run": true }));
    assert_eq!(told["request"]["messages"], json!([{ "role": "user", "content": "Sum up in Latin:\nx" }]));
    assert_eq!(told["request"]["response_format"]["json_schema"]["schema"]["required"], json!(["summary"]));
}

#[test]
fn versions_are_drawn_by_weight() {
    let given = json!({ "variables": { "text": "x" }, "dry_run": true });
    let (_, told) = ask(&EXAMPLE.replace("weight: 9", "weight: 0"), "POST", &given);
    assert_eq!(told["prompt"]["version"], "v2", "{told}");
}

#[test]
fn what_a_caller_gives_wrong_is_told() {
    let many: Vec<Value> = (0..1001).map(|_| json!({ "role": "user", "content": "x" })).collect();
    for (given, says) in [
        (json!({}), "\"text\" is a required property"),
        (json!({ "variables": { "text": 1 } }), "/text: value is not of type \"string\""),
        (json!({ "variables": { "text": "x", "txet": "x" } }), "txet"),
        (json!({ "variables": { "text": "x".repeat(20_001) } }), "/text: value is longer than 20000 characters"),
        (json!({ "variabels": {} }), "unknown field `variabels`"),
        (
            json!({ "variables": { "text": "x" }, "messages": [{ "role": "system", "content": "x" }] }),
            "`messages[0].role`",
        ),
        (json!({ "variables": { "text": "x" }, "messages": many }), "more than 1000 messages"),
        (json!([]), "The body"),
    ] {
        let (status, told) = ask(&first(), "POST", &given);
        assert_eq!((status, told["code"].as_str()), (400, Some("ai.bad_request")), "{told}");
        assert!(told["detail"].as_str().unwrap().contains(says), "{says}: {told}");
    }
    let (status, told) = ask(EXAMPLE, "PUT", &Value::Null);
    assert_eq!((status, told["code"].as_str()), (405, Some("route.method_not_allowed")), "{told}");
}

#[test]
fn a_prompt_describes_itself() {
    let (status, told) = ask(EXAMPLE, "GET", &Value::Null);
    let post = &told["paths"]["/summaries"]["post"];
    assert_eq!((status, told["openapi"].as_str()), (200, Some("3.1.0")));
    let input = &post["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(input["properties"]["variables"]["properties"]["text"]["maxLength"], 20000, "{told}");
    assert_eq!(input["required"], json!(["variables"]));
    assert_eq!(told["info"]["title"], "summary");
}

#[test]
fn wrong_prompts_are_problems() {
    let mut many = String::new();
    for at in 0..201 {
        let _ = write!(many, "{{ content: m{at} }}, ");
    }
    for (from, to, says) in [
        ("model: smart\n      parameters", "model: smrat\n      parameters", "did you mean `smart`"),
        ("version: v2", "version: v1", "two versions of prompt `summary` are named `v1`"),
        ("{{ text }}\" }\n", "{{ txet }}\" }\n", "unknown variable `txet`"),
        ("{{ text }}\" }\n", "{{ text\" }\n", "the template"),
        ("type: string, default: English", "type: string, default: 5", "a default is not what its variable may be"),
        ("type: string, maxLength: 20000", "type: strnig", "not a JSON Schema"),
        ("name: summary, label", "name: sumary, label", "did you mean `summary`"),
        ("label: production }", "label: nowhere }", "no version of prompt `summary` is left"),
        ("max_tokens: 500", "max_tokens: 0", "0 is not from 1"),
        ("max_tokens: 500", "top_k: 5", "a prompt has no `top_k`"),
        ("messages: [{ content", &format!("messages: [{many}{{ content"), "more than 200 messages"),
    ] {
        let text = EXAMPLE.replace(from, to);
        assert_ne!(text, EXAMPLE, "{from}");
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{to}: {problems}");
    }
}
