//! Limits counted on Redis, for all gateways together: all limits of a request in one round trip, or from permits that were
//! taken ahead.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use model::load::Span;
use parking_lot::Mutex;
use smallvec::SmallVec;
use store::shared::{By, Decision, Lease, Reading, Rule, Shared, Take, WhenGone};

use super::limit::Limit;
use super::spec::Algorithm;
use super::{Common, Refusal};
use crate::exchange::Exchange;
use crate::limit::Mode;
use crate::limit::fields::Stand;
use crate::limit::held::What;
use crate::policies::{Outcome, Step, Verdict};
use crate::program::Compile;

/// Keys of one limit that have permits taken ahead; more ask one by one.
const MOST_LEASES: usize = 10_000;

/// The limits of one policy.
pub(super) struct Limiter {
    common: Common,
    shared: Arc<Shared>,
    rules: Box<[Rule]>,
    /// What the keys of each limit begin with. Those of one policy have the same tag, and so the same node of a cluster.
    prefixes: Box<[String]>,
    leases: Option<Box<[Arc<Leases>]>>,
}

/// Permits of one limit, by key.
#[derive(Default)]
struct Leases(Mutex<HashMap<Box<str>, Arc<Lease>>>);

/// What was counted and is settled once the answer is there.
pub(crate) struct SharedPending {
    at: Instant,
    counted: Vec<Counted>,
}

struct Counted {
    key: String,
    cost: u64,
    /// What is owed then, as time.
    reset: Duration,
}

impl Limiter {
    pub(super) fn new(common: Common, at: Span, cx: &mut Compile<'_>) -> Option<Self> {
        let shared = cx.shared(at)?;
        let tag = format!("{{{}/{}}}", cx.owner.path(), cx.instance);
        let prefixes = common.limits.iter().map(|limit| format!("{tag}:{}:{}:", limit.name, limit.algorithm.word()));
        let prefixes = prefixes.collect();
        let leases = common.limits.iter().any(|limit| limit.lease.is_some()).then(|| {
            let kept = |limit: &Limit| cx.keep(&format!("lease|{}", limit.identity), Leases::default);
            common.limits.iter().map(kept).collect()
        });
        let rules = common.limits.iter().map(Limit::shared_rule).collect();
        Some(Self { common, shared, rules, prefixes, leases })
    }

