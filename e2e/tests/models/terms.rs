//! On which terms models are called: what they ask of calls, who may use them, how they retire.

use e2e::client::Client;
use e2e::provider::{Provider, Wire};
use serde_json::{Value, json};

use super::speech::{ask, request, says};
use super::{CALLER_KEY, anthropic, gate, openai};

const MODELS: &str = r"
    - name: shaped
      defaults: { temperature: 0.5 }
      force: { seed: 7, stop: [END] }
      bounds: { max_tokens: 50 }
      targets: [{ provider: o, model: plain }]
    - name: across
      defaults: { temperature: 0.5, top_k: 3 }
      bounds: { max_tokens: 50 }
      targets: [{ provider: a, model: plain }]
    - name: old
      deprecated: { since: 2026-01-01T00:00:00Z, until: 2999-01-01T00:00:00Z, successor: shaped }
      targets: [{ provider: o, model: plain }]
";

#[test]
fn a_model_shapes_the_calls_that_it_takes() {
    let provider = Provider::start();
    let at = provider.address;
    let gate = gate(&format!("{}{}", openai("o", at), anthropic("a", at)), MODELS);
    for (model, wire, more, expected) in [
        ("shaped", Wire::OpenAi, json!({}), json!({"temperature": 0.5, "seed": 7, "max_completion_tokens": 50})),
        (
            "shaped",
            Wire::OpenAi,
            json!({"temperature": 1, "seed": 8, "max_tokens": 20, "user": "u"}),
            json!({"temperature": 1, "seed": 7, "max_tokens": 20, "user": "u"}),
        ),
        ("shaped", Wire::Anthropic, json!({}), json!({"temperature": 0.5, "seed": 7, "max_completion_tokens": 50})),
        (
            "across",
            Wire::Anthropic,
            json!({"max_tokens": 10}),
            json!({"temperature": 0.5, "top_k": 3, "max_tokens": 10}),
        ),
        ("across", Wire::OpenAi, json!({"temperature": 0}), json!({"temperature": 0.0, "top_k": 3, "max_tokens": 50})),
    ] {
        let mut body = says(wire, model, "hello");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = ask(gate.address("public"), wire, &body);
        assert_eq!(answer.status, 200, "{model} {body}: {}", answer.text());
        let asked = provider.asked().pop().unwrap();
        let heard: Value = serde_json::from_slice(&asked.body).unwrap();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(heard[name], *value, "{model} {body} {name}: {heard}");
        }
        let limits = ["max_tokens", "max_completion_tokens"];
        assert_eq!(limits.iter().filter(|name| heard.get(**name).is_some()).count(), 1, "{heard}");
    }
}

#[test]
fn a_model_that_retires_says_so() {
    let provider = Provider::start();
    let gate = gate(&openai("o", provider.address), &MODELS.replace("provider: a,", "provider: o,"));
    let answer = ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "old", "hello"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("deprecation"), Some("@1767225600"));
    assert_eq!(answer.header("sunset"), Some("Tue, 01 Jan 2999 00:00:00 GMT"));
    assert_eq!(answer.header("link"), Some("<models/shaped>; rel=\"successor-version\""));
}

#[test]
fn a_providers_own_models_are_for_those_who_are_granted_them() {
    let provider = Provider::start();
    let models = MODELS.replace("provider: a,", "provider: o,");
    let configuration = super::configuration(&openai("o", provider.address), &models)
        .replace("policies: { key_auth: {} }", "policies: { key_auth: {}, models: { allow: [shaped, 'o/*'] } }");
    let gate = e2e::Gate::start(&configuration);
    for (model, status) in [("o/plain", 200), ("shaped", 200), ("old", 403), ("x/plain", 404), ("none", 404)] {
        let body = says(Wire::OpenAi, model, "hello");
        let answer = ask(gate.address("public"), Wire::OpenAi, &body);
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    }
    let heard: Vec<Value> = provider.asked().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect();
    assert_eq!(heard.iter().map(|heard| heard["model"].as_str().unwrap()).collect::<Vec<_>>(), ["plain", "plain"]);
    let list = request(Wire::OpenAi, CALLER_KEY, &[], "").replace("POST /v1/chat/completions", "GET /v1/models");
    let answer = Client::connect(gate.address("public")).call(list);
    let told: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(told["data"].as_array().unwrap().len(), 1, "{told}");
}
