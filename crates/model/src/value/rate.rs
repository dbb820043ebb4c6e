//! `100/minute`, `10/s`, `5/10s`: how many in which time.
use std::fmt;
use std::str::FromStr;

use super::{Duration, Text, ValueError, leading_number, quote, text_value};

/// How many in which time: a whole number, a slash, and `second`, `minute`, `hour`, `day` (or `s`, `m`, `h`, `d`) or a
/// duration such as `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: u64,
    period: Duration,
}

/// Period, long and short name.
const PERIODS: [(u64, &str, &str); 4] =
    [(1, "second", "s"), (60, "minute", "m"), (3_600, "hour", "h"), (86_400, "day", "d")];
const MAX_COUNT: u64 = 1_000_000_000_000;

impl Rate {
    /// How many; at least 1.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// In which time; at least a millisecond.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl Text for Rate {
    const EXPECTED: &'static str = "a rate such as `100/minute`";

    fn bare_number(number: &str) -> String {
        format!("say in which time, for example `{number}/second`")
    }
}

impl FromStr for Rate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let ValueError(expected) = ValueError::expected(Self::EXPECTED, text);
        let wrong = |hint: String| ValueError::new(format!("{expected}: {hint}"));
        let Some((count, period)) = text.split_once('/') else {
            let number = if leading_number(text).is_some_and(|(_, rest)| rest.is_empty()) { text } else { "100" };
            return Err(wrong(Self::bare_number(number)));
        };
        let count = match leading_number(count) {
            Some((count @ 1..=MAX_COUNT, "")) => count,
            Some((_, "")) => return Err(wrong(format!("the number is from 1 to {MAX_COUNT}"))),
            _ => return Err(wrong(format!("{} is not a whole number", quote(count)))),
        };
        let named = PERIODS.iter().find(|(_, long, short)| period == *long || period == *short);
        let period = match named {
            Some((seconds, ..)) => Duration::from_secs(*seconds),
            None => period.parse::<Duration>().map_err(|_| wrong(unknown_period(period)))?,
        };
        if period.is_zero() {
            return Err(wrong("the time must not be zero".to_owned()));
        }
        Ok(Self { count, period })
    }
}

fn unknown_period(period: &str) -> String {
    let singular = period.strip_suffix('s').unwrap_or(period);
    match PERIODS.iter().find(|(_, long, _)| long.starts_with(singular) && singular.len() > 1) {
        Some((_, long, _)) => format!("write `/{long}`"),
        None => format!("{} is not second, minute, hour, day or a duration such as `10s`", quote(period)),
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PERIODS.iter().find(|(seconds, ..)| Duration::from_secs(*seconds) == self.period) {
            Some((_, long, _)) => write!(f, "{}/{long}", self.count),
            None => write!(f, "{}/{}", self.count, self.period),
        }
    }
}

text_value!(
    Rate,
    "How many in which time: a whole number, a slash, and `second`, `minute`, `hour`, `day` or a duration such as `10s`.",
    "^[0-9]*[1-9][0-9]*/(second|minute|hour|day|s|m|h|d|(?=\\d)(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?)$",
    ["100/minute", "10/s", "5/10s"]
);
