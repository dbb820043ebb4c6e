//! Guardrails before the call, after it and on the stream, in the same format and in another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::client::{Answer, Client};
use e2e::provider::{Baton, Play, Provider, Turn, Wire};

use e2e::{Gate, Upstream, response, until};
use serde_json::{Value, json};

use super::speech::{BOTH, ask, events, request, says, stream, streamed, whole};
use super::{CALLER_KEY, anthropic, configuration, openai};

/// A gateway before one provider, asked as OpenAI for `o` and as Anthropic for `a`, with this guardrail; `large` is
/// another name of what `a` is.
fn guarded(provider: &Provider, guardrail: &str) -> Gate {
    let providers = format!("{}{}", openai("o", provider.address), anthropic("a", provider.address));
    let model =
        |name: &str, by: &str| format!("    - {{ name: {name}, targets: [{{ provider: {by}, model: {name} }}] }}\n");
    let models = [model("o", "o"), model("a", "a"), model("large", "a")].concat();
    let text = configuration(&providers, &models)
        .replace("policies: { key_auth: {} }", &format!("policies: {{ key_auth: {{}}, guardrail: {guardrail} }}"));
    assert!(text.contains("guardrail"), "{text}");
    Gate::start(&format!(
        "{text}access_log: {{ fields: [status, error, error_cause, guarded, model, provider, tokens_in] }}\n"
    ))
}

/// Each format before each.
fn ways() -> impl Iterator<Item = (Wire, &'static str)> {
    BOTH.into_iter().flat_map(|wire| [(wire, "o"), (wire, "a")])
}

/// What the provider was sent last.
fn heard(provider: &Provider) -> String {
    String::from_utf8(provider.asked().last().expect("it was asked").body.clone()).unwrap()
}

/// The line of the log that holds this.
fn logged(gate: Gate, text: &str) -> Value {
    let left = gate.leave();
    let line = left.output.lines().rev().find(|line| line.contains(text));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{text} in {}", left.output))).unwrap()
}

const MASK: &str = "{ request: [{ personal: all, action: mask }] }";