    async fn decide(&self, x: &mut Exchange) -> Outcome {
        let asks: SmallVec<[(String, u64); 4]> =
            self.common.limits.iter().zip(&self.prefixes).map(|(limit, prefix)| ask(limit, prefix, x)).collect();
        let takes: SmallVec<[Take<'_>; 4]> =
            asks.iter().zip(&self.rules).map(|((key, cost), rule)| take(key, *rule, *cost)).collect();
        let at = Instant::now();
        let decision = match &self.leases {
            None => self.shared.take(&takes).await,
            Some(leases) => self.spend(leases, &takes).await,
        };
        if self.common.tells() && !matches!(decision.by, By::Gone(WhenGone::Refuse | WhenGone::Open)) {
            let stands: SmallVec<[Stand; 4]> = decision.readings.iter().map(stand).collect();
            self.common.fields.put(x, &stands);
        }
        if let Some(limit) = decision.refused {
            if decision.by == By::Gone(WhenGone::Refuse) {
                return if self.common.mode == Mode::Shadow { Outcome::Next } else { self.common.unavailable() };
            }
            return self.common.refuse(&self.refusal(limit, &takes, &decision));
        }
        let wait = self.turn(&takes, &decision);
        if self.common.settles {
            let counted = decision.readings.iter().zip(&asks);
            let counted =
                counted.map(|(reading, (key, cost))| Counted { key: key.clone(), cost: *cost, reset: reading.reset });
            x.held.put(self.common.owner, What::SharedRate(SharedPending { at, counted: counted.collect() }));
        }
        if !wait.is_zero() && self.common.mode == Mode::Enforce {
            tokio::time::sleep(wait).await;
        }
        Outcome::Next
    }

    /// From permits where a limit has them, the rest in one round trip. A refusal gives back what was spent.
    async fn spend(&self, leases: &[Arc<Leases>], takes: &[Take<'_>]) -> Decision {
        let mut readings = vec![Reading::default(); takes.len()];
        let mut spent: SmallVec<[(Arc<Lease>, u32); 4]> = SmallVec::new();
        let mut rest: SmallVec<[usize; 4]> = SmallVec::new();
        let mut by = By::Server;
        let mut refused = None;
        for (at, ((limit, leases), take)) in self.common.limits.iter().zip(leases).zip(takes).enumerate() {
            let lease = limit.lease.and_then(|size| leases.get(&self.shared, take, size));
            let Some((lease, cost)) = lease.zip(u32::try_from(take.cost).ok()) else {
                rest.push(at);
                continue;
            };
            let decision = lease.take(cost).await;
            if let (Some(place), Some(reading)) = (readings.get_mut(at), decision.readings.first()) {
                *place = *reading;
            }
            by = decision.by;
            if decision.refused.is_some() {
                refused = Some(at);
                break;
            }
            spent.push((lease, cost));
        }
        if refused.is_none() && !rest.is_empty() {
            let asked: SmallVec<[Take<'_>; 4]> = rest.iter().filter_map(|at| takes.get(*at).copied()).collect();
            let decision = self.shared.take(&asked).await;
            for (at, reading) in rest.iter().zip(&decision.readings) {
                if let Some(place) = readings.get_mut(*at) {
                    *place = *reading;
                }
            }
            by = decision.by;
            refused = decision.refused.and_then(|at| rest.get(at).copied());
        }
        if refused.is_some() {
            spent.iter().for_each(|(lease, cost)| lease.give_back(*cost));
        }
        Decision { refused, readings, by }
    }

    fn refusal(&self, limit: usize, takes: &[Take<'_>], decision: &Decision) -> Refusal {
        let never = takes.get(limit).is_some_and(|take| take.cost.unsigned_abs() > take.rule.most());
        let wait = decision.readings.iter().map(|reading| reading.wait).max().unwrap_or_default();
        Refusal { limit, wait: (!never).then(|| whole_seconds(wait)) }
    }

    /// How long until the last of its turns comes.
    fn turn(&self, takes: &[Take<'_>], decision: &Decision) -> Duration {
        let limits = self.common.limits.iter().zip(takes).zip(&decision.readings);
        let queues = limits.filter(|((limit, _), _)| limit.queues());
        let waits =
            queues.map(|((_, take), reading)| reading.reset.saturating_sub(share(take.rule, take.cost.unsigned_abs())));
        waits.max().unwrap_or_default()
    }

    /// Lets a request have counted what it came to.
    async fn settle(&self, x: &mut Exchange, pending: SharedPending) -> Outcome {
        let passed = pending.at.elapsed();
        let limits = self.common.limits.iter().zip(&self.rules).zip(&pending.counted);
        let takes: SmallVec<[Take<'_>; 4]> = limits
            .filter_map(|((limit, rule), counted)| {
                let cost = limit.cost.of_answer(x)?;
                let change = change(*rule, counted, cost, passed);
                (change != 0).then_some(Take { key: &counted.key, rule: *rule, cost: change })
            })
            .collect();
        if !takes.is_empty() {
            self.shared.charge(&takes).await;
        }
        Outcome::Next
    }
}

/// What is still to be counted, or given back: of what was counted too much only what time has not paid off, or a window's
/// end.
fn change(rule: Rule, counted: &Counted, cost: u64, passed: Duration) -> i64 {
    let Some(less) = counted.cost.checked_sub(cost) else {
        return i64::try_from(cost - counted.cost).unwrap_or(i64::MAX);
    };
    let back = match rule.algorithm {
        store::shared::Algorithm::Gcra => {
            let owed = counted.reset.saturating_sub(passed);
            let without = counted.reset.saturating_sub(share(rule, less)).saturating_sub(passed);
            let one = share(rule, 1).as_nanos().max(1);
            u64::try_from((owed - without).as_nanos() / one).unwrap_or(0).min(less)
        }
        store::shared::Algorithm::Sliding if passed + rule.period < counted.reset => less,
        store::shared::Algorithm::Fixed if passed < counted.reset => less,
        _ => 0,
    };
    -i64::try_from(back).unwrap_or(0)
}

/// How long so much takes at the sustained rate.
fn share(rule: Rule, cost: u64) -> Duration {
    let nanos = rule.period.as_nanos() * u128::from(cost) / u128::from(rule.limit.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn ask(limit: &Limit, prefix: &str, x: &Exchange) -> (String, u64) {
    let mut key = String::with_capacity(prefix.len() + 48);
    let _ = key.write_str(prefix);
    limit.by.of(x).write(x, &mut key);
    (key, limit.cost.of_request(x))
}

fn take(key: &str, rule: Rule, cost: u64) -> Take<'_> {
    Take { key, rule, cost: i64::try_from(cost).unwrap_or(i64::MAX) }
}

fn stand(reading: &Reading) -> Stand {
    Stand { left: reading.left, reset: whole_seconds(reading.reset) }
}

/// Rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Leases {
    /// The permits of a key; none where there are too many keys that have some.
    fn get(&self, shared: &Arc<Shared>, take: &Take<'_>, size: u32) -> Option<Arc<Lease>> {
        let mut all = self.0.lock();
        if let Some(lease) = all.get(take.key).filter(|lease| lease.is_of(shared, take.rule, size)) {
            return Some(lease.clone());
        }
        if all.len() >= MOST_LEASES {
            all.retain(|_, lease| Arc::strong_count(lease) > 1 || lease.is_live());
        }
        if all.len() >= MOST_LEASES {
            return None;
        }
        let lease = Arc::new(shared.lease(take.key, take.rule, size));
        all.insert(take.key.into(), lease.clone());
        Some(lease)
    }
}

impl Limit {
    /// Whether requests wait for their turn.
    pub(super) fn queues(&self) -> bool {
        self.algorithm == Algorithm::LeakyQueue
    }
}

impl Step for Limiter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.common.exempt.holds(x) {
            return Verdict::NEXT;
        }
        Verdict::Await(Box::pin(self.decide(x)))
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.common.fields.replace(x);
        match self.common.settles.then(|| x.held.take(self.common.owner)).flatten() {
            Some(What::SharedRate(pending)) => Verdict::Await(Box::pin(self.settle(x, pending))),
            _ => Verdict::NEXT,
        }
    }
}
