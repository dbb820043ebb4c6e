//! The stretches of the calendar that a quota or a budget is of.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use model::value::Per;
use parking_lot::Mutex;
use store::ledger::Window;

/// When windows begin.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// How long.
    pub per: Per,
    /// The day of the month, 1 to 31; in a shorter month its last one.
    pub billing_day: i8,
    /// The first day of a week.
    pub week_starts: Weekday,
    /// Whose midnights count.
    pub zone: TimeZone,
}

impl Calendar {
    /// The window that a moment lies in, in seconds since 1970. Where the calendar ends, that is the day by UTC.
    pub fn window(&self, now: i64) -> Window {
        self.find(now).unwrap_or_else(|| Window::aligned(now, 86_400))
    }

    fn find(&self, now: i64) -> Option<Window> {
        let today = Timestamp::from_second(now).ok()?.to_zoned(self.zone.clone()).date();
        let (first, next) = match self.per {
            Per::Day => (today, today.tomorrow().ok()?),
            Per::Week => {
                let first = today.checked_sub(i64::from(today.weekday().since(self.week_starts)).days()).ok()?;
                (first, first.checked_add(7.days()).ok()?)
            }
            Per::Month => {
                let this = today.first_of_month();
                let begins = if today >= self.billing(this) { this } else { this.checked_sub(1.month()).ok()? };
                (self.billing(begins), self.billing(begins.checked_add(1.month()).ok()?))
            }
        };
        Some(Window { starts: self.midnight(first)?, ends: self.midnight(next)? })
    }

    /// The billing day of the month that begins so.
    fn billing(&self, month: Date) -> Date {
        let day = self.billing_day.clamp(1, month.days_in_month());
        month.with().day(day).build().unwrap_or(month)
    }

    /// The first second of a day: its midnight, or where the clocks skip that, what comes after.
    fn midnight(&self, day: Date) -> Option<i64> {
        Some(day.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?.timestamp().as_second())
    }
}

/// The window of now, found once for each.
pub struct Current {
    calendar: Calendar,
    known: Mutex<Window>,
}

impl Current {
    /// Of this calendar.
    pub fn new(calendar: Calendar) -> Self {
        Self { calendar, known: Mutex::new(Window { starts: 0, ends: 0 }) }
    }

    /// The window of this moment, and whether it is another than the last one that was asked for.
    pub fn window(&self, now: i64) -> (Window, bool) {
        let mut known = self.known.lock();
        if now >= known.starts && now < known.ends {
            return (*known, false);
        }
        *known = self.calendar.window(now);
        (*known, true)
    }
}
