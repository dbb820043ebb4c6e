//! A ledger that forgets with the process.

use std::sync::Arc;
use std::time::Duration;

use super::Ledger;
use super::account::{Account, Window};
use super::meter::{Meter, Receipt, Total};
use super::meters::Meters;
use crate::{Clock, Result};

/// A ledger that forgets with the process. Its history is what it still counts on.
pub struct MemoryLedger {
    meters: Meters,
}

impl MemoryLedger {
    /// An empty one, of at most so many meters.
    pub fn new(most_meters: usize, clock: Clock) -> Self {
        Self { meters: Meters::new(most_meters, None, clock) }
    }
}

impl Ledger for MemoryLedger {
    fn meter(&self, account: Account<'_>, window: Window) -> Result<Arc<Meter>> {
        self.meters.get(account, window)
    }

    fn history(&self, account: Account<'_>, from: i64, to: i64) -> Result<Vec<(Window, Total)>> {
        Ok(self.meters.between(account, from, to))
    }

    fn is_durable(&self, _: Receipt) -> bool {
        false
    }

    fn flush(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn forget(&self) {
        self.meters.forget();
    }
}
