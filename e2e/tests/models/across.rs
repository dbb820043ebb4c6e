//! Any format before any other, whole and as streams: what is asked arrives, and what is answered is understood.

use e2e::provider::{Provider, Wire};
use serde_json::{Value, json};

use super::before;
use super::speech::{BOTH, Understood, ask, says, stream, streamed, whole};

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// Something to ask, as each format has it: the request without its model.
struct Asks {
    name: &'static str,
    openai: Value,
    anthropic: Value,
    /// What is said back.
    text: &'static str,
    /// The cities that the tool is called for.
    cities: &'static [&'static str],
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"],
            "additionalProperties": false })
}

fn tool(wire: Wire) -> Value {
    match wire {
        Wire::OpenAi => json!({ "type": "function", "function": {
            "name": "weather", "description": "The weather of a city", "parameters": schema() } }),
        Wire::Anthropic => {
            json!({ "name": "weather", "description": "The weather of a city", "input_schema": schema() })
        }
    }
}

fn cases() -> Vec<Asks> {
    let user = |text: &str| json!([{ "role": "user", "content": text }]);
    let trip = "Paris, London and Tokyo?";
    vec![
        Asks {
            name: "system",
            openai: json!({ "messages": [
                { "role": "system", "content": "Be short." }, { "role": "user", "content": "hello\n\"world\" ünd 😀" }] }),
            anthropic: json!({ "system": "Be short.", "messages": user("hello\n\"world\" ünd 😀") }),
            text: "I heard: hello\n\"world\" ünd 😀; I must: Be short.",
            cities: &[],
        },
        Asks {
            name: "turns",
            openai: json!({ "messages": [{ "role": "user", "content": "one" },
                { "role": "assistant", "content": "two" }, { "role": "user", "content": "three" }] }),
            anthropic: json!({ "messages": [{ "role": "user", "content": "one" },
                { "role": "assistant", "content": "two" }, { "role": "user", "content": "three" }] }),
            text: "I heard: three",
            cities: &[],
        },
        Asks {
            name: "images",
            openai: json!({ "messages": [{ "role": "user", "content": [
                { "type": "text", "text": "what is this?" },
                { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } },
                { "type": "image_url", "image_url": { "url": "https://img.test/cat.jpg" } }] }] }),
            anthropic: json!({ "messages": [{ "role": "user", "content": [
                { "type": "text", "text": "what is this?" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PNG } },
                { "type": "image", "source": { "type": "url", "url": "https://img.test/cat.jpg" } }] }] }),
            text: "I heard: what is this?; I saw image/png of 70 bytes; I saw https://img.test/cat.jpg",
            cities: &[],
        },
        Asks {
            name: "stop",
            openai: json!({ "messages": user("say nothing END behind"), "stop": ["END", "fin"] }),
            anthropic: json!({ "messages": user("say nothing END behind"), "stop_sequences": ["END", "fin"] }),
            text: "I heard: say nothing ",
            cities: &[],
        },
        Asks {
            name: "one tool",
            openai: json!({ "messages": user(trip), "tools": [tool(Wire::OpenAi)], "parallel_tool_calls": false }),
            anthropic: json!({ "messages": user(trip), "tools": [tool(Wire::Anthropic)],
                               "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } }),
            text: "",
            cities: &["Paris"],
        },
        Asks {
            name: "parallel tools",
            openai: json!({ "messages": user(trip), "tools": [tool(Wire::OpenAi)] }),
            anthropic: json!({ "messages": user(trip), "tools": [tool(Wire::Anthropic)] }),
            text: "",
            cities: &["Paris", "London", "Tokyo"],
        },
        Asks {
            name: "results of tools",
            openai: json!({ "tools": [tool(Wire::OpenAi)], "messages": [{ "role": "user", "content": trip },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Paris\"}" } },
                    { "id": "c2", "type": "function", "function": { "name": "weather", "arguments": "{}" } }] },
                { "role": "tool", "tool_call_id": "c1", "content": "21" },
                { "role": "tool", "tool_call_id": "c2", "content": [{ "type": "text", "text": "rain" }] }] }),
            anthropic: json!({ "tools": [tool(Wire::Anthropic)], "messages": [{ "role": "user", "content": trip },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "c1", "name": "weather", "input": { "city": "Paris" } },
                    { "type": "tool_use", "id": "c2", "name": "weather", "input": {} }] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "c1", "content": "21" },
                    { "type": "tool_result", "tool_use_id": "c2", "content": [{ "type": "text", "text": "rain" }] }] }] }),
            text: "The tools said: 21, rain.",
            cities: &[],
        },
        Asks {
            name: "schema",
            openai: json!({ "messages": user("the weather"), "response_format": {
                "type": "json_schema", "json_schema": { "name": "city", "strict": true, "schema": schema() } } }),
            anthropic: json!({ "messages": user("the weather"),
                               "output_config": { "format": { "type": "json_schema", "schema": schema() } } }),
            text: "{\"city\":\"Paris\",\"degrees\":21}",
            cities: &[],
        },
    ]
}

