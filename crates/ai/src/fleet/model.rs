//! A model as callers know it, and those who serve it.

use std::sync::Arc;

use model::resource::ModelStrategy;

use super::{Provider, Terms};
use crate::catalog::Entry;

/// A model as callers know it.
pub(crate) struct Model {
    pub(crate) name: Arc<str>,
    /// Whether it is a provider's own, asked for by the provider's name for it.
    pub(crate) direct: bool,
    /// On which terms it is called.
    pub(crate) terms: Terms,
    pub(super) strategy: ModelStrategy,
    pub(crate) targets: Vec<Target>,
}

/// A model of a provider.
pub(crate) struct Target {
    pub(crate) provider: Arc<Provider>,
    /// What the provider calls it.
    pub(crate) model: Arc<str>,
    pub(super) weight: u32,
    /// Its prices and sizes, where the catalog knows it.
    pub(crate) entry: Option<Arc<Entry>>,
}

impl Model {
    /// A provider's own model.
    pub(super) fn direct(name: &str, target: Target) -> Self {
        let terms = Terms::default();
        Self { name: name.into(), direct: true, terms, strategy: ModelStrategy::Priority, targets: vec![target] }
    }

    /// Its targets in the order in which they are asked. `draw` is a random number.
    pub(crate) fn order(&self, draw: u64) -> impl Iterator<Item = &Target> {
        let first = match self.strategy {
            ModelStrategy::Priority => None,
            ModelStrategy::Weighted => self.drawn(draw),
        };
        let rest = self.targets.iter().enumerate().filter(move |(at, _)| Some(*at) != first).map(|(_, target)| target);
        first.and_then(|at| self.targets.get(at)).into_iter().chain(rest)
    }

    fn drawn(&self, draw: u64) -> Option<usize> {
        let sum: u64 = self.targets.iter().map(|target| u64::from(target.weight)).sum();
        let mut left = draw.checked_rem(sum)?;
        self.targets.iter().position(|target| match left.checked_sub(u64::from(target.weight)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }
}
