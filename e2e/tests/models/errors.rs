//! What goes wrong is told in the caller's own format, and no key is told to anybody.

use e2e::Gate;
use e2e::client::Client;
use e2e::provider::{PROVIDER_KEY, Provider, Wire};
use serde_json::Value;

use super::speech::{BOTH, ask, events, request, says, streamed};
use super::{CALLER_KEY, before, configuration, openai};

/// The kind and message of an error object in this format.
fn told(wire: Wire, body: &Value) -> (String, String) {
    if wire == Wire::Anthropic {
        assert_eq!(body["type"], "error", "{body}");
    }
    let text = |key: &str| body["error"][key].as_str().unwrap_or_else(|| panic!("no `{key}`: {body}")).to_owned();
    (text("type"), text("message"))
}

#[test]
fn providers_failures_are_told_in_the_callers_format() {
    let provider = Provider::start();
    // The status of the provider; what the caller gets; its kind in OpenAI's and in Anthropic's words.
    for (fails, status, openai, anthropic) in [
        (400, 400, "invalid_request_error", "invalid_request_error"),
        (401, 502, "server_error", "api_error"),
        (403, 502, "server_error", "api_error"),
        (404, 502, "server_error", "api_error"),
        (429, 429, "rate_limit_error", "rate_limit_error"),
        (500, 502, "server_error", "api_error"),
        (503, 503, "overloaded_error", "overloaded_error"),
        (529, 503, "overloaded_error", "overloaded_error"),
    ] {
        // One each, for keys that are refused rest.
        let gate = before(provider.address);
        for (wire, by) in BOTH.into_iter().flat_map(|wire| [(wire, "o"), (wire, "a")]) {
            for stream in [false, true] {
                let mut body = says(wire, &format!("{by}-fails-{fails}"), "hello");
                if stream {
                    body = streamed(wire, body);
                }
                let answer = ask(gate.address("public"), wire, &body);
                let case = format!("{fails} of {by} to {wire:?}: {}", answer.text());
                // Anthropic has no 503 of its own: what is not its overload is a failure.
                if fails != 503 || by == "o" {
                    assert_eq!(answer.status, status, "{case}");
                    let kind = if wire == Wire::OpenAi { openai } else { anthropic };
                    assert_eq!(told(wire, &answer.json()).0, kind, "{case}");
                }
                assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
                let after = answer.header("retry-after").map(|after| after.parse::<u64>().unwrap());
                assert_eq!(after.is_some_and(|after| (1..=7).contains(&after)), fails == 429, "{case}");
            }
        }
    }
}

#[test]
fn an_unknown_model_is_never_another() {
    let provider = Provider::start();
    let gate = before(provider.address);
    for (wire, kind) in [(Wire::OpenAi, "invalid_request_error"), (Wire::Anthropic, "not_found_error")] {
        for model in ["plain", "o-plain ", "O-plain", "gpt-5", ""] {
            let answer = ask(gate.address("public"), wire, &says(wire, model, "hello"));
            assert_eq!(answer.status, 404, "{model}: {}", answer.text());
            let (got, message) = told(wire, &answer.json());
            assert_eq!(got, kind, "{model}");
            assert!(message.contains(&format!("`{model}`")), "{message}");
        }
    }
    assert!(provider.asked().is_empty());
}

#[test]
fn too_much_is_refused_in_the_callers_format() {
    let provider = Provider::start();
    let gate = before(provider.address);
    let much = "x".repeat(70 << 10);
    for (wire, kind) in [(Wire::OpenAi, "invalid_request_error"), (Wire::Anthropic, "request_too_large")] {
        let answer = ask(gate.address("public"), wire, &says(wire, "o-plain", &much));
        assert_eq!((answer.status, told(wire, &answer.json()).0.as_str()), (413, kind), "{}", answer.text());
    }
    assert!(provider.asked().is_empty());
}

#[test]
fn what_is_no_request_is_refused_in_the_callers_format() {
    let provider = Provider::start();
    let gate = before(provider.address);
    for wire in BOTH {
        for body in ["", "{", "[]", "{\"model\":7}", "{\"messages\":[]}", "{\"model\":\"a-plain\",\"messages\":7}"] {
            // What passes as it is, the provider judges.
            let body = if wire == Wire::Anthropic { body.replace("a-plain", "o-plain") } else { body.to_owned() };
            let answer = Client::connect(gate.address("public")).call(request(wire, CALLER_KEY, &[], &body));
            assert_eq!(answer.status, 400, "{wire:?} {body}: {}", answer.text());
            assert_eq!(told(wire, &answer.json()).0, "invalid_request_error", "{body}");
        }
    }
    assert!(provider.asked().is_empty());
}

#[test]
fn a_stream_that_breaks_ends_in_the_callers_format() {
    let provider = Provider::start();
    let gate = before(provider.address);
    for (wire, model) in BOTH.into_iter().flat_map(|wire| [(wire, "o-breaks"), (wire, "a-breaks")]) {
        let body = streamed(wire, says(wire, model, "a few words more"));
        let answer = ask(gate.address("public"), wire, &body);
        assert_eq!(answer.status, 200);
        let events = events(&answer.text());
        let (name, last) = events.last().expect("it began");
        let case = format!("{wire:?} {model}: {}", answer.text());
        assert!(answer.text().contains("I "), "{case}");
        match wire {
            Wire::OpenAi => {
                assert_eq!((name.as_deref(), told(wire, last).0.as_str()), (None, "server_error"), "{case}")
            }
            Wire::Anthropic => {
                assert_eq!((name.as_deref(), told(wire, last).0.as_str()), (Some("error"), "api_error"), "{case}");
            }
        }
        assert!(!answer.text().contains("[DONE]") && !answer.text().contains("message_stop"), "{case}");
    }
}

/// With the most that can be logged.
#[test]
fn keys_are_told_to_nobody() {
    let provider = Provider::start();
    let wrong = openai("wrong", provider.address).replace(PROVIDER_KEY, "sk-a-wrong-key-that-nobody-may-see");
    let providers = format!("{}{wrong}", openai("o", provider.address));
    let models = "    - { name: good, targets: [{ provider: wrong, model: plain }, { provider: o, model: plain }] }\n\
                  \x20   - { name: bad, targets: [{ provider: wrong, model: plain }] }\n";
    let text = configuration(&providers, models) + "log: { level: trace }\n";
    let gate = Gate::start(&text);
    for wire in BOTH {
        for model in ["good", "bad"] {
            for body in [says(wire, model, "hello"), streamed(wire, says(wire, model, "hello"))] {
                let answer = ask(gate.address("public"), wire, &body);
                let all = format!("{:?}{}", answer.headers, answer.text());
                assert!(!all.contains("nobody-may-see") && !all.contains("sk-"), "{all}");
            }
        }
    }
    let asked = provider.asked();
    assert_eq!(asked.len(), 4 + 1, "the wrong key is shown once and rests");
    for seen in asked {
        let all = format!("{} {:?} {}", seen.line, seen.headers, String::from_utf8_lossy(&seen.body));
        assert!(!all.contains(CALLER_KEY), "{all}");
    }
    let left = gate.leave();
    for text in [left.said, left.output] {
        for key in ["nobody-may-see", CALLER_KEY] {
            assert!(!text.contains(key), "{text}");
        }
    }
}
