//! One try: a connection to a target, the request on it, the response head. A kept connection that proves stale costs
//! another one.

use std::sync::Arc;

use super::Upstream;
use super::answer::Received;
use super::checkout::{self, Asking};
use super::deadline::Patience;
use super::failure::{self, Broke, Failure};
use super::forward::Outbound;
use super::lease::Held;
use super::pool::Freshness;
use super::retry::Cause;
use super::serve::Limits;
use super::view::Member;
use crate::clock::Time;
use crate::exchange::{Attempt, Error, Meter, Record, Unsent, codes};

/// How often a kept connection may prove stale before a new one is opened.
const STALE: u32 = 3;

/// What a try needs to know of its exchange.
pub(super) struct Trying<'a> {
    pub(super) worker: usize,
    /// When it begins.
    pub(super) now: Time,
    pub(super) limits: &'a Limits,
    /// Whether the head may be needed once more, whatever becomes of it.
    pub(super) keep: bool,
    /// The body of its request, where there is one.
    pub(super) meter: Option<Arc<Meter>>,
}

/// Where it is noted what is tried.
pub(super) struct Tally<'a> {
    pub(super) attempts: &'a mut u16,
    pub(super) last: &'a mut Option<Attempt>,
}

impl<'a> Tally<'a> {
    /// In an exchange's record.
    pub(super) fn of(record: &'a mut Record) -> Self {
        Self { attempts: &mut record.attempts, last: &mut record.attempt }
    }
}

/// Why a try gave no response.
pub(super) struct Missed {
    pub(super) cause: Cause,
    pub(super) error: Box<Error>,
}

impl Missed {
    fn new(cause: Cause, error: Error) -> Self {
        Self { cause, error: Box::new(error) }
    }

    /// Nothing was sent: another may take the request.
    pub(super) fn unsent(error: Error) -> Self {
        Self::new(Cause::Connect, error)
    }

    /// Nobody can help it.
    pub(super) fn final_(error: Error) -> Self {
        Self::new(Cause::Final, error)
    }
}

impl Upstream {
    /// Tries one target, on as many of its kept connections as prove stale.
    pub(super) async fn try_member(
        &self,
        member: &Member,
        trying: &Trying<'_>,
        outbound: &mut Outbound,
        tally: Tally<'_>,
    ) -> Result<(Received, Held), Missed> {
        let (target, limits, meter) = (&*member.target, trying.limits, trying.meter.as_deref());
        let mut stale = 0;
        loop {
            let fresh = if stale < STALE { Freshness::Any } else { Freshness::New };
            let asking = Asking { worker: trying.worker, fresh, now: trying.now, total: limits.total };
            let mut held = match checkout::connection(self, target, member.lane(trying.worker), &asking).await {
                Ok(held) => held,
                Err(error) if error.unsent == Unsent::Yes && error.code != &codes::POOL_FULL => {
                    if let Some(lane) = member.lane(trying.worker) {
                        self.failed(&lane, self.clock.now());
                    }
                    return Err(Missed::unsent(error));
                }
                Err(error) => return Err(Missed::final_(error)),
            };
            let reused = held.is_reused();
            *tally.attempts += 1;
            *tally.last = Some(Attempt { upstream: self.id, address: held.address(), reused });
            outbound.dress(self, target, &held);
            let repeatable = reused && outbound.is_repeatable();
            let begun = self.clock.instant(trying.now);
            let mut patience = Patience::new(begun, limits.first_byte, limits.total, trying.meter.clone());
            match held.send(outbound, repeatable || trying.keep, &mut patience).await {
                Ok(head) => {
                    self.answered(held.in_flight.lane(), head.head.status, trying.now);
                    return Ok((head, held));
                }
                Err(Failure::Unsent) if reused => {}
                Err(Failure::Unsent) => {
                    self.lost(&held);
                    let error = Error::new(&codes::UPSTREAM_RESET, "The upstream closed the connection at once.");
                    return Err(Missed::unsent(error.unsent()));
                }
                Err(Failure::Broken(broke)) if repeatable && failure::may_be_stale(&broke) => {}
                Err(Failure::Broken(broke)) => return Err(self.broken(meter, &held, broke)),
                Err(Failure::Late) => return Err(self.late(&held, &patience)),
            }
            stale += 1;
        }
    }

    /// A request failed for its target's sake.
    fn lost(&self, held: &Held) {
        held.in_flight.failed();
        self.failed(held.in_flight.lane(), self.clock.now());
    }

    /// The request broke off: for the client's sake, if its body failed, else for the target's.
    fn broken(&self, meter: Option<&Meter>, held: &Held, broke: Broke) -> Missed {
        if let Some(failure) = meter.and_then(Meter::failure) {
            return Missed { cause: Cause::Final, error: failure };
        }
        self.lost(held);
        let cause = if failure::is_refused(&broke) { Cause::Refused } else { Cause::Reset };
        Missed::new(cause, failure::of_response(broke))
    }

    fn late(&self, held: &Held, patience: &Patience) -> Missed {
        self.lost(held);
        if patience.is_total() {
            return Missed::final_(Error::new(&codes::TOTAL_TIMEOUT, "The exchange took longer than it may."));
        }
        let detail = "The upstream did not answer in time.";
        Missed::new(Cause::Late, Error::new(&codes::FIRST_BYTE_TIMEOUT, detail))
    }
}
