//! The ways of hosts that are nearly compatible.

use crate::translate::canonical::{Content, Event, Finish, Opens};
use crate::translate::{ErrorKind, Format, Usage};

fn events(chunks: &[&str]) -> Vec<Event> {
    let mut decoder = Format::OpenAiChat.decoder();
    let mut out = Vec::new();
    for chunk in chunks {
        decoder.push(format!("data: {chunk}\n\n").as_bytes(), &mut out);
    }
    decoder.push(b"data: [DONE]\n\n", &mut out);
    decoder.finish(&mut out);
    out
}

/// Each call's name and arguments, as a client would gather them.
fn calls(events: &[Event]) -> Vec<(String, String)> {
    let mut calls: Vec<(_, String, String)> = Vec::new();
    for event in events {
        match event {
            Event::Open(place, Opens::ToolCall { name, .. }) => calls.push((*place, name.clone(), String::new())),
            Event::Args(place, text) => {
                calls.iter_mut().find(|(at, ..)| at == place).expect("arguments belong to a call").2.push_str(text);
            }
            _ => {}
        }
    }
    calls.into_iter().map(|(_, name, arguments)| (name, arguments)).collect()
}

fn tool(piece: &str) -> String {
    format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"tool_calls":[{piece}]}}}}]}}"#)
}

const DONE: &str = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn no_call_and_no_argument_is_lost() {
    type Calls<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&str, &[&str], Calls<'_>)] = &[
        (
            "the same id in every piece",
            &[
                r#"{"index":0,"id":"a","function":{"name":"x","arguments":"{"}}"#,
                r#"{"index":0,"id":"a","function":{"arguments":"}"}}"#,
            ],
            &[("x", "{}")],
        ),
        (
            "no index at all",
            &[
                r#"{"id":"a","function":{"name":"x","arguments":"{\"n\":1}"}}"#,
                r#"{"id":"b","function":{"name":"y","arguments":"{\"n\":2}"}}"#,
            ],
            &[("x", "{\"n\":1}"), ("y", "{\"n\":2}")],
        ),
        (
            "every call at index 0",
            &[
                r#"{"index":0,"id":"a","function":{"name":"x","arguments":"{}"}}"#,
                r#"{"index":0,"id":"b","function":{"name":"x","arguments":"{}"}}"#,
            ],
            &[("x", "{}"), ("x", "{}")],
        ),
        (
            "the name after the id, arguments before the name",
            &[
                r#"{"index":0,"id":"a","function":{"arguments":"{\"n\":"}}"#,
                r#"{"index":0,"function":{"name":"x","arguments":"1}"}}"#,
            ],
            &[("x", "{\"n\":1}")],
        ),
        (
            "two calls interleaved",
            &[
                r#"{"index":0,"id":"a","function":{"name":"x","arguments":"{\"n\":"}}"#,
                r#"{"index":1,"id":"b","function":{"name":"y","arguments":"{}"}}"#,
                r#"{"index":0,"function":{"arguments":"1}"}}"#,
            ],
            &[("x", "{\"n\":1}"), ("y", "{}")],
        ),
        (
            "arguments as an object",
            &[r#"{"index":0,"id":"a","function":{"name":"x","arguments":{"n":1}}}"#],
            &[("x", "{\"n\":1}")],
        ),
    ];
    for (case, pieces, wanted) in cases {
        let chunks: Vec<String> = pieces.iter().map(|piece| tool(piece)).collect();
        let mut chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        chunks.push(DONE);
        let events = events(&chunks);
        let wanted: Vec<(String, String)> = wanted.iter().map(|(n, a)| ((*n).into(), (*a).into())).collect();
        assert_eq!(calls(&events), wanted, "{case}");
        let finish = Event::Finish { choice: 0, finish: Finish::ToolCalls, stop_sequence: None };
        assert!(events.contains(&finish), "{case}: the answer ends in calls, whatever the host says");
    }
}

