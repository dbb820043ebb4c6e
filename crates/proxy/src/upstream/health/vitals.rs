//! How well an address is, as its upstream sees it. It outlives programs.

use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Time;

/// How fast a time that was long is forgotten.
const DECAY: Duration = Duration::from_secs(10);

/// How well an address is.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Vitals {
    /// Checks say that it is not.
    failing: AtomicBool,
    /// Until when it is ejected.
    ejected: AtomicU64,
    /// How often in a row it was.
    ejections: AtomicU32,
    /// Failures in a row.
    errors: AtomicU32,
    /// Failures at all.
    failures: AtomicU64,
    /// Since when it takes requests; 0 is from the beginning.
    since: AtomicU64,
    /// Its usual time to a response head, in nanoseconds, and when it was last seen.
    usual: AtomicU64,
    seen: AtomicU64,
    window: Mutex<Window>,
    /// Response heads since it was last looked at how slow it is, and when.
    heads: AtomicU64,
    looked: AtomicU64,
}

/// What was counted when a window began.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Time,
    requests: u64,
    failures: u64,
}

impl Vitals {
    /// Whether it should take requests.
    pub(in crate::upstream) fn is_well(&self, now: Time) -> bool {
        !self.failing.load(Acquire) && self.ejected_until() <= now
    }

    /// Whether checks say that it is not well.
    pub(in crate::upstream) fn is_failing(&self) -> bool {
        self.failing.load(Acquire)
    }

    /// What checks say; whether that is news.
    pub(super) fn checked(&self, well: bool, now: Time) -> bool {
        let news = self.failing.swap(!well, AcqRel) == well;
        if news && well {
            self.since.store(now.0, Relaxed);
            self.errors.store(0, Relaxed);
        }
        news
    }

    /// When its ejection ends, or ended.
    pub(in crate::upstream) fn ejected_until(&self) -> Time {
        Time(self.ejected.load(Acquire))
    }

    /// How often in a row it was ejected.
    pub(in crate::upstream) fn ejections(&self) -> u32 {
        self.ejections.load(Relaxed)
    }

    /// A response that is no failure.
    pub(in crate::upstream) fn good(&self) {
        if self.errors.load(Relaxed) != 0 {
            self.errors.store(0, Relaxed);
        }
    }

