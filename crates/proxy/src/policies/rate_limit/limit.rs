//! One limit, compiled: what is the same wherever it is counted.

use std::time::Duration;

use model::value::Rate;

use super::rule::{Kind, Rule};
use super::spec::{Algorithm, LimitSpec};
use super::{RateLimit, Tally};
use crate::limit::Mode;
use crate::limit::by::By;
use crate::limit::cost::Cost;
use crate::limit::fields::Told;
use crate::policies::Policy as _;
use crate::program::Compile;

const LONGEST: Duration = Duration::from_secs(31 * 86_400);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// One limit at run time.
pub(super) struct Limit {
    pub(super) rate: Rate,
    pub(super) algorithm: Algorithm,
    /// How many at once.
    pub(super) burst: u64,
    /// How long a request may wait for its turn.
    pub(super) delay: Duration,
    pub(super) name: String,
    pub(super) word: &'static str,
    /// What tells its state from that of any other.
    pub(super) identity: String,
    pub(super) by: By,
    pub(super) cost: Cost,
    pub(super) lease: Option<u32>,
    pub(super) refused: Tally,
}

impl Limit {
    pub(super) fn compile(written: &LimitSpec, mode: Mode, cx: &mut Compile<'_>) -> Option<Self> {
        let rate = *written.limit;
        let period = rate.period().get();
        if u128::from(rate.count()) * 1_000 > period.as_nanos() || period > LONGEST {
            let message = format!("`{rate}` is out of bounds");
            cx.problem(written.limit.span, message, "limit at most a million a second, over at most 31 days");
            return None;
        }
        let burst = burst(written, cx)?;
        let delay = delay(written, cx)?;
        let by = By::compile(&written.by, cx)?;
        let cost = Cost::compile(written.cost.as_ref(), written.settle.as_ref(), cx);
        let lease = lease(written, burst, cx)?;
        let name = written.name();
        Some(Self {
            rate,
            algorithm: written.algorithm,
            burst,
            delay,
            word: written.by.word(),
            identity: match &written.cost {
                Some(cost) => format!("{}|{}", written.identity(), **cost),
                None => written.identity(),
            },
            by,
            cost,
            lease,
            refused: cx.env.telemetry.limit(RateLimit::KIND, &name, mode.word()),
            name,
        })
    }

    /// How it counts in memory.
    pub(super) fn rule(&self) -> Rule {
        let (count, period) = (self.rate.count(), self.rate.period().get());
        match self.algorithm {
            Algorithm::Gcra => Rule::bucket(count, period, self.burst),
            Algorithm::LeakyQueue => Rule::queue(count, period, self.delay),
            Algorithm::FixedWindow => Rule::windows(Kind::Fixed, count, period),
            Algorithm::SlidingWindow => Rule::windows(Kind::Sliding, count, period),
        }
    }

    /// How it counts on Redis.
    pub(super) fn shared_rule(&self) -> store::shared::Rule {
        use store::shared::{Algorithm as Shared, Rule};
        let (limit, period) = (self.rate.count(), self.rate.period().get());
        let (algorithm, burst) = match self.algorithm {
            Algorithm::Gcra => (Shared::Gcra, self.burst),
            Algorithm::LeakyQueue => {
                let waiting = self.delay.as_nanos() * u128::from(limit) / period.as_nanos().max(1);
                (Shared::Gcra, u64::try_from(waiting).unwrap_or(u64::MAX).saturating_add(1))
            }
            Algorithm::FixedWindow => (Shared::Fixed, limit),
            Algorithm::SlidingWindow => (Shared::Sliding, limit),
        };
        Rule { algorithm, limit, period, burst }
    }

    /// As clients are told of it. A window is told in whole seconds.
    pub(super) fn told(&self) -> Told {
        let window = self.rate.period().as_millis();
        Told {
            name: self.name.clone(),
            quota: self.rate.count(),
            window: window.is_multiple_of(1000).then_some(window / 1000),
        }
    }
}

fn burst(written: &LimitSpec, cx: &mut Compile<'_>) -> Option<u64> {
    let count = written.limit.count();
    let Some(burst) = &written.burst else { return Some(count) };
    if written.algorithm != Algorithm::Gcra {
        cx.problem(burst.span, "`burst` is of `algorithm: gcra`", "take it out");
        return None;
    }
    if **burst == 0 || **burst > count {
        cx.problem(burst.span, format!("`burst` is from 1 to the limit's count, {count}"), "mend the number");
        return None;
    }
    Some(**burst)
}

fn delay(written: &LimitSpec, cx: &mut Compile<'_>) -> Option<Duration> {
    match (&written.delay, written.algorithm) {
        (None, _) => Some(Duration::from_secs(1)),
        (Some(delay), Algorithm::LeakyQueue) if delay.get() <= LONGEST_DELAY => Some(delay.get()),
        (Some(delay), Algorithm::LeakyQueue) => {
            cx.problem(delay.span, format!("`delay` is at most {}s", LONGEST_DELAY.as_secs()), "mend the time");
            None
        }
        (Some(delay), _) => {
            cx.problem(delay.span, "`delay` is of `algorithm: leaky_queue`", "take it out");
            None
        }
    }
}

fn lease(written: &LimitSpec, burst: u64, cx: &mut Compile<'_>) -> Option<Option<u32>> {
    let Some(lease) = &written.lease else { return Some(None) };
    if written.algorithm == Algorithm::LeakyQueue || written.settle.is_some() {
        cx.problem(lease.span, "what is taken ahead has no turn and is not settled", "take `lease` out");
        return None;
    }
    if !(1..=burst).contains(&u64::from(**lease)) {
        cx.problem(lease.span, format!("`lease` is from 1 to {burst}"), "a hundredth of what a second admits is usual");
        return None;
    }
    Some(Some(**lease))
}