#[test]
fn what_is_masked_for_the_provider_is_put_back_for_the_caller() {
    let text = "Write to jane@example.com or +1 202-555-0143, not to bob@example.com; again jane@example.com.";
    let masked = "Write to [EMAIL_1] or [PHONE_1], not to [EMAIL_2]; again [EMAIL_1].";
    let provider = Provider::start();
    let gate = guarded(&provider, MASK);
    for (wire, model) in ways() {
        let body = says(wire, model, text);
        let answer = ask(gate.address("public"), wire, &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(heard(&provider).contains(masked), "{}", heard(&provider));
        assert!(!heard(&provider).contains("example.com"), "{}", heard(&provider));
        assert_eq!(whole(wire, &answer.json()).text, format!("I heard: {text}"), "{wire:?} {model}");
        let answer = ask(gate.address("public"), wire, &streamed(wire, body));
        let understood = stream(wire, &answer.text());
        assert_eq!(understood.text, format!("I heard: {text}"), "{wire:?} {model} streamed");
        assert!(understood.usage.1 > 0, "the usage is told all the same");
        assert!(heard(&provider).contains(masked), "{}", heard(&provider));
    }
    assert_eq!(logged(gate, "\"guarded\"")["guarded"], "personal mask 4");
}

#[test]
fn placeholders_are_put_back_over_the_borders_of_events() {
    let said = "to [⁞EMAIL⁞_1] [EMAIL_⁞1⁞]! [EMAIL_9] [⁞x] [EMAIL⁞";
    let provider = Provider::playing(move |_, _| Play::text(said));
    let gate = guarded(&provider, MASK);
    for (wire, model) in ways() {
        let body = streamed(wire, says(wire, model, "jane@example.com"));
        let answer = ask(gate.address("public"), wire, &body);
        let text = stream(wire, &answer.text()).text;
        assert_eq!(text, "to jane@example.com jane@example.com! [EMAIL_9] [x] [EMAIL", "{wire:?} {model}");
    }
}

#[test]
fn arguments_of_tools_are_put_back_too() {
    let provider = Provider::playing(|_, _| {
        let calls = vec![("send".to_owned(), json!({ "to": "[EMAIL_1]", "password": "[SECRET_1]" }))];
        Play::says(Turn { calls, usage: (1, 1), ..Turn::default() })
    });
    let gate = guarded(&provider, MASK);
    for (wire, model) in ways() {
        let body = says(wire, model, "jane@example.com, password: `x\\yz12345!`");
        let expected = json!({ "to": "jane@example.com", "password": "x\\yz12345!" });
        let answer = ask(gate.address("public"), wire, &body);
        assert_eq!(whole(wire, &answer.json()).calls, [("send".to_owned(), expected.clone())], "{wire:?} {model}");
        let answer = ask(gate.address("public"), wire, &streamed(wire, body));
        assert_eq!(stream(wire, &answer.text()).calls, [("send".to_owned(), expected)], "{wire:?} {model} streamed");
    }
}

#[test]
fn an_answer_is_masked_over_the_borders_of_events() {
    let said = "card 41⁞11 1111 11⁞11 1111 or jane⁞@exam⁞ple.com⁞, yes 4⁞2";
    let provider = Provider::playing(move |_, _| Play::text(said));
    let gate = guarded(&provider, "{ response: [{ personal: [card, email], action: mask }] }");
    for (wire, model) in ways() {
        let answer = ask(gate.address("public"), wire, &streamed(wire, says(wire, model, "hello")));
        let understood = stream(wire, &answer.text());
        assert_eq!(understood.text, "card [CARD] or [EMAIL], yes 42", "{wire:?} {model}");
        assert_eq!(understood.usage, (11, 7), "{wire:?} {model}");
    }
    let provider = Provider::playing(move |_, _| Play::text(&said.replace('⁞', "")));
    let gate = guarded(&provider, "{ response: [{ personal: [card, email], action: mask }] }");
    for (wire, model) in ways() {
        let answer = ask(gate.address("public"), wire, &says(wire, model, "hello"));
        assert_eq!(whole(wire, &answer.json()).text, "card [CARD] or [EMAIL], yes 42", "{wire:?} {model}");
    }
}

#[test]
fn a_guarded_stream_is_a_stream() {
    for (wire, model) in ways() {
        let baton = Baton::held();
        let held = baton.clone();
        let provider = Provider::playing(move |_, _| Play::text("alpha beta gamma delta").at(&held));
        let gate = guarded(
            &provider,
            "{ request: [{ personal: all, action: mask }], response: [{ personal: all, action: mask }] }",
        );
        let mut client = Client::connect(gate.address("public"));
        let body = streamed(wire, says(wire, model, "jane@example.com"));
        client.send(request(wire, CALLER_KEY, &[], &body.to_string()));
        let before_words = if model == "o" { 1 } else { 3 };
        baton.pass(1 + before_words);
        assert_eq!(client.read_head().map(|head| head.status), Some(200));
        for (at, word) in ["alpha", "beta", "gamma"].into_iter().enumerate() {
            baton.pass(1);
            let mut seen = String::new();
            while !seen.contains(word) {
                seen.push_str(&String::from_utf8_lossy(&client.read_chunk().expect("a chunk")));
            }
            assert_eq!(provider.sent(), before_words + at + 1, "{wire:?} {model}: `{word}` waits for nothing");
        }
        baton.pass(100);
        while client.read_chunk().is_some() {}
    }
}

#[test]
fn a_block_is_before_the_call() {
    let provider = Provider::start();
    let guardrail = "{ request: [{ name: names, words: [project falcon] }, { personal: secret }] }";
    let gate = guarded(&provider, guardrail);
    for (wire, model) in ways() {
        for text in ["tell me of Project Falcon", "password: hunter2!Xy"] {
            for body in [says(wire, model, text), streamed(wire, says(wire, model, text))] {
                let answer = ask(gate.address("public"), wire, &body);
                assert_eq!(answer.status, 400, "{}", answer.text());
                assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
                assert!(!answer.text().contains("alcon") && !answer.text().contains("hunter2"), "{}", answer.text());
            }
        }
    }
    assert!(provider.asked().is_empty(), "the provider hears nothing");
    let count = gate.metric("tollgate_guardrail_findings_total", &["check=\"names\"", "action=\"block\""]);
    assert_eq!(count, 8.0);
    let line = logged(gate, "names");
    assert_eq!((&line["error"], &line["guarded"]), (&json!("guardrail.blocked"), &json!("names block 1")));
    assert!(!line.to_string().contains("alcon"), "{line}");
}

/// The text of a stream up to where it ended, and the error it ended in.
fn broken(wire: Wire, answer: &Answer) -> (String, Value) {
    let (mut text, mut error) = (String::new(), Value::Null);
    for (name, event) in events(&answer.text()) {
        match wire {
            Wire::OpenAi => {
                text.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
                if event["error"].is_object() {
                    error = event["error"].clone();
                }
            }
            Wire::Anthropic => {
                text.push_str(event["delta"]["text"].as_str().unwrap_or_default());
                if name.as_deref() == Some("error") {
                    error = event["error"].clone();
                }
            }
        }
    }
    (text, error)
}

#[test]
fn a_block_ends_a_stream_in_an_error_of_the_callers_format() {
    let provider = Provider::playing(|_, _| Play::text("it is called pro⁞ject fal⁞con and flies"));
    let gate = guarded(&provider, "{ response: [{ words: [project falcon] }] }");
    for (wire, model) in ways() {
        let answer = ask(gate.address("public"), wire, &streamed(wire, says(wire, model, "hello")));
        assert_eq!(answer.status, 200);
        let (text, error) = broken(wire, &answer);
        assert_eq!(text, "it is called ", "{wire:?} {model}: {}", answer.text());
        assert!(error["message"].as_str().unwrap_or_default().contains("guardrail"), "{}", answer.text());
        assert!(!answer.text().contains("flies"), "nothing comes after: {}", answer.text());
    }
    let line = logged(gate, "guarded");
    assert_eq!(line["guarded"], "words block 1");

    let provider = Provider::playing(|_, _| Play::text("it is called project falcon and flies"));
    let gate = guarded(&provider, "{ response: [{ words: [project falcon] }] }");
    for (wire, model) in ways() {
        let answer = ask(gate.address("public"), wire, &says(wire, model, "hello"));
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("guardrail") && !answer.text().contains("falcon"), "{}", answer.text());
    }
}

