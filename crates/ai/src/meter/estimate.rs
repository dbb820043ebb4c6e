//! What a call may come to, before it is made.

use memchr::memmem;

use super::call::nanos;
use super::other::{Guess, foreseen};
use super::weigh;
use crate::call::AiCall;
use crate::catalog::{Charged, Entry};
use crate::providers::Capability;
use crate::translate::Format;

/// What is taken for the most that a model says, where neither the request nor the catalog says it.
const USUAL_OUTPUT: u64 = 4096;
/// The most answers that one request can ask for.
const MOST_CHOICES: u64 = 128;

/// What a call may come to, whoever of the model's targets serves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// Tokens read.
    pub(crate) input: u64,
    /// Tokens written.
    pub(crate) output: u64,
    /// Billionths of a US dollar; none where one of those who may serve it has no price.
    pub(crate) cost: Option<u64>,
}

impl Estimate {
    /// Of this call. `expected` is taken for its output where the request sets no bound.
    pub(crate) fn of(call: &AiCall, expected: Option<u64>) -> Self {
        if !is_text(call.capability()) {
            return Self::of_other(call);
        }
        let weight = weigh(call.body());
        let bound = call.bound();
        let hints = call.model.terms.shape.as_ref().and_then(|shape| shape.hints);
        let caches = hints.is_some_and(|hints| hints.writes()) || memmem::find(call.body(), b"cache_control").is_some();
        let mut estimate = Self { cost: Some(0), ..Self::default() };
        for target in &call.model.targets {
            let entry = target.entry.as_deref();
            let largest = entry.and_then(|entry| entry.max_output);
            // A provider says no more than its model can, whatever is asked.
            let output = match bound {
                Some(bound) => bound.min(largest.unwrap_or(u64::MAX)),
                None => expected.or(largest).unwrap_or(USUAL_OUTPUT),
            };
            let output = output.saturating_mul(call.choices());
            let input = target.scale.most_input(weight);
            estimate.input = estimate.input.max(input);
            estimate.output = estimate.output.max(output);
            let cost = entry.and_then(|entry| dearest(entry, input, output, caches));
            estimate.cost = estimate.cost.zip(cost).map(|(dearest, cost)| dearest.max(cost));
        }
        estimate
    }

    /// Of a call that answers with no text of a model's own.
    fn of_other(call: &AiCall) -> Self {
        let mut estimate = Self { cost: Some(0), ..Self::default() };
        for target in &call.model.targets {
            let charged = foreseen(call, &target.scale, Guess::Most);
            estimate.input = estimate.input.max(charged.input_tokens());
            estimate.output = estimate.output.max(charged.output_tokens());
            let cost = match &target.entry {
                _ if charged == Charged::default() => Some(0),
                Some(entry) => entry.cost(&charged).map(nanos),
                None => None,
            };
            estimate.cost = estimate.cost.zip(cost).map(|(dearest, cost)| dearest.max(cost));
        }
        estimate
    }
}

/// Whether a model writes the answer.
const fn is_text(what: Capability) -> bool {
    matches!(what, Capability::Chat | Capability::Messages | Capability::Responses | Capability::Completions)
}

/// What it costs where all that may be dear is.
fn dearest(entry: &Entry, input: u64, output: u64, caches: bool) -> Option<u64> {
    let written = if caches {
        Charged { cache_write_hour: input, ..Charged::default() }
    } else {
        Charged { input, ..Charged::default() }
    };
    let said = entry.cost(&Charged { output, ..written })?;
    let thought = entry.cost(&Charged { reasoning: output, ..written })?;
    Some(nanos(said.max(thought)))
}

impl AiCall {
    /// The most tokens that each answer may have, as the request or its model bounds it.
    fn bound(&self) -> Option<u64> {
        let number = |key| self.head.raw(key)?.parse::<u64>().ok();
        let asked = match self.turn.format {
            Format::Gemini => self.generation("maxOutputTokens"),
            _ => {
                number("max_completion_tokens").or_else(|| number("max_output_tokens")).or_else(|| number("max_tokens"))
            }
        };
        match &self.model.terms.shape {
            Some(shape) => shape.max_tokens(asked),
            None => asked,
        }
    }

    /// How many answers are asked for.
    fn choices(&self) -> u64 {
        let asked = match self.turn.format {
            Format::Gemini => self.generation("candidateCount"),
            _ => self.head.raw("n").and_then(|count| count.parse().ok()),
        };
        asked.unwrap_or(1).clamp(1, MOST_CHOICES)
    }

    fn generation(&self, key: &str) -> Option<u64> {
        let raw = self.head.raw("generationConfig").or_else(|| self.head.raw("generation_config"))?;
        let config: serde_json::Value = serde_json::from_str(raw).ok()?;
        config.get(key)?.as_u64()
    }
}
