//! `10MiB`, `64KiB`, `1MB`: an amount of data with its unit.
use std::fmt;
use std::str::FromStr;

use super::{Text, ValueError, leading_number, text_value};

/// An amount of data in bytes. Binary units (`KiB`, `MiB`, `GiB`, `TiB`) count by 1024, decimal ones (`KB`, `MB`, `GB`,
/// `TB`) by 1000; `B` is a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

/// Units from the largest to the smallest; of two that fit, the first is the canonical one.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024 bytes.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }

    /// So many times 1024 × 1024 bytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// In bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// In bytes, as a length in memory; at most `usize::MAX`.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Text for ByteSize {
    const EXPECTED: &'static str = "a size such as `10MiB`";

    fn bare_number(number: &str) -> String {
        format!("add a unit, for example `{number}B` or `{number}KiB`")
    }
}

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (count, unit) = leading_number(text).ok_or_else(|| wrong(text))?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| wrong(text))?;
        count.checked_mul(*factor).map(Self).ok_or_else(|| ValueError::new("a size is under 16777216TiB"))
    }
}

/// What is wrong with a text, with the remedy for the usual mistakes.
fn wrong(text: &str) -> ValueError {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim_start();
    let number = text.get(..text.len() - unit.len()).unwrap_or_default().trim_end();
    let meant = match unit.to_ascii_lowercase().as_str() {
        "k" | "ki" | "kib" => "KiB",
        "m" | "mi" | "mib" => "MiB",
        "g" | "gi" | "gib" => "GiB",
        "t" | "ti" | "tib" => "TiB",
        "kb" => "KB",
        "mb" => "MB",
        "gb" => "GB",
        "tb" => "TB",
        "b" | "byte" | "bytes" => "B",
        _ => "",
    };
    let hint = match (number, meant) {
        (number, "") if unit.is_empty() && !number.is_empty() => ByteSize::bare_number(number),
        (number, _) if number.contains('.') => {
            "write it without a fraction, in a smaller unit, for example `1536KiB`".to_owned()
        }
        (number, meant) if !number.is_empty() && !meant.is_empty() => format!("write `{number}{meant}`"),
        _ => "units are B, KB, MB, GB, TB and KiB, MiB, GiB, TiB".to_owned(),
    };
    let ValueError(expected) = ValueError::expected(ByteSize::EXPECTED, text);
    ValueError::new(format!("{expected}: {hint}"))
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (unit, factor) = exact.copied().unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

text_value!(
    ByteSize,
    "An amount of data: a whole number with a unit (`B`; `KB`, `MB`, `GB`, `TB` by 1000; `KiB`, `MiB`, `GiB`, `TiB` by 1024).",
    "^\\d+([KMGT]i?)?B$",
    ["512B", "64KiB", "10MiB", "1MB"]
);
