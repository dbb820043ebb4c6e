//! Quotas counted on Redis, for all gateways together, all of a request in one round trip.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::load::Span;
use smallvec::SmallVec;
use store::ledger::Window;
use store::shared::{Algorithm, By, Decision, Rule, Shared, Take, WhenGone};

use super::local::{stand, unsigned};
use super::{Common, Limit, seconds};
use crate::exchange::Exchange;
use crate::limit::fields::Stand;
use crate::limit::held::What;
use crate::policies::{Outcome, Step, Verdict};
use crate::program::Compile;

/// The quotas of one policy.
pub(super) struct Counter {
    common: Common,
    shared: Arc<Shared>,
    /// What the keys of each quota begin with.
    prefixes: Box<[String]>,
}

/// What was counted and is settled once the answer is there.
pub(crate) struct SharedPending(Vec<Counted>);

struct Counted {
    key: String,
    window: Window,
    cost: u64,
}

type Asks = SmallVec<[Counted; 2]>;

impl Counter {
    pub(super) fn new(common: Common, at: Span, cx: &mut Compile<'_>) -> Option<Self> {
        let shared = cx.shared(at)?;
        let tag = format!("{{{}/{}}}", cx.owner.path(), cx.instance);
        let prefixes = common.limits.iter().map(|limit| format!("{tag}:{}:quota:", limit.name)).collect();
        Some(Self { common, shared, prefixes })
    }

    async fn decide(&self, x: &mut Exchange) -> Outcome {
        let now = seconds(x);
        let limits = self.common.limits.iter().zip(&self.prefixes);
        let asks: Asks = limits.map(|(limit, prefix)| ask(limit, prefix, x, now)).collect();
        let takes: SmallVec<[Take<'_>; 4]> =
            self.common.limits.iter().zip(&asks).map(|(limit, ask)| take(limit, ask, ask.cost)).collect();
        let decision = self.shared.take(&takes).await;
        drop(takes);
        let counts = !matches!(decision.by, By::Gone(WhenGone::Refuse | WhenGone::Open));
        if self.common.tells() && counts {
            let limits = self.common.limits.iter().zip(&asks).zip(&decision.readings);
            let stands: SmallVec<[Stand; 4]> = limits
                .map(|((limit, ask), reading)| Stand { left: reading.left, ..stand(limit, 0, ask.window, now) })
                .collect();
            self.common.fields.put(x, &stands);
        }
        if let Some(limit) = decision.refused {
            let (Some(ask), true) = (asks.get(limit), counts) else { return self.common.unavailable() };
            let never = self.common.limits.get(limit).is_some_and(|limit| ask.cost > limit.allowance.count());
            return self.common.refuse(limit, never, ask.window, now);
        }
        self.warn(&asks, &decision);
        if self.common.settles {
            x.held.put(self.common.owner, What::SharedQuota(SharedPending(asks.into_vec())));
        }
        Outcome::Next
    }

    /// Where Redis decided: each call after the other, so that each threshold is passed once.
    fn warn(&self, asks: &Asks, decision: &Decision) {
        if decision.by != By::Server {
            return;
        }
        for ((limit, ask), reading) in self.common.limits.iter().zip(asks).zip(&decision.readings) {
            let after = limit.allowance.count().saturating_sub(reading.left);
            limit.warn(&ask.key, after.saturating_sub(ask.cost), after);
        }
    }

    /// Lets a request have counted what it came to.
    async fn settle(&self, x: &mut Exchange, SharedPending(pending): SharedPending) -> Outcome {
        let now = seconds(x);
        let limits = self.common.limits.iter().zip(&pending);
        let takes: SmallVec<[Take<'_>; 4]> = limits
            .filter_map(|(limit, counted)| {
                let cost = limit.cost.of_answer(x).filter(|cost| *cost != counted.cost)?;
                let more = signed(cost) - signed(counted.cost);
                // What is too much in a window that is over helps nobody any more.
                let counts = more > 0 || now < counted.window.ends;
                counts.then_some(Take { cost: more, ..take(limit, counted, 0) })
            })
            .collect();
        if !takes.is_empty() {
            self.shared.charge(&takes).await;
        }
        Outcome::Next
    }
}

fn ask(limit: &Limit, prefix: &str, x: &Exchange, now: i64) -> Counted {
    let mut key = String::with_capacity(prefix.len() + 48);
    let _ = key.write_str(prefix);
    limit.by.of(x).write(x, &mut key);
    Counted { key, window: limit.window.window(now).0, cost: limit.cost.of_request(x) }
}

fn take<'a>(limit: &Limit, asked: &'a Counted, cost: u64) -> Take<'a> {
    let Window { starts, ends } = asked.window;
    let count = limit.allowance.count();
    let algorithm = Algorithm::Calendar { starts: unsigned(starts).saturating_mul(1_000_000) };
    let rule = Rule { algorithm, limit: count, period: Duration::from_secs(unsigned(ends - starts)), burst: count };
    Take { key: &asked.key, rule, cost: signed(cost) }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Step for Counter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.common.exempt.holds(x) {
            return Verdict::NEXT;
        }
        Verdict::Await(Box::pin(self.decide(x)))
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.common.fields.replace(x);
        match self.common.settles.then(|| x.held.take(self.common.owner)).flatten() {
            Some(What::SharedQuota(pending)) => Verdict::Await(Box::pin(self.settle(x, pending))),
            _ => Verdict::NEXT,
        }
    }
}
