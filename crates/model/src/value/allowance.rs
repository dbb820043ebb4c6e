//! `1000000/month`: how many in which stretch of the calendar.
use std::fmt;
use std::str::FromStr;

use super::{Text, ValueError, leading_number, quote, text_value};

/// How many in which stretch of the calendar: a whole number up to 10^15, a slash, and `day`, `week` or `month`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Allowance {
    count: u64,
    per: Per,
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// From midnight to midnight.
    Day,
    /// Seven days.
    Week,
    /// A month, or from one billing day to the next.
    Month,
}

const MAX_COUNT: u64 = 1_000_000_000_000_000;

impl Allowance {
    /// How many; at least 1.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// In which stretch.
    #[must_use]
    pub const fn per(self) -> Per {
        self.per
    }
}

impl Per {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Per::Day => "day",
            Per::Week => "week",
            Per::Month => "month",
        }
    }
}

impl Text for Allowance {
    const EXPECTED: &'static str = "an allowance such as `1000000/month`";

    fn bare_number(number: &str) -> String {
        format!("say in which time, for example `{number}/month`")
    }
}

impl FromStr for Allowance {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let ValueError(expected) = ValueError::expected(Self::EXPECTED, text);
        let wrong = |hint: String| ValueError::new(format!("{expected}: {hint}"));
        let Some((count, per)) = text.split_once('/') else {
            let number = if leading_number(text).is_some_and(|(_, rest)| rest.is_empty()) { text } else { "1000000" };
            return Err(wrong(Self::bare_number(number)));
        };
        let count = match leading_number(count) {
            Some((count @ 1..=MAX_COUNT, "")) => count,
            Some((_, "")) => return Err(wrong(format!("the number is from 1 to {MAX_COUNT}"))),
            _ => return Err(wrong(format!("{} is not a whole number", quote(count)))),
        };
        let per = match per {
            "day" | "d" => Per::Day,
            "week" | "w" => Per::Week,
            "month" => Per::Month,
            _ => return Err(wrong(format!("{} is not day, week or month", quote(per)))),
        };
        Ok(Self { count, per })
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.as_str())
    }
}

text_value!(
    Allowance,
    "How many in which stretch of the calendar: a whole number, a slash, and `day`, `week` or `month`.",
    "^[0-9]*[1-9][0-9]*/(day|week|month|d|w)$",
    ["1000000/month", "1000/day"]
);
