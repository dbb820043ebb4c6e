//! Limits how many requests are in flight at once. A place is taken before the request goes on, and given back once the
//! exchange is over, however it ends: it is held by the exchange and freed as that is dropped, so exactly once.

mod places;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use model::load::Spanned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::places::Place;
use self::places::Places;
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::limit::Mode;
use crate::limit::by::{By, BySpec};
use crate::limit::exempt::{Exempt, ExemptSpec};
use crate::limit::held::{Owner, What};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Limits how many requests are in flight at once.
pub(crate) struct Concurrency;

/// Limits how many requests are in flight at once on this gateway, from their head to the last byte of their answer. One
/// more is refused at once. What a plan or consumer says replaces what the route says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The limits, from 1 to 8; every one of them holds.
    #[schemars(length(min = 1, max = 8))]
    limits: Vec<LimitSpec>,
    /// How a request is refused: 429 says that this client asks too much, 503 that the service is busy.
    #[serde(default)]
    refuse_with: RefuseWith,
    /// Whether it refuses.
    #[serde(default)]
    mode: Mode,
    /// Whose requests pass uncounted.
    #[serde(default)]
    exempt: ExemptSpec,
}

/// One limit.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConcurrencyEntry")]
struct LimitSpec {
    /// How many at once, from 1 to 10000000.
    #[schemars(range(min = 1, max = 10_000_000))]
    limit: Spanned<u64>,
    /// What is counted together, as of `rate_limit`.
    #[serde(default)]
    #[schemars(extend("default" = "consumer"))]
    by: BySpec,
}

/// How a request is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
enum RefuseWith {
    /// 429, code `concurrency.exceeded`.
    #[default]
    #[serde(rename = "429")]
    TooMany,
    /// 503, code `concurrency.busy`.
    #[serde(rename = "503")]
    Busy,
}

static EXCEEDED: Code = Code {
    name: "concurrency.exceeded",
    status: 429,
    title: "Too many requests at once",
    blame: Blame::Client,
    proxy_status: None,
};

static BUSY: Code =
    Code { name: "concurrency.busy", status: 503, title: "Too busy", blame: Blame::Gateway, proxy_status: None };

const MOST_LIMITS: usize = 8;

impl Policy for Concurrency {
    type Spec = Spec;
    const KIND: &'static str = "concurrency";
    const ORDER: (Stage, u8) = (Stage::Limit, 5);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&EXCEEDED, &BUSY];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.limits.is_empty() || spec.limits.len() > MOST_LIMITS {
            let message = format!("`limits` has {} limits, not from 1 to {MOST_LIMITS}", spec.limits.len());
            cx.problem(cx.span, message, "write a limit such as `{ limit: 10, by: consumer }`");
            return None;
        }
        let limits: Vec<Limit> =
            spec.limits.iter().filter_map(|written| Limit::compile(written, spec.mode, cx)).collect();
        let exempt = Exempt::compile(&spec.exempt, cx);
        let all = limits.len() == spec.limits.len();
        let (mode, refuse_with) = (spec.mode, spec.refuse_with);
        all.then(|| {
            Arc::new(Limiter { owner: Owner::new(), limits: limits.into(), exempt, mode, refuse_with }) as Arc<dyn Step>
        })
    }
}

struct Limit {
    most: u64,
    word: &'static str,
    by: By,
    places: Arc<Places>,
    refused: Arc<AtomicU64>,
}

impl Limit {
    fn compile(written: &LimitSpec, mode: Mode, cx: &mut Compile<'_>) -> Option<Self> {
        if !(1..=10_000_000).contains(&*written.limit) {
            cx.problem(written.limit.span, "`limit` is from 1 to 10000000", "mend the number");
            return None;
        }
        Some(Self {
            most: *written.limit,
            word: written.by.word(),
            by: By::compile(&written.by, cx)?,
            places: cx.keep(&written.by.identity(), Places::default),
            refused: cx.env.telemetry.limit(Concurrency::KIND, written.by.word(), mode.word()),
        })
    }
}

struct Limiter {
    owner: Owner,
    limits: Box<[Limit]>,
    exempt: Exempt,
    mode: Mode,
    refuse_with: RefuseWith,
}

impl Step for Limiter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.exempt.holds(x) {
            return Verdict::NEXT;
        }
        for limit in &self.limits {
            let place = limit.places.take(&limit.by.of(x), limit.most);
            match place {
                Some(place) => x.held.put(self.owner, What::Place(place)),
                None => {
                    limit.refused.fetch_add(1, Relaxed);
                    if self.mode == Mode::Enforce {
                        // The places of the limits before this one are not needed any more.
                        while x.held.take(self.owner).is_some() {}
                        return Verdict::fail(self.refusal(limit));
                    }
                }
            }
        }
        Verdict::NEXT
    }
}

impl Limiter {
    fn refusal(&self, limit: &Limit) -> Error {
        let detail = format!("{} requests by {} are in flight, as many as may be.", limit.most, limit.word);
        match self.refuse_with {
            RefuseWith::TooMany => Error::new(&EXCEEDED, detail),
            RefuseWith::Busy => Error::new(&BUSY, detail),
        }
    }
}