#[test]
fn flags_and_shadows_change_nothing() {
    let said = "jane⁞@example.com says: 4⁞2";
    for (guardrail, word) in [
        (
            "{ request: [{ personal: email, action: flag }], response: [{ name: out, personal: email, action: flag }] }",
            "flag",
        ),
        (
            "{ request: [{ personal: email, action: mask }], response: [{ name: out, personal: email }], mode: shadow }",
            "shadow",
        ),
    ] {
        let provider = Provider::playing(move |_, _| Play::text(said));
        let gate = guarded(&provider, guardrail);
        for (wire, model) in ways() {
            let answer = ask(gate.address("public"), wire, &streamed(wire, says(wire, model, "I am bob@example.com")));
            assert_eq!(stream(wire, &answer.text()).text, "jane@example.com says: 42", "{guardrail}");
            assert!(heard(&provider).contains("bob@example.com"));
        }
        until("all is counted", || {
            gate.metric("tollgate_guardrail_findings_total", &["check=\"out\"", &format!("action=\"{word}\"")]) == 4.0
        });
        let line = logged(gate, "guarded");
        assert_eq!(line["guarded"], format!("personal {word} 1, out {word} 1"), "{guardrail}");
    }
}

#[test]
fn a_call_goes_to_another_model() {
    let provider = Provider::start();
    let gate = guarded(&provider, "{ request: [{ words: [diagnosis], action: { route: large } }] }");
    for (wire, model) in ways() {
        for (text, asked) in [("hello", model), ("a diagnosis, please", "large")] {
            let answer = ask(gate.address("public"), wire, &says(wire, model, text));
            assert_eq!(answer.header("x-tollgate-model"), Some(asked), "{wire:?} {model}: {}", answer.text());
        }
    }
}

