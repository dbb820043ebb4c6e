//! Limits how often something may be asked for.
//!
//! `limit: 100/minute, burst: 20` admits 100 a minute in the long run and at most 20 at once: in any stretch of time of
//! length `t`, at most `20 + t × 100/minute`. Without `burst` the whole count may come at once. How else a limit may count
//! stands in [`rule`]. Its state is one number or two for each key, kept over reloads ([`counters`]): a changed limit does
//! not refill. It is counted in this gateway's memory ([`memory`]), or on Redis for several gateways ([`shared`]).

mod counters;
mod keyed;
mod limit;
mod memory;
mod rule;
mod shared;
mod spec;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use http::HeaderValue;
use http::header::RETRY_AFTER;

use self::limit::Limit;
pub(crate) use self::memory::Pending;
pub(crate) use self::shared::SharedPending;
use self::spec::{Spec, StoreWord};
use crate::exchange::{Blame, Code, Error};
use crate::limit::Mode;
use crate::limit::exempt::Exempt;
use crate::limit::fields::Fields;
use crate::limit::held::Owner;
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Limits how often something may be asked for.
pub(crate) struct RateLimit;

static EXCEEDED: Code = Code {
    name: "rate_limit.exceeded",
    status: 429,
    title: "Too many requests",
    blame: Blame::Client,
    proxy_status: None,
};

static UNAVAILABLE: Code = Code {
    name: "rate_limit.unavailable",
    status: 503,
    title: "Limits cannot be counted",
    blame: Blame::Gateway,
    proxy_status: None,
};

const MOST_LIMITS: usize = 8;

impl Policy for RateLimit {
    type Spec = Spec;
    const KIND: &'static str = "rate_limit";
    const ORDER: (Stage, u8) = (Stage::Limit, 10);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&EXCEEDED, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.limits.is_empty() || spec.limits.len() > MOST_LIMITS {
            let message = format!("`limits` has {} limits, not from 1 to {MOST_LIMITS}", spec.limits.len());
            cx.problem(cx.span, message, "write a limit such as `{ limit: 100/minute, by: consumer }`");
            return None;
        }
        let keys = *spec.keys;
        if !(1_000..=10_000_000).contains(&keys) {
            cx.problem(spec.keys.span, format!("{keys} keys are not from 1000 to 10000000"), "mend the number");
        }
        spec::distinct(&spec.limits, cx);
        let limits: Vec<Limit> =
            spec.limits.iter().filter_map(|written| Limit::compile(&written.value, spec.mode, cx)).collect();
        let exempt = Exempt::compile(&spec.exempt, cx);
        if limits.len() != spec.limits.len() {
            return None;
        }
        let fields = Fields::new(&spec.headers, limits.iter().map(Limit::told).collect());
        let settles = limits.iter().any(|limit| limit.cost.is_settled());
        let common = Common { owner: Owner::new(), limits: limits.into(), fields, exempt, mode: spec.mode, settles };
        Some(match spec.store.value {
            StoreWord::Memory => Arc::new(memory::Limiter::new(common, keys as usize, cx)),
            StoreWord::Redis => Arc::new(shared::Limiter::new(common, spec.store.span, cx)?),
        })
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

/// The limit that refuses, and for how many seconds; none where the request never fits.
struct Refusal {
    limit: usize,
    wait: Option<u64>,
}

impl Common {
    /// Whether clients are told of the limits.
    fn tells(&self) -> bool {
        self.mode == Mode::Enforce && self.fields.are_there()
    }

    /// What becomes of a request that a limit refuses.
    fn refuse(&self, refusal: &Refusal) -> Outcome {
        let Some(limit) = self.limits.get(refusal.limit) else { return Outcome::Next };
        limit.refused.fetch_add(1, Relaxed);
        if self.mode == Mode::Shadow {
            return Outcome::Next;
        }
        let (rate, word) = (limit.rate, limit.word);
        let error = match refusal.wait {
            Some(wait) => {
                let wait = wait.max(1);
                let detail = format!("The limit of {rate} by {word} is used up; try again in {wait} s.");
                Error::new(&EXCEEDED, detail).header(RETRY_AFTER, HeaderValue::from(wait))
            }
            None => Error::new(
                &EXCEEDED,
                format!("This request counts more than the limit of {rate} by {word} admits at once."),
            ),
        };
        Outcome::Fail(Box::new(error))
    }

    /// What becomes of a request that cannot be counted.
    fn unavailable(&self) -> Outcome {
        let detail = "What this is counted on does not answer; try again in 1 s.";
        Outcome::Fail(Box::new(Error::new(&UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from(1_u64))))
    }
}

/// Requests that a limit refused, or would have.
type Tally = Arc<AtomicU64>;
