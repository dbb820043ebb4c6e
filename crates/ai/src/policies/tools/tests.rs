use proxy::exchange::testing::{environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;
use serde_json::{Value, json};

use super::answer::Offered;
use super::offer::Offer;
use crate::call::Watch;
use crate::translate::canonical::{Choice, Content, Opens, Part, Place, ToolCall};
use crate::translate::{Answer, Event, Finish, Format};

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

fn world() -> Environment {
    Environment { registry: &REGISTRY, ..environment() }
}

#[test]
fn the_example_compiles() {
    program_in(include_str!("example.yaml"), &world());
}

#[test]
fn what_cannot_be_is_a_problem() {
    for (spec, says) in [
        ("{}", "grants every tool"),
        ("{ allow: ['a*b'] }", "`a*b` is not a tool's name"),
        ("{ deny: [''] }", "is not a tool's name"),
        ("{ allow: [a], others: keep }", "others"),
    ] {
        let text = include_str!("example.yaml").replace("{ deny: [code_interpreter, \"computer_*\"] }", spec);
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{spec}: {problems}");
    }
}

/// All but what begins with `no`.
fn granted(name: &str) -> bool {
    !name.trim_start_matches("mcp:").starts_with("no")
}

/// A format, a request, what is left of it, and the tools that are left and taken out.
type Case = (Format, Value, Value, &'static [&'static str], &'static [&'static str]);

fn openai() -> Vec<Case> {
    use Format::{OpenAiChat, OpenAiResponses};
    let function = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let flat = |name: &str| json!({ "type": "function", "name": name });
    vec![
        (OpenAiChat, json!({ "messages": [] }), json!({ "messages": [] }), &[], &[]),
        (
            OpenAiChat,
            json!({ "tools": [function("a"), function("no"), { "type": "custom", "custom": { "name": "b" } }],
                "tool_choice": "required" }),
            json!({ "tools": [function("a"), { "type": "custom", "custom": { "name": "b" } }], "tool_choice": "required" }),
            &["a", "b"],
            &["no"],
        ),
        (
            OpenAiChat,
            json!({ "tools": [function("no")], "tool_choice": "auto", "parallel_tool_calls": true, "n": 1 }),
            json!({ "n": 1 }),
            &[],
            &["no"],
        ),
        (
            OpenAiChat,
            json!({ "functions": [{ "name": "no" }, { "name": "a" }], "function_call": "auto" }),
            json!({ "functions": [{ "name": "a" }], "function_call": "auto" }),
            &["a"],
            &["no"],
        ),
        (
            OpenAiChat,
            json!({ "tools": [function("a"), function("no")], "tool_choice": { "type": "allowed_tools",
                "allowed_tools": { "mode": "auto", "tools": [function("a"), function("no")] } } }),
            json!({ "tools": [function("a")], "tool_choice": { "type": "allowed_tools",
                "allowed_tools": { "mode": "auto", "tools": [function("a")] } } }),
            &["a"],
            &["no"],
        ),
        (
            OpenAiResponses,
            json!({ "tools": [flat("a"), flat("no1"), { "type": "web_search" }, { "type": "mcp", "server_label": "no2" },
                { "type": "mcp", "server_label": "docs" }] }),
            json!({ "tools": [flat("a"), { "type": "web_search" }, { "type": "mcp", "server_label": "docs" }] }),
            &["a", "mcp:docs", "web_search"],
            &["no1", "mcp:no2"],
        ),
        (
            OpenAiResponses,
            json!({ "tools": [flat("a"), flat("no")], "tool_choice": { "type": "allowed_tools", "mode": "auto",
                "tools": [flat("no"), flat("a")] } }),
            json!({ "tools": [flat("a")], "tool_choice": { "type": "allowed_tools", "mode": "auto", "tools": [flat("a")] } }),
            &["a"],
            &["no"],
        ),
    ]
}

fn others() -> Vec<Case> {
    use Format::{AnthropicMessages, Gemini, OpenAiChat};
    vec![
        (
            AnthropicMessages,
            json!({ "tools": [{ "name": "a" }, { "type": "nothing_1", "name": "no" }], "tool_choice": { "type": "any" },
                "mcp_servers": [{ "type": "url", "name": "no" }] }),
            json!({ "tools": [{ "name": "a" }], "tool_choice": { "type": "any" } }),
            &["a"],
            &["no", "mcp:no"],
        ),
        (
            AnthropicMessages,
            json!({ "tools": [{ "type": "mcp_toolset", "mcp_server_name": "no" }], "tool_choice": { "type": "auto" } }),
            json!({}),
            &[],
            &["mcp:no"],
        ),
        (
            Gemini,
            json!({ "tools": [{ "functionDeclarations": [{ "name": "a" }, { "name": "no" }] }, { "noSearch": {} }],
                "toolConfig": { "functionCallingConfig": { "allowedFunctionNames": ["a", "no"] } } }),
            json!({ "tools": [{ "functionDeclarations": [{ "name": "a" }] }],
                "toolConfig": { "functionCallingConfig": { "allowedFunctionNames": ["a"] } } }),
            &["a"],
            &["no", "no_search"],
        ),
        (
            Gemini,
            json!({ "tools": { "function_declarations": [{ "name": "no" }] }, "tool_config": {} }),
            json!({}),
            &[],
            &["no"],
        ),
        (
            Gemini,
            json!({ "tools": [{ "googleSearch": {} }] }),
            json!({ "tools": [{ "googleSearch": {} }] }),
            &["google_search"],
            &[],
        ),
        (OpenAiChat, json!({ "web_search_options": {} }), json!({ "web_search_options": {} }), &["web_search"], &[]),
    ]
}

