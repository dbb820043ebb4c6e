//! A limit, as it is counted.

use std::time::Duration;

/// How a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The generic cell rate algorithm: `burst` at once, and `limit` a period in the long run.
    Gcra,
    /// Whole periods of the server's clock; two halves of two of them may together be twice the limit.
    Fixed,
    /// One window of a calendar, whose length is the period: it begins when the rule says.
    Calendar {
        /// Microseconds since 1970.
        starts: u64,
    },
    /// The last period, the part of it that lies in the window before taken to have been even.
    Sliding,
}

impl Algorithm {
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Gcra => "g",
            Self::Fixed => "f",
            Self::Sliding => "s",
            Self::Calendar { .. } => "c",
        }
    }
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// How it is counted.
    pub algorithm: Algorithm,
    /// How much in a period, at least 1.
    pub limit: u64,
    /// The period: from a millisecond to some years.
    pub period: Duration,
    /// How much at once, for [`Algorithm::Gcra`] alone.
    pub burst: u64,
}

impl Rule {
    /// The most that a call may count to be admitted ever.
    pub fn most(self) -> u64 {
        self.capacity()
    }

    /// The period in microseconds, at least a thousand and within what a float holds exactly.
    pub(super) fn micros(self) -> u64 {
        let micros = u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX);
        micros.clamp(1_000, 1_000_000_000_000_000)
    }

    /// What the script takes second: the limit, or when the window begins, whose limit is its capacity.
    pub(super) fn second(self) -> u64 {
        match self.algorithm {
            Algorithm::Calendar { starts } => starts,
            _ => self.limit,
        }
    }

    /// How much may be used at once.
    pub(super) fn capacity(self) -> u64 {
        let most = if self.algorithm == Algorithm::Gcra { self.burst } else { self.limit };
        most.max(1)
    }
}
