//! A model as callers know it, and those who serve it.

use std::sync::Arc;

use model::resource::{FailureCause, ModelHedge, ModelRetry, ModelStrategy};
use proxy::expr::Expr;
use proxy::telemetry::ModelMetrics;

use super::budget::Budget;
use super::order::Alike;
use super::pulse::Pulse;
use super::rest::Rest;
use super::{Provider, Terms};
use crate::catalog::Entry;
use crate::meter::{Scale, Vocabulary};
use crate::providers::Prefill;

/// A model as callers know it.
pub(crate) struct Model {
    pub(crate) name: Arc<str>,
    /// Whether it is a provider's own, asked for by the provider's name for it.
    pub(crate) direct: bool,
    /// On which terms it is called.
    pub(crate) terms: Terms,
    pub(super) strategy: ModelStrategy,
    /// What goes to the same target, where that is the strategy.
    pub(super) alike: Alike,
    pub(crate) targets: Vec<Arc<Target>>,
    pub(crate) fallbacks: Vec<Fallback>,
    pub(crate) retry: Option<(ModelRetry, Arc<Budget>)>,
    pub(crate) hedge: Option<(ModelHedge, Arc<Budget>)>,
}

/// What else is asked.
pub(crate) struct Fallback {
    /// Where it failed in one of these ways; in any where there are none.
    causes: Vec<FailureCause>,
    /// Numbers of models.
    pub(crate) to: Vec<usize>,
}

/// A model of a provider.
pub(crate) struct Target {
    pub(crate) provider: Arc<Provider>,
    /// What the provider calls it.
    pub(crate) model: Arc<str>,
    pub(super) weight: u32,
    /// Its prices and sizes, where the catalog knows it.
    pub(crate) entry: Option<Arc<Entry>>,
    /// What its tokens weigh.
    pub(crate) scale: Arc<Scale>,
    /// Where this does not hold it is left out.
    pub(super) when: Option<Expr>,
    /// What was seen of it.
    pub(crate) pulse: Arc<Pulse>,
    /// How each of the provider's keys rests for it alone.
    pub(crate) rests: Box<[Arc<Rest>]>,
    pub(crate) metrics: Arc<ModelMetrics>,
    /// How it goes on with what another began.
    pub(crate) prefill: Prefill,
    /// What a usual call costs.
    pub(super) price: Option<u64>,
    /// The same for every gateway.
    pub(super) id: u64,
}

impl Model {
    /// A provider's own model.
    pub(super) fn direct(name: &str, target: Target) -> Self {
        Self {
            name: name.into(),
            direct: true,
            terms: Terms::default(),
            strategy: ModelStrategy::Priority,
            alike: Alike::Conversation,
            targets: vec![Arc::new(target)],
            fallbacks: Vec::new(),
            retry: None,
            hedge: None,
        }
    }
}

impl Target {
    /// The vocabulary of its model, where that is published.
    pub(crate) fn vocabulary(&self) -> Option<Vocabulary> {
        Vocabulary::of(self.provider.vendor(), &self.model)
    }

    /// A provider's own model, of which nothing is remembered: callers make its name up.
    pub(super) fn direct(
        provider: Arc<Provider>,
        model: &str,
        entry: Option<Arc<Entry>>,
        metrics: Arc<ModelMetrics>,
    ) -> Self {
        Self {
            rests: (0..provider.keys.len()).map(|_| Arc::default()).collect(),
            prefill: provider.prefill_of(entry.as_deref()),
            provider,
            model: model.into(),
            weight: 1,
            entry,
            scale: Arc::default(),
            when: None,
            pulse: Arc::default(),
            metrics,
            price: None,
            id: 0,
        }
    }
}

impl Fallback {
    pub(super) fn new(causes: Vec<FailureCause>, to: Vec<usize>) -> Self {
        Self { causes, to }
    }

    /// Whether it is for what failed so.
    pub(crate) fn is_for(&self, cause: FailureCause) -> bool {
        self.causes.is_empty() || self.causes.contains(&cause)
    }
}
