//! What policies denied, what limits refused, and what they are counted on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::catalog;
use super::text::{Seconds, Text};
use crate::program::Program;

/// Counters by policy, name of the limit and mode. Names are the configuration's.
#[derive(Default)]
pub(super) struct Limits {
    pub(super) refused: Tallies,
    pub(super) warned: Tallies,
    pub(super) denied: Tallies,
    pub(super) guarded: Tallies,
    pub(super) cached: Tallies,
    pub(super) similar: Tallies,
    pub(super) models: Models,
    pub(super) payloads: Arc<Payloads>,
}

/// What became of payloads of calls that were to be kept.
#[derive(Debug, Default)]
pub struct Payloads {
    /// Those that were written.
    pub written: AtomicU64,
    /// Those that were not.
    pub dropped: AtomicU64,
}

/// What calls of a model at a provider took.
#[derive(Debug, Default)]
pub struct ModelTotals {
    /// Tokens read.
    pub input: AtomicU64,
    /// Tokens written.
    pub output: AtomicU64,
    /// What they cost, in billionths of a US dollar.
    pub cost: AtomicU64,
}

/// Totals by model and provider. Names are the configuration's, and bounded where a caller may make them up.
#[derive(Default)]
pub(super) struct Models(Mutex<BTreeMap<(String, String), Arc<ModelTotals>>>);

/// Models at providers that are told apart.
const MOST_MODELS: usize = 2_000;

impl Models {
    pub(super) fn get(&self, model: &str, provider: &str) -> Arc<ModelTotals> {
        let mut all = self.0.lock();
        let name = (model.to_owned(), provider.to_owned());
        let full = all.len() >= MOST_MODELS && !all.contains_key(&name);
        let name = if full { ("other".to_owned(), "other".to_owned()) } else { name };
        all.entry(name).or_default().clone()
    }

    fn expose(&self, text: &mut Text) {
        let all: Vec<_> = self.0.lock().iter().map(|(name, totals)| (name.clone(), totals.clone())).collect();
        let mut family = text.family(&catalog::AI_TOKENS);
        for ((model, provider), totals) in &all {
            for (direction, count) in [("input", &totals.input), ("output", &totals.output)] {
                let count = count.load(Relaxed);
                if count > 0 {
                    family.sample(&[model, provider, direction], count);
                }
            }
        }
        let mut family = text.family(&catalog::AI_COST);
        for ((model, provider), totals) in &all {
            let cost = totals.cost.load(Relaxed);
            if cost > 0 {
                // Billionths, as of seconds.
                family.sample(&[model, provider], Seconds(cost));
            }
        }
    }
}

/// Policy, name of the limit, mode or threshold.
type Name = (&'static str, String, &'static str);

#[derive(Default)]
pub(super) struct Tallies(Mutex<BTreeMap<Name, Arc<AtomicU64>>>);

impl Tallies {
    pub(super) fn get(&self, policy: &'static str, limit: &str, mode: &'static str) -> Arc<AtomicU64> {
        self.0.lock().entry((policy, limit.to_owned(), mode)).or_default().clone()
    }
}

impl Limits {
    pub(super) fn expose(&self, text: &mut Text, program: &Program) {
        let mut family = text.family(&catalog::DENIED);
        for ((policy, rule, mode), count) in self.denied.0.lock().iter().filter(|(_, count)| count.load(Relaxed) > 0) {
            family.sample(&[policy, rule, mode], count.load(Relaxed));
        }
        let mut family = text.family(&catalog::GUARDED);
        for ((_, check, act), count) in self.guarded.0.lock().iter().filter(|(_, count)| count.load(Relaxed) > 0) {
            family.sample(&[check, act], count.load(Relaxed));
        }
        for (metric, tallies) in [(&catalog::AI_CACHE, &self.cached), (&catalog::AI_CACHE_SIMILARITY, &self.similar)] {
            let mut family = text.family(metric);
            for ((.., what), count) in tallies.0.lock().iter().filter(|(_, count)| count.load(Relaxed) > 0) {
                family.sample(&[what], count.load(Relaxed));
            }
        }
        let mut family = text.family(&catalog::LIMIT_REFUSED);
        for ((policy, limit, mode), count) in self.refused.0.lock().iter().filter(|(_, count)| count.load(Relaxed) > 0)
        {
            family.sample(&[policy, limit, mode], count.load(Relaxed));
        }
        let mut family = text.family(&catalog::QUOTA_WARNINGS);
        for ((_, limit, threshold), count) in self.warned.0.lock().iter().filter(|(_, count)| count.load(Relaxed) > 0) {
            family.sample(&[limit, threshold], count.load(Relaxed));
        }
        self.models.expose(text);
        let mut family = text.family(&catalog::PAYLOADS);
        family.sample(&["written"], self.payloads.written.load(Relaxed));
        family.sample(&["dropped"], self.payloads.dropped.load(Relaxed));
        if let Some(status) = program.shared.as_ref().map(|shared| shared.status()) {
            text.single(&catalog::REDIS_UP, u64::from(status.up));
            text.single(&catalog::REDIS_GATEWAYS, status.gateways);
            let mut calls = text.family(&catalog::REDIS_CALLS);
            calls.sample(&["ok"], status.answered);
            calls.sample(&["failed"], status.unanswered);
        }
        if let Some(status) = program.stores.disk().map(store::Store::status) {
            text.single(&catalog::STORE_METERS, status.meters);
            text.single(&catalog::STORE_UNSAVED, status.unsaved);
            let failing = status.trouble.map_or(0, |(_, since)| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
            text.single(&catalog::STORE_FAILING, Seconds(failing));
        }
    }
}
