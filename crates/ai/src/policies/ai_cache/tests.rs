use proxy::exchange::testing::{environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;

use super::gather::{Gather, is_good, weight};
use crate::translate::canonical::{Content, Opens, Place};
use crate::translate::{Event, Finish, Usage};

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
fn wrong_bounds_are_problems() {
    for (spec, says) in [
        ("{ ttl: 0s }", "`ttl` is not"),
        ("{ ttl: 31d }", "`ttl` is not"),
        ("{ max_bytes: 0B }", "`max_bytes` is not"),
        ("{ share: none }", "share"),
        ("{ collapse: { wait: 11m } }", "`collapse` lets calls wait"),
        ("{ collapse: { most: 1000000 } }", "`collapse` lets calls wait"),
        ("{ semantic: {} }", "model"),
        ("{ semantic: { model: embedings } }", "unknown model `embedings`; did you mean `embeddings`?"),
        ("{ semantic: { model: claude } }", "nobody who serves the model `claude` makes embeddings"),
        ("{ semantic: { model: embeddings, threshold: 0.4 } }", "`threshold` is not"),
        ("{ semantic: { model: embeddings, max_text: 1MiB } }", "`max_text` is not"),
        ("{ semantic: { model: embeddings, max_entries: 50001 } }", "`max_entries` is not"),
        ("{ semantic: { model: embeddings, timeout: 2m } }", "`timeout` is not"),
    ] {
        let text = include_str!("example.yaml")
            .replace("{ ttl: 10m, share: all, semantic: { model: embeddings, threshold: 0.95 }, collapse: {} }", spec)
            .replace("  models:", "    - { name: anthropic, preset: anthropic, keys: [k] }\n  models:\n    - { name: claude, targets: [{ provider: anthropic }] }");
        assert!(text.contains(spec));
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{spec}: {problems}");
    }
}

fn stream(finish: Finish) -> Vec<Event> {
    let (text, call) = (Place { choice: 0, part: 0 }, Place { choice: 0, part: 1 });
    vec![
        Event::Start { id: "i".into(), model: "m".into(), created: Some(1) },
        Event::Open(text, Opens::Text),
        Event::Text(text, "Hel".into()),
        Event::Ping,
        Event::Text(text, "lo".into()),
        Event::Close(text),
        Event::Open(call, Opens::ToolCall { id: "c".into(), name: "f".into() }),
        Event::Args(call, "{\"a\"".into()),
        Event::Args(call, ":1}".into()),
        Event::Close(call),
        Event::Usage(Usage { input: 3, output: 2, ..Usage::default() }),
        Event::Finish { choice: 0, finish, stop_sequence: None },
        Event::End,
    ]
}

#[test]
fn a_stream_is_put_together() {
    let mut gather = Gather::default();
    let events = stream(Finish::ToolCalls);
    let (last, before) = events.split_last().unwrap();
    assert!(before.iter().all(|event| gather.push(event, 1000).is_none()));
    let answer = gather.push(last, 1000).unwrap();
    let parts: Vec<&Content> = answer.choices[0].parts.iter().map(|part| &part.content).collect();
    assert!(matches!(parts[0], Content::Text(text) if text == "Hello"), "{answer:?}");
    assert!(matches!(parts[1], Content::ToolCall(call) if call.arguments == "{\"a\":1}"), "{answer:?}");
    assert_eq!((answer.usage.input, answer.choices[0].finish), (3, Some(Finish::ToolCalls)));
    assert!(is_good(&answer) && weight(&answer) > 12);
    assert!(gather.push(last, 1000).is_none(), "once");
}

#[test]
fn what_is_cut_short_or_too_long_is_not_kept() {
    for (events, most, kept) in [
        (stream(Finish::Stop), 1000, true),
        (stream(Finish::ContentFilter), 1000, false),
        (stream(Finish::Error), 1000, false),
        (stream(Finish::Stop), 100, false),
        (
            stream(Finish::Stop).into_iter().filter(|event| !matches!(event, Event::Finish { .. })).collect(),
            1000,
            false,
        ),
        (stream(Finish::Stop).into_iter().take(12).collect(), 1000, false),
    ] {
        let mut gather = Gather::default();
        let answer = events.iter().filter_map(|event| gather.push(event, most)).last();
        assert_eq!(answer.is_some_and(|answer| is_good(&answer)), kept, "{events:?} {most}");
    }
}
