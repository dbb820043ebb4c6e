//! What Anthropic asks of a request, and how its failures are told apart.

use serde_json::Value;

use crate::translate::canonical::{Effort, Thinking};
use crate::translate::{Ask, ErrorKind, Format, Losses, Quirks, Slot, ThinkingStyle, Told};

fn write(text: &str, quirks: Quirks) -> (Value, Vec<Slot>) {
    let request = Format::OpenAiChat.read_request(text.as_bytes(), &Told::default()).unwrap();
    let ask = Ask { model: "m", max_tokens: 4096, losses: Losses::ByRule, quirks };
    let written = Format::AnthropicMessages.write_request(&request, &ask).unwrap();
    let slots = written.notes.iter().map(|note| note.slot).collect();
    (serde_json::from_slice(&written.bytes).unwrap(), slots)
}

#[test]
fn thinking_agrees_with_the_rest() {
    let user = r#""messages":[{"role":"user","content":"?"}]"#;
    let tools = r#""tools":[{"type":"function","function":{"name":"x"}}]"#;
    let calls = r#""messages":[{"role":"user","content":"?"},{"role":"assistant","tool_calls":[{"id":"1","type":"function",
        "function":{"name":"x","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}]"#;
    let cases = [
        (format!("{{{user},\"reasoning_effort\":\"high\",\"max_tokens\":20000}}"), Some(16384)),
        // Below the limit of tokens.
        (format!("{{{user},\"reasoning_effort\":\"high\"}}"), Some(4095)),
        (format!("{{{user},\"reasoning_effort\":\"high\",\"max_tokens\":1025}}"), Some(1024)),
        (format!("{{{user},\"reasoning_effort\":\"high\",\"max_tokens\":1024}}"), None),
        // Not with a forced call, not without the thought that led to a call.
        (format!("{{{user},{tools},\"tool_choice\":\"required\",\"reasoning_effort\":\"low\"}}"), None),
        (format!("{{{calls},{tools},\"reasoning_effort\":\"low\"}}"), None),
        (format!("{{{user},\"reasoning_effort\":\"none\"}}"), None),
    ];
    for (text, budget) in cases {
        let (body, _) = write(&text, Quirks::default());
        let found = body.get("thinking").and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64);
        assert_eq!(found, budget, "{text}");
    }
    let warm = format!("{{{user},\"reasoning_effort\":\"low\",\"temperature\":0.5,\"top_k\":3}}");
    let (body, slots) = write(&warm, Quirks::default());
    assert!(body.get("temperature").is_none() && body.get("top_k").is_none());
    assert!(slots.contains(&Slot::Temperature) && slots.contains(&Slot::TopK));

    let adaptive = Quirks { thinking: ThinkingStyle::Adaptive, ..Quirks::default() };
    let (body, _) = write(&format!("{{{user},\"reasoning_effort\":\"xhigh\"}}"), adaptive);
    assert_eq!((&body["thinking"]["type"], &body["output_config"]["effort"]), (&"adaptive".into(), &"max".into()));
}

#[test]
fn temperature_ends_at_one() {
    let (body, slots) = write(r#"{"messages":[],"temperature":1.7}"#, Quirks::default());
    assert_eq!(body["temperature"], 1.0);
    assert_eq!(slots, [Slot::Temperature]);
}

#[test]
fn steps_and_budgets_agree() {
    for step in [Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::Highest] {
        assert_eq!(Effort::holding(step.budget()), step);
        assert_eq!(Effort::of(step.word()), Some(step));
    }
    let off = |effort, budget| Thinking { effort, budget, shown: None }.off();
    assert!(off(Some(Effort::None), None) && off(Some(Effort::High), Some(0)) && !off(Some(Effort::None), Some(5)));
}

#[test]
fn failures_are_told_apart() {
    let of = |kind: &str, message: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#).into_bytes()
    };
    let cases = [
        (400, of("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), ErrorKind::ContextWindow),
        (400, of("invalid_request_error", "Your credit balance is too low"), ErrorKind::Quota),
        (400, of("invalid_request_error", "messages: Field required"), ErrorKind::BadRequest),
        (529, of("overloaded_error", "Overloaded"), ErrorKind::Overloaded),
        (500, of("api_error", "x"), ErrorKind::Server),
        (413, of("request_too_large", "x"), ErrorKind::TooLarge),
        (529, Vec::new(), ErrorKind::Overloaded),
    ];
    for (status, body, kind) in cases {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(Format::AnthropicMessages.read_error(status, &body).kind, kind, "{status} {text}");
    }
    assert_eq!(Format::AnthropicMessages.error_status(ErrorKind::Overloaded), 529);
}

/// A glance at an event of a stream tells what a closer look does. A key with an escape makes it look closer.
#[test]
fn events_read_alike_at_a_glance() {
    let delta =
        |index: u32, delta: &str| format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{{delta}}}}}"#);
    let begin = [
        r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":3,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    ];
    let cases = [
        delta(0, r#""type":"text_delta","text":"four""#),
        delta(0, r#""type":"text_delta","text":"f\u00fcnf \"""#),
        delta(0, r#""type":"text_delta","text":"""#),
        delta(1, r#""type":"text_delta","text":"nobody""#),
        delta(0, r#""type":"input_json_delta","partial_json":"{""#),
        delta(0, r#""type":"text_delta","text":"a","text":"b""#),
        delta(0, r#""type":"text_delta""#),
        r#"{"type":"ping","index":0,"delta":{"type":"text_delta","text":"x"}}"#.to_owned(),
    ];
    let events = |case: &str| {
        let mut decoder = super::decoder();
        let mut events = Vec::new();
        for event in begin.into_iter().chain([case, case]) {
            decoder.push(format!("event: x\ndata: {event}\n\n").as_bytes(), &mut events);
        }
        decoder.finish(&mut events);
        events
    };
    for case in &cases {
        assert_eq!(events(case), events(&case.replacen('{', r#"{"\u0078":1,"#, 1)), "{case}");
    }
    assert!(super::glance::goes_on(cases[0].as_bytes()).is_some());
}
