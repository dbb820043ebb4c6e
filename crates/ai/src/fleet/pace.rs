//! How much a key of a provider is used: calls and tokens in a time, and calls at once. Its vendor counts as well; what is
//! counted here keeps a key from being used up, and several gateways from it where each has its share.

use std::sync::Arc;
use std::time::Duration;

use model::value::Rate;
use parking_lot::Mutex;

/// How long until a key whose places are all taken is asked about again.
const SOON: u64 = 1_000_000_000;

/// The bounds of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) requests: Option<Rate>,
    pub(super) tokens: Option<Rate>,
    pub(super) at_once: Option<u32>,
}

impl Bounds {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is used of a key. It outlives the program.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bounds: Bounds,
    requests: Bucket,
    tokens: Bucket,
    open: u32,
}

/// What was poured in, and drains evenly.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    level: f64,
    /// Nanoseconds.
    at: u64,
}

impl Bucket {
    fn drain(&mut self, rate: Rate, now: u64) {
        let passed = Duration::from_nanos(now.saturating_sub(self.at)).as_secs_f64();
        self.level = (self.level - passed / rate.period().get().as_secs_f64() * float(rate.count())).max(0.0);
        self.at = self.at.max(now);
    }

    /// Until this much more fits, in nanoseconds; 0 where it does.
    fn wait(&mut self, rate: Rate, more: f64, now: u64) -> u64 {
        self.drain(rate, now);
        // What is more than all of it needs all of it.
        let over = self.level + more.min(float(rate.count())) - float(rate.count());
        if over <= 1e-6 {
            return 0;
        }
        let wait = Duration::from_secs_f64(over / float(rate.count()) * rate.period().get().as_secs_f64());
        u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

impl Pace {
    /// From now on its bounds are these.
    pub(super) fn set(&self, bounds: Bounds) {
        self.0.lock().bounds = bounds;
    }

    /// Whether its tokens are bounded, so that somebody has to know how many there are.
    pub(super) fn counts_tokens(&self) -> bool {
        self.0.lock().bounds.tokens.is_some()
    }

    /// Takes a call of about so many tokens in; or says when to ask again.
    pub(super) fn take(self: &Arc<Self>, tokens: u64, now: u64) -> Result<Held, u64> {
        let mut state = self.0.lock();
        let Bounds { requests, tokens: bound, at_once } = state.bounds;
        if at_once.is_some_and(|most| state.open >= most) {
            return Err(now.saturating_add(SOON));
        }
        let calls = requests.map_or(0, |rate| state.requests.wait(rate, 1.0, now));
        let wait = calls.max(bound.map_or(0, |rate| state.tokens.wait(rate, float(tokens), now)));
        if wait > 0 {
            return Err(now.saturating_add(wait));
        }
        state.requests.level += 1.0;
        state.tokens.level += float(tokens);
        state.open += 1;
        Ok(Held { pace: self.clone(), tokens })
    }
}

/// A call with a key, while it goes on.
#[derive(Debug)]
pub(crate) struct Held {
    pace: Arc<Pace>,
    tokens: u64,
}

impl Held {
    /// It took so many tokens.
    pub(crate) fn settle(self, used: u64) {
        let mut state = self.pace.0.lock();
        state.tokens.level = (state.tokens.level + float(used) - float(self.tokens)).max(0.0);
    }

    /// It was not made.
    pub(super) fn undo(self) {
        let mut state = self.pace.0.lock();
        state.tokens.level = (state.tokens.level - float(self.tokens)).max(0.0);
        state.requests.level = (state.requests.level - 1.0).max(0.0);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.pace.0.lock();
        state.open = state.open.saturating_sub(1);
    }
}

#[expect(clippy::cast_precision_loss, reason = "calls and tokens of a period are told well enough by a float")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn pace(requests: Option<&str>, tokens: Option<&str>, at_once: Option<u32>) -> Arc<Pace> {
        let rate = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let pace = Arc::new(Pace::default());
        pace.set(Bounds { requests: rate(requests), tokens: rate(tokens), at_once });
        pace
    }

    #[test]
    fn calls_come_back_evenly() {
        let pace = pace(Some("2/minute"), None, None);
        for _ in 0..2 {
            assert!(pace.take(0, SECOND).is_ok());
        }
        assert_eq!(pace.take(0, SECOND).unwrap_err(), 31 * SECOND);
        assert!(pace.take(0, 31 * SECOND).is_ok() && pace.take(0, 31 * SECOND).is_err());
        // One that was not made counts for nothing.
        pace.take(0, 61 * SECOND).unwrap().undo();
        assert!(pace.take(0, 61 * SECOND).is_ok());
    }

    #[test]
    fn tokens_are_what_was_told_in_the_end() {
        let pace = pace(None, Some("100/minute"), None);
        pace.take(40, SECOND).unwrap().settle(90);
        assert!(pace.take(20, SECOND).is_err());
        pace.take(10, SECOND).unwrap().settle(0);
        drop(pace.take(10, SECOND).unwrap());
        assert!(pace.take(1, SECOND).is_err());
        // One that is more than all of it is let in when there is nothing else.
        assert!(pace.take(1000, 61 * SECOND).is_ok());
    }

    #[test]
    fn places_come_back_however_a_call_ends() {
        let pace = pace(None, None, Some(2));
        let (first, second) = (pace.take(0, 0).unwrap(), pace.take(0, 0).unwrap());
        assert_eq!(pace.take(0, 0).unwrap_err(), SOON);
        drop(first);
        second.settle(7);
        assert!(pace.take(0, 0).is_ok());
    }
}
