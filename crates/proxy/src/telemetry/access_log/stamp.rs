//! Times of day as RFC 3339. A worker writes the date and the second once a second.

use std::time::Duration;

use model::resource::LogFormat;

use super::write::Line;
use crate::clock::{Clock, Time};

/// The second that was last written, as text.
pub(super) struct Stamp {
    /// Seconds since 1970.
    second: Option<u64>,
    /// `2026-01-02T03:04:05.`
    text: Vec<u8>,
    /// Wall clock less the program's clock, in nanoseconds, and when that was learnt. A corrected wall clock shows
    /// within a second.
    ahead: u64,
    learnt: Option<Time>,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: None, text: Vec::with_capacity(24), ahead: 0, learnt: None }
    }
}

impl Stamp {
    /// Writes a moment of the program's clock as UTC to the microsecond.
    pub(super) fn write(&mut self, clock: &Clock, at: Time, line: &mut Line<'_>) {
        if self.learnt.is_none_or(|learnt| at.since(learnt) >= Duration::from_secs(1)) {
            let wall = u64::try_from(clock.wall().as_nanos()).unwrap_or(0);
            let now = clock.now();
            self.ahead = wall.saturating_sub(now.0);
            self.learnt = Some(now);
        }
        let wall = at.0.saturating_add(self.ahead);
        let (second, rest) = (wall / 1_000_000_000, wall % 1_000_000_000);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            date_and_second(second, &mut self.text);
        }
        line.quote();
        line.out.extend_from_slice(&self.text);
        line.digits((rest / 1000) as u32, 6);
        line.out.push(b'Z');
        line.quote();
    }
}

/// The civil date of days since 1970 in the Gregorian calendar, years counted from March so that a leap day is the
/// last (as in "Calendrical Calculations", Reingold and Dershowitz).
fn civil(days: u64) -> (u32, u32, u32) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // 1970-01-01 is day 719468 from 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ((era * 400 + year + next) as u32, month as u32, day_of_month as u32)
}

fn date_and_second(second: u64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(second / 86_400);
    let of_day = (second % 86_400) as u32;
    let mut line = Line { out, format: LogFormat::Template };
    for (number, digits, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (of_day / 3600, 2, b':'),
        (of_day / 60 % 60, 2, b':'),
        (of_day % 60, 2, b'.'),
    ] {
        line.digits(number, digits);
        line.out.push(after);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let text = |second| {
            let mut out = Vec::new();
            date_and_second(second, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (second, expected) in [
            (0, "1970-01-01T00:00:00."),
            (951_782_399, "2000-02-28T23:59:59."),
            (951_782_400, "2000-02-29T00:00:00."),
            (1_709_251_199, "2024-02-29T23:59:59."),
            (4_107_542_399, "2100-02-28T23:59:59."),
            (4_107_542_400, "2100-03-01T00:00:00."),
            (1_767_323_045, "2026-01-02T03:04:05."),
        ] {
            assert_eq!(text(second), expected);
        }
        // The HTTP date of the same moment, for every eleventh day of 150 years.
        for day in (0..55_000).step_by(11) {
            let (year, month, of_month) = civil(day);
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(day * 86_400));
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let expected = format!("{of_month:02} {} {year}", months[month as usize - 1]);
            assert!(date.contains(&expected), "{date} is {expected}");
        }
    }

    #[test]
    fn a_moment_is_written_whole_whatever_was_written_before() {
        let (clock, hand) = Clock::manual();
        let mut stamp = Stamp::default();
        let mut write = |at: u64| {
            let mut out = Vec::new();
            stamp.write(&clock, Time(at), &mut Line { out: &mut out, format: LogFormat::Json });
            String::from_utf8(out).unwrap()
        };
        hand.store(5_000_000_000, Relaxed);
        assert_eq!(write(1_000_001_999), "\"1970-01-01T00:00:01.000001Z\"");
        assert_eq!(write(4_999_999_999), "\"1970-01-01T00:00:04.999999Z\"");
        assert_eq!(write(1_500_000_000), "\"1970-01-01T00:00:01.500000Z\"");

        let clock = Clock::system();
        let mut out = Vec::new();
        Stamp::default().write(&clock, clock.now(), &mut Line { out: &mut out, format: LogFormat::Template });
        let written = String::from_utf8(out).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut seconds = Vec::new();
        (now - 1..=now).for_each(|second| date_and_second(second, &mut seconds));
        assert!(String::from_utf8(seconds).unwrap().contains(written.split_at(20).0), "{written}");
    }
}
