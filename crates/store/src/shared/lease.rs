//! Permits taken ahead, and spent without a call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{By, Decision, Reading, Rule, Shared, Take};

/// The longest that permits are good for: what is not spent by then is lost, never used later.
const LIFE: Duration = Duration::from_secs(1);
/// The longest that a refusal is repeated without asking again.
const REFUSAL: Duration = Duration::from_millis(250);

/// Permits of one key on this gateway, taken `size` at a time. All gateways together never spend more than the server
/// granted. A permit is spent within a second of its grant and within the window that it is of; so a limit is late by at most
/// `size` a gateway, and short of it by what is not spent in time.
pub struct Lease {
    shared: Arc<Shared>,
    key: String,
    rule: Rule,
    size: u32,
    state: Mutex<Permits>,
    /// One asks, the others wait for what it gets.
    asking: tokio::sync::Mutex<()>,
}

struct Permits {
    left: u32,
    /// Until when they are good; or, there being none, until when there are none to be had.
    until: Instant,
    reading: Reading,
    refused: bool,
}

impl Shared {
    /// A key whose permits are taken `size` at a time. Few at a time are exact and many are fast: a hundredth of what a
    /// second admits is a good size.
    pub fn lease(self: &Arc<Self>, key: &str, rule: Rule, size: u32) -> Lease {
        let state = Permits { left: 0, until: Instant::now(), reading: Reading::default(), refused: false };
        Lease {
            shared: self.clone(),
            key: key.to_owned(),
            rule,
            size: size.max(1),
            state: Mutex::new(state),
            asking: tokio::sync::Mutex::default(),
        }
    }
}

impl Lease {
    /// Whether it is of these counters and this rule, so many at a time.
    pub fn is_of(&self, shared: &Arc<Shared>, rule: Rule, size: u32) -> bool {
        Arc::ptr_eq(&self.shared, shared) && self.rule == rule && self.size == size.max(1)
    }

    /// Whether it knows of permits, or that there are none.
    pub fn is_live(&self) -> bool {
        Instant::now() < self.state.lock().until
    }

    /// Takes back what was spent and not used. It is good for as long as the others that are here.
    pub fn give_back(&self, cost: u32) {
        let mut state = self.state.lock();
        if !state.refused && Instant::now() < state.until {
            state.left = state.left.saturating_add(cost);
        }
    }

    /// Spends what is here, or repeats a refusal; nothing where the server must be asked.
    pub fn spend(&self, cost: u32) -> Option<Decision> {
        let mut state = self.state.lock();
        let now = Instant::now();
        if now >= state.until {
            return None;
        }
        if state.refused {
            let wait = state.reading.wait.max(state.until - now);
            return Some(decision(Some(0), Reading { wait, ..state.reading }, By::Server));
        }
        state.left = state.left.checked_sub(cost)?;
        Some(decision(None, Reading { left: state.left.into(), ..state.reading }, By::Server))
    }

    /// Spends what is here, asking the server for more where that is not enough.
    pub async fn take(&self, cost: u32) -> Decision {
        if let Some(decision) = self.spend(cost) {
            return decision;
        }
        let _one = self.asking.lock().await;
        if let Some(decision) = self.spend(cost) {
            return decision;
        }
        if cost > self.size {
            return self.shared.take(&[Take { key: &self.key, rule: self.rule, cost: cost.into() }]).await;
        }
        // From before the question: the grant is good from some moment after this on.
        let asked = Instant::now();
        let takes = [Take { key: &self.key, rule: self.rule, cost: self.size.into() }];
        let Some(answer) = self.shared.ask("lease", &takes).await else {
            return self.shared.decide(&[Take { key: &self.key, rule: self.rule, cost: cost.into() }]);
        };
        let reading = answer.readings.first().copied().unwrap_or_default();
        let mut state = self.state.lock();
        state.reading = reading;
        state.refused = answer.refused.is_some();
        if state.refused {
            state.left = 0;
            state.until = asked + reading.wait.min(REFUSAL);
            return decision(Some(0), reading, By::Server);
        }
        // What was left of the last grant is of the same window only while that is good.
        let kept = if asked < state.until { state.left } else { 0 };
        state.left = kept.saturating_add(answer.granted);
        state.until = asked + self.good_for(reading);
        match state.left.checked_sub(cost) {
            Some(left) => {
                state.left = left;
                decision(None, Reading { left: left.into(), ..reading }, By::Server)
            }
            None => decision(Some(0), Reading { wait: REFUSAL, ..reading }, By::Server),
        }
    }

    fn good_for(&self, reading: Reading) -> Duration {
        match self.rule.algorithm {
            super::Algorithm::Gcra => LIFE,
            // Until the window's end; `reset` of a sliding one that is in use ends a period later.
            super::Algorithm::Fixed | super::Algorithm::Calendar { .. } => reading.reset.min(LIFE),
            super::Algorithm::Sliding => reading.reset.saturating_sub(self.rule.period).min(LIFE),
        }
    }
}

fn decision(refused: Option<usize>, reading: Reading, by: By) -> Decision {
    Decision { refused, readings: vec![reading], by }
}
