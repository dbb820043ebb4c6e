//! Hints to cache that a model puts into its calls, for each provider in its words; a caller's own pass.

use e2e::provider::{ACCESS_KEY, Provider, REGION, SECRET_KEY, Wire};
use serde_json::{Value, json};

use super::speech::{BOTH, ask, says};
use super::{anthropic, gate, openai};

const MODELS: &str = r"
    - { name: a, cache_hints: { last_messages: 2, ttl: 1h }, targets: [{ provider: a, model: plain }] }
    - { name: o, cache_hints: { key: consumer }, targets: [{ provider: o, model: plain }] }
    - { name: talk, cache_hints: { key: conversation }, targets: [{ provider: o, model: plain }] }
    - { name: other, cache_hints: { key: consumer }, targets: [{ provider: other, model: plain }] }
    - { name: b, cache_hints: { after: system, last_messages: 0 }, targets: [{ provider: b, model: eu.anthropic.claude-x }] }
    - { name: none, targets: [{ provider: a, model: plain }, { provider: o, model: plain }] }
";

fn providers(provider: &Provider) -> String {
    let at = provider.address;
    let other = openai("other", at).replace("preset: openai", "dialect: openai_chat");
    let bedrock = format!(
        "    - {{ name: b, preset: bedrock, base_url: \"http://{at}\", region: {REGION}, aws: {{ access_key: {ACCESS_KEY}, secret_key: {SECRET_KEY} }} }}\n"
    );
    [openai("o", at), anthropic("a", at), other, bedrock].concat()
}

/// What the provider was sent last.
fn heard(provider: &Provider) -> Value {
    serde_json::from_slice(&provider.asked().last().expect("it was asked").body).unwrap()
}

fn system(wire: Wire, mut body: Value) -> Value {
    match wire {
        Wire::OpenAi => {
            let user = body["messages"][0].take();
            body["messages"] = json!([{ "role": "system", "content": "be brief" }, user]);
        }
        Wire::Anthropic => body["system"] = "be brief".into(),
    }
    body
}

#[test]
fn each_provider_is_told_in_its_words() {
    let provider = Provider::start();
    let gate = gate(&providers(&provider), MODELS);
    for wire in BOTH {
        let ask = |model: &str| {
            let answer = ask(gate.address("public"), wire, &system(wire, says(wire, model, "hello")));
            assert_eq!(answer.status, 200, "{wire:?} {model}: {}", answer.text());
            heard(&provider)
        };
        let mark = json!({ "type": "ephemeral", "ttl": "1h" });
        let a = ask("a");
        assert_eq!(a["system"][0]["cache_control"], mark, "{wire:?}: {a}");
        assert_eq!(a["messages"][0]["content"][0]["cache_control"], mark, "{wire:?}: {a}");
        let key = ask("o")["prompt_cache_key"].clone();
        assert!(key.as_str().is_some_and(|key| key.starts_with("consumer-") && !key.contains("app")), "{wire:?} {key}");
        assert_eq!(ask("o")["prompt_cache_key"], key);
        let key = ask("talk")["prompt_cache_key"].clone();
        assert!(key.as_str().is_some_and(|key| key.starts_with("conversation-")), "{wire:?} {key}");
        assert_eq!(ask("other").get("prompt_cache_key"), None, "a host of which that is not known");
        let b = ask("b");
        assert_eq!(b["system"], json!([{ "text": "be brief" }, { "cachePoint": { "type": "default" } }]), "{wire:?}");
        assert!(!b["messages"].to_string().contains("cachePoint"), "{b}");
        assert!(!ask("none").to_string().contains("cache_control"));
    }
}

#[test]
fn the_callers_own_pass_and_nothing_is_added() {
    let provider = Provider::start();
    let gate = gate(&providers(&provider), MODELS);
    let mut body = says(Wire::Anthropic, "a", "hello");
    body["system"] = json!([{ "type": "text", "text": "be brief", "cache_control": { "type": "ephemeral" } }]);
    for model in ["a", "none"] {
        body["model"] = model.into();
        assert_eq!(ask(gate.address("public"), Wire::Anthropic, &body).status, 200);
        let heard = heard(&provider);
        assert_eq!((&heard["system"], &heard["messages"]), (&body["system"], &body["messages"]), "{model}");
    }
    body["model"] = "b".into();
    assert_eq!(ask(gate.address("public"), Wire::Anthropic, &body).status, 200);
    assert_eq!(heard(&provider)["system"][1], json!({ "cachePoint": { "type": "default" } }));
    let mut body = says(Wire::OpenAi, "o", "hello");
    body["prompt_cache_key"] = "own".into();
    assert_eq!(ask(gate.address("public"), Wire::OpenAi, &body).status, 200);
    assert_eq!(heard(&provider)["prompt_cache_key"], "own");
}
