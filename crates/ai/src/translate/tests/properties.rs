//! What holds for any conversation and any stream.

use proptest::prelude::*;

use super::goldens::{decoded, inputs, wire};
use crate::translate::canonical::{
    Content, Message, Output, Part, Reasoning, Role, Schema, Seal, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Ask, Event, Format, Losses, Quirks, Request, Told, slots};

#[test]
fn a_stream_decodes_the_same_however_it_is_cut() {
    for (case, format, text) in inputs("streams") {
        let bytes = wire(format, &text);
        let whole = decoded(format, &bytes);
        for size in [1, 2, 3, 7, 64] {
            let mut decoder = format.decoder();
            let mut events = Vec::new();
            bytes.chunks(size).for_each(|chunk| decoder.push(chunk, &mut events));
            decoder.finish(&mut events);
            assert_eq!(events, whole, "{case} of {} in pieces of {size}", format.name());
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_never_taken_for_whole() {
    for (case, format, text) in inputs("streams") {
        let bytes = wire(format, &text);
        let whole = decoded(format, &bytes);
        let finish = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Finish { .. }));
        if !finish(&whole) {
            continue;
        }
        for cut in 0..bytes.len() {
            let events = decoded(format, &bytes[..cut]);
            assert_eq!(events.last(), Some(&Event::End), "{case} of {} cut at {cut}", format.name());
            let failed = events.iter().any(|event| matches!(event, Event::Error(_)));
            assert_eq!(failed, !finish(&events), "{case} of {} cut at {cut}", format.name());
        }
    }
}

#[test]
fn events_come_in_the_order_that_is_promised() {
    for (case, format, text) in inputs("streams") {
        let events = decoded(format, &wire(format, &text));
        let mut open = Vec::new();
        let mut next = 0;
        for event in &events {
            match event {
                Event::Open(place, _) => {
                    assert_eq!(place.part, next, "{case} of {}", format.name());
                    next += 1;
                    open.push(*place);
                }
                Event::Text(place, _) | Event::Reasoning(place, _) | Event::Args(place, _) | Event::Seal(place, _) => {
                    assert!(open.contains(place), "{case} of {}: {event:?}", format.name());
                }
                Event::Close(place) => open.retain(|open| open != place),
                Event::Finish { .. } => assert!(open.is_empty(), "{case} of {}", format.name()),
                _ => {}
            }
        }
        assert_eq!(events.last(), Some(&Event::End), "{case} of {}", format.name());
    }
}

fn text() -> impl Strategy<Value = String> {
    "[a-z][ -~äé漢😀\n]{0,11}"
}

fn part(role: Role) -> BoxedStrategy<Part> {
    match role {
        Role::System => text().prop_map(Part::text).boxed(),
        Role::User => prop_oneof![
            text().prop_map(Part::text),
            "[A-Za-z0-9+/]{8}".prop_map(|data| {
                let media = crate::wire::media_held(data, "image/png");
                Part::new(Content::Image(media))
            }),
        ]
        .boxed(),
        Role::Assistant => text().prop_map(Part::text).boxed(),
    }
}

/// Conversations that every format can say: a question; an answer, perhaps with calls; their results; and so on.
fn messages() -> impl Strategy<Value = Vec<Message>> {
    let turn = (prop::collection::vec(part(Role::User), 1..3), text(), prop::collection::vec("[a-z]{1,5}", 0..3));
    prop::collection::vec(turn, 1..4).prop_map(|turns| {
        let mut list = Vec::new();
        for (number, (asked, said, tools)) in turns.into_iter().enumerate() {
            list.push(Message::new(Role::User, asked));
            let mut parts = vec![Part::text(said)];
            let mut results = Vec::new();
            for (index, name) in tools.into_iter().enumerate() {
                let id = format!("call_{number}_{index}");
                let arguments = format!("{{\"n\":{index}}}");
                let result = vec![Part::text(format!("result {index}"))];
                results.push(Part::new(Content::ToolResult(ToolResult {
                    id: id.clone(),
                    name: None,
                    parts: result,
                    failed: false,
                })));
                parts.push(Part::new(Content::ToolCall(ToolCall { id, name, arguments, seal: None })));
            }
            list.push(Message::new(Role::Assistant, parts));
            if !results.is_empty() {
                list.push(Message::new(Role::User, results));
                list.push(Message::new(Role::Assistant, vec![Part::text("done")]));
            }
        }
        list.push(Message::new(Role::User, vec![Part::text("and now?")]));
        list
    })
}

fn request() -> impl Strategy<Value = Request> {
    let choice = prop_oneof![
        Just(None),
        Just(Some(ToolChoice::Auto)),
        Just(Some(ToolChoice::None)),
        Just(Some(ToolChoice::Any)),
        Just(Some(ToolChoice::Tool("look_up".to_owned()))),
    ];
    let sampling = (
        prop::option::of(0u8..=4),
        prop::option::of(1u8..4),
        prop::collection::vec("[a-z]{1,4}", 0..3),
        prop::option::of(1u64..9000),
        prop::option::of(1025u64..2000),
    );
    (prop::option::of(text()), messages(), choice, sampling, any::<(bool, bool)>()).prop_map(
        |(system, messages, tool_choice, (temperature, top_p, stop, max_tokens, budget), (stream, shaped))| {
            let mut request = Request { messages, stream, include_usage: stream, ..Request::default() };
            request.system = system.into_iter().map(Part::text).collect();
            let schema = serde_json::json!({"type": "object", "properties": {"n": {"type": "integer"}}});
            if tool_choice.is_some() {
                request.tools = vec![Tool {
                    name: "look_up".to_owned(),
                    description: Some("looks up".to_owned()),
                    schema: Some(schema.clone()),
                    strict: None,
                    cache: None,
                }];
            }
            request.tool_choice = tool_choice;
            request.sampling.temperature = temperature.map(|tenths| f64::from(tenths) / 4.0);
            request.sampling.top_p = top_p.map(|tenths| f64::from(tenths) / 4.0);
            request.sampling.stop = stop;
            request.max_tokens = Some(max_tokens.unwrap_or(4096));
            if shaped {
                let name = "answer".to_owned();
                request.output = Output::Schema(Schema { name, description: None, schema, strict: Some(true) });
            }
            // Beside thinking, formats refuse other parameters; on its own it is carried.
            let free = request.tools.is_empty() && request.sampling.temperature.is_none();
            if free && request.max_tokens == Some(4096) && !request.messages.iter().any(calls) {
                request.reasoning = budget.map(|budget| Thinking { budget: Some(budget), ..Thinking::default() });
            }
            request
        },
    )
}

fn calls(message: &Message) -> bool {
    message.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)))
}