#[test]
fn every_format_reaches_every_provider() {
    let provider = Provider::start();
    let gate = before(provider.address);
    for asks in cases() {
        for (wire, model) in BOTH.into_iter().flat_map(|wire| [(wire, "o-plain"), (wire, "a-plain")]) {
            let mut body = if wire == Wire::OpenAi { asks.openai.clone() } else { asks.anthropic.clone() };
            body["model"] = model.into();
            if wire == Wire::Anthropic {
                body["max_tokens"] = 100.into();
            }
            let case = format!("{} by {wire:?} for {model}", asks.name);
            let answer = ask(gate.address("public"), wire, &body);
            assert_eq!(answer.status, 200, "{case}: {}", answer.text());
            let came = whole(wire, &answer.json());
            judge(&asks, wire, model, &came, &case);
            let answer = ask(gate.address("public"), wire, &streamed(wire, body));
            assert_eq!(answer.status, 200, "{case}: {}", answer.text());
            assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")), "{case}");
            let came = stream(wire, &answer.text());
            judge(&asks, wire, model, &came, &format!("{case}, streamed"));
        }
    }
}

fn judge(asks: &Asks, wire: Wire, model: &str, came: &Understood, case: &str) {
    assert_eq!(came.text, asks.text, "{case}");
    let calls: Vec<_> = asks.cities.iter().map(|city| ("weather".to_owned(), json!({ "city": city }))).collect();
    assert_eq!(came.calls, calls, "{case}");
    let mut ids = came.ids.clone();
    ids.dedup();
    assert_eq!(ids.len(), calls.len(), "ids differ: {case}: {:?}", came.ids);
    let finish = match (wire, calls.is_empty()) {
        (Wire::OpenAi, false) => "tool_calls",
        (Wire::OpenAi, true) => "stop",
        (Wire::Anthropic, false) => "tool_use",
        // OpenAI does not say what it stopped at.
        (Wire::Anthropic, true) if asks.name == "stop" && model == "a-plain" => "stop_sequence",
        (Wire::Anthropic, true) => "end_turn",
    };
    assert_eq!(came.finish, finish, "{case}");
    assert!(came.usage.0 > 20 && came.usage.1 == 9, "{case}: {:?}", came.usage);
}

/// The path of a call has a query as SDKs of betas write it, and its limit in the other format's words.
#[test]
fn limits_of_tokens_are_carried() {
    let provider = Provider::start();
    let gate = before(provider.address);
    for (wire, model, field, given, expected) in [
        (Wire::OpenAi, "a-plain", "max_tokens", Some(("max_tokens", 55)), 55),
        (Wire::OpenAi, "a-plain", "max_tokens", Some(("max_completion_tokens", 56)), 56),
        (Wire::Anthropic, "o-plain", "max_completion_tokens", Some(("max_tokens", 57)), 57),
    ] {
        let mut body = says(wire, model, "hello");
        if let Some((name, value)) = given {
            body[name] = value.into();
        }
        assert_eq!(ask(gate.address("public"), wire, &body).status, 200);
        let asked: Value = serde_json::from_slice(&provider.asked().pop().unwrap().body).unwrap();
        assert_eq!(asked[field], expected, "{asked}");
    }
    // Anthropic must be told one.
    assert_eq!(ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "a-plain", "hello")).status, 200);
    let asked: Value = serde_json::from_slice(&provider.asked().pop().unwrap().body).unwrap();
    assert!(asked["max_tokens"].as_u64().is_some_and(|most| most >= 1024), "{asked}");
}
