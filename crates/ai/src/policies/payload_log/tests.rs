use std::sync::Arc;

use bytes::Bytes;
use model::value::Timestamp;
use proxy::exchange::testing::{environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;
use serde_json::{Value, json};

use super::record::{Asked, Record, Rules};
use super::said::Said;
use crate::guard::{Kind, Kinds};

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

fn world() -> Environment {
    Environment { registry: &REGISTRY, ..environment() }
}

#[test]
fn the_example_compiles_and_what_is_wrong_is_a_problem() {
    let text = include_str!("example.yaml");
    program_in(text, &world());
    let (before, rest) = text.split_once("      payload_log:").unwrap();
    let (_, after) = rest.split_once("    to: { ai").unwrap();
    for (policy, says) in [
        ("{ max_request: 2MiB }", "more than 1 MiB"),
        ("{ retention: { age: 1m } }", "less than `1h`"),
        ("{ mask: [colour] }", "colour"),
        ("{ sample: 200% }", "200%"),
    ] {
        let text = format!("{before}      payload_log: {policy}\n    to: {{ ai{after}");
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
    let nowhere = text.replace("store: { directory: data }\n", "");
    assert!(try_program(&nowhere, &world()).err().unwrap_or_default().contains("there is none"));
}

fn line(body: &str, most: usize, kinds: Kinds) -> Value {
    let asked = Asked {
        at: Timestamp::from_millis(0),
        id: "r-1".into(),
        api: "models".into(),
        consumer: Some("app".into()),
        credential: None,
        model: "smart".into(),
        path: "/v1/chat/completions".into(),
        stream: false,
        body: Bytes::from(body.to_owned()),
    };
    let rules = Arc::new(Rules { kinds, request: most, response: most });
    let line = Record { asked, said: Said::default(), rules }.line();
    assert!(line.ends_with("}\n") && line.trim_end().lines().count() == 1);
    serde_json::from_str(&line).unwrap()
}

#[test]
fn what_is_found_is_masked_wherever_it_stands() {
    let body = json!({ "messages": [{ "role": "user", "content": "mail bob@example.com" }], "bob@example.com": 1 });
    // Spelled so that nobody finds it in the bytes.
    let body = body.to_string().replace("bob@", "bob\\u0040");
    let told = line(&body, 1 << 16, Kinds::ALL);
    assert_eq!(told["request"]["messages"][0]["content"], "mail [EMAIL]");
    assert_eq!(told["request"]["[EMAIL]"], 1);
    assert_eq!(
        (&told["request_cut"], &told["response"], &told["request_id"]),
        (&json!(false), &Value::Null, &json!("r-1"))
    );
    let kept = line(&body, 1 << 16, [Kind::Secret].into_iter().collect());
    assert_eq!(kept["request"]["messages"][0]["content"], "mail bob@example.com");
}

#[test]
fn each_side_is_bounded_and_nothing_is_cut_in_two() {
    let long = json!({ "content": format!("{} bob@example.com and more", "é".repeat(50)) }).to_string();
    for most in 0..140 {
        let told = line(&long, most, Kinds::ALL);
        let text = told["request"].to_string();
        assert!(!text.contains("bob") && text.len() < most + 64, "{most}: {text}");
    }
    let told = line(&long, 112, Kinds::ALL);
    assert!(told["request"]["content"].as_str().unwrap().ends_with('…') && told["request_cut"] == true, "{told}");
    let many = json!((0..1000).collect::<Vec<_>>()).to_string();
    assert!(line(&many, 100, Kinds::ALL)["request"].as_array().unwrap().len() < 30);
    assert_eq!(line("not JSON", 100, Kinds::ALL)["request"], Value::Null);
}
