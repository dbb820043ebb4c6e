//! What calls of models took: summed by the hour and by who asked whom for what, so that it can be billed.
//!
//! A call is added to a [`Book`] in memory, and the writer saves what came together. What has not been saved when a process
//! is killed (the writer gathers for some 50 ms) is not in the book; money that a budget lent is in the ledger all the same.
//! [`report`] reads the sums back, beside a running gateway too.

mod book;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use book::{Book, MOST_KINDS, OTHER};
pub(crate) use report::sweep;
pub use report::{By, Line, MOST_LINES, Question, Report, report};

/// Seconds that are summed together.
pub const HOUR: i64 = 3600;

/// Whose calls these are, and of what. Empty where there is no such thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Whose {
    /// The consumer.
    pub consumer: Arc<str>,
    /// The consumer's team.
    pub team: Arc<str>,
    /// The name of the consumer's credential.
    pub credential: Arc<str>,
    /// The api.
    pub api: Arc<str>,
    /// The model, as callers know it.
    pub model: Arc<str>,
    /// Who served it.
    pub provider: Arc<str>,
    /// What the provider calls it.
    pub target: Arc<str>,
    /// The prompt.
    pub prompt: Arc<str>,
    /// What the caller wants it to be counted under.
    pub tag: Arc<str>,
}

impl Default for Whose {
    fn default() -> Self {
        let none: Arc<str> = Arc::from("");
        let [consumer, team, credential, api, model, provider, target, prompt, tag] =
            std::array::from_fn(|_| none.clone());
        Self { consumer, team, credential, api, model, provider, target, prompt, tag }
    }
}

/// What calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// How many they were.
    pub calls: u64,
    /// How many of them ended in an error.
    pub errors: u64,
    /// How many of them have no known cost.
    pub unpriced: u64,
    /// Tokens read, the cached ones included.
    pub input: u64,
    /// Of these, what the provider's cache had.
    pub cached: u64,
    /// Tokens written, the reasoning included.
    pub output: u64,
    /// Of these, what was thought.
    pub reasoning: u64,
    /// What they cost, in billionths of a US dollar.
    pub cost: u64,
}

impl Took {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.figures_mut().into_iter().zip(other.figures()) {
            *to = to.saturating_add(from);
        }
    }

    /// In the order of the columns.
    fn figures(&self) -> [u64; 8] {
        let Self { calls, errors, unpriced, input, cached, output, reasoning, cost } = *self;
        [calls, errors, unpriced, input, cached, output, reasoning, cost]
    }

    fn figures_mut(&mut self) -> [&mut u64; 8] {
        let Self { calls, errors, unpriced, input, cached, output, reasoning, cost } = self;
        [calls, errors, unpriced, input, cached, output, reasoning, cost]
    }
}
