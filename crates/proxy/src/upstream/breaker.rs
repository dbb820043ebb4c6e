//! Leaving an upstream alone while it fails: closed it lets all through and counts, open it lets nothing through, half open
//! a few that try whether it is well again.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use parking_lot::Mutex;

use super::Upstream;
use crate::clock::Time;
use crate::exchange::{Error, codes};

/// When an upstream is left alone, and what it takes at most.
pub(super) struct Breaker {
    /// Requests in flight.
    pub(super) requests: Option<u64>,
    /// Requests that wait for a connection to an address.
    pub(super) pending: Option<u32>,
    /// Exchanges that are tried again at a time.
    pub(super) retries: Option<u32>,
    pub(super) error_rate: Option<f64>,
    pub(super) slow_rate: Option<f64>,
    pub(super) slow_after: Duration,
    pub(super) window: Duration,
    pub(super) least: u64,
    pub(super) open_for: Duration,
    pub(super) probes: u32,
    pub(super) state: Arc<State>,
}

/// What a breaker knows. It outlives programs.
#[derive(Debug, Default)]
pub(super) struct State(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Until when it is open; half open after that.
    open: Option<Time>,
    /// Probes that are under way, and that went well.
    probing: u32,
    good: u32,
    began: Time,
    all: u64,
    bad: u64,
    slow: u64,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All goes through.
    Closed,
    /// Nothing does.
    Open,
    /// A few do.
    HalfOpen,
}

/// The leave to send a request; what became of it is told with [`Leave::is`].
pub(super) struct Leave<'a> {
    of: Option<(&'a Breaker, Time)>,
    probe: bool,
}

impl Upstream {
    /// The leave to send a request now.
    pub(super) fn leave(&self, now: Time) -> Result<Leave<'_>, Error> {
        let Some(breaker) = &self.breaker else { return Ok(Leave { of: None, probe: false }) };
        if let Some(most) = breaker.requests {
            let mut in_flight = 0;
            for target in &self.targets {
                target.each_endpoint(|endpoint| in_flight += endpoint.in_flight());
            }
            if in_flight >= most {
                let detail = "The upstream has as many requests as it takes.";
                return Err(Error::new(&codes::UPSTREAM_BUSY, detail).header(RETRY_AFTER, HeaderValue::from(1_u64)));
            }
        }
        breaker.enter(now)
    }
}

impl Breaker {
    fn is_rated(&self) -> bool {
        self.error_rate.is_some() || self.slow_rate.is_some()
    }

    /// How it stands.
    pub(super) fn stands(&self, now: Time) -> BreakerState {
        match self.state.0.lock().open {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    fn enter(&self, now: Time) -> Result<Leave<'_>, Error> {
        if !self.is_rated() {
            return Ok(Leave { of: None, probe: false });
        }
        let mut known = self.state.0.lock();
        let Some(until) = known.open else { return Ok(Leave { of: Some((self, now)), probe: false }) };
        if now < until || known.probing >= self.probes {
            let seconds = until.since(now).as_secs_f64().ceil().max(1.0) as u64;
            let detail = "The upstream is left alone for a while, as it failed of late.";
            return Err(Error::new(&codes::BREAKER_OPEN, detail).header(RETRY_AFTER, HeaderValue::from(seconds)));
        }
        known.probing += 1;
        Ok(Leave { of: Some((self, now)), probe: true })
    }

    /// A request took so long to its response head, and was good or not.
    fn saw(&self, probe: bool, began: Time, now: Time, good: bool) {
        let slow = self.slow_rate.is_some() && now.since(began) > self.slow_after;
        let mut known = self.state.0.lock();
        if probe {
            known.probing = known.probing.saturating_sub(1);
            if !good && self.error_rate.is_some() || slow {
                known.open = Some(now + self.open_for);
                known.good = 0;
                return;
            }
            known.good += 1;
            if known.good >= self.probes {
                *known = Known { began: now, probing: known.probing, ..Known::default() };
            }
            return;
        }
        if known.open.is_some() {
            // It was sent before.
            return;
        }
        if now.since(known.began) > self.window {
            *known = Known { began: now, ..Known::default() };
        }
        known.all += 1;
        known.bad += u64::from(!good);
        known.slow += u64::from(slow);
        let all = known.all;
        let over = |count: u64, most: Option<f64>| most.is_some_and(|most| count as f64 >= most * all as f64);
        if all >= self.least && (over(known.bad, self.error_rate) || over(known.slow, self.slow_rate)) {
            known.open = Some(now + self.open_for);
            known.good = 0;
        }
    }
}

impl Leave<'_> {
    /// What became of it: whether it was good.
    pub(super) fn is(mut self, good: bool, now: Time) {
        if let Some((breaker, began)) = self.of.take() {
            breaker.saw(self.probe, began, now, good);
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // Nothing became of it: its client left.
        if let Some((breaker, _)) = self.of.take()
            && self.probe
        {
            let mut known = breaker.state.0.lock();
            known.probing = known.probing.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker {
            requests: None,
            pending: None,
            retries: None,
            error_rate: Some(0.5),
            slow_rate: Some(0.5),
            slow_after: Duration::from_secs(1),
            window: Duration::from_secs(10),
            least: 10,
            open_for: Duration::from_secs(5),
            probes: 2,
            state: Arc::default(),
        }
    }

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000_000_000)
    }

    fn send(breaker: &Breaker, second: u64, good: bool) -> bool {
        breaker.enter(at(second)).map(|leave| leave.is(good, at(second))).is_ok()
    }

    #[test]
    fn it_opens_at_a_share_of_failures_and_closes_when_probes_go_well() {
        let breaker = breaker();
        for number in 0..9 {
            assert!(send(&breaker, 20, number % 2 == 0));
        }
        assert_eq!(breaker.stands(at(20)), BreakerState::Closed, "nine say nothing");
        assert!(send(&breaker, 20, false));
        assert_eq!(breaker.stands(at(20)), BreakerState::Open);
        let refused = breaker.enter(at(22)).err().unwrap();
        assert_eq!(refused.code.name, "upstream.breaker_open");
        assert_eq!(breaker.stands(at(25)), BreakerState::HalfOpen);
        let (one, two) = (breaker.enter(at(25)).unwrap(), breaker.enter(at(25)).unwrap());
        assert!(breaker.enter(at(25)).is_err(), "two probes at a time");
        one.is(true, at(25));
        drop(two);
        assert_eq!(breaker.stands(at(25)), BreakerState::HalfOpen);
        assert!(send(&breaker, 25, true));
        assert_eq!(breaker.stands(at(25)), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let breaker = breaker();
        (0..10).for_each(|_| assert!(send(&breaker, 20, false)));
        assert!(send(&breaker, 25, false));
        assert_eq!(breaker.stands(at(29)), BreakerState::Open);
        assert_eq!(breaker.stands(at(30)), BreakerState::HalfOpen);
    }

    #[test]
    fn slow_ones_open_it_too() {
        let breaker = breaker();
        for _ in 0..10 {
            breaker.enter(at(20)).unwrap().is(true, at(22));
        }
        assert_eq!(breaker.stands(at(22)), BreakerState::Open);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let breaker = breaker();
        (0..9).for_each(|_| assert!(send(&breaker, 20, false)));
        (0..9).for_each(|_| assert!(send(&breaker, 40, true)));
        assert!(send(&breaker, 40, false));
        assert_eq!(breaker.stands(at(40)), BreakerState::Closed);
    }
}
