//! What is remembered: metrics and the access log.
//!
//! [`Telemetry`] lives as long as the process and is told of each exchange once, at its end. Counters are striped by
//! worker and found when a program is compiled, so that recording looks nothing up and waits for nobody.

pub mod access_log;
pub mod catalog;
mod expose;
mod histogram;
mod limits;
mod listeners;
mod models;
mod process;
mod reloads;
mod routes;
mod stripes;
mod text;
mod workers;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::problem::Problems;
use model::resource::Switch;

pub use listeners::{ListenerMetrics, Refusal};
pub use models::ModelMetrics;
pub use routes::RouteMetrics;
pub use text::{Family, Format, Text};

use crate::exchange::Exchange;
use crate::program::{ListenerSlot, Program, RoutePlan};
use access_log::{AccessLog, Destination, Sink, Sinks};
use limits::Limits;
pub use limits::{ModelTotals, Payloads};
use listeners::Listeners;
use models::Models;
use reloads::Reloads;
use routes::Routes;
use workers::Workers;

/// Where records go.
pub struct Telemetry {
    /// When the process began, since 1970.
    started: Duration,
    began: Instant,
    workers: Workers,
    routes: Routes,
    listeners: Listeners,
    limits: Limits,
    models: Models,
    reloads: Reloads,
    logs: Sinks,
    own_log: OnceLock<Arc<Sink>>,
}

/// For tests: one worker, and nothing on standard output.
impl Default for Telemetry {
    fn default() -> Self {
        Self { logs: Sinks::new(1, Destination::Nowhere), ..Self::new(1) }
    }
}

impl Telemetry {
    /// For a gateway with so many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            began: Instant::now(),
            workers: Workers::new(workers),
            routes: Routes::default(),
            listeners: Listeners::default(),
            limits: Limits::default(),
            models: Models::default(),
            reloads: Reloads::default(),
            logs: Sinks::new(workers, Destination::Standard),
            own_log: OnceLock::new(),
        }
    }

    /// The counters of a route, the same over reloads. `by_route` gives it histograms of its own.
    pub fn route(&self, api: &str, route: &str, by_route: Switch) -> RouteMetrics {
        self.routes.get(api, route, by_route)
    }

    /// The counters of a listener, the same over reloads.
    pub fn listener(&self, slot: ListenerSlot, name: &str) -> Arc<ListenerMetrics> {
        self.listeners.get(slot, name, self.workers.count())
    }

    /// Where it is counted what a limit of this name refuses (`mode` is `enforce`), or would have (`shadow`); the same over
    /// reloads, and for limits of the same name.
    pub fn limit(&self, policy: &'static str, limit: &str, mode: &'static str) -> Arc<AtomicU64> {
        self.limits.refused.get(policy, limit, mode)
    }

    /// Where it is counted what a rule of this name denies (`mode` is `enforce`), or would have (`shadow`); the same over
    /// reloads, and for rules of the same name.
    pub(crate) fn denied(&self, policy: &'static str, rule: &str, mode: &'static str) -> Arc<AtomicU64> {
        self.limits.denied.get(policy, rule, mode)
    }

    /// Where it is counted what becomes of payloads that are to be kept.
    pub fn payloads(&self) -> Arc<Payloads> {
        self.limits.payloads.clone()
    }

    /// Where it is counted how often a guard's check of this name found something, by what it does about it; the same over
    /// reloads, and for checks of the same name.
    pub fn guarded(&self, check: &str, act: &'static str) -> Arc<AtomicU64> {
        self.limits.guarded.get("guardrail", check, act)
    }

    /// Where it is counted what caches of answers had: `hit`, `similar` or `miss`.
    pub fn cached(&self, result: &'static str) -> Arc<AtomicU64> {
        self.limits.cached.get("ai_cache", "", result)
    }

    /// Where it is counted how near the nearest question was, in steps.
    pub fn similarity(&self, step: &'static str) -> Arc<AtomicU64> {
        self.limits.similar.get("ai_cache", "", step)
    }

    /// Where it is counted what calls of a model at a provider took; the same over reloads.
    pub fn model_totals(&self, model: &str, provider: &str) -> Arc<ModelTotals> {
        self.limits.models.get(model, provider)
    }

    /// Where it is counted how often a key of a quota or a budget passed a threshold that it warns at.
    pub fn warned(&self, limit: &str, threshold: &'static str) -> Arc<AtomicU64> {
        self.limits.warned.get("quota", limit, threshold)
    }

    /// Where it is counted how attempts at this model of this provider go; the same over reloads.
    pub fn model(&self, provider: &str, model: &str) -> Arc<ModelMetrics> {
        self.models.get(provider, model)
    }

    /// An exchange begins. [`record`](Self::record) ends it.
    pub fn begin(&self, worker: usize) {
        self.workers.begin(worker);
    }

    /// Counts and logs an exchange that is over. Never blocks, never fails.
    pub fn record(&self, x: &Exchange, plan: &RoutePlan) {
        plan.metrics.count(x, self.workers.count());
        self.workers.end(x);
        if let Some(log) = &x.local.program.access_log {
            log.record(x, plan);
        }
    }

    /// A panic was caught outside an exchange.
    pub fn panicked(&self) {
        self.workers.panicked();
    }

    /// Compiles the access log; none where it is off. The values of headers and parameters in `sensitive` are hidden, as
    /// well as what is always hidden.
    pub(crate) fn access_log(
        &self,
        written: &model::resource::AccessLog,
        sensitive: &BTreeSet<String>,
        problems: &mut Problems,
    ) -> Option<Arc<AccessLog>> {
        access_log::compile(written, sensitive, &self.logs, problems)
    }

    /// Opens what a program writes to. To be called before it carries traffic: it is the last thing that can fail.
    pub fn prepare(&self, program: &Program) -> io::Result<()> {
        program.access_log.as_ref().map_or(Ok(()), |log| log.open())
    }

    /// This program runs from now on; reading, compiling and applying it took so long.
    pub fn applied(&self, program: &Program, took: Duration) {
        if let Some(log) = &program.access_log {
            log.publish();
        }
        self.reloads.applied(program, took);
    }

    /// A configuration was refused.
    pub fn refused(&self) {
        self.reloads.refused();
    }

    /// Says that a worker's event loop turns. Each worker does every second.
    pub fn beat(&self, worker: usize) {
        self.workers.beat(worker, self.began.elapsed());
    }

    /// How long ago each worker last said that it turns; none for one that never did.
    pub fn beats(&self) -> Vec<Option<Duration>> {
        self.workers.beats(self.began.elapsed())
    }

    /// Says where the gateway's own log goes, so that its losses are counted too. The first call stands.
    pub fn own_log(&self, sink: Arc<Sink>) {
        let _ = self.own_log.set(sink);
    }

    /// Opens the files of access logs anew, as after they were moved away.
    pub fn reopen(&self) {
        self.logs.reopen();
    }

    /// Waits until every record so far is written or counted as dropped; false when that takes longer.
    pub fn flush(&self, patience: Duration) -> bool {
        self.logs.flush(patience)
    }

    /// Every metric, with what `program` knows of its upstreams.
    pub fn metrics(&self, program: &Program, format: Format) -> String {
        expose::metrics(self, program, format)
    }
}
