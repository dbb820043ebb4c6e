//! The ledger: how much of what was used by whom in which window of time.
//!
//! An [`Account`] with a [`Window`] is a [`Meter`]. It is counted on in memory, where the decision is made; a ledger that
//! lasts saves what changed behind it. Three ways to count:
//!
//! - [`Meter::charge`]: it has been used, limit or no limit.
//! - [`Meter::take`]: use it if it fits the limit.
//! - [`Meter::reserve`]: hold the most that it may come to, and [`Reservation::settle`] what it came to. One that is
//!   dropped unsettled, or was open when the process died, is charged in full: what may have been spent is spent.
//!
//! A [`Receipt`] tells when a count is on the disk ([`Ledger::is_durable`]). Nothing whose receipt is durable is lost,
//! however the process ends; what is younger (the writer gathers for some 50 ms) may be.

mod account;
mod journal;
mod memory;
mod meter;
mod meters;
mod reserve;
mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::Result;

pub use account::{Account, Measure, Window};
pub(crate) use journal::Journal;
pub use memory::MemoryLedger;
pub use meter::{Exceeded, MOST, Meter, Receipt, Total};
pub(crate) use meters::Meters;
pub use reserve::{Claim, Reservation, reserve_all};
pub use sqlite::SqliteLedger;
pub(crate) use sqlite::load;

/// Seconds for which a window still takes counts after its end: calls that are settled late.
pub const GRACE: i64 = 86_400;

/// What counts. One in memory, one that lasts.
pub trait Ledger: Send + Sync {
    /// The meter of an account in a window, to be held as long as it is of use. [`Kind::Full`](crate::Kind::Full) when
    /// there are as many as may be: whoever asks then refuses, as to forget another would be to refill it.
    fn meter(&self, account: Account<'_>, window: Window) -> Result<Arc<Meter>>;

    /// What was used in the windows that lie wholly between two times, the earliest first; at most 100,000 of them. Reads
    /// the disk where there is one: not for threads that carry traffic.
    fn history(&self, account: Account<'_>, from: i64, to: i64) -> Result<Vec<(Window, Total)>>;

    /// What was used in them together. An account whose windows overlap is counted twice: give each length its book.
    fn sum(&self, account: Account<'_>, from: i64, to: i64) -> Result<Total> {
        let windows = self.history(account, from, to)?;
        Ok(windows.iter().fold(Total::default(), |sum, (_, total)| sum.plus(*total)))
    }

    /// Whether this count, and all before it, lasts.
    fn is_durable(&self, receipt: Receipt) -> bool;

    /// Waits until all counts so far last. Not for threads that carry traffic.
    fn flush(&self, patience: Duration) -> Result<()>;

    /// Forgets what can no longer be counted on.
    fn forget(&self);
}