#[test]
fn the_first_word_about_the_prompt_is_no_start() {
    let events = events(&[
        r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#,
        r#"{"id":"c","model":"m","created":5,"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}"#,
    ]);
    assert_eq!(events.first(), Some(&Event::Start { id: "c".into(), model: "m".into(), created: Some(5) }));
    assert_eq!(events.last(), Some(&Event::End));
}

#[test]
fn usage_is_read_in_every_hosts_words() {
    let cases: &[(&str, Usage)] = &[
        (r#"{"prompt_tokens":9,"completion_tokens":4}"#, Usage { input: 9, output: 4, ..Usage::default() }),
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":5}"#,
            Usage { input: 9, cached_input: 5, output: 4, ..Usage::default() },
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":7}}"#,
            Usage { input: 9, output: 11, reasoning: 7, ..Usage::default() },
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":11,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":7}}"#,
            Usage { input: 9, output: 11, reasoning: 7, ..Usage::default() },
        ),
        (r#"{"prompt_tokens":null}"#, Usage::default()),
        ("7", Usage::default()),
    ];
    for (text, usage) in cases {
        assert_eq!(Format::OpenAiChat.read_usage(&serde_json::from_str(text).unwrap()), *usage, "{text}");
    }
}

#[test]
fn thoughts_in_parts_are_thoughts() {
    let body = r#"{"choices":[{"message":{"role":"assistant","content":[
        {"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"ok"}]},"finish_reason":"stop"}]}"#;
    let answer = Format::OpenAiChat.read_answer(body.as_bytes()).unwrap();
    let parts = &answer.choices[0].parts;
    assert!(matches!(&parts[0].content, Content::Reasoning(thought) if thought.text == "hm"));
    assert_eq!(parts[1].as_text(), Some("ok"));
}

#[test]
fn failures_are_told_apart() {
    use ErrorKind::{
        Authentication, BadRequest, ContentPolicy, ContextWindow, NotFound, Overloaded, Quota, RateLimit, Server,
    };
    let cases = [
        (400, r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#, ContextWindow),
        (400, r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#, ContextWindow),
        (400, r#"{"object":"error","message":"the context window is full","code":400}"#, ContextWindow),
        (429, r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#, Quota),
        (429, r#"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, RateLimit),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#, Quota),
        (401, r#"{"error":{"message":"x","code":"invalid_api_key"}}"#, Authentication),
        (404, r#"{"error":{"message":"x","code":"model_not_found"}}"#, NotFound),
        (400, r#"{"error":{"message":"x","code":"content_filter"}}"#, ContentPolicy),
        (400, r#"{"error":"plain text"}"#, BadRequest),
        (400, r#"[{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}]"#, BadRequest),
        (503, "<html>", Overloaded),
        (500, "", Server),
    ];
    for (status, body, kind) in cases {
        assert_eq!(Format::OpenAiChat.read_error(status, body.as_bytes()).kind, kind, "{status} {body}");
    }
}

#[test]
fn the_gateways_codes_stay_and_a_providers_are_told_in_the_formats_words() {
    use crate::translate::Error;
    let written = |error: &Error| {
        let body = Format::OpenAiChat.write_error(error, "");
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["error"]["code"].clone()
    };
    let context = Error::new(ErrorKind::ContextWindow, "x");
    assert_eq!(written(&context.clone().code("invalid_request_error")), "context_length_exceeded");
    assert_eq!(written(&context.code("ai.too_long")), "ai.too_long");
    assert_eq!(written(&Error::new(ErrorKind::Server, "x").code("7")), "7");
}

/// A glance tells what a closer look does, or nothing.
#[test]
fn a_glance_is_right_or_nothing() {
    let usage = r#""usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}"#;
    let message = |more: &str| {
        format!(
            r#"{{"id":"a","choices":[{{"index":0,"message":{{"role":"assistant","content":"four","refusal":null{more}}},"finish_reason":"stop"}}],{usage}}}"#
        )
    };
    let cases = [
        (message(""), true),
        (message(r#","tool_calls":null,"annotations":[]"#), true),
        (message(r#","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#), false),
        (message(r#","reasoning_content":"hm""#), false),
        (message("").replace("null", "\"no\""), false),
        (message("").replace("\"four\"", "null"), false),
        (message("").replace("\"prompt_tokens\":9", "\"prompt_tokens\":0"), false),
        (message("").replace("\"prompt_tokens\":9", "\"prompt_tokens\":\"9\""), false),
        (message("").replace(usage, "\"usage\":null"), false),
        (message("").replace(usage, "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":9,\"prompt_cache_hit_tokens\":2,\"completion_tokens_details\":{\"reasoning_tokens\":3}}"), true),
        (message("").replace("\"four\"", r#""f\u00fcnf \"\n""#), true),
        (message("").replace(usage, &format!("{usage},{usage}")), false),
        (message("").replace("\"content\"", "\"cont\\u0065nt\""), false),
        (message("").replace("\"stop\"", "null"), false),
        (message("").replace("\"total_tokens\":21", "\"prompt_tokens_details\":null"), true),
        (message("") + "x", false),
        (message("").replace("}],", "]},"), false),
        ("{".to_owned(), false),
        ("{}".to_owned(), false),
    ];
    for (body, told) in cases {
        let glance = super::glance(body.as_bytes());
        assert_eq!(glance.is_some(), told, "{body}");
        let Some(glance) = glance else { continue };
        let whole = super::read_answer(body.as_bytes()).unwrap();
        assert_eq!((glance.usage, glance.choices), (whole.usage, whole.choices), "{body}");
    }
}

/// A glance at a piece of a stream tells what a closer look does. A key with an escape makes it look closer.
#[test]
fn pieces_read_alike_at_a_glance() {
    let piece = |choice: &str, more: &str| {
        format!(r#"{{"id":"a","object":"chat.completion.chunk","choices":[{choice}]{more}}}"#)
    };
    let said = |delta: &str, more: &str| piece(&format!(r#"{{"index":0,"delta":{{{delta}}}{more}}}"#), "");
    let done = r#","logprobs":null,"finish_reason":null"#;
    let first = said(r#""role":"assistant","content":"""#, done);
    let pieces = [
        said(r#""content":"four""#, done),
        said(r#""content":"f\u00fcnf\n\"""#, ""),
        said(r#""content":"x","role":"assistant","refusal":null"#, r#","finish_reason":"stop""#),
        said(r#""content":"x","reasoning_content":"hm""#, done),
        said(r#""content":null"#, done),
        said(r#""content":"x","tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]"#, ""),
        said(r#""content":"x""#, r#","logprobs":{"content":[]}"#),
        said(r#""content":"x""#, r#","content_filter_results":{"hate":{"filtered":false}}"#),
        piece(r#"{"index":1,"delta":{"content":"other"}}"#, ""),
        piece(r#"{"index":0,"delta":{"content":"a"}},{"index":0,"delta":{"content":"b"}}"#, ""),
        piece(r#"{"index":0,"delta":{"content":"x"}}"#, r#","usage":{"prompt_tokens":1,"completion_tokens":2}"#),
        piece(r#"{"index":0,"delta":{"content":"x"}}"#, r#","usage":null,"error":null"#),
        piece(r#"{"index":0,"delta":{"content":"x"}}"#, r#","error":{"message":"no"}"#),
        piece(r#"{"index":0,"delta":{"content":"x","content":"y"}}"#, ""),
        piece("", ""),
        r#"{"object":"error","message":"no","id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}"#.to_owned(),
    ];
    let events = |pieces: &[&str]| {
        let mut decoder = super::decoder();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(format!("data: {piece}\n\n").as_bytes(), &mut events);
        }
        decoder.finish(&mut events);
        events
    };
    for piece in &pieces {
        let closer = piece.replacen('{', r#"{"\u0078":1,"#, 1);
        assert_eq!(events(&[&first, piece, piece]), events(&[&first, &closer, &closer]), "{piece}");
    }
    assert!(super::glance::goes_on(pieces[0].as_bytes()).is_some());
}