/// What formats spell differently but mean alike: who wrote which neighbours, names that are not kept. `joins` where the
/// texts of a message are one.
fn normal(mut request: Request, joins: bool) -> Request {
    request.model = String::new();
    request.include_usage = false;
    request.unknown.clear();
    let mut merged: Vec<Message> = Vec::new();
    for message in request.messages {
        match merged.last_mut().filter(|last| last.role == message.role) {
            Some(last) => last.parts.extend(message.parts),
            None => merged.push(message),
        }
    }
    for part in merged.iter_mut().flat_map(|message| &mut message.parts) {
        match &mut part.content {
            Content::ToolCall(call) => {
                call.arguments.retain(|c| !c.is_whitespace());
                call.id.clear();
            }
            Content::ToolResult(result) => {
                result.name = None;
                result.id.clear();
            }
            _ => {}
        }
    }
    for message in merged.iter_mut().filter(|_| joins) {
        let texts: Vec<&str> = message.parts.iter().filter_map(Part::as_text).collect();
        let text = Part::text(texts.join("\n\n"));
        message.parts.retain(|part| part.as_text().is_none());
        message.parts.insert(0, text);
    }
    request.messages = merged;
    if let Output::Schema(schema) = &mut request.output {
        schema.name = "answer".to_owned();
        schema.strict = Some(true);
    }
    request.tool_choice = request.tool_choice.filter(|choice| *choice != ToolChoice::Auto);
    for tool in &mut request.tools {
        tool.strict = tool.strict.filter(|strict| *strict);
    }
    if let Some(thinking) = &mut request.reasoning {
        thinking.shown = None;
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What a format carries comes back as it was; only what its table changes or drops may differ.
    #[test]
    fn there_and_back_keeps_what_both_can_say(mut request in request()) {
        for format in Format::ALL {
            let carried = slots(&request, *format).iter().all(|(slot, _)| {
                matches!(format.rules().fate(*slot), crate::translate::Fate::Carried(_))
            });
            if !carried {
                request.reasoning = None;
            }
            let ask = Ask { model: "m", max_tokens: 4096, losses: Losses::Refuse, quirks: Quirks::default() };
            let Ok(written) = format.write_request(&request, &ask) else { continue };
            prop_assert!(written.notes.is_empty(), "{:?}", written.notes);
            let told = Told { model: Some("m"), stream: Some(request.stream) };
            let read = format.read_request(&written.bytes, &told).map_err(|refused| {
                TestCaseError::fail(format!("{}: {refused} in {}", format.name(), String::from_utf8_lossy(&written.bytes)))
            })?;
            let joins = *format == Format::OllamaChat;
            prop_assert_eq!(normal(read, joins), normal(request.clone(), joins), "{}", format.name());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let _ = format.read_request(&bytes, &Told::default());
            let _ = format.read_answer(&bytes);
            let _ = format.read_error(500, &bytes);
            let events = decoded(*format, &bytes);
            prop_assert_eq!(events.last(), Some(&Event::End));
        }
    }

    #[test]
    fn a_seal_comes_back_to_its_own_format_alone(data in "[A-Za-z0-9+/=:]{1,20}") {
        for origin in Format::ALL {
            for through in Format::ALL {
                let seal = Seal { origin: *origin, data: data.clone() };
                let back = Seal::read(*through, seal.written(*through).into_owned());
                prop_assert_eq!(&back, &seal);
                for to in Format::ALL {
                    prop_assert_eq!(back.sent(*to).is_some(), to == origin);
                }
            }
        }
    }
}

/// Gemini refuses a call that comes back without its signature, so clients of other formats must be able to give it back.
#[test]
fn a_calls_signature_comes_back_through_its_clients() {
    let call = r#"{"id":"call_1","name":"x","args":{}}"#;
    let answer = format!(
        r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{call},"thoughtSignature":"R2VtU2ln"}}]}},"finishReason":"STOP"}}]}}"#
    );
    let answer = Format::Gemini.read_answer(answer.as_bytes()).unwrap();
    for client in [Format::OpenAiChat, Format::AnthropicMessages, Format::OpenAiResponses] {
        let shown: serde_json::Value =
            serde_json::from_slice(&client.write_answer(&answer, &super::goldens::reply()).unwrap()).unwrap();
        let again = match client {
            Format::OpenAiChat => serde_json::json!({"messages": [shown["choices"][0]["message"]]}),
            Format::AnthropicMessages => {
                serde_json::json!({"messages": [{"role": "assistant", "content": shown["content"]}]})
            }
            _ => serde_json::json!({"input": shown["output"]}),
        };
        let request = client.read_request(again.to_string().as_bytes(), &Told::default()).unwrap();
        let ask = Ask { model: "m", max_tokens: 4096, losses: Losses::Refuse, quirks: Quirks::default() };
        let written = Format::Gemini.write_request(&request, &ask).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&written.bytes).unwrap();
        assert_eq!(sent["contents"][0]["parts"][0]["thoughtSignature"], "R2VtU2ln", "{client:?}: {sent}");
    }
}

#[test]
fn thoughts_go_back_to_who_thought_them() {
    let seal = |origin| Some(Seal { origin, data: "c2ln".to_owned() });
    let thought = |origin| {
        Part::new(Content::Reasoning(Reasoning {
            text: "hmm-hmm".to_owned(),
            seal: seal(origin),
            hidden: false,
            id: None,
        }))
    };
    let ask = Ask { model: "m", max_tokens: 4096, losses: Losses::ByRule, quirks: Quirks::default() };
    for to in Format::ALL {
        for origin in Format::ALL {
            let messages = vec![
                Message::new(Role::User, vec![Part::text("?")]),
                Message::new(Role::Assistant, vec![thought(*origin), Part::text("!")]),
                Message::new(Role::User, vec![Part::text("?")]),
            ];
            let request = Request { messages, ..Request::default() };
            let Ok(written) = to.write_request(&request, &ask) else { continue };
            let sent = String::from_utf8(written.bytes).unwrap().contains("hmm-hmm");
            let fate = to.rules().fate(crate::translate::Slot::ReasoningOwn);
            let carries = matches!(fate, crate::translate::Fate::Carried(_));
            assert_eq!(sent, to == origin && carries, "{origin:?} to {to:?}");
        }
    }
}
