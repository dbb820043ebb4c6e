//! The way of a request to a target: take it out of the exchange, choose a target, try it, answer. A target that cannot be
//! reached gives way to the next; what else failed is tried again where the upstream's `retry` says so, and given to another
//! upstream where its `fallback` does.

use std::sync::Arc;

use http::Method;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::again::Again;
use super::answer::Received;
use super::attempt::{Missed, Tally, Trying};
use super::balance::{Balance, Tried};
use super::breaker::Leave;
use super::fallback::Fallback;
use super::forward::{Outbound, Sent};
use super::lease::Held;
use super::retry::{Cause, Tries};
use super::view::View;
use super::{Upstream, answer};
use crate::clock::Time;
use crate::exchange::{Error, Exchange, Meter, codes};
use crate::program::RoutePlan;

/// The most targets that are tried for one exchange because those before cannot be reached.
const TARGETS: usize = 5;
/// The most upstreams that are tried for one exchange.
const UPSTREAMS: usize = 3;

/// How long this exchange may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) first_byte: std::time::Duration,
    pub(super) idle: std::time::Duration,
    pub(super) total: Option<Instant>,
}

impl Limits {
    /// The upstream's, where neither route nor policy says otherwise.
    fn of(upstream: &Upstream, x: &Exchange) -> Self {
        let (ours, theirs) = (&upstream.timeouts, &x.timeouts);
        let total = theirs.total.unwrap_or(ours.total);
        let started = || x.local.program.clock.instant(x.record.started);
        let first_byte = theirs.first_byte.unwrap_or(ours.first_byte).get();
        let per_try = upstream.retry.as_ref().and_then(|retry| retry.per_try);
        Self {
            first_byte: per_try.map_or(first_byte, |per_try| per_try.min(first_byte)),
            idle: theirs.idle.unwrap_or(ours.idle).get(),
            total: (!total.is_zero()).then(|| started() + total.get()),
        }
    }
}

/// How the request is taken out of the exchange: where it is sent, so that only one future holds it.
type Take = fn(&mut Exchange, &RoutePlan) -> Result<Outbound, Error>;

/// A request on its way to the targets of an upstream.
pub(super) struct Course {
    /// What the request is told apart by.
    pub(super) key: u64,
    pub(super) view: Arc<View>,
    /// When the next try begins.
    pub(super) now: Time,
    pub(super) limits: Limits,
    /// Whether the head may be needed once more, whatever becomes of a try.
    pub(super) keep: bool,
    pub(super) tried: Tried,
    pub(super) outbound: Outbound,
}

/// A response with what it came by.
pub(super) struct Came {
    pub(super) received: Received,
    pub(super) held: Held,
    /// The place of who sent it.
    pub(super) place: usize,
}

impl Upstream {
    /// Sends the exchange's request and fills in the response head and body.
    pub async fn serve(&self, x: &mut Exchange, plan: &RoutePlan) -> Result<(), Error> {
        self.send(x, plan, Outbound::take).await
    }

    /// The same as [`Self::serve`], but the request tells nothing of client and hop.
    pub(crate) async fn pass(&self, x: &mut Exchange, plan: &RoutePlan) -> Result<(), Error> {
        self.send(x, plan, Outbound::bare).await
    }

    async fn send(&self, x: &mut Exchange, plan: &RoutePlan, take: Take) -> Result<(), Error> {
        let now = x.local.program.clock.now();
        x.record.forwarded = Some(now);
        // The head is there as it came until it is taken.
        let key = self.balance.key(x);
        if self.is_careful() {
            return Box::pin(self.send_with_care(x, plan, take, key)).await;
        }
        let limits = Limits::of(self, x);
        let view = self.view(x.local.worker, now).ok_or_else(|| *nobody().error)?;
        let outbound = take(x, plan)?;
        let mut course = Course { key, view, now, limits, keep: false, tried: Tried::new(), outbound };
        let came = self.reach(x, &mut course).await.map_err(|missed| *missed.error)?;
        self.answer(x, course, came)
    }

    /// Whether it does more than to look for a target that can be reached.
    fn is_careful(&self) -> bool {
        self.retry.is_some() || self.hedge.is_some() || self.breaker.is_some() || self.fallback.is_some()
    }

    /// Tries targets until one can be reached, and gives what it answers.
    async fn reach(&self, x: &mut Exchange, course: &mut Course) -> Result<Came, Missed> {
        let mut last = None;
        for _ in 0..TARGETS {
            let Some(place) = self.next(x.local.worker, course) else { break };
            let Some(member) = course.view.members.get(place) else { break };
            let trying = Trying {
                worker: x.local.worker,
                now: course.now,
                limits: &course.limits,
                keep: course.keep,
                meter: x.meter.clone().filter(|_| course.outbound.sent.has_body),
            };
            match self.try_member(member, &trying, &mut course.outbound, Tally::of(&mut x.record)).await {
                Ok((received, held)) => return Ok(Came { received, held, place }),
                Err(missed) if missed.cause == Cause::Connect => last = Some(missed),
                Err(missed) => return Err(missed),
            }
            course.now = x.local.program.clock.now();
        }
        Err(last.unwrap_or_else(nobody))
    }

    /// Whose turn it is, who is then tried.
    pub(super) fn next(&self, worker: usize, course: &mut Course) -> Option<usize> {
        let place = self.choose((worker, course.key), course.now, &course.view, &course.tried)?;
        course.tried.push(place);
        Some(place)
    }

