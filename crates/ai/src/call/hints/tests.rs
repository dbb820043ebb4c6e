use serde_json::{Value, json};

use super::*;
use crate::translate::{Ask, Losses, Told};

fn hints(last_messages: usize, ttl: CacheLife) -> Hints {
    Hints { tools: true, system: true, last_messages, ttl, key: None }
}

fn to(format: Format, model: &str) -> To<'_> {
    To { format, model, quirks: Quirks::default() }
}

#[test]
fn anthropics_requests_are_marked_at_the_ends() {
    let mark = json!({ "type": "ephemeral" });
    let hour = json!({ "type": "ephemeral", "ttl": "1h" });
    let text = |text: &str| json!({ "type": "text", "text": text });
    let marked = |text: &str, control: &Value| json!({ "type": "text", "text": text, "cache_control": control });
    let said = |role: &str, content: Value| json!({ "role": role, "content": content });
    for (last, ttl, request, expected) in [
        (
            1,
            CacheLife::FiveMinutes,
            json!({ "system": "s", "tools": [{ "name": "a" }, { "name": "b" }],
                "messages": [said("user", json!("one")), said("assistant", json!("1")), said("user", json!("two"))] }),
            json!({ "system": [marked("s", &mark)], "tools": [{ "name": "a" }, { "name": "b", "cache_control": mark }],
                "messages": [said("user", json!("one")), said("assistant", json!("1")), said("user", json!([marked("two", &mark)]))] }),
        ),
        (
            2,
            CacheLife::Hour,
            json!({ "system": [text("s"), text("")], "messages": [
                said("user", json!([text("one")])),
                said("assistant", json!([{ "type": "thinking" }])),
                said("user", json!([{ "type": "tool_result", "tool_use_id": "t" }, text("")]))] }),
            json!({ "system": [marked("s", &hour), text("")], "messages": [
                said("user", json!([marked("one", &hour)])),
                said("assistant", json!([{ "type": "thinking" }])),
                said("user", json!([{ "type": "tool_result", "tool_use_id": "t", "cache_control": hour }, text("")]))] }),
        ),
        (
            0,
            CacheLife::FiveMinutes,
            json!({ "tools": [{ "name": "a" }, { "name": "b", "defer_loading": true }], "messages": [said("user", json!(""))] }),
            json!({ "tools": [{ "name": "a", "cache_control": mark }, { "name": "b", "defer_loading": true }],
                "messages": [said("user", json!(""))] }),
        ),
    ] {
        let mut made = request.clone();
        hints(last, ttl).request(&mut made, &to(Format::AnthropicMessages, "claude"), None);
        assert_eq!(made, expected, "{request}");
    }
}

#[test]
fn who_has_hints_is_left_alone() {
    let mark = json!({ "type": "ephemeral" });
    for request in [
        json!({ "cache_control": mark, "system": "s", "messages": [] }),
        json!({ "system": [{ "type": "text", "text": "s", "cache_control": mark }], "messages": [] }),
        json!({ "system": "s", "tools": [{ "name": "a", "cache_control": mark }], "messages": [] }),
        json!({ "system": "s", "messages": [{ "role": "user", "content": [{ "type": "text", "text": "u", "cache_control": mark }] }] }),
    ] {
        let mut made = request.clone();
        hints(1, CacheLife::FiveMinutes).request(&mut made, &to(Format::AnthropicMessages, "claude"), None);
        assert_eq!(made, request);
        let told = Told { model: Some("m"), stream: None };
        let read = Format::AnthropicMessages.read_request(request.to_string().as_bytes(), &told);
        let Ok(read) = read else { continue };
        let mut hinted = read.clone();
        hints(1, CacheLife::FiveMinutes).canonical(&mut hinted, &to(Format::BedrockConverse, "anthropic.claude"), None);
        if !request.to_string().starts_with("{\"cache_control") {
            assert_eq!(hinted, read, "{request}");
        }
    }
}

