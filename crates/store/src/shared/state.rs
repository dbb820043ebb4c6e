//! What a limit's counter is, and how it is counted on: the same sums as in `take.lua`, for while the server is gone.

use std::time::Duration;

use super::rule::{Algorithm, Rule};
use super::{Reading, float};

/// A counter. GCRA: `a` was owed at `at`. Windows: `a` counts from `at` on, `b` in the window before. Times are in
/// microseconds of the server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) at: f64,
}

/// Less than this is nothing: what sums of fractions leave over.
const NOTHING: f64 = 0.000_001;

/// A rule in the numbers that are counted with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    algorithm: Algorithm,
    limit: f64,
    period: f64,
    capacity: f64,
}

impl Measure {
    /// A share of a rule: at least one at a time.
    pub(super) fn share(rule: Rule, gateways: u32) -> Self {
        let gateways = f64::from(gateways.max(1));
        let period = float(rule.micros());
        let capacity = (float(rule.capacity()) / gateways).max(1.0);
        Self { algorithm: rule.algorithm, limit: float(rule.limit.max(1)) / gateways, period, capacity }
    }

    /// The state as it is now.
    pub(super) fn brought(self, state: State, now: f64) -> State {
        let State { a, at, .. } = state;
        if self.algorithm == Algorithm::Gcra {
            let owed = (a - (now - at) * self.limit / self.period).max(0.0);
            return if now > at { State { a: owed, b: 0.0, at: now } } else { State { a, b: 0.0, at } };
        }
        let start = match self.algorithm {
            Algorithm::Calendar { starts } => float(starts),
            _ => now - now.rem_euclid(self.period),
        };
        if at >= start {
            state
        } else if self.algorithm == Algorithm::Sliding && at == start - self.period {
            State { a: 0.0, b: a, at: start }
        } else {
            State { a: 0.0, b: 0.0, at: start }
        }
    }

    fn used(self, state: State, now: f64) -> f64 {
        match self.algorithm {
            Algorithm::Sliding => state.a + state.b * (1.0 - ((now - state.at).max(0.0) / self.period).min(1.0)),
            Algorithm::Gcra | Algorithm::Fixed | Algorithm::Calendar { .. } => state.a,
        }
    }

    /// How long until this much fits.
    pub(super) fn wait(self, state: State, cost: f64, now: f64) -> f64 {
        let over = self.used(state, now) + cost - self.capacity;
        if over <= NOTHING {
            return 0.0;
        }
        let rest = state.at + self.period - now;
        match self.algorithm {
            Algorithm::Gcra => over * self.period / self.limit,
            Algorithm::Fixed | Algorithm::Calendar { .. } => rest.max(1.0),
            Algorithm::Sliding if state.b > 0.0 && over * self.period / state.b <= rest => over * self.period / state.b,
            Algorithm::Sliding => {
                let over = state.a + cost - self.capacity;
                if over <= 0.0 || state.a == 0.0 { rest } else { rest + over * self.period / state.a }
            }
        }
    }

    fn reset(self, state: State, now: f64) -> f64 {
        match self.algorithm {
            Algorithm::Gcra => state.a * self.period / self.limit,
            Algorithm::Sliding if state.a > 0.0 => state.at + 2.0 * self.period - now,
            Algorithm::Fixed | Algorithm::Sliding | Algorithm::Calendar { .. } => state.at + self.period - now,
        }
    }

    /// What it reads, `wait` being what was found for it.
    pub(super) fn reading(self, state: State, wait: f64, now: f64) -> Reading {
        reading(self.capacity - self.used(state, now), wait, self.reset(state, now))
    }
}

/// From room, and microseconds.
pub(super) fn reading(room: f64, wait: f64, reset: f64) -> Reading {
    let micros = |micros: f64| Duration::from_secs_f64((micros / 1_000_000.0).clamp(0.0, 1e12));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let left = (room + NOTHING).floor() as u64;
    Reading { left, wait: micros(wait), reset: micros(reset) }
}
