//! What a call took that is no turn of a conversation, as far as its request and its answer tell.

use serde_json::Value;

use crate::call::AiCall;
use crate::catalog::Charged;
use crate::fleet::Target;
use crate::meter::{Guess, foreseen};
use crate::providers::Capability;
use crate::translate::Usage;

/// What was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// In tokens.
    pub(super) usage: Usage,
    /// In what is charged for.
    pub(super) charged: Charged,
}

impl Took {
    /// These tokens alone.
    pub(super) fn tokens(usage: Usage) -> Self {
        Self { usage, charged: Charged::from(&usage) }
    }
}

/// What is known before there is an answer: what such a call usually takes.
pub(super) fn asked(call: &AiCall, target: &Target) -> Took {
    let charged = foreseen(call, &target.scale, Guess::Usual);
    let usage = Usage { input: charged.input_tokens(), output: charged.output_tokens(), ..Usage::default() };
    Took { usage, charged }
}

/// What an answer in one piece tells; none where it tells nothing.
pub(super) fn told(what: Capability, answer: &Value) -> Option<Took> {
    let usage = answer.get("usage");
    match what {
        Capability::Embeddings | Capability::Completions => {
            let usage = usage.or_else(|| answer.get("usageMetadata"))?;
            let input = first(usage, &["prompt_tokens", "promptTokenCount", "total_tokens"])?;
            let output = first(usage, &["completion_tokens"]).unwrap_or_default();
            Some(Took::tokens(Usage { input, output, ..Usage::default() }))
        }
        Capability::Images => Some(images(answer)),
        Capability::Transcription => Some(heard(answer, usage)),
        Capability::Rerank => Some(ranked(answer, usage)),
        _ => None,
    }
}

/// The first of these counts that is there.
fn first(value: &Value, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| value.get(name)?.as_u64())
}

/// Images are charged by tokens where these are told, else one by one.
fn images(answer: &Value) -> Took {
    let made = answer.get("data").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let Some(usage) = answer.get("usage").filter(|usage| usage.get("output_tokens").is_some()) else {
        return Took { charged: Charged { images: made, ..Charged::default() }, ..Took::default() };
    };
    let (input, output) = (first(usage, &["input_tokens"]), first(usage, &["output_tokens"]));
    let (input, output) = (input.unwrap_or_default(), output.unwrap_or_default());
    let seen = usage.get("input_tokens_details").and_then(|of| first(of, &["image_tokens"])).unwrap_or_default();
    let charged =
        Charged { input: input.saturating_sub(seen), image_input: seen, image_output: output, ..Charged::default() };
    Took { usage: Usage { input, output, ..Usage::default() }, charged }
}

/// Text from speech is charged by tokens or by time.
fn heard(answer: &Value, usage: Option<&Value>) -> Took {
    if let Some(usage) = usage.filter(|usage| usage.get("input_tokens").is_some()) {
        let audio = usage.get("input_token_details").and_then(|of| first(of, &["audio_tokens"]));
        return Took::tokens(Usage {
            input: first(usage, &["input_tokens"]).unwrap_or_default(),
            audio_input: audio.unwrap_or_default(),
            output: first(usage, &["output_tokens"]).unwrap_or_default(),
            ..Usage::default()
        });
    }
    let seconds = usage.and_then(|usage| usage.get("seconds")).or_else(|| answer.get("duration"));
    // Some tell it as a text.
    let seconds = seconds.and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok())).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a day of milliseconds fits")]
    let audio_in_ms = (seconds.clamp(0.0, 86_400.0) * 1000.0) as u64;
    Took { charged: Charged { audio_in_ms, ..Charged::default() }, ..Took::default() }
}

/// Ranking is charged by tokens where these are told, else by searches.
fn ranked(answer: &Value, usage: Option<&Value>) -> Took {
    let meta = answer.get("meta");
    let tokens = usage.and_then(|usage| first(usage, &["prompt_tokens", "total_tokens"]));
    let tokens = tokens.or_else(|| first(meta?.get("tokens")?, &["input_tokens"]));
    let searches = meta.and_then(|meta| first(meta.get("billed_units")?, &["search_units"])).unwrap_or(1);
    let usage = Usage { input: tokens.unwrap_or_default(), ..Usage::default() };
    Took { usage, charged: Charged { calls: searches, ..Charged::from(&usage) } }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_tell_what_was_taken() {
        let tokens = |input, output| Took::tokens(Usage { input, output, ..Usage::default() });
        let other = |charged| Took { charged, ..Took::default() };
        for (what, answer, expected) in [
            (
                Capability::Embeddings,
                json!({ "data": [], "usage": { "prompt_tokens": 5, "total_tokens": 5 } }),
                Some(tokens(5, 0)),
            ),
            (Capability::Embeddings, json!({ "data": [] }), None),
            (
                Capability::Completions,
                json!({ "usage": { "prompt_tokens": 5, "completion_tokens": 7 } }),
                Some(tokens(5, 7)),
            ),
            (Capability::Images, json!({ "data": [{}, {}] }), Some(other(Charged { images: 2, ..Charged::default() }))),
            (
                Capability::Transcription,
                json!({ "text": "x", "usage": { "type": "duration", "seconds": 3 } }),
                Some(other(Charged { audio_in_ms: 3000, ..Charged::default() })),
            ),
            (
                Capability::Transcription,
                json!({ "duration": "1.5" }),
                Some(other(Charged { audio_in_ms: 1500, ..Charged::default() })),
            ),
            (
                Capability::Rerank,
                json!({ "meta": { "billed_units": { "search_units": 4 } } }),
                Some(other(Charged { calls: 4, ..Charged::default() })),
            ),
            (Capability::Moderations, json!({}), None),
        ] {
            assert_eq!(told(what, &answer), expected, "{answer}");
        }
        let took = images(&json!({ "usage": { "input_tokens": 60, "output_tokens": 100,
            "input_tokens_details": { "text_tokens": 10, "image_tokens": 50 } } }));
        assert_eq!((took.charged.input, took.charged.image_input, took.charged.image_output), (10, 50, 100));
    }
}
