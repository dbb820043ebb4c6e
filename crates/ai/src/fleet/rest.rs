//! Who rests: a key that is refused or used up, a target that fails again and again.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

/// Whether something rests. It outlives the program.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Until when, in nanoseconds of the gateway's clock; 0 where it does not.
    until: AtomicU64,
    /// Whether it is to be tried carefully afterwards, one call first: it was refused or failed, and is not only used up.
    careful: AtomicBool,
    /// Failures in a row.
    failures: AtomicU32,
}

impl Rest {
    /// Whether it may be asked, or tried, now.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.until.load(Relaxed) <= now
    }

    /// Until when it rests.
    pub(crate) fn until(&self) -> u64 {
        self.until.load(Relaxed)
    }

    /// Whether it was refused or failed, and is not only used up.
    pub(crate) fn is_careful(&self) -> bool {
        self.careful.load(Relaxed)
    }

    /// Whether this call may ask. After a rest that was for failures one call may; the others wait for how it goes, at most
    /// for `patience`.
    pub(crate) fn admits(&self, now: u64, patience: Duration) -> bool {
        let until = self.until.load(Relaxed);
        if until > now {
            return false;
        }
        until == 0
            || !self.is_careful()
            || self.until.compare_exchange(until, after(now, patience), Relaxed, Relaxed).is_ok()
    }

    /// It did well. A rest until its limits are new goes on all the same.
    pub(crate) fn good(&self) {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        self.is_alive();
    }

    /// It says something, how well it does is still to be seen: nobody needs to wait for that, but one more failure is enough
    /// for the next rest.
    pub(crate) fn is_alive(&self) {
        if self.careful.load(Relaxed) {
            self.careful.store(false, Relaxed);
            self.until.store(0, Relaxed);
        }
    }

    /// It failed: after so many times in a row it rests.
    pub(crate) fn failed(&self, now: u64, most: u32, rest: Duration) {
        let before = self.failures.fetch_add(1, Relaxed);
        if before.saturating_add(1) >= most {
            self.refused(now, rest);
        }
    }

    /// It is refused.
    pub(crate) fn refused(&self, now: u64, rest: Duration) {
        self.careful.store(true, Relaxed);
        self.until.fetch_max(after(now, rest), Relaxed);
    }

    /// It is used up for now.
    pub(crate) fn used_up(&self, now: u64, rest: Duration) {
        self.until.fetch_max(after(now, rest), Relaxed);
    }
}

fn after(now: u64, rest: Duration) -> u64 {
    now.saturating_add(u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BEGIN: u64 = 1_000;
    const LATER: u64 = BEGIN + 2_000_000_000;

    #[test]
    fn failures_in_a_row_let_it_rest_and_one_call_tries_it() {
        let rest = Rest::default();
        rest.failed(BEGIN, 3, SECOND);
        rest.failed(BEGIN, 3, SECOND);
        rest.good();
        rest.failed(BEGIN, 3, SECOND);
        rest.failed(BEGIN, 3, SECOND);
        assert!(rest.admits(BEGIN, SECOND), "two in a row are not three");
        rest.failed(BEGIN, 3, SECOND);
        assert!(!rest.is_over(BEGIN) && !rest.admits(BEGIN, SECOND));
        assert!(rest.is_over(LATER) && rest.admits(LATER, SECOND), "one tries it");
        assert!(!rest.admits(LATER, SECOND), "the others wait");
        rest.failed(LATER, 3, SECOND);
        assert!(!rest.admits(LATER + 1, SECOND), "it rests again at once");
        assert!(rest.admits(LATER + 2_000_000_000, SECOND));
        rest.good();
        assert!(rest.admits(LATER, SECOND) && rest.admits(LATER, SECOND));
    }

    #[test]
    fn what_is_used_up_is_asked_by_all_once_its_time_has_come() {
        let rest = Rest::default();
        rest.used_up(BEGIN, SECOND);
        rest.good();
        assert!(!rest.admits(BEGIN, SECOND), "an older call that went well says nothing of the limit");
        assert!(rest.admits(LATER, SECOND) && rest.admits(LATER, SECOND));
    }
}
