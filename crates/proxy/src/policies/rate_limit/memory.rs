//! Limits counted in this gateway's memory. Where a policy has several, all are looked at before any is counted on; should
//! another request be faster between the two, what was counted is undone. A refused request uses nothing up.

use std::sync::Arc;

use smallvec::SmallVec;

use super::counters::{Counters, Key, View};
use super::rule::{NEVER, Rule, Taken, seconds};
use super::{Common, Refusal};
use crate::clock::Time;
use crate::exchange::Exchange;
use crate::limit::fields::Stand;
use crate::limit::held::What;
use crate::policies::{Outcome, Step, Verdict};
use crate::program::Compile;

/// The limits of one policy.
pub(super) struct Limiter {
    common: Common,
    counters: Box<[(Rule, View)]>,
    /// The clock's zero, in nanoseconds since 1970.
    zero: u64,
    /// Whether requests wait for their turn.
    queues: bool,
}

/// What a request asks of one limit.
#[derive(Clone, Copy)]
struct Ask {
    key: Key,
    cost: u64,
}

/// What was counted and is settled once the answer is there.
pub(crate) struct Pending(Vec<(Key, Taken)>);

type Asks = SmallVec<[Ask; 4]>;
type Takes = SmallVec<[Taken; 4]>;

impl Limiter {
    pub(super) fn new(common: Common, keys: usize, cx: &mut Compile<'_>) -> Self {
        let counters = common.limits.iter().map(|limit| {
            let counters: Arc<Counters> = cx.keep(&limit.identity, Counters::default);
            counters.bound(keys);
            (limit.rule(), View::new(counters, cx.consumers.slots()))
        });
        let counters = counters.collect();
        let queues = common.limits.iter().any(super::limit::Limit::queues);
        if let Some(lease) = common.limits.iter().find(|limit| limit.lease.is_some()) {
            let message = format!("`{}` takes ahead from Redis and is counted in memory", lease.name);
            cx.problem(cx.span, message, "say `store: redis`, or take `lease` out");
        }
        Self { common, counters, zero: cx.clock.zero(), queues }
    }

    /// Looks whether every limit has room, counting on none. The longest wait is what helps.
    fn look(&self, asks: &Asks, now: u64) -> Result<(), Refusal> {
        let limits = self.counters.iter().zip(asks).enumerate();
        let waits =
            limits.filter_map(|(at, ((rule, view), ask))| Some((at, view.look(ask.key, rule, now, ask.cost).err()?)));
        waits.max_by_key(|(_, wait)| *wait).map_or(Ok(()), |(at, wait)| Err(refusal(at, wait)))
    }

    /// Counts on every limit, or on none.
    fn take(&self, x: &Exchange, asks: &Asks, now: u64) -> Result<Takes, Refusal> {
        let mut takes = Takes::new();
        for (at, ((rule, view), ask)) in self.counters.iter().zip(asks).enumerate() {
            match view.take(ask.key, rule, now, ask.cost) {
                Ok(took) => takes.push(took),
                Err(wait) => {
                    let moment = self.moment(x);
                    for (((rule, view), ask), took) in self.counters.iter().zip(asks).zip(&takes) {
                        view.settle(ask.key, rule, took, 0, moment);
                    }
                    return Err(refusal(at, wait));
                }
            }
        }
        Ok(takes)
    }

    /// This moment, which may be later than that of the request.
    fn moment(&self, x: &Exchange) -> u64 {
        x.local.program.clock.now().0.saturating_add(self.zero)
    }

    fn tell(&self, x: &mut Exchange, asks: &Asks, takes: Option<&Takes>, now: u64) {
        let stands = self.counters.iter().zip(asks).enumerate().map(|(at, ((rule, view), ask))| {
            let (left, reset) = match takes.and_then(|takes| takes.get(at)) {
                Some(taken) => (rule.left(taken.after, taken.other, now), rule.reset(taken.after, now)),
                None => view.stand(ask.key, rule, now),
            };
            Stand { left, reset: seconds(reset) }
        });
        let stands: SmallVec<[Stand; 4]> = stands.collect();
        self.common.fields.put(x, &stands);
    }

    /// When the last of its turns comes, for a request that was admitted.
    fn turn(&self, takes: &Takes, now: u64) -> u64 {
        let limits = self.common.limits.iter().zip(&self.counters).zip(takes);
        let waits =
            limits.filter(|((limit, _), _)| limit.queues()).map(|((_, (rule, _)), taken)| rule.turn(taken, now));
        waits.max().unwrap_or_default()
    }
}

fn refusal(limit: usize, wait: u64) -> Refusal {
    Refusal { limit, wait: (wait != NEVER).then(|| seconds(wait)) }
}

impl Step for Limiter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.common.exempt.holds(x) {
            return Verdict::NEXT;
        }
        let now = x.started().0.saturating_add(self.zero);
        let asks = self.common.limits.iter().zip(&self.counters).map(|(limit, (_, view))| Ask {
            key: view.counters().key(&limit.by.of(x)),
            cost: limit.cost.of_request(x),
        });
        let asks: Asks = asks.collect();
        let taken = match asks.len() {
            // Taking is looking as well.
            1 => self.take(x, &asks, now),
            _ => self.look(&asks, now).and_then(|()| self.take(x, &asks, now)),
        };
        if self.common.tells() {
            self.tell(x, &asks, taken.as_ref().ok(), now);
        }
        let takes = match taken {
            Ok(takes) => takes,
            Err(refusal) => return Verdict::Done(self.common.refuse(&refusal)),
        };
        if self.common.settles {
            let pending = asks.iter().zip(&takes).map(|(ask, taken)| (ask.key, *taken)).collect();
            x.held.put(self.common.owner, What::Rate(Pending(pending)));
        }
        if self.queues && self.common.mode == super::Mode::Enforce {
            let wait = self.turn(&takes, now);
            if wait > 0 {
                let turn = x.local.program.clock.instant(Time(x.started().0.saturating_add(wait)));
                return Verdict::Await(Box::pin(async move {
                    tokio::time::sleep_until(turn).await;
                    Outcome::Next
                }));
            }
        }
        Verdict::NEXT
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.common.fields.replace(x);
        if self.common.settles
            && let Some(What::Rate(Pending(pending))) = x.held.take(self.common.owner)
        {
            let now = self.moment(x);
            for ((limit, (rule, view)), (key, taken)) in self.common.limits.iter().zip(&self.counters).zip(&pending) {
                if let Some(cost) = limit.cost.of_answer(x) {
                    view.settle(*key, rule, taken, cost, now);
                }
            }
        }
        Verdict::NEXT
    }
}
