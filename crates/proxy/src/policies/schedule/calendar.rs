//! When it is open. What the clock on the wall says decides: a window that the clocks skip does not open, one that they go
//! through twice is open twice.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// How far ahead the next opening is looked for, in days.
const AHEAD: i32 = 400;

/// A window.
pub(super) struct Window {
    /// Bits of the days on which it opens, from Monday on.
    pub(super) days: u8,
    pub(super) from: Time,
    /// Not after `from`: of the day after.
    pub(super) to: Time,
    pub(super) first: Option<Date>,
    pub(super) last: Option<Date>,
}

/// When it is open.
pub(super) struct Calendar {
    pub(super) windows: Box<[Window]>,
    /// Dates on which no window opens, in order.
    pub(super) except: Box<[Date]>,
    pub(super) zone: TimeZone,
}

/// A stretch of time in which nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) starts: i64,
    pub(super) ends: i64,
    pub(super) open: bool,
    /// When it opens next, where it is closed.
    pub(super) opens: Option<i64>,
}

impl Window {
    fn opens_on(&self, date: Date, except: &[Date]) -> bool {
        self.days & (1 << date.weekday().to_monday_zero_offset()) != 0
            && self.first.is_none_or(|first| first <= date)
            && self.last.is_none_or(|last| date <= last)
            && except.binary_search(&date).is_err()
    }

    fn is_open(&self, at: DateTime, except: &[Date]) -> bool {
        let (date, time) = (at.date(), at.time());
        if self.from < self.to {
            return self.from <= time && time < self.to && self.opens_on(date, except);
        }
        let begun = self.from <= time && self.opens_on(date, except);
        begun || (time < self.to && date.yesterday().is_ok_and(|before| self.opens_on(before, except)))
    }
}

impl Calendar {
    /// Whether it is open, in seconds since 1970.
    pub(super) fn is_open(&self, now: i64) -> bool {
        let Ok(now) = Timestamp::from_second(now) else { return false };
        let at = now.to_zoned(self.zone.clone()).datetime();
        self.windows.iter().any(|window| window.is_open(at, &self.except))
    }

    /// The stretch around a moment.
    pub(super) fn stretch(&self, now: i64) -> Stretch {
        let open = self.is_open(now);
        let ends = self.changes(now, 2).into_iter().find(|&at| at > now).unwrap_or(i64::MAX);
        let opens =
            if open { None } else { self.changes(now, AHEAD).into_iter().find(|&at| at > now && self.is_open(at)) };
        Stretch { starts: now, ends, open, opens }
    }

    /// The moments from about now until so many days later at which something may change, in order: beginnings and ends of
    /// windows, midnights, and the turns of the clocks.
    fn changes(&self, now: i64, days: i32) -> Vec<i64> {
        let Ok(from) = Timestamp::from_second(now) else { return Vec::new() };
        let mut times: Vec<Time> = self.windows.iter().flat_map(|window| [window.from, window.to]).collect();
        times.push(Time::midnight());
        times.sort_unstable();
        times.dedup();
        let today = from.to_zoned(self.zone.clone()).date();
        let mut changes = Vec::new();
        for ahead in -1..=days {
            let Ok(date) = today.checked_add(ahead.days()) else { break };
            for time in &times {
                let at = self.zone.to_ambiguous_zoned(date.to_datetime(*time));
                // In an hour that comes twice both; in one that is skipped what comes before and after.
                let both = [at.clone().earlier(), at.later()];
                changes.extend(both.into_iter().flatten().map(|at| at.timestamp().as_second()));
            }
        }
        let until = now.saturating_add(i64::from(days) * 86_400);
        let turns = self.zone.following(from).map(|turn| turn.timestamp().as_second());
        changes.extend(turns.take_while(|&at| at <= until));
        changes.sort_unstable();
        changes
    }
}

/// The stretch of now, found once for each.
pub(super) struct Current {
    calendar: Calendar,
    known: ArcSwap<Stretch>,
}

impl Current {
    pub(super) fn new(calendar: Calendar) -> Self {
        let never = Stretch { starts: 0, ends: 0, open: false, opens: None };
        Self { calendar, known: ArcSwap::from_pointee(never) }
    }

    /// The stretch of this moment.
    pub(super) fn stretch(&self, now: i64) -> Stretch {
        let known = **self.known.load();
        if known.starts <= now && now < known.ends {
            return known;
        }
        let found = self.calendar.stretch(now);
        self.known.store(Arc::new(found));
        found
    }
}
