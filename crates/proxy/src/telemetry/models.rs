//! Attempts at models and how soon they say something. Names are the configuration's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::catalog;
use super::histogram::{DURATION, Histogram, Sums};
use super::text::Text;
use crate::exchange::AttemptOutcome;

/// Counters by provider and what it calls the model.
#[derive(Default)]
pub(super) struct Models(Mutex<BTreeMap<(String, String), Arc<ModelMetrics>>>);

/// The counters of a model of a provider.
#[derive(Default)]
pub struct ModelMetrics {
    outcomes: [AtomicU64; AttemptOutcome::ALL.len()],
    first: Histogram<17>,
}

impl ModelMetrics {
    /// An attempt is over.
    pub fn attempt(&self, outcome: AttemptOutcome) {
        if let Some(count) = self.outcomes.get(outcome as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// A stream said its first token after this time.
    pub fn first_token(&self, after: Duration) {
        self.first.observe(&DURATION, after);
    }
}

impl Models {
    pub(super) fn get(&self, provider: &str, model: &str) -> Arc<ModelMetrics> {
        self.0.lock().entry((provider.to_owned(), model.to_owned())).or_default().clone()
    }

    pub(super) fn expose(&self, text: &mut Text) {
        let all = self.0.lock();
        let mut family = text.family(&catalog::AI_ATTEMPTS);
        for ((provider, model), metrics) in all.iter() {
            for (outcome, count) in AttemptOutcome::ALL.iter().zip(&metrics.outcomes) {
                let count = count.load(Relaxed);
                if count > 0 {
                    family.sample(&[provider, model, outcome.as_str()], count);
                }
            }
        }
        let mut family = text.family(&catalog::AI_FIRST_TOKEN);
        for ((provider, model), metrics) in all.iter() {
            let mut sums = Sums::default();
            sums.add(&metrics.first);
            if sums.count() > 0 {
                family.histogram(&[provider, model], &DURATION, &sums);
            }
        }
    }
}
