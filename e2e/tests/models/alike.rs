//! Answers that are given to who asks the same in other words, and equal calls that are made once.

use std::net::SocketAddr;

use e2e::client::{Answer, Client};
use e2e::provider::{Baton, PROVIDER_KEY, Play, Provider, Wire};
use e2e::{Gate, Upstream, response, until};
use serde_json::{Value, json};

use super::speech::{BOTH, request, says, stream, streamed, whole};
use super::{CALLER_KEY, anthropic, configuration, openai};

const OTHER_KEY: &str = "others-key-of-32-characters-or-so";
/// Five of its six words are those of [`LIKE`].
const FIRST: &str = "How do I reset my password?";
const LIKE: &str = "how can I reset my password";
const UNLIKE: &str = "Where is my order?";

/// A gateway that keeps answers of models `o` and `a` of this provider, whose model `words` says what is alike.
fn gate(provider: &Provider, embeddings: &str, spec: &str) -> Gate {
    gate_of(provider, embeddings, spec, "words")
}

/// The same with another model that says so.
fn gate_of(provider: &Provider, embeddings: &str, spec: &str, near: &str) -> Gate {
    let at = provider.address;
    let providers = format!("{}{}{embeddings}", openai("o", at), anthropic("a", at));
    let model = |name: &str, by: &str, model: &str| {
        format!("    - {{ name: {name}, targets: [{{ provider: {by}, model: {model} }}] }}\n")
    };
    let models = [model("o", "o", "plain"), model("a", "a", "plain"), model("near", "e", near)].concat();
    let other = format!("consumers: [{{ name: other, credentials: [{{ key: {OTHER_KEY} }}] }}, ");
    let text = configuration(&providers, &models)
        .replace("policies: { key_auth: {} }", &format!("policies: {{ key_auth: {{}}, ai_cache: {spec} }}"))
        .replace("consumers: [", &other);
    Gate::start(&format!("{text}access_log: {{ fields: [status, ai_cache, model, tokens_in] }}\n"))
}

/// The provider that makes embeddings.
fn near(provider: &Provider) -> String {
    openai("e", provider.address)
}

fn ask(gate: &Gate, key: &str, lines: &[&str], asked: (Wire, &Value)) -> (String, Answer) {
    ask_at(gate.address("public"), key, lines, asked)
}

