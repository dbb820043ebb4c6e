//! What was seen of a target of late: how many calls are going on, how soon it speaks, how fast it goes on.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use super::rest::Rest;

/// How long what was seen counts as seen of late.
const LATE: u64 = 60_000_000_000;
/// The part of a new figure in what is remembered: one of so many.
const PART: u64 = 5;
/// A target is judged by how soon so many tokens are there.
const TOKENS: u64 = 100;

/// What was seen of a target. It outlives the program.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Whether it rests for its failures.
    pub(crate) rest: Rest,
    going: AtomicU32,
    /// To the first token, in nanoseconds; 0 where it was not seen.
    first: AtomicU64,
    /// Between two tokens, in nanoseconds; 0 where it was not seen.
    pace: AtomicU64,
    /// When it was last seen, by the gateway's clock; 0 for never.
    seen: AtomicU64,
}

impl Pulse {
    /// A call begins. [`Self::over`] ends it.
    pub(crate) fn begin(&self) {
        self.going.fetch_add(1, Relaxed);
    }

    /// A call is over.
    pub(crate) fn over(&self) {
        self.going.fetch_sub(1, Relaxed);
    }

    /// How many calls are going on.
    pub(crate) fn going(&self) -> u32 {
        self.going.load(Relaxed)
    }

    /// A stream said its first token so long after it was asked.
    pub(crate) fn spoke(&self, now: u64, after: Duration) {
        learn(&self.first, after);
        self.seen.store(now.max(1), Relaxed);
    }

    /// So many tokens took so long.
    pub(crate) fn went(&self, now: u64, tokens: u64, took: Duration) {
        if let Ok(tokens) = u32::try_from(tokens)
            && tokens > 0
        {
            learn(&self.pace, took / tokens);
            self.seen.store(now.max(1), Relaxed);
        }
    }

    /// How soon it is done with a hundred tokens, in nanoseconds. One that was not seen of late is tried, by one call.
    pub(crate) fn latency(&self, now: u64) -> u64 {
        let seen = self.seen.load(Relaxed);
        let first = self.first.load(Relaxed);
        if seen == 0 || seen.saturating_add(LATE) < now {
            return if self.going() == 0 { 0 } else { u64::MAX };
        }
        first.saturating_add(self.pace.load(Relaxed).saturating_mul(TOKENS))
    }
}

/// An exponentially weighted moving average. That two calls may take it at once loses one figure.
fn learn(average: &AtomicU64, figure: Duration) {
    let figure = u64::try_from(figure.as_nanos()).unwrap_or(u64::MAX).max(1);
    let known = average.load(Relaxed);
    let next = if known == 0 { figure } else { known - known / PART + figure / PART };
    average.store(next.max(1), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_late_count_and_one_call_finds_new_ones() {
        let pulse = Pulse::default();
        assert_eq!(pulse.latency(1), 0, "nobody knows it: it is tried");
        pulse.begin();
        assert_eq!(pulse.latency(1), u64::MAX, "by one");
        pulse.spoke(1, Duration::from_millis(100));
        pulse.went(1, 10, Duration::from_millis(100));
        pulse.over();
        assert_eq!(pulse.latency(2), 1_100_000_000);
        for _ in 0..100 {
            pulse.spoke(2, Duration::from_millis(200));
        }
        let latency = pulse.latency(3);
        assert!((1_199_000_000..=1_200_000_000).contains(&latency), "{latency}");
        assert_eq!(pulse.latency(2 + LATE + 1), 0, "it was not seen of late");
    }
}