    async fn send_with_care(&self, x: &mut Exchange, plan: &RoutePlan, take: Take, key: u64) -> Result<(), Error> {
        let chain = if self.fallback.is_some() { self.chain(x) } else { SmallVec::new() };
        let mut outbound = take(x, plan)?;
        let again = self.again(&mut outbound);
        match self.go(x, key, outbound, again.as_ref()).await {
            Ok(()) => Ok(()),
            Err((missed, outbound)) => self.fall_back(x, chain, outbound, again, missed).await,
        }
    }

    /// The upstreams that take what the one before cannot, each with the request's key for it.
    fn chain(&self, x: &Exchange) -> SmallVec<[(Arc<Upstream>, u64); 2]> {
        let mut chain: SmallVec<[(Arc<Upstream>, u64); 2]> = SmallVec::new();
        let mut next = self.fallback.as_ref();
        while let Some(Fallback::Upstream(id)) = next
            && let Some(upstream) = x.local.program.upstream(*id)
            && chain.len() + 1 < UPSTREAMS
        {
            chain.push((upstream.clone(), upstream.balance.key(x)));
            next = upstream.fallback.as_ref();
        }
        chain
    }

    async fn fall_back(
        &self,
        x: &mut Exchange,
        chain: SmallVec<[(Arc<Upstream>, u64); 2]>,
        mut outbound: Outbound,
        again: Option<Again>,
        mut missed: Missed,
    ) -> Result<(), Error> {
        let may = |missed: &Missed| again.as_ref().is_some_and(|again| again.may_go_on(missed.cause));
        let mut last = self.fallback.as_ref();
        let mut kept;
        for (upstream, key) in chain {
            if !may(&missed) {
                break;
            }
            if let Some(again) = &again {
                again.refill(&mut outbound);
            }
            (missed, outbound) = match upstream.go(x, key, outbound, again.as_ref()).await {
                Ok(()) => return Ok(()),
                Err(lost) => lost,
            };
            kept = upstream;
            last = kept.fallback.as_ref();
        }
        match last {
            Some(Fallback::Respond(respond)) if missed.cause != Cause::Final => {
                respond.fill(x);
                Ok(())
            }
            _ => Err(*missed.error),
        }
    }

    /// Tries targets of this upstream until one answers as it should, or no more may be tried; the request is given back.
    async fn go(
        &self,
        x: &mut Exchange,
        key: u64,
        outbound: Outbound,
        again: Option<&Again>,
    ) -> Result<(), (Missed, Outbound)> {
        let now = x.local.program.clock.now();
        let leave = match self.leave(now) {
            Ok(leave) => leave,
            Err(error) => return Err((Missed::unsent(error), outbound)),
        };
        let Some(view) = self.view(x.local.worker, now) else { return Err((nobody(), outbound)) };
        let mut tries = self.retry.as_ref().zip(again).map(|(retry, again)| Tries::new(retry, &self.extras, again));
        let mut course =
            Course { key, view, now, limits: Limits::of(self, x), keep: true, tried: Tried::new(), outbound };
        let mut hedge = self.hedge.as_ref().filter(|_| again.is_some_and(Again::may_hedge));
        loop {
            let total = course.limits.total;
            course.keep = tries.as_ref().is_some_and(Tries::keeps_head) || self.fallback.is_some();
            let outcome = match hedge.take() {
                Some(hedge) => self.hedged(hedge, x.local.worker, &mut course, Tally::of(&mut x.record)).await,
                None => self.reach(x, &mut course).await,
            };
            let pause = match outcome {
                Ok(came) => {
                    let head = &came.received.head;
                    let Some(pause) = tries.as_mut().and_then(|tries| tries.after_answer(self, head, total)) else {
                        leave.is(!head.status.is_server_error(), x.local.program.clock.now());
                        return self.answer(x, course, came).map_err(|error| (Missed::final_(error), Outbound::none()));
                    };
                    came.held.head_again(&mut course.outbound);
                    came.held.empty();
                    pause
                }
                Err(missed) => {
                    let pause = tries.as_mut().and_then(|tries| tries.after_failure(self, missed.cause, total));
                    let Some(pause) = pause else { return Err((self.failed_with(leave, missed), course.outbound)) };
                    pause
                }
            };
            if course.tried.len() >= course.view.members.len() {
                course.tried.clear();
            }
            tokio::time::sleep(pause).await;
            if let Some(again) = again {
                again.refill(&mut course.outbound);
            }
            course.now = x.local.program.clock.now();
        }
    }

    /// Nobody answered.
    fn failed_with(&self, leave: Leave<'_>, missed: Missed) -> Missed {
        if missed.cause != Cause::Final {
            leave.is(false, self.clock.now());
        }
        missed
    }

    /// Fills the response in.
    fn answer(&self, x: &mut Exchange, course: Course, came: Came) -> Result<(), Error> {
        if let Balance::Sticky(sticky) = &self.balance {
            sticky.tell(course.key, x, course.view.members.get(came.place).map_or(0, |member| member.id));
        }
        let Sent { has_body, upgrade, .. } = course.outbound.sent;
        answer::fill(x, came.received, came.held, (has_body, upgrade), &course.limits)
    }
}

pub(super) fn nobody() -> Missed {
    Missed::unsent(Error::new(&codes::NO_TARGET, "The upstream has no target that takes requests."))
}

/// Whether a request of this method may be sent twice (RFC 9110 section 9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE)
}

/// Whether the request body still goes out.
pub(super) fn is_sending(meter: Option<&Arc<Meter>>) -> bool {
    meter.is_some_and(|meter| meter.ended().is_none())
}
