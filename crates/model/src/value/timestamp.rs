//! `2027-01-31T12:00:00Z`: a moment (RFC 3339).
use std::fmt;
use std::str::FromStr;
use std::time;

use super::{Text, ValueError, text_value};

/// A moment, in whole milliseconds, from 1970 to 9999. Written as RFC 3339 has it, with an offset: `2027-01-31T12:00:00Z`,
/// `2027-01-31T12:00:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    millis: u64,
}

const DAY: u64 = 86_400;
const MAX: u64 = 253_402_300_799_999;

impl Timestamp {
    /// So many milliseconds after 1970, up to the year 9999.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis: if millis > MAX { MAX } else { millis } }
    }

    /// In milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.millis
    }

    /// Since 1970, as clocks have it.
    #[must_use]
    pub const fn since_epoch(self) -> time::Duration {
        time::Duration::from_millis(self.millis)
    }
}

impl Text for Timestamp {
    const EXPECTED: &'static str = "a moment such as `2027-01-31T12:00:00Z`";

    fn bare_number(_: &str) -> String {
        "write date and time as RFC 3339 has it".to_owned()
    }
}

impl FromStr for Timestamp {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            let ValueError(expected) = ValueError::expected(Self::EXPECTED, text);
            ValueError::new(format!("{expected}: date, `T`, time, and `Z` or an offset such as `+01:00`"))
        };
        read(text).map(Self::from_millis).ok_or_else(wrong)
    }
}

/// Milliseconds since 1970 (RFC 3339 section 5.6); what is finer is cut off.
fn read(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't'])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let (millis, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&digits| digits > 0)?;
            let (fraction, zone) = rest.split_at_checked(digits)?;
            (format!("{fraction:0<3}").get(..3)?.parse().ok()?, zone)
        }
        None => (0, rest),
    };
    // A leap second is the one before.
    if !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day)? * DAY + hour * 3600 + minute * 60 + second.min(59);
    let utc = match zone.strip_prefix(['Z', 'z']) {
        Some("") => seconds,
        Some(_) => return None,
        None => {
            let (ahead, offset) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
                (Some(offset), _) => (true, offset),
                (_, Some(offset)) => (false, offset),
                (None, None) => return None,
            };
            let [hours, minutes] = numbers(offset, ':', [2, 2])?;
            let offset = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            if ahead { seconds.checked_sub(offset)? } else { seconds + offset }
        }
    };
    Some(utc * 1000 + millis)
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(between);
    let mut found = [0; N];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        *number = if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) {
            part.parse().ok()?
        } else {
            return None;
        };
    }
    parts.next().is_none().then_some(found)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

/// Days since 1970 in the Gregorian calendar; `None` for a day that is not in it.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if !(1..=*length).contains(&day) {
        return None;
    }
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let of_year: u64 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    Some((year - 1970) * 365 + leaps + of_year + day - 1)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.millis / 1000, self.millis % 1000);
        let (mut left, second) = (seconds / DAY, seconds % DAY);
        let mut year = 1970;
        while left >= 365 + u64::from(is_leap(year)) {
            left -= 365 + u64::from(is_leap(year));
            year += 1;
        }
        let mut month = 1;
        while let Some(next) = days(year, month + 1, 1)
            && let Some(first) = days(year, 1, 1)
            && left >= next - first
        {
            month += 1;
        }
        let day = left + 1 - days(year, month, 1).zip(days(year, 1, 1)).map_or(0, |(month, year)| month - year);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if millis > 0 {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

text_value!(
    Timestamp,
    "A moment (RFC 3339): date, `T`, time, and `Z` or an offset.",
    "^\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2})$",
    ["2027-01-31T12:00:00Z", "2027-01-31T12:00:00+01:00"]
);