#[test]
fn somebody_else_judges() {
    let provider = Provider::start();
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let judge = Upstream::start(move |seen| {
        if is_down.load(Ordering::SeqCst) {
            return None;
        }
        let asked: Value = serde_json::from_slice(&seen.body).unwrap();
        let bad = asked.to_string().contains("violence");
        let answer = if seen.line.starts_with("POST /v1/moderations ") {
            assert_eq!(seen.header("authorization"), Some("Bearer judges-key"));
            assert_eq!(asked["model"], "omni", "{asked}");
            json!({ "id": "modr-1", "model": "omni", "results": [{ "flagged": bad, "categories": { "violence": bad },
                    "category_scores": { "violence": if bad { 0.9 } else { 0.1 } } }] })
        } else {
            assert_eq!((&asked["check"], &asked["side"]), (&json!("own"), &json!("request")), "{asked}");
            json!({ "verdict": if bad { "deny" } else { "allow" } })
        };
        Some(response("200 OK", "content-type: application/json\r\n", &answer.to_string()))
    });
    let moderation = |more: &str| {
        format!(
            "moderation: {{ url: \"http://{}/v1/moderations\", key: judges-key, model: omni{more} }}",
            judge.address
        )
    };
    let webhook = format!("name: own, webhook: {{ url: \"http://{}/judge\" }}", judge.address);
    for (check, lenient) in [
        (moderation(""), false),
        (moderation(", categories: [violence], threshold: 0.5"), false),
        (moderation(", on_error: allow"), true),
        (webhook, false),
    ] {
        down.store(false, Ordering::SeqCst);
        let gate = guarded(&provider, &format!("{{ request: [{{ {check} }}] }}"));
        for (wire, model) in ways() {
            let statuses = |text: &str| ask(gate.address("public"), wire, &says(wire, model, text)).status;
            assert_eq!((statuses("peace"), statuses("violence")), (200, 400), "{check} {wire:?} {model}");
        }
        down.store(true, Ordering::SeqCst);
        let asked = provider.asked().len();
        let answer = ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "o", "violence"));
        assert_eq!(answer.status, if lenient { 200 } else { 503 }, "{check}: {}", answer.text());
        assert_eq!(provider.asked().len() > asked, lenient, "{check}");
    }
}

#[test]
fn an_answer_that_does_not_keep_to_a_schema_is_asked_for_again() {
    let schema = "{ type: object, required: [city], properties: { city: { type: string } } }";
    let guardrail =
        |repair: u8| format!("{{ response: [{{ schema: {{ json_schema: {schema}, repair: {repair} }} }}] }}");
    let good = r#"{"city": "Paris"}"#;
    // Says it wrong until it was told so often what is wrong.
    let mends_after = |times: usize| {
        Provider::playing(move |seen, _| {
            let told = String::from_utf8_lossy(&seen.body).matches("is not what was asked for").count();
            Play::text(match told {
                told if told >= times => good,
                0 => "Paris, of course",
                _ => r#"{"town": "Paris"}"#,
            })
        })
    };
    for (needs, repair, status, asked) in
        [(0, 0, 200, 1), (1, 0, 400, 1), (1, 1, 200, 2), (2, 1, 400, 2), (2, 3, 200, 3)]
    {
        for (wire, model) in ways() {
            let provider = mends_after(needs);
            let gate = guarded(&provider, &guardrail(repair));
            let answer = ask(gate.address("public"), wire, &says(wire, model, "where?"));
            let case = format!("{wire:?} {model}, mends after {needs}, asked again {repair} times at most");
            assert_eq!((answer.status, provider.asked().len()), (status, asked), "{case}: {}", answer.text());
            if status == 200 {
                let understood = whole(wire, &answer.json());
                assert_eq!(understood.text, good, "{case}");
                let line = logged(gate, "tokens_in");
                assert_eq!(line["tokens_in"], 11 * asked, "what was thrown away is paid for: {case}");
            }
        }
    }
    let provider = Provider::playing(|_, _| Play::text(r#"{"town": "Paris"}"#));
    let gate = guarded(&provider, &guardrail(3));
    for (wire, model) in ways() {
        let answer = ask(gate.address("public"), wire, &streamed(wire, says(wire, model, "where?")));
        let (_, error) = broken(wire, &answer);
        assert!(error["message"].as_str().unwrap_or_default().contains("guardrail"), "{}", answer.text());
    }
    assert_eq!(provider.asked().len(), 4, "a stream is not asked for again");
}

#[test]
fn a_guard_of_the_answer_leaves_the_request_as_it_is() {
    let provider = Provider::start();
    let gate = guarded(&provider, "{ response: [{ personal: all, action: mask }] }");
    let body = r#"{ "model": "o",  "prompt_cache_key": "k",  "messages": [{"content": "hello", "role": "user"}] }"#;
    let answer = Client::connect(gate.address("public")).call(request(Wire::OpenAi, CALLER_KEY, &[], body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(heard(&provider), body);
}
