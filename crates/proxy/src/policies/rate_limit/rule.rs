//! How a limit counts. Three ways, each with one or two numbers a key, and a number is always a moment: what is owed is
//! kept as time and not as a count, so that a limit that is changed applies to it at once (half of the old allowance used
//! is half of the new one). Times are nanoseconds since 1970.
//!
//! - **Bucket** (the generic cell rate algorithm, ITU-T I.371): the number is when everything admitted so far would have
//!   been admitted at the sustained rate. A request moves it on by its share, and is admitted while it stays within `room`
//!   of now. No windows begin anew all at the same moment.
//! - **Fixed** windows: the number lies as far behind the window's begin as the window is used.
//! - **Sliding** windows: the same, with one number for odd windows and one for even ones, so that the window before is at
//!   hand. It counts by the part of it that the last period still covers, as if it had been even.

use std::time::Duration;

/// The numbers of a key. Only sliding windows need the second.
pub(super) type State = [u64; 2];

/// What a request that never fits has to wait.
pub(super) const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bucket,
    Fixed,
    Sliding,
}

/// A limit in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    kind: Kind,
    /// The share of one request.
    interval: u64,
    /// How much may be used at once.
    room: u64,
    period: u64,
}

impl Rule {
    /// `burst` at once and `count` in each `period` in the long run. Rounded so that never more is admitted.
    pub(super) fn bucket(count: u64, period: Duration, burst: u64) -> Self {
        let (period, interval) = (nanos(period), nanos(period).div_ceil(count.max(1)).max(1));
        Self { kind: Kind::Bucket, interval, room: interval.saturating_mul(burst.max(1)), period }
    }

    /// One at a time at the rate, with as many waiting as get their turn within `delay`.
    pub(super) fn queue(count: u64, period: Duration, delay: Duration) -> Self {
        let bucket = Self::bucket(count, period, 1);
        Self { room: bucket.room.saturating_add(nanos(delay)), ..bucket }
    }

    /// `count` in each window of this length.
    pub(super) fn windows(kind: Kind, count: u64, period: Duration) -> Self {
        let period = nanos(period).max(1);
        let interval = (period / count.max(1)).max(1);
        Self { kind, interval, room: interval.saturating_mul(count.max(1)).min(period), period }
    }

    /// Which of the two numbers counts now.
    pub(super) fn slot(&self, now: u64) -> usize {
        match self.kind {
            Kind::Bucket | Kind::Fixed => 0,
            Kind::Sliding => usize::from(now / self.period % 2 == 1),
        }
    }

    /// The number after a request that counts this much, or how long to wait until there is room for it. `own` is the
    /// number that counts now, `other` the other one.
    pub(super) fn take(&self, own: u64, other: u64, now: u64, cost: u64) -> Result<u64, u64> {
        let share = self.interval.saturating_mul(cost);
        if share > self.room {
            return Err(NEVER);
        }
        let base = self.base(own, now);
        match self.kind {
            Kind::Bucket => {
                let after = base.saturating_add(share);
                let ahead = after.saturating_sub(now);
                if ahead <= self.room { Ok(after) } else { Err(ahead - self.room) }
            }
            Kind::Fixed => {
                let start = self.start(now);
                if base - start + share <= self.room { Ok(base + share) } else { Err(start + self.period - now) }
            }
            Kind::Sliding => self.slide(base, other, now, share),
        }
    }

    fn slide(&self, base: u64, other: u64, now: u64, share: u64) -> Result<u64, u64> {
        let start = self.start(now);
        let (rest, used) = (start + self.period - now, base - start);
        let before = self.before(other, start);
        if used + self.part(before, rest) + share <= self.room {
            return Ok(base + share);
        }
        // Until the window before counts so little that it fits; or in the next window, where this one is the one before.
        match self.room.checked_sub(used + share) {
            Some(free) => Err(rest - self.fits(before, free).min(rest)),
            None => Err(rest + self.period - self.fits(used, self.room - share)),
        }
    }