/// What a request of OpenAI's becomes for a provider.
fn written(hints: Hints, to: &To<'_>, key: Option<&str>) -> Value {
    let request = json!({ "model": "m", "messages": [
        { "role": "system", "content": "be brief" },
        { "role": "user", "content": "one" },
        { "role": "assistant", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": "c", "content": "1" },
        { "role": "user", "content": "two" }],
        "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }] });
    let told = Told { model: None, stream: None };
    let mut request = Format::OpenAiChat.read_request(request.to_string().as_bytes(), &told).unwrap();
    hints.canonical(&mut request, to, key.map(str::to_owned));
    let ask = Ask { model: to.model, max_tokens: 100, losses: Losses::ByRule, quirks: to.quirks };
    serde_json::from_slice(&to.format.write_request(&request, &ask).unwrap().bytes).unwrap()
}

fn count(value: &Value, key: &str) -> usize {
    value.to_string().matches(&format!("\"{key}\":")).count()
}

#[test]
fn each_dialect_is_told_in_its_words() {
    let five = hints(2, CacheLife::FiveMinutes);
    let anthropic = written(five, &to(Format::AnthropicMessages, "claude"), Some("k"));
    let mark = json!({ "type": "ephemeral" });
    assert_eq!(count(&anthropic, "cache_control"), 4, "{anthropic:#}");
    assert_eq!(anthropic["system"][0]["cache_control"], mark);
    assert_eq!(anthropic["tools"][0]["cache_control"], mark);
    assert_eq!(anthropic["messages"][0]["content"][0]["cache_control"], mark);
    // The tool's result and what the user said are one message, marked at its end.
    assert_eq!(anthropic["messages"][2]["content"][1]["cache_control"], mark, "{anthropic:#}");

    let point = json!({ "cachePoint": { "type": "default" } });
    let hour = json!({ "cachePoint": { "type": "default", "ttl": "1h" } });
    let bedrock = written(five, &to(Format::BedrockConverse, "eu.anthropic.claude-sonnet-4-5-v1:0"), Some("k"));
    assert_eq!(count(&bedrock, "cachePoint"), 4, "{bedrock:#}");
    assert_eq!((&bedrock["system"][1], &bedrock["toolConfig"]["tools"][1]), (&point, &point), "{bedrock:#}");
    let long =
        written(hints(0, CacheLife::Hour), &to(Format::BedrockConverse, "anthropic.claude-sonnet-4-5-v1:0"), None);
    assert_eq!((count(&long, "cachePoint"), &long["system"][1]), (2, &hour), "{long:#}");
    let nova = written(hints(1, CacheLife::Hour), &to(Format::BedrockConverse, "amazon.nova-pro-v1:0"), None);
    assert_eq!((count(&nova, "cachePoint"), &nova["system"][1]), (2, &point), "{nova:#}");
    assert_eq!(nova["toolConfig"]["tools"].as_array().map(Vec::len), Some(1), "{nova:#}");

    for (format, model) in [
        (Format::BedrockConverse, "meta.llama3-70b-instruct-v1:0"),
        (Format::Gemini, "gemini-2.5-pro"),
        (Format::CohereChat, "command-a"),
        (Format::OllamaChat, "qwen3"),
        (Format::OpenAiChat, "gpt-5"),
        (Format::OpenAiResponses, "gpt-5"),
    ] {
        let body = written(five, &to(format, model), Some("k"));
        assert_eq!(count(&body, "cache_control") + count(&body, "cachePoint"), 0, "{body:#}");
        let keyed = matches!(format, Format::OpenAiChat | Format::OpenAiResponses);
        assert_eq!(body["prompt_cache_key"].as_str(), keyed.then_some("k"), "{format:?}");
    }
    let unknown = Quirks { cache_key: CacheKey::Unknown, ..Quirks::default() };
    let body = written(five, &To { format: Format::OpenAiChat, model: "m", quirks: unknown }, Some("k"));
    assert_eq!(body.get("prompt_cache_key"), None);
}

#[test]
fn a_key_of_the_callers_own_stays() {
    for (request, expected) in [
        (json!({}), json!({ "prompt_cache_key": "k" })),
        (json!({ "prompt_cache_key": null }), json!({ "prompt_cache_key": "k" })),
        (json!({ "prompt_cache_key": "own" }), json!({ "prompt_cache_key": "own" })),
    ] {
        let mut made = request.clone();
        hints(1, CacheLife::FiveMinutes).request(&mut made, &to(Format::OpenAiChat, "gpt-5"), Some("k".into()));
        assert_eq!(made, expected);
    }
    assert_ne!(key("consumer", "a"), key("consumer", "b"));
}