#[test]
fn every_format_keeps_what_is_granted_alone() {
    for (format, request, expected, left, out) in openai().into_iter().chain(others()) {
        let mut made = request.clone();
        let offer = Offer::only(format, &mut made, &granted);
        assert_eq!(made, expected, "{format:?}");
        let mut names: Vec<_> = offer.left.iter().map(|name| &**name).collect();
        names.sort_unstable();
        assert_eq!(
            (names.as_slice(), &offer.out[..]),
            (left, &out.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..]),
            "{request}"
        );
        assert_eq!(offer.insists, None, "{request}");
    }
}

#[test]
fn who_insists_on_another_is_known() {
    use Format::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
    for (format, choice, insists) in [
        (OpenAiChat, json!({ "tool_choice": { "type": "function", "function": { "name": "no" } } }), Some("no")),
        (OpenAiChat, json!({ "tool_choice": { "type": "function", "function": { "name": "a" } } }), None),
        (OpenAiChat, json!({ "function_call": { "name": "no" } }), Some("no")),
        (OpenAiChat, json!({ "tool_choice": "required" }), None),
        (OpenAiResponses, json!({ "tool_choice": { "type": "function", "name": "no" } }), Some("no")),
        (OpenAiResponses, json!({ "tool_choice": { "type": "mcp", "server_label": "no" } }), Some("mcp:no")),
        (OpenAiResponses, json!({ "tool_choice": { "type": "nothing" } }), Some("nothing")),
        (
            OpenAiResponses,
            json!({ "tool_choice": { "type": "allowed_tools", "tools": [{ "name": "no" }] } }),
            Some("no"),
        ),
        (AnthropicMessages, json!({ "tool_choice": { "type": "tool", "name": "no" } }), Some("no")),
        (AnthropicMessages, json!({ "tool_choice": { "type": "tool", "name": "a" } }), None),
        (
            Gemini,
            json!({ "tools": [{ "googleSearch": {} }],
                "toolConfig": { "functionCallingConfig": { "allowedFunctionNames": ["no"] } } }),
            Some("no"),
        ),
    ] {
        let offer = Offer::only(format, &mut choice.clone(), &granted);
        assert_eq!(offer.insists.as_deref(), insists, "{format:?} {choice}");
    }
}

fn watch(strips: bool) -> Offered {
    Offered::new([Box::from("a"), Box::from("b")].into(), strips)
}

fn called(name: &str) -> Part {
    Part::new(Content::ToolCall(ToolCall { id: "i".into(), name: name.into(), arguments: "{}".into(), seal: None }))
}

#[test]
fn an_answer_calls_what_was_given() {
    for (calls, left, finish) in [
        (&["a", "b"][..], &["a", "b"][..], Finish::ToolCalls),
        (&["a", "x", "b"], &["a", "b"], Finish::ToolCalls),
        (&["x"], &[], Finish::Stop),
        (&[], &[], Finish::ToolCalls),
    ] {
        let answer = Answer {
            choices: vec![Choice {
                parts: std::iter::once(Part::text("t")).chain(calls.iter().map(|name| called(name))).collect(),
                finish: Some(Finish::ToolCalls),
                ..Choice::default()
            }],
            ..Answer::default()
        };
        let mut stripped = answer.clone();
        watch(true).answer(&mut stripped).unwrap();
        let parts: Vec<Part> = std::iter::once(Part::text("t")).chain(left.iter().map(|name| called(name))).collect();
        assert_eq!((&stripped.choices[0].parts, stripped.choices[0].finish), (&parts, Some(finish)), "{calls:?}");
        let refused = watch(false).answer(&mut answer.clone()).is_err();
        assert_eq!(refused, calls != left, "{calls:?}");
    }
}

/// A stream with a text and calls of these tools.
fn stream(calls: &[&str]) -> Vec<Event> {
    let place = |part: usize| Place { choice: 0, part: u32::try_from(part).unwrap() };
    let mut events = vec![
        Event::Start { id: String::new(), model: String::new(), created: None },
        Event::Open(place(0), Opens::Text),
        Event::Text(place(0), "t".into()),
        Event::Close(place(0)),
    ];
    for (at, name) in calls.iter().enumerate() {
        let place = place(at + 1);
        let opens = Opens::ToolCall { id: (*name).into(), name: (*name).into() };
        events.extend([Event::Open(place, opens), Event::Args(place, "{}".into()), Event::Close(place)]);
    }
    events.extend([Event::Finish { choice: 0, finish: Finish::ToolCalls, stop_sequence: None }, Event::End]);
    events
}

#[test]
fn a_stream_goes_on_as_if_other_calls_had_not_been() {
    for (calls, left) in [(&["a", "b"][..], &["a", "b"][..]), (&["x", "a", "y", "b"], &["a", "b"]), (&["x", "y"], &[])]
    {
        let (mut watch, mut out) = (watch(true), Vec::new());
        stream(calls).into_iter().for_each(|event| watch.event(event, &mut out));
        let mut expected = stream(left);
        if left.is_empty()
            && let Some(Event::Finish { finish, .. }) = expected.iter_mut().nth_back(1)
        {
            *finish = Finish::Stop;
        }
        assert_eq!(out, expected, "{calls:?}");
    }
}

#[test]
fn a_stream_ends_at_a_call_that_may_not_be() {
    let (mut watch, mut out) = (watch(false), Vec::new());
    stream(&["a", "x", "b"]).into_iter().for_each(|event| watch.event(event, &mut out));
    let good = stream(&["a"]);
    assert_eq!(out[..7], good[..7]);
    assert!(
        matches!(&out[7..], [Event::Error(error), Event::End] if error.code.as_deref() == Some("tools.not_offered")),
        "{out:?}"
    );
}
