//! `30s`, `500ms`, `1h30m`: a length of time with its unit.
use std::fmt;
use std::str::FromStr;
use std::time;

use super::{Text, ValueError, leading_number, text_value};

/// A length of time, in whole milliseconds, up to 100 years. Written as numbers with units from the largest to the
/// smallest: `500ms`, `30s`, `5m`, `1h30m`, `1d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration {
    millis: u64,
}

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const MAX: Duration = Duration { millis: 36_500 * 86_400_000 };

impl Duration {
    /// No time.
    pub const ZERO: Self = Self { millis: 0 };

    /// So many milliseconds, up to 100 years.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > MAX.millis { MAX } else { Self { millis } }
    }

    /// So many seconds, up to 100 years.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn get(self) -> time::Duration {
        time::Duration::from_millis(self.millis)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.millis
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.millis == 0
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.get()
    }
}

impl Text for Duration {
    const EXPECTED: &'static str = "a duration such as `30s`";

    fn bare_number(number: &str) -> String {
        format!("add a unit (ms, s, m, h or d), for example `{number}s`")
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut units = UNITS.iter();
        let mut rest = text;
        let mut millis = 0_u64;
        while !rest.is_empty() {
            let (count, after) = leading_number(rest).ok_or_else(|| wrong(text))?;
            let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at_checked(end).ok_or_else(|| wrong(text))?;
            // `find` goes on where the unit before was: each at most once, larger ones first.
            let (_, length) = units.find(|(name, _)| *name == unit).ok_or_else(|| wrong(text))?;
            millis = count.checked_mul(*length).and_then(|part| millis.checked_add(part)).ok_or_else(too_long)?;
            rest = after;
        }
        match millis {
            _ if text.is_empty() => Err(wrong(text)),
            millis if millis > MAX.millis => Err(too_long()),
            millis => Ok(Self { millis }),
        }
    }
}

fn too_long() -> ValueError {
    ValueError::new("a duration is at most 36500d")
}

/// What is wrong with a text, with the remedy for the usual mistakes.
fn wrong(text: &str) -> ValueError {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.strip_suffix(unit).unwrap_or_default();
    let hint = match unit {
        "" if !number.is_empty() => Duration::bare_number(number),
        _ if number.contains('.') => "write it without a fraction, in a smaller unit, for example `1500ms`".to_owned(),
        "us" | "µs" | "ns" => "the smallest unit is ms".to_owned(),
        "w" => "the largest unit is d".to_owned(),
        _ => "units are ms, s, m, h and d, the larger ones first, for example `1h30m`".to_owned(),
    };
    let ValueError(expected) = ValueError::expected(Duration::EXPECTED, text);
    ValueError::new(format!("{expected}: {hint}"))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut rest = self.millis;
        for (unit, length) in UNITS {
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

text_value!(
    Duration,
    "A length of time: numbers with a unit (`ms`, `s`, `m`, `h`, `d`), the larger units first.",
    "^(?=.)(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$",
    ["500ms", "30s", "5m", "1h30m", "1d"]
);
