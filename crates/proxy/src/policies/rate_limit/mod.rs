//! Limits how often something may be asked for.
//!
//! `limit: 100/minute, burst: 20` admits 100 a minute in the long run and at most 20 at once: in any stretch of time of
//! length `t`, at most `20 + t × 100/minute`. Without `burst` the whole count may come at once. Each limit is a GCRA
//! ([`gcra`]) whose state is one number for each key, kept over reloads ([`counters`]): a changed limit does not refill.
//!
//! Where a policy has several limits, all are looked at before any is counted on; should another request be faster
//! between the two, what was counted is undone. A refused request uses nothing up.

mod by;
mod counters;
mod fields;
mod gcra;
mod keyed;

use std::sync::Arc;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use model::load::Spanned;
use model::value::{Name, Rate};
use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::SmallVec;

use self::by::{By, BySpec};
use self::counters::{Counters, Key, View};
use self::fields::{Family, Fields};
use self::gcra::{Gcra, Taken, seconds};
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Limits how often something may be asked for.
pub(crate) struct RateLimit;

/// Limits how often something may be asked for. A request over a limit is answered with 429 and `Retry-After`, and uses
/// nothing of the others up. What a plan or consumer says replaces what the route says. Counts are this gateway's own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The limits, from 1 to 8; every one of them holds.
    #[schemars(length(min = 1, max = 8))]
    limits: Vec<Spanned<LimitSpec>>,
    /// The header fields that tell clients of their limits, on every answer: `ietf` for `RateLimit` and
    /// `RateLimit-Policy`, `x` for `X-RateLimit-Limit`, `-Remaining` and `-Reset`; `[]` for none.
    #[serde(default = "ietf")]
    #[schemars(extend("default" = ["ietf"]))]
    headers: Vec<Family>,
    /// How many clients, header or expression values are remembered one by one, from 1000 to 10000000, 24 bytes each.
    /// When there are more, those that owe least make room, and a key that is not remembered is taken to owe as much as
    /// the one of these that owed most.
    #[serde(default = "most_keys")]
    #[schemars(range(min = 1000, max = 10_000_000))]
    keys: Spanned<u32>,
}

fn ietf() -> Vec<Family> {
    vec![Family::Ietf]
}

fn most_keys() -> Spanned<u32> {
    Spanned::from(100_000)
}

/// One limit.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RateLimitEntry")]
struct LimitSpec {
    /// How many in which time, such as `100/minute`; at most a million a second, over at most 31 days.
    limit: Spanned<Rate>,
    /// What is counted together: `global`, each `api`, `route`, `consumer`, `credential` or `client` address (IPv6 by
    /// networks of 64 bits), each value of a header (`{ header: x-tenant }`) or of an expression (`{ cel: "…" }`). Where a
    /// request has no such thing, its client address counts instead.
    #[serde(default)]
    #[schemars(extend("default" = "consumer"))]
    by: BySpec,
    /// How many may come at once, from 1 to the limit's count; that count when not given.
    burst: Option<Spanned<u64>>,
    /// Its name in `RateLimit` fields; `by` and the time when not given, such as `consumer-minute`.
    name: Option<Spanned<Name>>,
}

static EXCEEDED: Code = Code {
    name: "rate_limit.exceeded",
    status: 429,
    title: "Too many requests",
    blame: Blame::Client,
    proxy_status: None,
};

const MOST_LIMITS: usize = 8;
const LONGEST: std::time::Duration = std::time::Duration::from_secs(31 * 86_400);

impl Policy for RateLimit {
    type Spec = Spec;
    const KIND: &'static str = "rate_limit";
    const ORDER: (Stage, u8) = (Stage::Limit, 10);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&EXCEEDED];

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
        let mut seen: Vec<String> = Vec::new();
        let mut limits = Vec::with_capacity(spec.limits.len());
        for written in &spec.limits {
            let what = format!("{}|{}", written.by.identity(), written.limit.period());
            if seen.contains(&what) {
                let message = format!("two limits count by {} over {}", written.by.word(), written.limit.period());
                cx.problem(written.span, message, "keep the tighter one");
            }
            seen.push(what.clone());
            limits.extend(Limit::compile(&written.value, &what, keys as usize, cx));
        }
        (limits.len() == spec.limits.len()).then(|| {
            let fields = Fields::new(&spec.headers, &limits);
            Arc::new(Limiter { limits: limits.into(), fields }) as Arc<dyn Step>
        })
    }
}

/// One limit at run time.
struct Limit {
    gcra: Gcra,
    rate: Rate,
    name: String,
    word: &'static str,
    by: By,
    view: View,
}

