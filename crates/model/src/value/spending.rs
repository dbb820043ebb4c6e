//! `50 USD/month`: how much money in which stretch of the calendar, or in all.
use std::fmt;
use std::str::FromStr;

use super::{Per, Text, ValueError, quote, text_value};

/// How much money may be spent: an amount in US dollars with up to nine decimals, at most nine million, and for which time:
/// a slash and `day`, `week`, `month`, or `total`, which is meant where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spending {
    nanos: u64,
    per: SpendingPer,
}

/// For which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpendingPer {
    /// A stretch of the calendar.
    Calendar(Per),
    /// All time.
    Total,
}

/// Billionths of a dollar.
const DOLLAR: u64 = 1_000_000_000;
const DECIMALS: usize = 9;
/// What a counter on Redis holds exactly.
const MOST: u64 = 9_000_000;

impl Spending {
    /// How much, in billionths of a US dollar; at least 1.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.nanos
    }

    /// For which time.
    #[must_use]
    pub const fn per(self) -> SpendingPer {
        self.per
    }
}

impl SpendingPer {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calendar(per) => per.as_str(),
            Self::Total => "total",
        }
    }
}

impl Text for Spending {
    const EXPECTED: &'static str = "an amount such as `50 USD/month`";

    fn bare_number(number: &str) -> String {
        format!("say of what and for which time, for example `{number} USD/month`")
    }
}

impl FromStr for Spending {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let ValueError(expected) = ValueError::expected(Self::EXPECTED, text);
        let wrong = |hint: String| ValueError::new(format!("{expected}: {hint}"));
        let (amount, per) = text.split_once('/').unwrap_or((text, "total"));
        let per = match per.trim() {
            "day" | "d" => SpendingPer::Calendar(Per::Day),
            "week" | "w" => SpendingPer::Calendar(Per::Week),
            "month" => SpendingPer::Calendar(Per::Month),
            "total" => SpendingPer::Total,
            other => return Err(wrong(format!("{} is not day, week, month or total", quote(other)))),
        };
        let Some(amount) = amount.trim().strip_suffix("USD").map(str::trim) else {
            return Err(wrong("write `USD` behind the amount; prices are in US dollars".to_owned()));
        };
        match nanos(amount) {
            Some(nanos @ 1..) if nanos <= MOST * DOLLAR => Ok(Self { nanos, per }),
            Some(_) => Err(wrong(format!("the amount is more than 0 and at most {MOST}"))),
            None => Err(wrong(format!("{} is no amount with up to {DECIMALS} decimals", quote(amount)))),
        }
    }
}

/// Digits, with at most one point between them.
fn nanos(amount: &str) -> Option<u64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    // Beyond the bound, and not beyond what can be said.
    Some(whole.parse::<u64>().map_or(u64::MAX, |whole| whole.saturating_mul(DOLLAR).saturating_add(fraction)))
}

impl fmt::Display for Spending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.nanos / DOLLAR, self.nanos % DOLLAR);
        let fraction = format!("{fraction:0>DECIMALS$}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole} USD/{}", self.per.as_str()),
            fraction => write!(f, "{whole}.{fraction} USD/{}", self.per.as_str()),
        }
    }
}

text_value!(
    Spending,
    "How much money may be spent in which stretch of the calendar: an amount, `USD`, a slash, and `day`, `week`, `month` or `total`.",
    "^[0-9]+(\\.[0-9]{1,9})? ?USD(/(day|week|month|total|d|w))?$",
    ["50 USD/month", "0.25 USD/day", "1000 USD/total"]
);