fn ask_at(gate: SocketAddr, key: &str, lines: &[&str], (wire, body): (Wire, &Value)) -> (String, Answer) {
    let answer = Client::connect(gate).call(request(wire, key, lines, &body.to_string()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    (answer.header("x-tollgate-cache").expect("it is told").to_owned(), answer)
}

/// How often it was asked to say something.
fn asked(provider: &Provider) -> usize {
    provider.asked().iter().filter(|seen| !seen.line.contains("/embeddings")).count()
}

#[test]
fn the_same_in_other_words_is_answered_whole_and_as_a_stream() {
    for wire in BOTH {
        for model in ["o", "a"] {
            let provider = Provider::start();
            let gate = gate(&provider, &near(&provider), "{ semantic: { model: near, threshold: 0.8 } }");
            let ask = |text: &str, streams: bool| {
                let body = says(wire, model, text);
                let body = if streams { streamed(wire, body) } else { body };
                let (told, answer) = ask(&gate, CALLER_KEY, &[], (wire, &body));
                let text = answer.text();
                (told, if streams { stream(wire, &text).text } else { whole(wire, &answer.json()).text })
            };
            let heard = format!("I heard: {FIRST}");
            assert_eq!(ask(FIRST, false), ("miss".to_owned(), heard.clone()), "{wire:?} {model}");
            let near = ("hit, similarity=0.83".to_owned(), heard.clone());
            assert_eq!(ask(LIKE, false), near, "{wire:?} {model}");
            assert_eq!(ask(LIKE, true), near, "{wire:?} {model} streamed");
            assert_eq!(ask(FIRST, true), ("hit".to_owned(), heard), "{wire:?} {model} streamed");
            assert_eq!(ask(UNLIKE, false).0, "miss", "{wire:?} {model}");
            assert_eq!(asked(&provider), 2, "{wire:?} {model}");
            // What is asked in the very same words needs no embedding.
            assert_eq!(provider.asked().len() - asked(&provider), 3, "{wire:?} {model}");
            let tokens = gate.metric("tollgate_ai_tokens_total", &["model=\"near\"", "direction=\"input\""]);
            assert_eq!(tokens, 16.0, "of the three texts that were embedded");
            for (result, count) in [("hit", 1.0), ("similar", 2.0), ("miss", 2.0)] {
                let label = format!("result=\"{result}\"");
                assert_eq!(gate.metric("tollgate_ai_cache_lookups_total", &[&label]), count, "{result}");
            }
            assert_eq!(gate.metric("tollgate_ai_cache_similarity_total", &["similarity=\"0.8\""]), 1.0);
            assert_eq!(gate.metric("tollgate_ai_cache_similarity_total", &["similarity=\"lower\""]), 2.0);
            let log = gate.leave().output;
            assert!(
                log.contains("\"ai_cache\":\"hit, similarity=0.83\"") && log.contains("\"ai_cache\":\"miss\""),
                "{log}"
            );
        }
    }
}

#[test]
fn whatever_else_differs_makes_it_another() {
    let provider = Provider::start();
    let gate = gate(&provider, &near(&provider), "{ semantic: { model: near, threshold: 0.8 } }");
    let wire = Wire::OpenAi;
    let with = |text: &str, name: &str, value: Value| {
        let mut body = says(wire, "o", text);
        body[name] = value;
        body
    };
    let system = |text: &str, rule: &str| {
        let user = says(wire, "o", text)["messages"][0].clone();
        with(text, "messages", json!([{ "role": "system", "content": rule }, user]))
    };
    let tool =
        |name: &str| json!([{ "type": "function", "function": { "name": name, "parameters": { "type": "object" } } }]);
    for (key, lines, body, expected) in [
        (CALLER_KEY, &[][..], says(wire, "o", FIRST), "miss"),
        (CALLER_KEY, &[], says(wire, "o", LIKE), "hit, similarity=0.83"),
        (CALLER_KEY, &[], with(LIKE, "user", json!("somebody")), "hit, similarity=0.83"),
        (CALLER_KEY, &[], with("How might I reset my password", "temperature", json!(1)), "miss"),
        (CALLER_KEY, &[], with("How might I reset my password", "tools", tool("f")), "miss"),
        (CALLER_KEY, &[], with("How could I reset my password", "tools", tool("g")), "miss"),
        (CALLER_KEY, &[], system("How should I reset my password", "Be brief."), "miss"),
        (CALLER_KEY, &[], system("How would I reset my password", "Be long."), "miss"),
        (CALLER_KEY, &[], system("How may I reset my password", "Be long."), "hit, similarity=0.83"),
        (CALLER_KEY, &[], says(wire, "a", "How may I reset my password"), "miss"),
        (OTHER_KEY, &[], says(wire, "o", "How may I reset my password"), "miss"),
        (CALLER_KEY, &[], says(wire, "o", "Tell me about the order 12 of mine"), "miss"),
        (CALLER_KEY, &[], says(wire, "o", "Tell me about the order 13 of mine"), "miss"),
        (CALLER_KEY, &["cache-control: no-cache"], says(wire, "o", "How will I reset my password"), "miss"),
        (CALLER_KEY, &["cache-control: no-store"], says(wire, "o", "How must I reset my password"), "miss"),
    ] {
        assert_eq!(ask(&gate, key, lines, (wire, &body)).0, expected, "{lines:?} {body}");
    }
}

#[test]
fn a_whole_conversation_may_be_alike_and_everyone_may_share() {
    let provider = Provider::start();
    let gate = gate(
        &provider,
        &near(&provider),
        "{ share: all, semantic: { model: near, threshold: 0.8, of: conversation } }",
    );
    let talk = |first: &str, last: &str| {
        let mut body = says(Wire::OpenAi, "o", first);
        for (role, text) in [("assistant", "Which one?"), ("user", last)] {
            body["messages"].as_array_mut().unwrap().push(json!({ "role": role, "content": text }));
        }
        body
    };
    let ask = |key: &str, body: &Value| ask(&gate, key, &[], (Wire::OpenAi, body)).0;
    assert_eq!(ask(CALLER_KEY, &talk(FIRST, "The one of the shop")), "miss");
    assert!(ask(OTHER_KEY, &talk(LIKE, "The one of a shop")).starts_with("hit, similarity=0.8"), "shared");
    assert_eq!(ask(OTHER_KEY, &talk(UNLIKE, "The one of the shop")), "miss");
}

#[test]
fn embeddings_come_in_whichever_dialect() {
    // By these vectors texts of about the same length are alike.
    let provider = Provider::start();
    let at = provider.address;
    let gemini =
        format!("    - {{ name: e, preset: gemini, base_url: \"http://{at}/v1beta\", keys: [{PROVIDER_KEY}] }}\n");
    let gate = gate_of(&provider, &gemini, "{ semantic: { model: near } }", "embed");
    let ask = |text: &str| ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &says(Wire::OpenAi, "o", text))).0;
    assert_eq!((ask(FIRST).as_str(), ask(LIKE).as_str()), ("miss", "hit, similarity=1.00"));
}

