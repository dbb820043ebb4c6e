//! Which target a request goes to by what it is like, as the example has it.

use std::collections::HashSet;

use e2e::Gate;
use e2e::client::Client;
use e2e::provider::{PROVIDER_KEY, Provider, Wire};
use serde_json::{Value, json};

use super::speech::{BOTH, request, says};

const FREE: &str = "a-free-key-of-32-characters-long";
const PAYING: &str = "a-paid-key-of-32-characters-long";
/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// The example before this provider.
fn gate(provider: &Provider) -> Gate {
    let at = provider.address;
    let text = include_str!("../../../examples/models.yaml")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("preset: openai,", &format!("preset: openai, base_url: \"http://{at}/v1\","))
        .replace("preset: anthropic,", &format!("preset: anthropic, base_url: \"http://{at}\","))
        .replace("\"${env:OPENAI_API_KEY:-none}\"", PROVIDER_KEY)
        .replace("\"${env:ANTHROPIC_API_KEY:-none}\"", PROVIDER_KEY);
    assert!(!text.contains("${env"), "{text}");
    Gate::start(&text)
}

/// The model that answers.
fn served(gate: &Gate, key: &str, wire: Wire, lines: &[&str], body: &Value) -> String {
    let answer = Client::connect(gate.address("public")).call(request(wire, key, lines, &body.to_string()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-tollgate-model").unwrap().to_owned()
}

fn with_image(wire: Wire) -> Value {
    let mut body = says(wire, "smart", "");
    let image = match wire {
        Wire::OpenAi => {
            json!({ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } })
        }
        Wire::Anthropic => {
            json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PNG } })
        }
    };
    body["messages"][0]["content"] = json!([{ "type": "text", "text": "what is this?" }, image]);
    body
}

#[test]
fn pictures_and_long_requests_go_to_who_takes_them() {
    let provider = Provider::start();
    let gate = gate(&provider);
    for wire in BOTH {
        assert_eq!(served(&gate, FREE, wire, &[], &with_image(wire)), "sees", "{wire:?}");
        let long = says(wire, "smart", &"word ".repeat(20_000));
        assert_eq!(served(&gate, FREE, wire, &[], &long), "roomy", "{wire:?}");
        let short = served(&gate, FREE, wire, &[], &says(wire, "smart", "hello"));
        assert!(["east", "west"].contains(&short.as_str()), "{wire:?} {short}");
        assert_eq!(served(&gate, FREE, wire, &[], &says(wire, "by-plan", "hello")), "east", "{wire:?}");
        assert_eq!(served(&gate, PAYING, wire, &[], &says(wire, "by-plan", "hello")), "better", "{wire:?}");
    }
    let mut tools = says(Wire::OpenAi, "by-plan", "hello");
    tools["tools"] = json!([{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }]);
    assert_eq!(served(&gate, PAYING, Wire::OpenAi, &[], &tools), "east");
}

#[test]
fn a_conversation_stays_where_it_began() {
    let provider = Provider::start();
    let gate = gate(&provider);
    let wire = Wire::OpenAi;
    let mut all = [HashSet::new(), HashSet::new(), HashSet::new()];
    for number in 0..16 {
        // By a session, whatever is said.
        let line = format!("x-session-id: session-{number}");
        let lines = [line.as_str()];
        let by_session = |text: &str| served(&gate, FREE, wire, &lines, &says(wire, "smart", text));
        let first = by_session("one");
        assert_eq!((by_session("two"), by_session("three")), (first.clone(), first.clone()), "{number}");
        all[0].insert(first);
        // By how it begins.
        let mut talk = says(wire, "smart", &format!("conversation {number}"));
        let first = served(&gate, FREE, wire, &[], &talk);
        for (role, text) in [("assistant", "well"), ("user", "go on")] {
            talk["messages"].as_array_mut().unwrap().push(json!({ "role": role, "content": text }));
        }
        assert_eq!(served(&gate, FREE, wire, &[], &talk), first, "{number}");
        all[1].insert(first);
        // By what the caller says belongs together.
        let keyed = |text: &str| {
            let mut body = says(wire, "smart", text);
            body["prompt_cache_key"] = format!("key-{number}").into();
            served(&gate, FREE, wire, &[], &body)
        };
        let first = keyed("one");
        assert_eq!(keyed("two"), first, "{number}");
        all[2].insert(first);
    }
    assert!(all.iter().all(|served| served.len() == 2), "both serve some: {all:?}");
}