    /// The most that may be left of a period for a window before that used this much to count at most `free`.
    fn fits(&self, before: u64, free: u64) -> u64 {
        let most = u128::from(free) * u128::from(self.period) / u128::from(before.max(1));
        u64::try_from(most).unwrap_or(u64::MAX).min(self.period)
    }

    /// What is used of the window before the one that begins at `start`.
    fn before(&self, other: u64, start: u64) -> u64 {
        let began = start.saturating_sub(self.period);
        if other > began && other <= start { other - began } else { 0 }
    }

    /// What of it counts with so much of the period to go, rounded up.
    fn part(&self, before: u64, rest: u64) -> u64 {
        let part = (u128::from(before) * u128::from(rest)).div_ceil(u128::from(self.period));
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// What is owed, whether there is room or not.
    pub(super) fn charge(&self, own: u64, now: u64, cost: u64) -> u64 {
        let after = self.base(own, now).saturating_add(self.interval.saturating_mul(cost));
        match self.kind {
            Kind::Bucket => after,
            Kind::Fixed | Kind::Sliding => after.min(self.start(now) + self.period),
        }
    }

    /// The number with all but `kept` of what a request took given back, when `current` is what others have made of it
    /// meanwhile and `now` is at or after the moment of each of them. What time has paid off by then is not given back a
    /// second time, so that giving back never admits more than if the request had counted `kept` from the start.
    pub(super) fn give_back(&self, current: u64, taken: &Taken, kept: u64, now: u64) -> u64 {
        let share = self.interval.saturating_mul(taken.cost.saturating_sub(kept));
        match self.kind {
            Kind::Bucket if kept == 0 && current == taken.after => taken.before,
            Kind::Bucket => current.saturating_sub(taken.after.saturating_sub((taken.after - share).max(now))),
            Kind::Fixed | Kind::Sliding => {
                let start = self.start(taken.after.saturating_sub(1));
                let same = current > start && current <= start + self.period;
                if same { current.saturating_sub(share).max(start) } else { current }
            }
        }
    }

    /// How many more are admitted at once.
    pub(super) fn left(&self, own: u64, other: u64, now: u64) -> u64 {
        self.room.saturating_sub(self.used(own, other, now)) / self.interval
    }

    /// How long until nothing counts any more.
    pub(super) fn reset(&self, own: u64, now: u64) -> u64 {
        let end = self.start(now) + self.period - now;
        match self.kind {
            Kind::Bucket => own.saturating_sub(now),
            Kind::Sliding if own > self.start(now) => end + self.period,
            Kind::Fixed | Kind::Sliding => end,
        }
    }

    /// How long a request that took this waits for its turn at the sustained rate.
    pub(super) fn turn(&self, taken: &Taken, now: u64) -> u64 {
        taken.after.saturating_sub(self.interval.saturating_mul(taken.cost)).saturating_sub(now)
    }

    fn used(&self, own: u64, other: u64, now: u64) -> u64 {
        let start = self.start(now);
        match self.kind {
            Kind::Bucket => own.saturating_sub(now),
            Kind::Fixed => self.base(own, now) - start,
            Kind::Sliding => {
                self.base(own, now) - start + self.part(self.before(other, start), start + self.period - now)
            }
        }
    }

    /// The number as it is now. One that lies behind the window is of a clock that is ahead, and counts in full.
    fn base(&self, own: u64, now: u64) -> u64 {
        match self.kind {
            Kind::Bucket => own.max(now),
            Kind::Fixed | Kind::Sliding => own.max(self.start(now)),
        }
    }

    /// When the window that `now` lies in began.
    fn start(&self, now: u64) -> u64 {
        now - now % self.period
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as whole seconds, rounded up.
pub(super) fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000)
}

/// What one request did to a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Which of the two.
    pub(super) slot: usize,
    /// It before.
    pub(super) before: u64,
    /// It after.
    pub(super) after: u64,
    /// The other one.
    pub(super) other: u64,
    /// What the request counted.
    pub(super) cost: u64,
}
