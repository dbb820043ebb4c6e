//! An attempt while it goes on. However it ends, it is counted, its place is free, and what was learnt of its target is
//! remembered; dropped before its end, somebody left: the caller, or the gateway, as another was faster.

use std::sync::Arc;
use std::time::Duration;

use proxy::clock::Clock;
use proxy::exchange::{AttemptOutcome, Attempts, ModelAttempt};
use tokio::time::Instant;

use super::Frame;
use crate::catalog::Charged;
use crate::fleet::{Held, Seat, Target};
use crate::translate::Usage;

/// An attempt while it goes on.
pub(in crate::terminal) struct Going {
    pub(in crate::terminal) target: Arc<Target>,
    attempts: Arc<Attempts>,
    clock: Clock,
    began: Instant,
    spoke: Option<Duration>,
    /// Whether it is the one that answers.
    chosen: bool,
    /// Whether it goes on with what another began.
    continues: bool,
    over: bool,
    /// When the caller's patience is over.
    until: Option<Instant>,
    /// Held as long as it goes on.
    seat: Option<Seat>,
    /// What is taken of its key's bounds.
    held: Option<Held>,
}

impl Going {
    pub(in crate::terminal) fn begin(
        target: &Arc<Target>,
        frame: &Frame,
        (seat, held): (Option<Seat>, Option<Held>),
        continues: bool,
    ) -> Self {
        target.pulse.begin();
        frame.attempts.begin();
        Self {
            target: target.clone(),
            attempts: frame.attempts.clone(),
            clock: frame.clock.clone(),
            began: Instant::now(),
            spoke: None,
            chosen: false,
            continues,
            over: false,
            until: frame.until,
            seat,
            held,
        }
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// When it is to have said something, where there is a bound and it has not.
    pub(in crate::terminal) fn late(&self) -> Option<Instant> {
        let bound = self.target.provider.timeouts.first_token;
        (self.spoke.is_none() && !bound.is_zero()).then(|| self.began + bound.get())
    }

    /// Whether the caller's patience is over.
    pub(in crate::terminal) fn is_too_late(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// It is the one that answers.
    pub(in crate::terminal) fn choose(&mut self) {
        self.chosen = true;
    }

    /// It says its first token.
    pub(in crate::terminal) fn speaks(&mut self) {
        if self.spoke.is_none() {
            let after = self.began.elapsed();
            self.spoke = Some(after);
            self.target.metrics.first_token(after);
            self.target.pulse.spoke(self.clock.now().0, after);
            self.target.pulse.rest.is_alive();
        }
    }

    /// It ends as it should, having taken this.
    pub(in crate::terminal) fn good(mut self, usage: &Usage) {
        let took = self.began.elapsed().saturating_sub(self.spoke.unwrap_or_default());
        self.target.pulse.went(self.clock.now().0, usage.output, took);
        self.target.pulse.rest.good();
        let tokens = usage.input.saturating_add(usage.output);
        // What nobody told is what was expected.
        if let Some(held) = self.held.take_if(|_| tokens > 0) {
            held.settle(tokens);
        }
        self.end(if self.continues { AttemptOutcome::Continued } else { AttemptOutcome::Ok });
    }

    /// It ends in a failure, and gives its place back.
    pub(in crate::terminal) fn bad(mut self, outcome: AttemptOutcome) -> Option<Seat> {
        // That a caller has little time is not the target's fault.
        let outcome = if self.is_too_late() { AttemptOutcome::Cancelled } else { outcome };
        let cooldown = &self.target.provider.cooldown;
        match outcome {
            AttemptOutcome::Connect
            | AttemptOutcome::Timeout
            | AttemptOutcome::FirstToken
            | AttemptOutcome::Overloaded
            | AttemptOutcome::Server
            | AttemptOutcome::Broken
            | AttemptOutcome::NotFound => {
                let now = self.clock.now().0;
                self.target.pulse.rest.failed(now, cooldown.failures, cooldown.rest.get());
            }
            AttemptOutcome::Cancelled => {}
            // It is up; it is the key or the request that it will not have.
            _ => self.target.pulse.rest.good(),
        }
        self.end(outcome);
        self.seat.take()
    }

    fn end(&mut self, outcome: AttemptOutcome) {
        self.over = true;
        let took = self.began.elapsed();
        let target = &self.target;
        target.pulse.over();
        target.metrics.attempt(outcome);
        tracing::debug!(target: "tollgate::ai", provider = &*target.provider.name, model = &*target.model,
            outcome = outcome.as_str(), milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "an attempt is over");
        let (provider, model) = (target.provider.name.clone(), target.model.clone());
        self.attempts.add(ModelAttempt { provider, model, outcome, took });
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if self.chosen || !self.attempts.is_won() {
            return self.end(AttemptOutcome::Cancelled);
        }
        // What it read until then is paid for.
        let tokens = self.attempts.input();
        let cost = self.target.entry.as_ref().and_then(|entry| {
            let cost = entry.cost(&Charged { input: tokens, ..Charged::default() })?;
            u64::try_from(cost.nanos_up()).ok()
        });
        self.attempts.lose(tokens, cost.unwrap_or_default());
        self.end(AttemptOutcome::Lost);
    }
}