#[test]
fn without_embeddings_the_model_is_asked() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = Provider::start();
    let elsewhere = near(&provider).replace("/v1\"", "/v9\"");
    for (name, embeddings) in [("nobody listens", openai("e", nobody)), ("there is no such call", elsewhere)] {
        let provider = Provider::start();
        let gate = gate(&provider, &embeddings, "{ semantic: { model: near } }");
        for text in [FIRST, LIKE] {
            let told = ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &says(Wire::OpenAi, "o", text))).0;
            assert_eq!(told, "miss", "{name}");
        }
        let again = ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &says(Wire::OpenAi, "o", FIRST))).0;
        assert_eq!((again.as_str(), asked(&provider)), ("hit", 2), "{name}: what is the same is known all the same");
    }
    // One that never answers is not waited for.
    let held = e2e::Held::start();
    let provider = Provider::start();
    let silent = openai("e", held.address);
    let gate = gate(&provider, &silent, "{ semantic: { model: near, timeout: 100ms } }");
    assert_eq!(ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &says(Wire::OpenAi, "o", FIRST))).0, "miss");
}

#[test]
fn embeddings_that_fail_again_and_again_are_not_asked_for() {
    let provider = Provider::start();
    let broken = Upstream::start(|_| Some(response("500 Failed", "", "")));
    let gate = gate(&provider, &openai("e", broken.address), "{ semantic: { model: near } }");
    for at in 0..6 {
        let body = says(Wire::OpenAi, "o", &format!("{FIRST} {at}"));
        assert_eq!(ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &body)).0, "miss");
    }
    assert_eq!((broken.seen().len(), asked(&provider)), (3, 6));
}

#[test]
fn a_hit_draws_on_no_limit() {
    let provider = Provider::start();
    // Room for ten calls of this kind at most.
    let limit = "token_limit: { limits: [{ limit: 400/hour, by: consumer }] }";
    let gate =
        gate(&provider, &near(&provider), &format!("{{ semantic: {{ model: near, threshold: 0.8 }} }}, {limit}"));
    let question = |text: &str| {
        let mut body = says(Wire::OpenAi, "o", text);
        body["max_tokens"] = 10.into();
        body
    };
    let body = question(FIRST);
    assert_eq!(ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &body)).0, "miss");
    for at in 0..40 {
        let told = ask(&gate, CALLER_KEY, &[], (Wire::OpenAi, &question(LIKE))).0;
        assert_eq!(told, "hit, similarity=0.83", "{at}");
    }
}

#[test]
fn equal_calls_at_the_same_time_are_made_once() {
    for (streams, spec) in [(false, "{ collapse: {} }"), (true, "{ collapse: {}, semantic: { model: near } }")] {
        let baton = Baton::held();
        let held = baton.clone();
        let provider = Provider::playing(move |_, _| Play::text("Once.").at(&held));
        let gate = gate(&provider, &near(&provider), spec);
        let body = says(Wire::OpenAi, "o", FIRST);
        let body = if streams { streamed(Wire::OpenAi, body) } else { body };
        let at = gate.address("public");
        let told: Vec<String> = std::thread::scope(|scope| {
            let calls: Vec<_> =
                (0..6).map(|_| scope.spawn(|| ask_at(at, CALLER_KEY, &[], (Wire::OpenAi, &body)))).collect();
            until("all are there", || gate.metric("tollgate_requests_in_flight", &[]) >= 6.0);
            baton.pass(100);
            let answers = calls.into_iter().map(|call| call.join().unwrap());
            answers
                .map(|(told, answer)| {
                    assert!(answer.text().contains("Once."), "{}", answer.text());
                    told
                })
                .collect()
        });
        assert_eq!(asked(&provider), 1, "{told:?}");
        assert_eq!(told.iter().filter(|told| *told == "miss").count(), 1, "{told:?}");
    }
}

#[test]
fn who_waits_for_a_call_that_fails_makes_it_too() {
    let baton = Baton::held();
    let held = baton.clone();
    let provider = Provider::playing(move |_, _| Play::fails(400).at(&held));
    let gate = gate(&provider, &near(&provider), "{ collapse: {} }");
    let body = says(Wire::OpenAi, "o", FIRST).to_string();
    let at = gate.address("public");
    std::thread::scope(|scope| {
        let call = || Client::connect(at).call(request(Wire::OpenAi, CALLER_KEY, &[], &body));
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(call)).collect();
        until("all are there", || gate.metric("tollgate_requests_in_flight", &[]) >= 3.0);
        baton.pass(100);
        for call in calls {
            assert_eq!(call.join().unwrap().status, 400);
        }
    });
    assert_eq!(asked(&provider), 3);
}
