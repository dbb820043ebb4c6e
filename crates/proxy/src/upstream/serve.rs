//! The way of a request to a target: take it out of the exchange, choose a target, get a connection, send, answer. A
//! connection that proves stale costs another try, a target that cannot be reached gives way to the next; everything else
//! is an error, as the target may have acted.

use std::sync::Arc;

use http::Method;
use tokio::time::Instant;

use super::answer::Received;
use super::balance::{Balance, Tried};
use super::checkout::{self, Asking};
use super::deadline::Patience;
use super::failure::{Broke, Failure};
use super::forward::Outbound;
use super::lease::Held;
use super::pool::Freshness;
use super::view::Member;
use super::{Upstream, answer, failure};
use crate::clock::Time;
use crate::exchange::{Attempt, Error, Exchange, Meter, Unsent, codes};
use crate::program::RoutePlan;

/// The most targets that are tried for one exchange.
const TARGETS: usize = 5;
/// How often a kept connection may prove stale before a new one is opened.
const STALE: u32 = 3;

/// How long this exchange may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    first_byte: std::time::Duration,
    pub(super) idle: std::time::Duration,
    pub(super) total: Option<Instant>,
}

impl Limits {
    /// The upstream's, where neither route nor policy says otherwise.
    fn of(upstream: &Upstream, x: &Exchange) -> Self {
        let (ours, theirs) = (&upstream.timeouts, &x.timeouts);
        let total = theirs.total.unwrap_or(ours.total);
        let started = || x.local.program.clock.instant(x.record.started);
        Self {
            first_byte: theirs.first_byte.unwrap_or(ours.first_byte).get(),
            idle: theirs.idle.unwrap_or(ours.idle).get(),
            total: (!total.is_zero()).then(|| started() + total.get()),
        }
    }
}

/// How the request is taken out of the exchange: where it is sent, so that only one future holds it.
type Take = fn(&mut Exchange, &RoutePlan) -> Result<Outbound, Error>;

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
        let limits = Limits::of(self, x);
        let nobody = || Error::new(&codes::NO_TARGET, "The upstream has no target that takes requests.");
        let view = self.view(x.local.worker, now).ok_or_else(nobody)?;
        // The head is here as it came as long as the target is not chosen.
        let sticks = self.sticks(x);
        let (mut tried, mut missed) = (Tried::new(), None);
        let mut first = self.choose(x, now, &view, &tried);
        let mut outbound = take(x, plan)?;
        loop {
            let chosen = first.take().or_else(|| self.choose(x, now, &view, &tried));
            let Some((at, member)) = chosen.and_then(|at| Some((at, view.members.get(at)?))) else {
                return Err(missed.map_or_else(nobody, |error: Box<Error>| *error));
            };
            match self.try_target(x, member, &mut outbound, &limits, now).await {
                Ok((head, held)) => {
                    if let Balance::Sticky(sticky) = &self.balance {
                        sticky.tell(sticks, x, member.id);
                    }
                    return answer::fill(x, head, held, outbound.sent, &limits);
                }
                Err(Missed::Request(error)) => return Err(*error),
                Err(Missed::Target(error)) => {
                    tried.push(at);
                    if tried.len() >= TARGETS {
                        return Err(*error);
                    }
                    missed = Some(error);
                }
            }
        }
    }

    /// Where the client says that it stays.
    fn sticks(&self, x: &Exchange) -> Option<u64> {
        match &self.balance {
            Balance::Sticky(sticky) => sticky.says(x),
            _ => None,
        }
    }

    /// Tries one target, on as many of its kept connections as prove stale.
    async fn try_target(
        &self,
        x: &mut Exchange,
        member: &Member,
        outbound: &mut Outbound,
        limits: &Limits,
        now: Time,
    ) -> Result<(Received, Held), Missed> {
        let target = &*member.target;
        let mut stale = 0;
        loop {
            let fresh = if stale < STALE { Freshness::Any } else { Freshness::New };
            let asking = Asking { worker: x.local.worker, fresh, now, total: limits.total };
            let mut held = match checkout::connection(self, target, member.lane(x.local.worker), &asking).await {
                Ok(held) => held,
                Err(error) if error.unsent == Unsent::Yes && error.code != &codes::POOL_FULL => {
                    if let Some(lane) = member.lane(x.local.worker) {
                        self.failed(&lane, self.clock.now());
                    }
                    return Err(Missed::Target(Box::new(error)));
                }
                Err(error) => return Err(Missed::Request(Box::new(error))),
            };
            let reused = held.is_reused();
            x.record.attempts += 1;
            x.record.attempt = Some(Attempt { upstream: self.id, address: held.address(), reused });
            outbound.dress(self, target, &held);
            let repeatable = reused && outbound.is_repeatable();
            let body = x.meter.clone().filter(|_| outbound.sent.has_body);
            let begun = x.local.program.clock.instant(now);
            let mut patience = Patience::new(begun, limits.first_byte, limits.total, body);
            match held.send(outbound, repeatable, &mut patience).await {
                Ok(head) => {
                    self.answered(held.in_flight.lane(), head.head.status, now);
                    return Ok((head, held));
                }
                Err(Failure::Unsent) if reused => {}
                Err(Failure::Unsent) => {
                    self.lost(&held);
                    let error = Error::new(&codes::UPSTREAM_RESET, "The upstream closed the connection at once.");
                    return Err(Missed::Target(Box::new(error.unsent())));
                }
                Err(Failure::Broken(broke)) if repeatable && failure::may_be_stale(&broke) => {}
                Err(Failure::Broken(broke)) => return Err(self.broken(x.meter.as_deref(), &held, broke)),
                Err(Failure::Late) => return Err(self.late(&held, &patience)),
            }
            stale += 1;
        }
    }
}

/// Why a try gave no response.
enum Missed {
    /// The target cannot be reached, and the request is as it was: another may take it.
    Target(Box<Error>),
    /// The request failed.
    Request(Box<Error>),
}

/// What is remembered of a request that was sent.
pub(super) use super::forward::Sent;

impl Upstream {
    /// A request failed for its target's sake.
    fn lost(&self, held: &Held) {
        held.in_flight.failed();
        self.failed(held.in_flight.lane(), self.clock.now());
    }

    /// The request broke off: for the client's sake, if its body failed, else for the target's.
    fn broken(&self, meter: Option<&Meter>, held: &Held, broke: Broke) -> Missed {
        if let Some(failure) = meter.and_then(Meter::failure) {
            return Missed::Request(failure);
        }
        self.lost(held);
        Missed::Request(Box::new(failure::of_response(broke)))
    }

    fn late(&self, held: &Held, patience: &Patience) -> Missed {
        self.lost(held);
        Missed::Request(Box::new(if patience.is_total() {
            Error::new(&codes::TOTAL_TIMEOUT, "The exchange took longer than it may.")
        } else {
            Error::new(&codes::FIRST_BYTE_TIMEOUT, "The upstream did not answer in time.")
        }))
    }
}

/// Whether a request of this method may be sent twice (RFC 9110 section 9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE)
}

/// Whether the request body still goes out.
pub(super) fn is_sending(meter: Option<&Arc<Meter>>) -> bool {
    meter.is_some_and(|meter| meter.ended().is_none())
}
