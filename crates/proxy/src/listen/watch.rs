//! Says when something is due on a connection: it was quiet for long, its head takes too long, its door closes. One
//! timer a connection, set anew when it fires and not for every request, so that a request costs a look at the clock.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::door::{Door, State};
use super::life::{Life, Phase};

/// A connection that was quiet for this long gives its buffers back.
const PARK: Duration = Duration::from_secs(2);
/// How long a quiet connection of a closing door stays, as a request may be on its way already.
const GRACE: Duration = Duration::from_secs(1);

/// Watches one connection.
pub(super) struct Watch {
    /// What it was doing at the last look, and since when.
    phase: Phase,
    since: Instant,
    /// The timer, and when it fires.
    timer: Option<Pin<Box<Sleep>>>,
    fires: Option<Instant>,
    /// What the door was doing at the last look.
    door: State,
    news: Pin<Box<OwnedNotified>>,
    registered: bool,
    /// Since when it is to end after what it has begun.
    leaving: Option<Instant>,
}

/// What the connection is held by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nothing but the watch.
    Parked,
    /// HTTP/1.
    H1,
    /// HTTP/2.
    H2,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Give the buffers back.
    Park,
    /// Take no further request.
    Leave,
    /// End: it was quiet for too long.
    Idle,
    /// End: the head did not come in time.
    Head,
    /// End: the client takes nothing, or the door's time is up.
    Cut,
}

impl Watch {
    /// Watches a connection that just came.
    pub(super) fn new(life: &Life) -> Self {
        Self {
            phase: life.phase(),
            since: Instant::now(),
            timer: None,
            fires: None,
            door: State::Open,
            news: Box::pin(life.door.news()),
            registered: false,
            leaving: None,
        }
    }

    /// Is anything due? To be asked whenever its holder has nothing to do.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, life: &Life, holder: Holder) -> Poll<Due> {
        if let Some(due) = self.ask_door(cx, &life.door) {
            return Poll::Ready(due);
        }
        let phase = match life.phase() {
            // Between its requests an HTTP/2 client sends pings and the like.
            Phase::Head(begun) if holder == Holder::H2 => Phase::Quiet(begun),
            phase => phase,
        };
        if phase != self.phase {
            self.phase = phase;
            if phase != Phase::Busy {
                let clock = &life.rules.clock;
                self.since = clock.instant(clock.lately());
            }
        }
        if holder == Holder::H2 && self.leaving.is_none() && life.is_spent() {
            return Poll::Ready(self.leave());
        }
        let Some((at, due)) = self.next(life, holder) else { return Poll::Pending };
        if self.is_past(cx, at) { Poll::Ready(self.fall_due(due, holder)) } else { Poll::Pending }
    }

    /// What the door says, if it is new.
    fn ask_door(&mut self, cx: &mut Context<'_>, door: &Arc<Door>) -> Option<Due> {
        while door.state() != self.door || !self.registered {
            self.news = Box::pin(door.news());
            // Polled once, to be woken: the task stays the same, and asking costs a lock.
            self.registered = self.news.as_mut().poll(cx).is_pending();
            let state = door.state();
            if state == self.door {
                continue;
            }
            self.door = state;
            match state {
                State::Open => {}
                State::Closing if self.leaving.is_some() => {}
                State::Closing => return Some(self.leave()),
                State::Cut => return Some(Due::Cut),
            }
        }
        None
    }

    fn leave(&mut self) -> Due {
        self.leaving = Some(Instant::now());
        Due::Leave
    }

    /// What is due next if nothing moves, and when.
    fn next(&self, life: &Life, holder: Holder) -> Option<(Instant, Due)> {
        let rules = &life.rules;
        Some(match self.phase {
            Phase::Busy => return None,
            Phase::Stalled(_) => (self.since + rules.stall_timeout, Due::Cut),
            Phase::Head(_) => (self.since + rules.header_timeout, Due::Head),
            Phase::Quiet(begun) => {
                let idle = match self.leaving {
                    Some(leaving) => self.since.max(leaving) + GRACE,
                    None if begun == 0 => self.since + rules.header_timeout,
                    None => self.since + rules.idle_timeout,
                };
                let park = self.since + PARK;
                if holder == Holder::H1 && park < idle { (park, Due::Park) } else { (idle, Due::Idle) }
            }
        })
    }

    /// An HTTP/2 client is told that its connection ends before it does.
    fn fall_due(&mut self, due: Due, holder: Holder) -> Due {
        if due == Due::Idle && holder == Holder::H2 && self.leaving.is_none() { self.leave() } else { due }
    }

    /// Whether this moment has come; else the timer will wake the task by then, or before.
    fn is_past(&mut self, cx: &mut Context<'_>, at: Instant) -> bool {
        if let (Some(timer), Some(fires)) = (&mut self.timer, self.fires)
            && fires <= at
            && !timer.is_elapsed()
        {
            return false;
        }
        if Instant::now() >= at {
            self.fires = None;
            return true;
        }
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(at);
                timer
            }
            none => none.insert(Box::pin(sleep_until(at))),
        };
        self.fires = Some(at);
        // A task that has had its turn may not even set a timer, and this one is not polled again before it fires.
        pin!(unconstrained(timer)).poll(cx).is_ready()
    }
}
