//! The generic cell rate algorithm (ITU-T I.371): a limit as one number for each key, without windows that all begin anew
//! at the same moment.
//!
//! The number is a *due time*: when everything admitted so far would have been admitted at the sustained rate. A request
//! moves it on by one interval, and is admitted while it stays within `room` of now. As what is owed is kept as time and
//! not as a count, a limit that is changed applies to it at once: half of the old allowance used is half of the new one.

use std::time::Duration;

/// A limit in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gcra {
    /// Between two requests at the sustained rate.
    interval: u64,
    /// How far the due time may be ahead of now: the burst in intervals.
    room: u64,
}

impl Gcra {
    /// `count` in each `period`, and up to `burst` of them at once. Rounded so that never more is admitted.
    pub(super) fn new(count: u64, period: Duration, burst: u64) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        let interval = period.div_ceil(count.max(1)).max(1);
        Self { interval, room: interval.saturating_mul(burst.max(1)) }
    }

    /// The due time after one more request, or how long to wait until there is room for it.
    pub(super) fn take(&self, due: u64, now: u64) -> Result<u64, u64> {
        let after = due.max(now).saturating_add(self.interval);
        let ahead = after.saturating_sub(now);
        if ahead <= self.room { Ok(after) } else { Err(ahead - self.room) }
    }

    /// How many more are admitted at once.
    pub(super) fn left(&self, due: u64, now: u64) -> u64 {
        self.room.saturating_sub(due.saturating_sub(now)) / self.interval
    }

    /// How long until the whole burst is there again.
    pub(super) fn reset(&self, due: u64, now: u64) -> u64 {
        due.saturating_sub(now)
    }
}

/// Nanoseconds as whole seconds, rounded up.
pub(super) fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

/// What one request did to a due time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// The due time before.
    pub(super) before: u64,
    /// The due time after.
    pub(super) after: u64,
}

impl Taken {
    /// The due time with this request undone, when `current` is what others have made of it meanwhile and `now` is at or
    /// after the moment of each of them. What time has paid off by then is not given back a second time, so that undoing
    /// never admits more than if the request had not been there.
    pub(super) fn undo(&self, current: u64, now: u64) -> u64 {
        if current == self.after {
            return self.before;
        }
        current.saturating_sub(self.after.saturating_sub(self.before.max(now)))
    }
}
