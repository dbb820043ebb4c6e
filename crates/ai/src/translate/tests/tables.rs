use std::collections::HashSet;

use crate::translate::{
    Ask, ErrorKind, Fate, Format, Losses, MaxTokensField, Quirks, Replay, SchemaSupport, SeedField, Slot, StreamUsage,
    Told, ToolSupport, UserSupport, rules,
};

#[test]
fn every_format_has_one_rule_for_every_slot() {
    assert_eq!(rules().len(), Format::ALL.len());
    for table in rules() {
        let slots: HashSet<Slot> = table.writes.iter().map(|(slot, _)| *slot).collect();
        assert_eq!(slots.len(), table.writes.len(), "{:?} has a slot twice", table.format);
        for slot in Slot::all() {
            assert!(slots.contains(&slot), "{:?} has no rule for {slot:?}", table.format);
        }
    }
}

#[test]
fn the_page_tells_every_rule() {
    let page = crate::translate::page();
    for table in rules() {
        assert!(page.contains(&format!("## To {} (`{}`)", table.format.title(), table.format.name())));
        for (field, _) in table.reads {
            assert!(page.contains(&format!("\n- `{field}` is ")), "{field}");
        }
    }
    let page = page.split("\n## Embeddings\n").next().unwrap_or_default();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what")).count();
    assert_eq!(rows, Format::ALL.len() * Slot::all().count());
}

#[test]
fn slots_are_named_in_order() {
    let all: Vec<Slot> = Slot::all().collect();
    assert!(all.is_sorted());
    assert_eq!(all.len(), Slot::Unknown as usize + 1);
}

#[test]
fn formats_are_found_by_name() {
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(*format));
    }
    assert_eq!(Format::named("telegraph"), None);
}

fn ask(losses: Losses, quirks: Quirks) -> Ask<'static> {
    Ask { model: "m", max_tokens: 4096, losses, quirks }
}

const ALL_BUT_CONTENT: &str = r#"{"model": "x", "messages": [{"role": "user", "content": "hi"}],
    "seed": 1, "logit_bias": {"5": 1}, "n": 2}"#;

#[test]
fn losses_are_the_callers_choice() {
    let read = |text: &str| Format::OpenAiChat.read_request(text.as_bytes(), &Told::default()).unwrap();
    let request = read(ALL_BUT_CONTENT);
    let to = Format::AnthropicMessages;
    let by_rule = to.write_request(&request, &ask(Losses::ByRule, Quirks::default())).unwrap_err();
    assert_eq!(by_rule.field, "n");
    let dropped = to.write_request(&request, &ask(Losses::DropParams, Quirks::default())).unwrap();
    let slots: Vec<Slot> = dropped.notes.iter().map(|note| note.slot).collect();
    assert_eq!(slots, [Slot::Seed, Slot::Many, Slot::LogitBias]);
    assert!(dropped.notes.iter().all(|note| matches!(note.fate, Fate::Dropped(_))));
    let refused = to.write_request(&request, &ask(Losses::Refuse, Quirks::default())).unwrap_err();
    assert_eq!(refused.field, "seed");

    let spoken = r#"{"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}]}]}"#;
    let content = to.write_request(&read(spoken), &ask(Losses::DropParams, Quirks::default())).unwrap_err();
    assert_eq!(content.field, "messages[0].content[0]");
}

#[test]
fn hosts_differ_from_their_format_by_quirks() {
    let text = r#"{"model": "x", "max_tokens": 5, "stream": true, "messages": [{"role": "user", "content": "hi"}]}"#;
    let request = Format::AnthropicMessages.read_request(text.as_bytes(), &Told::default()).unwrap();
    let write = |quirks| {
        let written = Format::OpenAiChat.write_request(&request, &ask(Losses::ByRule, quirks)).unwrap();
        String::from_utf8(written.bytes).unwrap()
    };
    let plain = write(Quirks::default());
    assert!(plain.contains(r#""max_completion_tokens":5"#) && plain.contains(r#""include_usage":true"#), "{plain}");
    let quirky =
        write(Quirks { max_tokens: MaxTokensField::Plain, stream_usage: StreamUsage::Unknown, ..Quirks::default() });
    assert!(quirky.contains(r#""max_tokens":5"#) && !quirky.contains("include_usage"), "{quirky}");

    let shaped =
        r#"{"messages": [], "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}"#;
    let shaped = Format::OpenAiChat.read_request(shaped.as_bytes(), &Told::default()).unwrap();
    let knows = Quirks { schema: SchemaSupport::JsonOnly, ..Quirks::default() };
    let refused = Format::OpenAiChat.write_request(&shaped, &ask(Losses::ByRule, knows)).unwrap_err();
    assert_eq!(refused.field, "response_format");

    let full = r#"{"messages": [
            {"role": "user", "content": "hi"}, {"role": "assistant", "content": "a", "reasoning_content": "hm"},
            {"role": "user", "content": "on"}],
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}],
        "parallel_tool_calls": false, "seed": 7, "user": "u"}"#;
    let full = Format::OpenAiChat.read_request(full.as_bytes(), &Told::default()).unwrap();
    let quirky = Quirks {
        tools: ToolSupport::Fixed,
        seed: SeedField::Named("random_seed"),
        user: UserSupport::Unknown,
        replay: Replay::Dropped,
        ..Quirks::default()
    };
    let written = Format::OpenAiChat.write_request(&full, &ask(Losses::ByRule, quirky)).unwrap();
    let text = String::from_utf8(written.bytes).unwrap();
    for gone in ["parallel_tool_calls", "\"user\":\"u\"", "reasoning_content", "\"seed\""] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert!(text.contains(r#""random_seed":7"#), "{text}");
    let slots: Vec<Slot> = written.notes.iter().map(|note| note.slot).collect();
    assert_eq!(slots, [Slot::ReasoningOwn, Slot::ParallelTools, Slot::User]);
    let none = Quirks { tools: ToolSupport::None, ..Quirks::default() };
    assert_eq!(Format::OpenAiChat.write_request(&full, &ask(Losses::ByRule, none)).unwrap_err().field, "tools");
    let seedless = Quirks { seed: SeedField::Unknown, ..Quirks::default() };
    let refused = Format::OpenAiChat.write_request(&full, &ask(Losses::Refuse, seedless)).unwrap_err();
    assert_eq!(refused.field, "seed");
}

#[test]
fn every_format_tells_every_failure_and_reads_it_back_as_one_to_retry_or_not() {
    let kinds = [
        ErrorKind::BadRequest,
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::TooLarge,
        ErrorKind::RateLimit,
        ErrorKind::Timeout,
        ErrorKind::Overloaded,
        ErrorKind::Server,
    ];
    for format in Format::ALL {
        for kind in kinds {
            let body = format.write_error(&crate::translate::Error::new(kind, "why"), "req_1");
            let read = format.read_error(format.error_status(kind), &body);
            assert_eq!((read.kind, read.message.as_str()), (kind, "why"), "{format:?}");
        }
        for junk in ["", "<html>", "[]", "null", "{\"error\":7}"] {
            assert_eq!(format.read_error(502, junk.as_bytes()).kind, ErrorKind::Server, "{format:?} {junk}");
            assert_eq!(format.read_error(429, junk.as_bytes()).kind, ErrorKind::RateLimit, "{format:?} {junk}");
        }
    }
}
