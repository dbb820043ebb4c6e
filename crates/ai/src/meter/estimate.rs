//! What a call may come to, before it is made.

use std::sync::LazyLock;

use memchr::memmem;

use super::call::nanos;
use super::other::{Guess, foreseen};
use super::{Weight, weigh};
use crate::call::AiCall;
use crate::catalog::{Charged, Entry};
use crate::fleet::Target;
use crate::providers::Capability;
use crate::translate::Format;

/// What is taken for the most that a model says, where neither the request nor the catalog says it.
const USUAL_OUTPUT: u64 = 4096;
/// The most answers that one request can ask for.
const MOST_CHOICES: u64 = 128;

/// What a call may come to in tokens, whoever of the model's targets serves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// Tokens read.
    pub(crate) input: u64,
    /// Tokens written.
    pub(crate) output: u64,
}

impl Estimate {
    /// Of this call. `expected` is taken for its output where the request sets no bound.
    pub(crate) fn of(call: &AiCall, expected: Option<u64>) -> Self {
        let mut estimate = Self::default();
        let mut most = |input: u64, output: u64| {
            estimate.input = estimate.input.max(input);
            estimate.output = estimate.output.max(output);
        };
        if is_text(call.capability()) {
            let asked = Asked::by(call, expected);
            call.model.targets.iter().map(|target| asked.of(target)).for_each(|(input, output)| most(input, output));
        } else {
            let charged = call.model.targets.iter().map(|target| foreseen(call, &target.scale, Guess::Most));
            charged.for_each(|charged| most(charged.input_tokens(), charged.output_tokens()));
        }
        estimate
    }
}

/// What a call may cost, whoever of the model's targets serves it, in billionths of a US dollar; none where one of those who
/// may serve it has no price. `expected` as of [`Estimate::of`].
pub(crate) fn may_cost(call: &AiCall, expected: Option<u64>) -> Option<u64> {
    let targets = call.model.targets.iter();
    if is_text(call.capability()) {
        let asked = Asked::by(call, expected);
        let hints = call.model.terms.shape.as_ref().and_then(|shape| shape.hints);
        let caches = hints.is_some_and(|hints| hints.writes()) || CACHE_CONTROL.find(call.body()).is_some();
        return dearest(targets.map(|target| {
            let (input, output) = asked.of(target);
            whatever_is_dear(target.entry.as_deref()?, input, output, caches)
        }));
    }
    dearest(targets.map(|target| {
        let charged = foreseen(call, &target.scale, Guess::Most);
        if charged == Charged::default() {
            return Some(0);
        }
        target.entry.as_ref()?.cost(&charged).map(nanos)
    }))
}

fn dearest(mut costs: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    costs.try_fold(0, |most: u64, cost| Some(most.max(cost?)))
}

/// How a caller asks the provider to keep what it read.
static CACHE_CONTROL: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("cache_control"));

/// What a turn of a conversation asks for.
struct Asked {
    weight: Weight,
    bound: Option<u64>,
    expected: Option<u64>,
    choices: u64,
}

impl Asked {
    fn by(call: &AiCall, expected: Option<u64>) -> Self {
        Self { weight: weigh(call.body()), bound: call.bound(), expected, choices: call.choices() }
    }

    /// The most tokens read and written by this target.
    fn of(&self, target: &Target) -> (u64, u64) {
        let largest = target.entry.as_deref().and_then(|entry| entry.max_output);
        // A provider says no more than its model can, whatever is asked.
        let output = match self.bound {
            Some(bound) => bound.min(largest.unwrap_or(u64::MAX)),
            None => self.expected.or(largest).unwrap_or(USUAL_OUTPUT),
        };
        (target.scale.most_input(self.weight), output.saturating_mul(self.choices))
    }
}

/// Whether a model writes the answer.
const fn is_text(what: Capability) -> bool {
    matches!(what, Capability::Chat | Capability::Messages | Capability::Responses | Capability::Completions)
}

/// What it costs where all that may be dear is.
fn whatever_is_dear(entry: &Entry, input: u64, output: u64, caches: bool) -> Option<u64> {
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
