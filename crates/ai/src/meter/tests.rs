use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use proptest::prelude::*;
use proxy::exchange::ModelCall;

use super::call::CallMeter;
use super::*;
use crate::catalog::Catalog;
use crate::translate::canonical::{Choice, Content, Part, Place};
use crate::translate::{Answer, Event, Format, Usage};

/// Token counts that OpenAI's own `tiktoken` 0.12 gives.
#[test]
fn vocabularies_count_as_openai_does() {
    for (vocabulary, text, tokens) in [
        (Vocabulary::Cl100k, "hello world", 2),
        (Vocabulary::O200k, "hello world", 2),
        (Vocabulary::Cl100k, "tiktoken is great!", 6),
        (Vocabulary::O200k, "tiktoken is great!", 6),
        (Vocabulary::O200k, "", 0),
    ] {
        let said = Text { text: text.to_owned(), ..Text::default() };
        assert_eq!(vocabulary.count(&said), tokens, "{vocabulary:?} {text}");
    }
}

#[test]
fn vocabularies_are_those_of_their_models_alone() {
    for (provider, model, expected) in [
        ("openai", "gpt-4o-mini", Some(Vocabulary::O200k)),
        ("openai", "gpt-5", Some(Vocabulary::O200k)),
        ("azure_openai", "gpt-35-turbo", Some(Vocabulary::Cl100k)),
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::id", Some(Vocabulary::O200k)),
        ("groq", "openai/gpt-oss-120b", Some(Vocabulary::O200k)),
        ("openrouter", "gpt-4o", None),
        ("anthropic", "claude-sonnet-4-5", None),
        ("openai", "whisper-1", None),
    ] {
        assert_eq!(Vocabulary::of(provider, model), expected, "{provider} {model}");
    }
}

#[test]
fn long_texts_are_counted_in_part() {
    let mut text = Text::default();
    let sentence = "The quick brown fox jumps over the lazy dog. ";
    for _ in 0..20_000 {
        text.push(sentence);
    }
    let tokens = Vocabulary::O200k.count(&text);
    // Ten tokens a sentence; where pieces are cut one may become two.
    assert!((200_000..=202_000).contains(&tokens), "{tokens}");
    assert_eq!(text.len(), 20_000 * sentence.len() as u64);
    assert!(text.text.len() <= 256 << 10);
}

#[test]
fn pictures_do_not_weigh_like_books() {
    let picture = "iVBORw0KGgo".repeat(10_000);
    let text = "It is said that a picture says more than a thousand words. ".repeat(200);
    let body = format!(
        r#"{{"messages":[{{"content":"{text}"}},{{"image_url":{{"url":"data:image/png;base64,{picture}"}}}}]}}"#
    );
    let weight = weigh(body.as_bytes());
    assert_eq!(weight.media, 1600);
    assert!((text.len() as u64..text.len() as u64 + 200).contains(&weight.bytes), "{weight:?}");
    let short = br#"{"messages":[{"content":"aGVsbG8="}]}"#;
    assert_eq!(weigh(short), Weight { bytes: short.len() as u64, media: 0 });
}

proptest! {
    /// Whatever providers tell, an estimate stays between a token a byte and one for 32, and the most is not below the usual.
    #[test]
    fn calibration_is_bounded(told in prop::collection::vec((any::<u64>(), any::<u64>()), 0..100), bytes in 0u64..1 << 40) {
        let scale = Calibration::default();
        for (bytes, tokens) in told {
            scale.learn(bytes, tokens);
        }
        let (usual, most) = (scale.usual(bytes), scale.most(bytes));
        prop_assert!(usual >= bytes / 32 && usual <= bytes);
        prop_assert!(most <= bytes && most >= usual || bytes < 64, "{} {}", usual, most);
    }
}

#[test]
fn calibration_follows_what_is_told() {
    let scale = Calibration::default();
    assert_eq!((scale.usual(4000), scale.most(4000)), (1000, 1600));
    for _ in 0..2000 {
        scale.learn(3000, 1000);
    }
    assert!((1330..=1340).contains(&scale.usual(4000)), "{}", scale.usual(4000));
    assert!((1330..=1400).contains(&scale.most(4000)), "{}", scale.most(4000));
    // One that was heavier counts at once.
    scale.learn(2000, 1000);
    assert_eq!(scale.most(4000), 2000);
    assert!(scale.usual(4000) < 1400);
}