impl Limit {
    fn compile(written: &LimitSpec, what: &str, keys: usize, cx: &mut Compile<'_>) -> Option<Self> {
        let rate = *written.limit;
        let period = rate.period().get();
        if u128::from(rate.count()) * 1_000 > period.as_nanos() || period > LONGEST {
            let message = format!("`{rate}` is out of bounds");
            cx.problem(written.limit.span, message, "limit at most a million a second, over at most 31 days");
            return None;
        }
        let burst = written.burst.as_ref().map_or(rate.count(), |burst| **burst);
        if burst == 0 || burst > rate.count() {
            let at = written.burst.as_ref().map_or(cx.span, |burst| burst.span);
            cx.problem(at, format!("`burst` is from 1 to the limit's count, {}", rate.count()), "mend the number");
            return None;
        }
        let by = By::compile(&written.by, cx)?;
        let counters: Arc<Counters> = cx.keep(what, Counters::default);
        counters.bound(keys);
        let time = rate.to_string().split_once('/').map_or_else(String::new, |(_, time)| time.to_owned());
        let name = match &written.name {
            Some(name) => name.to_string(),
            None => format!("{}-{time}", written.by.word()),
        };
        Some(Self {
            gcra: Gcra::new(rate.count(), period, burst),
            rate,
            name,
            word: written.by.word(),
            by,
            view: View::new(counters, cx.consumers.slots()),
        })
    }

    /// The member of `RateLimit-Policy`. A window is told in whole seconds.
    fn described(&self) -> String {
        let window = self.rate.period().as_millis();
        let count = self.rate.count();
        match window % 1000 {
            0 => format!("\"{}\";q={count};w={}", self.name, window / 1000),
            _ => format!("\"{}\";q={count}", self.name),
        }
    }
}

struct Limiter {
    limits: Box<[Limit]>,
    fields: Fields,
}

/// The limit that refuses, and for how long.
struct Refusal {
    limit: usize,
    wait: u64,
}

impl Step for Limiter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let now = x.started().0;
        let keys: SmallVec<[Key; 4]> = self.limits.iter().map(|limit| limit.by.key(x, limit.view.counters())).collect();
        let mut due: SmallVec<[u64; 4]> = SmallVec::new();
        let refusal = match &*self.limits {
            // Taking is looking as well.
            [_] => self.take(x, &keys, now, &mut due),
            _ => self.look(&keys, now, &mut due).and_then(|()| self.take(x, &keys, now, &mut due)),
        };
        self.fields.put(x, &self.limits, &due, now);
        match refusal {
            Ok(()) => Verdict::NEXT,
            Err(refusal) => Verdict::fail(self.exceeded(&refusal)),
        }
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.fields.replace(x);
        Verdict::NEXT
    }
}

impl Limiter {
    /// Looks whether every limit has room, counting on none. The longest wait is what helps.
    fn look(&self, keys: &[Key], now: u64, due: &mut SmallVec<[u64; 4]>) -> Result<(), Refusal> {
        due.extend(self.limits.iter().zip(keys).map(|(limit, key)| limit.view.due(*key)));
        let waits = self.limits.iter().zip(&*due).enumerate();
        let refused =
            waits.filter_map(|(at, (limit, due))| Some(Refusal { limit: at, wait: limit.gcra.take(*due, now).err()? }));
        refused.max_by_key(|refusal| refusal.wait).map_or(Ok(()), Err)
    }

    /// Counts on every limit, or on none.
    fn take(&self, x: &Exchange, keys: &[Key], now: u64, due: &mut SmallVec<[u64; 4]>) -> Result<(), Refusal> {
        let mut taken: SmallVec<[Taken; 4]> = SmallVec::new();
        for (at, (limit, key)) in self.limits.iter().zip(keys).enumerate() {
            match limit.view.take(*key, &limit.gcra, now) {
                Ok(took) => taken.push(took),
                Err(wait) => {
                    let moment = x.local.program.clock.now().0;
                    for ((limit, key), took) in self.limits.iter().zip(keys).zip(&taken) {
                        limit.view.undo(*key, *took, moment);
                    }
                    due.clear();
                    due.extend(self.limits.iter().zip(keys).map(|(limit, key)| limit.view.due(*key)));
                    return Err(Refusal { limit: at, wait });
                }
            }
        }
        due.clear();
        due.extend(taken.iter().map(|taken| taken.after));
        Ok(())
    }

    fn exceeded(&self, refusal: &Refusal) -> Error {
        let wait = seconds(refusal.wait).max(1);
        let detail = match self.limits.get(refusal.limit) {
            Some(limit) => format!("The limit of {} by {} is used up; try again in {wait} s.", limit.rate, limit.word),
            None => "The limit is used up.".to_owned(),
        };
        Error::new(&EXCEEDED, detail).header(RETRY_AFTER, HeaderValue::from(wait))
    }
}