    /// A failure: how many there were in a row.
    pub(in crate::upstream) fn bad(&self) -> u32 {
        self.failures.fetch_add(1, Relaxed);
        self.errors.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// The share of failures in the window, of so many requests; another window begins where this one is over.
    pub(super) fn window(&self, now: Time, length: Duration, requests: u64) -> (f64, u64) {
        let failures = self.failures.load(Relaxed);
        let mut window = self.window.lock();
        if now.since(window.began) > length || window.requests > requests {
            *window = Window { began: now, requests: requests.saturating_sub(1), failures: failures.saturating_sub(1) };
        }
        let seen = requests.saturating_sub(window.requests).max(1);
        (failures.saturating_sub(window.failures) as f64 / seen as f64, seen)
    }

    /// Whether it is time to look how slow it is: a window is over, and it had so many requests in it.
    pub(super) fn is_due(&self, now: Time, window: Duration, requests: u64) -> bool {
        let heads = self.heads.fetch_add(1, Relaxed) + 1;
        let looked = self.looked.load(Relaxed);
        // A tenth of a window is enough for one that is as slow as that.
        if heads < requests || now.since(Time(looked)) < window / 10 {
            return false;
        }
        self.heads.store(0, Relaxed);
        self.looked.compare_exchange(looked, now.0, Relaxed, Relaxed).is_ok()
    }

    /// Ejects it: each time in a row for longer. Nothing where it is out already.
    pub(super) fn eject(&self, now: Time, first: Duration, most: Duration) -> Option<Duration> {
        let before = self.ejected_until();
        if before > now {
            return None;
        }
        // Who was well for as long as it would be out now begins anew.
        let before_it = self.ejections.load(Relaxed);
        let forgiven = now.since(before) > (first * before_it.max(1)).min(most) * 2;
        let times = if forgiven { 1 } else { before_it.saturating_add(1) };
        let length = first.saturating_mul(times).min(most);
        self.ejected.compare_exchange(before.0, (now + length).0, AcqRel, Relaxed).ok()?;
        self.ejections.store(times, Relaxed);
        self.errors.store(0, Relaxed);
        self.since.store((now + length).0, Relaxed);
        Some(length)
    }

    /// Since when it takes requests; it does from now on if it did not before.
    pub(in crate::upstream) fn since(&self, now: Time) -> Time {
        match self.since.compare_exchange(0, now.0.max(1), Relaxed, Relaxed) {
            Ok(_) => now,
            Err(since) => Time(since),
        }
    }

    /// A response head came after so long: a time longer than usual is believed at once, a shorter one slowly.
    pub(in crate::upstream) fn took(&self, now: Time, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let usual = self.usual.load(Relaxed);
        let since = now.since(Time(self.seen.swap(now.0, Relaxed)));
        let next = if usual == 0 || took > usual {
            took
        } else {
            let keep = (-since.as_secs_f64() / DECAY.as_secs_f64()).exp();
            let keep = keep.min(0.999);
            (usual as f64 * keep + took as f64 * (1.0 - keep)) as u64
        };
        self.usual.store(next, Relaxed);
    }

    /// Whether it answered within this time.
    pub(super) fn was_seen(&self, now: Time, within: Duration) -> bool {
        now.since(Time(self.seen.load(Relaxed))) <= within
    }

    /// Its usual time to a response head, in nanoseconds; 0 is unknown. What is not seen is forgotten.
    pub(in crate::upstream) fn usual(&self, now: Time) -> u64 {
        let usual = self.usual.load(Relaxed);
        let since = now.since(Time(self.seen.load(Relaxed)));
        (usual as f64 * (-since.as_secs_f64() / DECAY.as_secs_f64()).exp()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000_000_000)
    }

    #[test]
    fn ejections_in_a_row_grow_up_to_the_longest_and_are_forgiven() {
        let vitals = Vitals::default();
        let eject = |now| vitals.eject(at(now), 10 * SECOND, 25 * SECOND);
        assert_eq!(eject(100), Some(10 * SECOND));
        assert!(!vitals.is_well(at(109)) && vitals.is_well(at(110)));
        assert_eq!(eject(105), None, "it is out already");
        assert_eq!(eject(111), Some(20 * SECOND));
        assert_eq!(eject(132), Some(25 * SECOND));
        assert_eq!(eject(158), Some(25 * SECOND));
        assert_eq!(eject(300), Some(10 * SECOND), "it was well for long");
    }

    #[test]
    fn windows_begin_anew() {
        let vitals = Vitals::default();
        for requests in 1..=10 {
            vitals.bad();
            vitals.window(at(1), 10 * SECOND, requests);
        }
        assert_eq!(vitals.window(at(9), 10 * SECOND, 40), (0.25, 40));
        assert_eq!(vitals.window(at(30), 10 * SECOND, 60).1, 1);
    }

    #[test]
    fn a_slow_answer_is_believed_at_once_and_a_fast_one_slowly() {
        let vitals = Vitals::default();
        vitals.took(at(1), Duration::from_millis(10));
        assert_eq!(vitals.usual(at(1)), 10_000_000);
        vitals.took(at(2), Duration::from_millis(500));
        assert_eq!(vitals.usual(at(2)), 500_000_000);
        vitals.took(at(3), Duration::from_millis(10));
        assert!((400_000_000..500_000_000).contains(&vitals.usual(at(3))));
        assert!(vitals.usual(at(100)) < 50_000_000, "what is not seen is forgotten");
    }
}
