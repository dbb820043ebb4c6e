//! `20%`, `0.5%`: a share of a whole.
use std::fmt;
use std::str::FromStr;

use super::{Text, ValueError, leading_number, text_value};

/// A share from `0%` to `100%`, exact to four decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent {
    /// In millionths of the whole.
    millionths: u32,
}

/// Millionths in one percent.
const ONE: u32 = 10_000;
const DECIMALS: usize = 4;

impl Percent {
    /// So many hundredths, at most all.
    #[must_use]
    pub const fn new(percent: u32) -> Self {
        Self { millionths: if percent > 100 { 100 * ONE } else { percent * ONE } }
    }

    /// As a share from 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.millionths) / f64::from(100 * ONE)
    }

    /// In millionths of the whole, for exact arithmetic.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.millionths
    }
}

impl Text for Percent {
    const EXPECTED: &'static str = "a percentage such as `20%`";

    fn bare_number(number: &str) -> String {
        match number.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => {
                format!("write `{}%`", (share * 100.0 * f64::from(ONE)).round() / f64::from(ONE))
            }
            _ => format!("write `{number}%`"),
        }
    }
}

impl FromStr for Percent {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let ValueError(expected) = ValueError::expected(Self::EXPECTED, text);
        let wrong = |hint: &str| ValueError::new(format!("{expected}: {hint}"));
        let Some(number) = text.strip_suffix('%') else {
            let number = if text.parse::<f64>().is_ok() { text } else { "20" };
            return Err(wrong(&Self::bare_number(number)));
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| match leading_number(part) {
            Some((value, "")) => Ok(u32::try_from(value).unwrap_or(u32::MAX)),
            _ => Err(wrong("the number is from 0 to 100")),
        };
        if decimals.is_empty() {
            return Err(wrong("write the decimals, or leave out the point"));
        }
        if decimals.len() > DECIMALS {
            return Err(wrong("it has at most four decimals"));
        }
        let hundredths = digits(whole)?.saturating_mul(ONE);
        let decimals = digits(&format!("{decimals:0<DECIMALS$}"))?;
        match hundredths.saturating_add(decimals) {
            millionths if millionths > 100 * ONE => Err(wrong("the most is `100%`")),
            millionths => Ok(Self { millionths }),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:04}", self.millionths % ONE);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}%", self.millionths / ONE),
            decimals => write!(f, "{}.{decimals}%", self.millionths / ONE),
        }
    }
}

text_value!(
    Percent,
    "A share from `0%` to `100%`, with at most four decimals.",
    "^0*(100(\\.0{1,4})?|\\d{1,2}(\\.\\d{1,4})?)%$",
    ["20%", "0.5%"]
);