/// A call that a provider answers with these events, and what it came to.
fn billed(vendor: &str, model: &str, events: &[Event]) -> (u64, u64, Option<u64>) {
    let (give, got) = sync_channel(1);
    let meter = CallMeter::default();
    meter.settle(Box::new(move |bill| give.send((bill.usage.input, bill.usage.output, bill.cost)).unwrap()));
    meter.served(served(vendor, model));
    meter.came(events);
    drop(meter);
    got.recv_timeout(std::time::Duration::from_secs(60)).unwrap()
}

fn served(vendor: &str, model: &str) -> Served {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hello world"}]}"#;
    Served {
        call: Arc::new(ModelCall::new("m".into(), vendor.into(), model.into())),
        entry: Catalog::embedded().find(vendor, model).map(Arc::new),
        scale: Arc::default(),
        vocabulary: Vocabulary::of(vendor, model),
        names: (vendor.into(), model.into()),
        format: Format::OpenAiChat,
        body: body.as_slice().into(),
    }
}

fn usage(input: u64, output: u64) -> Event {
    Event::Usage(Usage { input, output, ..Usage::default() })
}

fn said(text: &str) -> Event {
    Event::Text(Place::default(), text.to_owned())
}

#[test]
fn what_a_provider_told_is_billed() {
    // 2.50 and 10 dollars for a million.
    assert_eq!(billed("openai", "gpt-4o", &[said("x"), usage(1000, 100), Event::End]), (1000, 100, Some(3_500_000)));
    assert_eq!(billed("nobody", "m", &[usage(10, 20), Event::End]), (10, 20, None));
}

#[test]
fn what_nobody_told_is_counted_or_estimated() {
    // The request: hello world, and three for each of two messages' frames.
    let told = billed("openai", "gpt-4o", &[said("hello world"), said(" hello world"), Event::End]);
    assert_eq!((told.0, told.1), (2 + 6, 4));
    // No vocabulary: four bytes a token, of a request of 66 bytes.
    let (input, output, _) = billed("anthropic", "claude-sonnet-4-5", &[said(&"a".repeat(400)), Event::End]);
    assert_eq!((input, output), (17, 100));
}

#[test]
fn a_client_that_leaves_pays_for_what_was_said() {
    // Anthropic tells the input at the begin, and an output of one.
    let (input, output, cost) = billed("anthropic", "claude-sonnet-4-5", &[usage(500, 1), said(&"word ".repeat(80))]);
    assert_eq!((input, output), (500, 100));
    assert_eq!(cost, Some(500 * 3000 + 100 * 15_000));
    let (input, output, _) = billed("openai", "gpt-4o", &[said("hello world hello world")]);
    assert_eq!((input, output), (8, 4));
}

#[test]
fn no_call_is_no_money() {
    let (give, got) = sync_channel(1);
    let meter = CallMeter::default();
    meter.settle(Box::new(move |bill| give.send(*bill).unwrap()));
    drop(meter);
    let bill = got.try_recv().unwrap();
    assert_eq!((bill.usage, bill.cost), (Usage::default(), Some(0)));
}

#[test]
fn answers_in_one_piece_are_billed_and_teach() {
    let served = served("openai", "gpt-4o");
    let (scale, call) = (served.scale.clone(), served.call.clone());
    let before = scale.most_input(Weight { bytes: 1000, media: 0 });
    let meter = CallMeter::default();
    meter.served(served);
    let choice = Choice { parts: vec![Part::new(Content::Text("x".repeat(400)))], ..Choice::default() };
    meter.answered(&Answer {
        choices: vec![choice],
        usage: Usage { input: 66, output: 200, ..Usage::default() },
        ..Answer::default()
    });
    assert_eq!(meter.cost(), Some(66 * 2500 + 200 * 10_000));
    drop(meter);
    assert_eq!((call.tokens(), call.cost()), (Some((66, 200)), Some(66 * 2500 + 200 * 10_000)));
    assert!(scale.most_input(Weight { bytes: 1000, media: 0 }) > before, "a byte a token was told");
}
