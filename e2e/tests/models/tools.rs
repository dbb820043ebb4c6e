//! Tools that callers may give to models, by whatever format they speak and whoever serves.

use e2e::Gate;
use e2e::client::{Answer, Client};
use e2e::provider::{Play, Provider, Turn, Wire};
use serde_json::{Value, json};

use super::speech::{BOTH, Understood, request, says, stream, streamed, whole};
use super::{CALLER_KEY, anthropic, configuration, openai};

const OTHER_KEY: &str = "others-key-of-32-characters-or-so";

/// A gateway before one provider, asked as OpenAI for `o` and as Anthropic for `a`. One consumer has this policy too.
fn gate(provider: &Provider, api: &str, consumer: &str) -> Gate {
    let providers = format!("{}{}", openai("o", provider.address), anthropic("a", provider.address));
    let models = "    - { name: o, targets: [{ provider: o, model: plain }] }\n    \
                  - { name: a, targets: [{ provider: a, model: plain }] }\n";
    let other =
        format!("consumers: [{{ name: other, credentials: [{{ key: {OTHER_KEY} }}], policies: {{ {consumer} }} }}, ");
    let text = configuration(&providers, models)
        .replace("policies: { key_auth: {} }", &format!("policies: {{ key_auth: {{}}, {api} }}"))
        .replace("consumers: [", &other);
    Gate::start(&text)
}

fn tool(wire: Wire, name: &str) -> Value {
    let schema = json!({ "type": "object", "properties": {} });
    match wire {
        Wire::OpenAi => json!({ "type": "function", "function": { "name": name, "parameters": schema } }),
        Wire::Anthropic => json!({ "name": name, "input_schema": schema }),
    }
}

fn ask(gate: &Gate, key: &str, wire: Wire, body: &Value) -> Answer {
    Client::connect(gate.address("public")).call(request(wire, key, &[], &body.to_string()))
}

fn question(wire: Wire, model: &str, tools: &[&str]) -> Value {
    let mut body = says(wire, model, "hello");
    body["tools"] = tools.iter().map(|name| tool(wire, name)).collect();
    body
}

/// The names of the tools that the provider was given last.
fn given(provider: &Provider) -> Vec<String> {
    let body: Value = serde_json::from_slice(&provider.asked().last().unwrap().body).unwrap();
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    let name = |tool: &Value| tool["function"]["name"].as_str().or_else(|| tool["name"].as_str()).unwrap().to_owned();
    tools.iter().map(name).collect()
}

fn names(understood: &Understood) -> Vec<&str> {
    understood.calls.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn tools_are_refused_or_taken_out_by_consumer() {
    let provider = Provider::start();
    let strict = gate(&provider, "tools: { deny: [shell] }", "tools: { allow: ['read_*', shell] }");
    let strips =
        gate(&provider, "tools: { deny: [shell], others: strip }", "tools: { allow: ['read_*'], others: strip }");
    for wire in BOTH {
        for model in ["o", "a"] {
            for (key, tools, status) in [
                (CALLER_KEY, &["read_file", "write_file"][..], 200),
                (CALLER_KEY, &["read_file", "shell"], 403),
                (OTHER_KEY, &["read_file"], 200),
                (OTHER_KEY, &["read_file", "write_file"], 403),
                // A consumer only narrows what its api grants.
                (OTHER_KEY, &["shell"], 403),
                (OTHER_KEY, &[], 200),
            ] {
                let answer = ask(&strict, key, wire, &question(wire, model, tools));
                assert_eq!(answer.status, status, "{wire:?} {model} {tools:?}: {}", answer.text());
                if status == 403 {
                    assert!(answer.text().contains("is not granted"), "{}", answer.text());
                } else {
                    assert_eq!(given(&provider), tools, "{wire:?} {model}");
                }
            }
            for (key, tools, left, out) in [
                (CALLER_KEY, &["read_file", "shell"][..], &["read_file"][..], Some("shell")),
                (OTHER_KEY, &["read_file", "shell", "write_file"], &["read_file"], Some("shell")),
                (OTHER_KEY, &["write_file"], &[], Some("write_file")),
                (OTHER_KEY, &["read_file"], &["read_file"], None),
            ] {
                let answer = ask(&strips, key, wire, &question(wire, model, tools));
                assert_eq!(answer.status, 200, "{wire:?} {model} {tools:?}: {}", answer.text());
                assert_eq!(given(&provider), left, "{wire:?} {model} {tools:?}");
                assert_eq!(answer.header("x-tollgate-tools-taken-out"), out, "{wire:?} {model} {tools:?}");
            }
        }
    }
    let mut insists = question(Wire::OpenAi, "o", &["read_file", "shell"]);
    insists["tool_choice"] = json!({ "type": "function", "function": { "name": "shell" } });
    assert_eq!(ask(&strips, CALLER_KEY, Wire::OpenAi, &insists).status, 403);
}

#[test]
fn a_call_of_a_tool_that_was_not_given_reaches_nobody() {
    let provider = Provider::playing(|_, _| {
        let calls = ["read_file", "shell"].map(|name| (name.to_owned(), json!({ "x": 1 }))).to_vec();
        Play::says(Turn { text: String::new(), calls, usage: (3, 4) })
    });
    let strict = gate(&provider, "tools: { deny: [shell] }", "");
    let strips = gate(&provider, "tools: { deny: [shell], others: strip }", "");
    for wire in BOTH {
        for model in ["o", "a"] {
            let body = question(wire, model, &["read_file"]);
            let answer = ask(&strips, CALLER_KEY, wire, &body);
            let came = whole(wire, &answer.json());
            assert_eq!(names(&came), ["read_file"], "{wire:?} {model}");
            let answer = ask(&strips, CALLER_KEY, wire, &streamed(wire, body.clone()));
            let came = stream(wire, &answer.text());
            assert_eq!(names(&came), ["read_file"], "{wire:?} {model} streamed");
            assert!(!answer.text().contains("shell"), "{}", answer.text());

            let answer = ask(&strict, CALLER_KEY, wire, &body);
            assert_eq!(answer.status, 502, "{wire:?} {model}: {}", answer.text());
            assert!(!answer.text().contains("shell"), "{}", answer.text());
            let answer = ask(&strict, CALLER_KEY, wire, &streamed(wire, body));
            let text = answer.text();
            assert!(text.contains("error") && text.contains("not given") && !text.contains("shell"), "{text}");
        }
    }
}
