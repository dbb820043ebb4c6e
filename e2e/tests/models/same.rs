//! The same format in and out: bytes pass as they are, but for the model's name in the request.

use e2e::client::Client;
use e2e::provider::{PROVIDER_KEY, Provider, Wire};

use super::speech::{BOTH, ask, request, says, stream, streamed};
use super::{CALLER_KEY, before, gate, openai};

/// Odd but right, so that any writing anew would show.
fn odd(wire: Wire, stream: bool) -> String {
    let stream = match (stream, wire) {
        (false, _) => "",
        (true, Wire::OpenAi) => "\"stream\" : true,  \"stream_options\":{\"include_usage\":true},",
        (true, Wire::Anthropic) => "\"stream\" : true ,",
    };
    let own = match wire {
        Wire::OpenAi => "\"logit_bias\":{\"50256\":-100.0},\"seed\":7e0,\"max_completion_tokens\" : 64",
        Wire::Anthropic => "\"max_tokens\" : 64,\"thinking\":{\"type\":\"disabled\"},\"top_k\":5",
    };
    format!(
        "{{\n  {stream} \"messages\": [ {{\"content\":\"h\\u00e9 \\ud83d\\ude00\",\"role\":\"user\"}} ],\t\
         \"temperature\":0.50, \"model\":\"MODEL\", {own} }}\n"
    )
}

#[test]
fn bytes_pass_as_they_are() {
    let provider = Provider::start();
    let gate = before(provider.address);
    for wire in BOTH {
        for stream in [false, true] {
            let text = odd(wire, stream);
            let (named, own) = match wire {
                Wire::OpenAi => (text.replace("MODEL", "o-plain"), text.replace("MODEL", "plain")),
                Wire::Anthropic => (text.replace("MODEL", "a-plain"), text.replace("MODEL", "plain")),
            };
            let through = Client::connect(gate.address("public")).call(request(wire, CALLER_KEY, &[], &named));
            let direct = Client::connect(provider.address).call(request(wire, PROVIDER_KEY, &[], &own));
            assert_eq!((through.status, direct.status), (200, 200), "{wire:?}: {} {}", through.text(), direct.text());
            assert_eq!(through.text(), direct.text(), "{wire:?}");
            let asked = provider.asked();
            let [.., by_gate, by_test] = &asked[..] else { panic!("two were asked") };
            assert_eq!(String::from_utf8_lossy(&by_gate.body), String::from_utf8_lossy(&by_test.body), "{wire:?}");
            assert_eq!(through.header("x-tollgate-model"), Some("plain"));
            assert_eq!(through.header("x-tollgate-attempts"), Some("1"));
        }
    }
}

/// OpenAI tells the usage of a stream only to those who ask, and the gateway must know it.
#[test]
fn usage_is_not_told_to_who_did_not_ask() {
    let provider = Provider::start();
    let gate = before(provider.address);
    let body = odd(Wire::OpenAi, true).replace("MODEL", "o-plain").replace("true}", "false}");
    let answer = Client::connect(gate.address("public")).call(request(Wire::OpenAi, CALLER_KEY, &[], &body));
    let asked = provider.asked().pop().expect("it is asked");
    let expected = body.replace("o-plain", "plain").replace("false}", "true}");
    assert_eq!(String::from_utf8_lossy(&asked.body), expected);
    assert!(!answer.text().contains("prompt_tokens"), "{}", answer.text());
    assert_eq!(stream(Wire::OpenAi, &answer.text()).text, "I heard: hé 😀");
}

/// Some hosts tell the usage of a stream always, and refuse to be asked.
#[test]
fn usage_is_asked_for_only_where_it_may_be() {
    let provider = Provider::start();
    let mistral = openai("m", provider.address).replace("preset: openai", "preset: mistral");
    let gate = gate(&mistral, "    - { name: m, targets: [{ provider: m, model: plain }] }\n");
    for wire in BOTH {
        let mut body = streamed(wire, says(wire, "m", "hello"));
        body.as_object_mut().unwrap().remove("stream_options");
        let answer = ask(gate.address("public"), wire, &body);
        assert_eq!(stream(wire, &answer.text()).text, "I heard: hello", "{wire:?}");
        let asked = String::from_utf8(provider.asked().pop().expect("it is asked").body).unwrap();
        assert!(asked.contains("\"stream\":true") && !asked.contains("stream_options"), "{asked}");
    }
}

#[test]
fn vendors_headers_pass_to_that_vendor_alone() {
    let provider = Provider::start();
    let gate = before(provider.address);
    let lines =
        ["anthropic-beta: one-2025-01-01,two-2025-02-02", "anthropic-beta: three-2025-03-03", "x-other: secret"];
    for (wire, model, passes) in [
        (Wire::Anthropic, "a-plain", Some("one-2025-01-01,two-2025-02-02|three-2025-03-03")),
        (Wire::Anthropic, "o-plain", None),
        (Wire::OpenAi, "a-plain", None),
    ] {
        let body = says(wire, model, "hello").to_string();
        let answer = Client::connect(gate.address("public")).call(request(wire, CALLER_KEY, &lines, &body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let asked = provider.asked().pop().unwrap();
        let beta: Vec<_> = asked.headers.iter().filter(|(name, _)| name == "anthropic-beta").collect();
        let beta: Vec<_> = beta.into_iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(Some(beta.join("|")).filter(|beta| !beta.is_empty()).as_deref(), passes, "{wire:?} {model}");
        assert_eq!(asked.header("x-other"), None);
    }
}
