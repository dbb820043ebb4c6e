//! Money without floats: whole numbers of 10⁻¹² US dollars.
//!
//! A price list's finest step is a millionth of a dollar for a million tokens, which is 10⁻¹² dollars a token, so every
//! price and every product of a price and a count is exact. Only durations are divided, and that is rounded up.

use std::fmt;

/// Decimals of a dollar that are kept.
const DECIMALS: usize = 12;

/// A dollar in these.
const ONE: u64 = 1_000_000_000_000;

/// The dearest price that is taken for one token, image or second: a million dollars, so that no product overflows.
const DEAREST: u64 = 1_000_000_000_000_000_000;

/// An amount of US dollars, owed or, below nothing, given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The most that can be said.
    pub const MAX: Self = Self(i128::MAX);

    /// So many 10⁻¹² dollars.
    pub const fn from_picos(picos: i128) -> Self {
        Self(picos)
    }

    /// As 10⁻¹² dollars.
    pub const fn picos(self) -> i128 {
        self.0
    }

    /// As 10⁻⁹ dollars, rounded up; what a counter of 64 bits holds. Amounts it cannot hold become its bounds.
    pub fn nanos_up(self) -> i64 {
        let nanos = self.0.div_euclid(1000) + i128::from(self.0.rem_euclid(1000) != 0);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// An amount as it is written, `12`, `0.005` or `-3.50`: no exponent, no sign but a minus, at most 12 decimals, never
    /// rounded.
    pub fn parse(text: &str) -> Result<Self, NotDecimal> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let picos = i128::try_from(decimal(digits, DECIMALS)?).map_err(|_| NotDecimal::TooLarge)?;
        Ok(Self(if negative { -picos } else { picos }))
    }

    /// The sum; None if it cannot be said.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; None if it cannot be said.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, or the bound that it is beyond.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or the bound that it is beyond.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// As few decimals as say it exactly: `0.0125`. With a precision, as many as that, rounded half away from nothing.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(DECIMALS).min(DECIMALS);
        let picos = self.0.unsigned_abs();
        let (whole, fraction) = match u64::try_from(picos) {
            // Nearly always: arithmetic of 128 bits takes its time.
            Ok(picos) => (u128::from(picos / ONE), picos % ONE),
            Err(_) => (picos / u128::from(ONE), (picos % u128::from(ONE)) as u64),
        };
        let step = 10_u64.pow((DECIMALS - decimals) as u32);
        let (mut whole, mut fraction) = (whole, (fraction + step / 2) / step * step);
        if fraction == ONE {
            (whole, fraction) = (whole + 1, 0);
        }
        if self.0 < 0 && (whole > 0 || fraction > 0) {
            f.write_str("-")?;
        }
        match u64::try_from(whole) {
            Ok(whole) => f.write_str(itoa::Buffer::new().format(whole))?,
            Err(_) => write!(f, "{whole}")?,
        }
        // The digits of a number above all, less its first one: so zeros in front are written too.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(ONE + fraction).get(1..=decimals).unwrap_or_default();
        let digits = if f.precision().is_none() { digits.trim_end_matches('0') } else { digits };
        if digits.is_empty() { Ok(()) } else { f.write_str(".").and_then(|()| f.write_str(digits)) }
    }
}

/// What one of something costs: a token, an image, a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

impl Price {
    /// Nothing.
    pub const FREE: Self = Self(0);

    /// A price of one, as it is written in dollars with at most 12 decimals.
    pub fn each(text: &str) -> Result<Self, NotDecimal> {
        Self::scaled(text, DECIMALS)
    }

    /// A price of a million, as price lists have it, in dollars with at most 6 decimals.
    pub fn per_million(text: &str) -> Result<Self, NotDecimal> {
        Self::scaled(text, DECIMALS - 6)
    }

    /// As 10⁻¹² dollars for one.
    pub const fn picos(self) -> u64 {
        self.0
    }

    /// What so many cost. Exact.
    pub fn of(self, count: u64) -> Money {
        // At most 2⁶⁰ times 2⁶⁴.
        Money(i128::from(self.0) * i128::from(count))
    }

    /// What so many thousandths cost, as of a price for a second; rounded up to the next 10⁻¹² dollars.
    pub fn of_thousandths(self, count: u64) -> Money {
        let exact = self.of(count).0;
        Money(exact / 1000 + i128::from(exact % 1000 != 0))
    }

    /// The price of a million, as it is written.
    pub fn shown_per_million(self) -> Money {
        self.of(1_000_000)
    }

    fn scaled(text: &str, decimals: usize) -> Result<Self, NotDecimal> {
        let picos = decimal(text, decimals)?;
        u64::try_from(picos).ok().filter(|picos| *picos <= DEAREST).map(Self).ok_or(NotDecimal::TooLarge)
    }
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDecimal {
    /// Something else than digits with at most one point between them.
    Malformed,
    /// More decimals than are kept, this many.
    TooFine(usize),
    /// More than can be said.
    TooLarge,
}

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a decimal number such as 1.25"),
            Self::TooFine(most) => write!(f, "more than {most} decimals"),
            Self::TooLarge => f.write_str("too large"),
        }
    }
}

impl std::error::Error for NotDecimal {}

/// The digits of a decimal as a whole number of 10^-`decimals`.
fn decimal(text: &str, decimals: usize) -> Result<u128, NotDecimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(NotDecimal::Malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(NotDecimal::TooFine(decimals));
    }
    let padding = std::iter::repeat_n(b'0', decimals - fraction.len());
    let mut value: u128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(u128::from(digit - b'0')));
        value = next.ok_or(NotDecimal::TooLarge)?;
    }
    Ok(value)
}
