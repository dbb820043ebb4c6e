//! Answers that are given again to who asks the same.

use e2e::Gate;
use e2e::client::{Answer, Client};
use e2e::provider::{Play, Provider, Wire};
use serde_json::{Value, json};

use super::speech::{request, says, stream, streamed, whole};
use super::{CALLER_KEY, anthropic, openai};

const OTHER_KEY: &str = "others-key-of-32-characters-or-so";

/// A gateway that keeps answers of models `o` and `a` of this provider.
fn gate(provider: &Provider, spec: &str) -> Gate {
    let at = provider.address;
    let models = "    - { name: o, aliases: [o2], targets: [{ provider: o, model: plain }] }\n    \
                  - { name: a, targets: [{ provider: a, model: plain }] }\n";
    let text = super::configuration(&format!("{}{}", openai("o", at), anthropic("a", at)), models);
    let other = format!("consumers: [{{ name: other, credentials: [{{ key: {OTHER_KEY} }}] }}, ");
    Gate::start(
        &text
            .replace("policies: { key_auth: {} }", &format!("policies: {{ key_auth: {{}}, ai_cache: {spec} }}"))
            .replace("consumers: [", &other),
    )
}

fn ask(gate: &Gate, key: &str, wire: Wire, lines: &[&str], body: &Value) -> (Option<String>, Answer) {
    let answer = Client::connect(gate.address("public")).call(request(wire, key, lines, &body.to_string()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    (answer.header("x-tollgate-cache").map(str::to_owned), answer)
}

#[test]
fn the_same_question_is_asked_once() {
    for (wire, model) in [(Wire::OpenAi, "o"), (Wire::OpenAi, "a"), (Wire::Anthropic, "a"), (Wire::Anthropic, "o")] {
        let provider = Provider::playing(|_, _| Play::text("Once."));
        let gate = gate(&provider, "{}");
        let question = says(wire, model, "hello");
        let (first, one) = ask(&gate, CALLER_KEY, wire, &[], &question);
        let (second, two) = ask(&gate, CALLER_KEY, wire, &[], &question);
        assert_eq!((first.as_deref(), second.as_deref()), (Some("miss"), Some("hit")));
        let read = |answer: &Answer| {
            let told = whole(wire, &serde_json::from_str(&answer.text()).unwrap());
            (told.text, told.finish, told.usage)
        };
        assert_eq!(read(&one), read(&two));
        // As a stream it is the same answer.
        let (third, three) = ask(&gate, CALLER_KEY, wire, &[], &streamed(wire, question.clone()));
        assert_eq!(third.as_deref(), Some("hit"));
        assert_eq!(stream(wire, &three.text()).text, "Once.");
        assert_eq!(provider.asked().len(), 1);
    }
}

#[test]
fn a_stream_is_kept_once_it_is_whole() {
    for wire in [Wire::OpenAi, Wire::Anthropic] {
        let provider = Provider::playing(|_, _| Play::text("A stream of words."));
        let gate = gate(&provider, "{}");
        let question = says(wire, "o", "hello");
        let (first, _) = ask(&gate, CALLER_KEY, wire, &[], &streamed(wire, question.clone()));
        let (second, two) = ask(&gate, CALLER_KEY, wire, &[], &question);
        assert_eq!((first.as_deref(), second.as_deref()), (Some("miss"), Some("hit")));
        assert_eq!(whole(wire, &serde_json::from_str(&two.text()).unwrap()).text, "A stream of words.");
    }
}

#[test]
fn what_differs_is_asked_anew() {
    let provider = Provider::start();
    let gate = gate(&provider, "{}");
    let question = says(Wire::OpenAi, "o", "hello");
    let with = |name: &str, value: Value| {
        let mut other = question.clone();
        other[name] = value;
        other
    };
    for (key, lines, body, expected) in [
        (CALLER_KEY, &[][..], question.clone(), Some("miss")),
        (CALLER_KEY, &[], with("user", json!("somebody")), Some("hit")),
        (CALLER_KEY, &[], with("model", json!("o2")), Some("hit")),
        (CALLER_KEY, &[], with("temperature", json!(1)), Some("miss")),
        (CALLER_KEY, &[], with("model", json!("a")), Some("miss")),
        (OTHER_KEY, &[], question.clone(), Some("miss")),
        (CALLER_KEY, &["cache-control: no-cache"], question.clone(), Some("miss")),
        (CALLER_KEY, &["cache-control: no-store"], with("seed", json!(1)), Some("miss")),
        (CALLER_KEY, &[], with("seed", json!(1)), Some("miss")),
    ] {
        let (got, _) = ask(&gate, key, Wire::OpenAi, lines, &body);
        assert_eq!(got.as_deref(), expected, "{lines:?} {body}");
    }
}

#[test]
fn everyone_may_share() {
    let provider = Provider::start();
    let gate = gate(&provider, "{ share: all }");
    let question = says(Wire::OpenAi, "o", "hello");
    ask(&gate, CALLER_KEY, Wire::OpenAi, &[], &question);
    assert_eq!(ask(&gate, OTHER_KEY, Wire::OpenAi, &[], &question).0.as_deref(), Some("hit"));
}

#[test]
fn failures_and_broken_streams_are_not_kept() {
    let provider = Provider::playing(|_, _| Play::text("A stream of words.").breaks_after(2));
    let gate = gate(&provider, "{}");
    let body = streamed(Wire::OpenAi, says(Wire::OpenAi, "o", "hello")).to_string();
    for _ in 0..2 {
        let answer = Client::connect(gate.address("public")).call(request(Wire::OpenAi, CALLER_KEY, &[], &body));
        assert_eq!(answer.header("x-tollgate-cache"), Some("miss"));
    }
}
