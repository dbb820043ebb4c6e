//! Limits how much is used in a stretch of the calendar. Counted in the ledger, which saves what changed behind the counting
//! ([`local`]), or on Redis for several gateways ([`shared`]). A refused request uses nothing up.

mod local;
mod shared;
mod spec;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use model::value::Allowance;
use store::ledger::Window;

use self::local::Books;
pub(crate) use self::local::Pending;
pub(crate) use self::shared::SharedPending;
use self::spec::{LimitSpec, Spec, StoreWord};

use crate::exchange::{Blame, Code, Error, Exchange};
use crate::limit::Mode;
use crate::limit::by::By;
use crate::limit::calendar::Current;
use crate::limit::cost::Cost;
use crate::limit::exempt::Exempt;
use crate::limit::fields::{Fields, Told};
use crate::limit::held::Owner;
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Limits how much is used in a day, week or month.
pub(crate) struct Quota;

static EXCEEDED: Code =
    Code { name: "quota.exceeded", status: 429, title: "Quota used up", blame: Blame::Client, proxy_status: None };

static UNAVAILABLE: Code = Code {
    name: "quota.unavailable",
    status: 503,
    title: "Quotas cannot be counted",
    blame: Blame::Gateway,
    proxy_status: None,
};

const MOST_LIMITS: usize = 8;

impl Policy for Quota {
    type Spec = Spec;
    const KIND: &'static str = "quota";
    const ORDER: (Stage, u8) = (Stage::Limit, 20);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&EXCEEDED, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.limits.is_empty() || spec.limits.len() > MOST_LIMITS {
            let message = format!("`limits` has {} quotas, not from 1 to {MOST_LIMITS}", spec.limits.len());
            cx.problem(cx.span, message, "write a quota such as `{ limit: 1000000/month, by: consumer }`");
            return None;
        }
        for (at, written) in spec.limits.iter().enumerate() {
            if spec.limits.iter().take(at).any(|other| other.name() == written.name()) {
                let message = format!("two quotas are named `{}`", written.name());
                cx.problem(written.span, message, "give one of them a `name:` of its own");
            }
        }
        let limits: Vec<Limit> =
            spec.limits.iter().filter_map(|written| Limit::compile(written, spec.mode, cx)).collect();
        let exempt = Exempt::compile(&spec.exempt, cx);
        if limits.len() != spec.limits.len() {
            return None;
        }
        let fields = Fields::new(&spec.headers, limits.iter().map(Limit::told).collect());
        let settles = limits.iter().any(|limit| limit.cost.is_settled());
        let common = Common { owner: Owner::new(), limits: limits.into(), fields, exempt, mode: spec.mode, settles };
        Some(match spec.store.value {
            StoreWord::Disk => Arc::new(local::Counter::new(common, Books::Disk(cx.ledger()), cx)),
            StoreWord::Memory => Arc::new(local::Counter::new(common, Books::memory(cx), cx)),
            StoreWord::Redis => Arc::new(shared::Counter::new(common, spec.store.span, cx)?),
        })
    }
}

/// One quota at run time.
struct Limit {
    allowance: Allowance,
    name: String,
    word: &'static str,
    identity: String,
    by: By,
    cost: Cost,
    window: Current,
    /// How much is used when it warns, and where that is counted.
    warn: Box<[(u64, &'static str, Arc<AtomicU64>)]>,
    refused: Arc<AtomicU64>,
}

impl Limit {
    fn compile(written: &LimitSpec, mode: Mode, cx: &mut Compile<'_>) -> Option<Self> {
        let (allowance, name) = (*written.limit, written.name());
        let calendar = written.calendar(cx)?;
        let by = By::compile(&written.by, cx)?;
        let cost = Cost::compile(written.cost.as_ref(), written.settle.as_ref(), cx);
        let warn = written.warn.iter().map(|threshold| {
            let (hundredths, label) = threshold.hundredths();
            let used = u128::from(allowance.count()) * u128::from(hundredths);
            let used = u64::try_from(used.div_ceil(100)).unwrap_or(u64::MAX);
            (used, label, cx.env.telemetry.warned(&name, label))
        });
        Some(Self {
            allowance,
            word: written.by.word(),
            identity: written.identity(),
            by,
            cost,
            window: Current::new(calendar),
            warn: warn.collect(),
            refused: cx.env.telemetry.limit(Quota::KIND, &name, mode.word()),
            name,
        })
    }

    /// As clients are told of it. No window in seconds: months and days have no length.
    fn told(&self) -> Told {
        Told { name: self.name.clone(), quota: self.allowance.count(), window: None }
    }

    /// Warns where what is used passed a threshold just now.
    fn warn(&self, key: &str, before: u64, after: u64) {
        for (_, label, count) in self.warn.iter().filter(|(used, ..)| before < *used && after >= *used) {
            count.fetch_add(1, Relaxed);
            tracing::warn!(target: "tollgate::limit", quota = self.name, key, threshold = label, used = after,
                limit = self.allowance.count(), "a quota passed a threshold");
        }
    }
}

/// What is the same wherever it is counted.
struct Common {
    owner: Owner,
    limits: Box<[Limit]>,
    fields: Fields,
    exempt: Exempt,
    mode: Mode,
    /// Whether the answer says what a request counts.
    settles: bool,
}

impl Common {
    fn tells(&self) -> bool {
        self.mode == Mode::Enforce && self.fields.are_there()
    }

    /// What becomes of a request that a quota refuses until its window ends.
    fn refuse(&self, limit: usize, never: bool, window: Window, now: i64) -> Outcome {
        let Some(limit) = self.limits.get(limit) else { return Outcome::Next };
        limit.refused.fetch_add(1, Relaxed);
        if self.mode == Mode::Shadow {
            return Outcome::Next;
        }
        let (allowance, word) = (limit.allowance, limit.word);
        if never {
            let detail = format!("This request counts more than the quota of {allowance} by {word}.");
            return Outcome::Fail(Box::new(Error::new(&EXCEEDED, detail)));
        }
        let wait = (window.ends - now).max(1);
        let detail = format!("The quota of {allowance} by {word} is used up; try again in {wait} s.");
        Outcome::Fail(Box::new(Error::new(&EXCEEDED, detail).header(RETRY_AFTER, HeaderValue::from(wait))))
    }

    /// What becomes of a request that cannot be counted.
    fn unavailable(&self) -> Outcome {
        if self.mode == Mode::Shadow {
            return Outcome::Next;
        }
        let detail = "What this is counted on does not answer, or is full.";
        Outcome::Fail(Box::new(Error::new(&UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from(1_u64))))
    }
}

/// The wall clock in seconds since 1970.
fn seconds(x: &Exchange) -> i64 {
    i64::try_from(x.local.program.clock.wall().as_secs()).unwrap_or(i64::MAX)
}
