//! Prompts published as apis, and instructions that go with every call.

use e2e::Gate;
use e2e::client::{Answer, Client};
use e2e::provider::{Play, Provider, Wire};
use serde_json::{Value, json};

use super::speech::{ask, says};
use super::{CALLER_KEY, anthropic, openai};

const PROMPTS: &str = r#"
  prompts:
    - name: greet
      model: m
      parameters: { temperature: 0.1 }
      variables: { who: { type: string } }
      system: "Greet."
      messages: [{ content: "I am {{ who }}." }]
    - name: shaped
      model: m
      messages: [{ content: "A number." }]
      output: { type: object, properties: { number: { type: integer } }, required: [number] }
"#;

/// A gateway with two prompts and models of this provider, named `m` whatever its format.
fn gate(provider: &str) -> Gate {
    let name = provider.split("name: ").nth(1).unwrap().split(',').next().unwrap();
    let model = format!("    - {{ name: m, targets: [{{ provider: {name}, model: plain }}] }}\n");
    let routes = "routes:\n      - { match: { path: /greet }, to: { prompt: { name: greet } } }\n      \
                  - { match: { path: /shaped }, to: { prompt: { name: shaped } } }\n      \
                  - { policies: { system_message: { prepend: First., append: Last. } }, to: { ai: {} } }\n";
    let text = super::configuration(provider, &model).replace("apis:\n", &format!("{PROMPTS}apis:\n"));
    Gate::start(&text.replace("routes: [{ to: { ai: { max_bytes: 64KiB } } }]", routes))
}

fn post(gate: &Gate, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    Client::connect(gate.address("public")).call(format!(
        "POST /v1{path} HTTP/1.1\r\nhost: gate.test\r\nx-api-key: {CALLER_KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn a_prompt_is_asked_and_answered_without_a_vendors_format() {
    for vendor in [openai, anthropic] {
        let provider = Provider::playing(|_, _| Play::text("Hello there, Ada."));
        let gate = gate(&vendor("p", provider.address));
        let answer = post(&gate, "/greet", &json!({ "variables": { "who": "Ada" } }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(
            (told["output"].as_str(), told["finish"].as_str()),
            (Some("Hello there, Ada."), Some("stop")),
            "{told}"
        );
        assert!(told["usage"]["output_tokens"].as_u64().unwrap() > 0, "{told}");
        assert_eq!(answer.header("x-tollgate-prompt"), Some("greet@v1"));
        let heard: Value = serde_json::from_slice(&provider.asked().pop().unwrap().body).unwrap();
        assert!(heard.to_string().contains("I am Ada.") && heard.to_string().contains("Greet."), "{heard}");
        assert_eq!(heard["temperature"], 0.1);

        let answer = post(&gate, "/greet", &json!({ "variables": { "who": "Ada" }, "stream": true }));
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{}", answer.text());
        let stream = answer.text();
        let pieces = stream.split("\n\n").filter_map(|event| event.strip_prefix("event: text\ndata: "));
        let pieces: Vec<Value> = pieces.map(|data| serde_json::from_str(data).unwrap()).collect();
        let text: String = pieces.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
        assert_eq!(text, "Hello there, Ada.");
        assert!(stream.contains("event: done\ndata: {\"finish\":\"stop\""), "{stream}");

        let asked = provider.asked().len();
        let answer = post(&gate, "/greet", &json!({ "variables": {} }));
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")));
        let answer = post(&gate, "/greet", &json!({ "variables": { "who": "Ada" }, "dry_run": true }));
        assert!(answer.text().contains("I am Ada."), "{}", answer.text());
        assert_eq!(provider.asked().len(), asked, "nobody was asked");
    }
}

#[test]
fn an_answer_is_of_the_shape_that_was_asked_for() {
    for (says, status) in [("{\"number\": 5}", 200), ("{\"number\": \"5\"}", 502), ("five", 502)] {
        let provider = Provider::playing(move |_, _| Play::text(says));
        let gate = gate(&openai("p", provider.address));
        let answer = post(&gate, "/shaped", &json!({}));
        let told: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(answer.status, status, "{told}");
        match status {
            200 => assert_eq!(told["output"], json!({ "number": 5 })),
            _ => assert_eq!(told["code"], "ai.bad_output", "{told}"),
        }
    }
}

#[test]
fn instructions_go_with_every_call() {
    for (vendor, wire) in [(openai as fn(&str, _) -> String, Wire::OpenAi), (anthropic, Wire::Anthropic)] {
        let provider = Provider::start();
        let gate = gate(&vendor("p", provider.address));
        let answer = ask(gate.address("public"), wire, &says(wire, "m", "hello"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let heard: Value = serde_json::from_slice(&provider.asked().pop().unwrap().body).unwrap();
        match wire {
            Wire::OpenAi => assert_eq!(
                heard["messages"],
                json!([{ "role": "system", "content": "First." }, { "role": "user", "content": "hello" },
                    { "role": "system", "content": "Last." }])
            ),
            Wire::Anthropic => assert_eq!(heard["system"], "First.\n\nLast."),
        }
    }
}
