//! What a call holds.

use std::sync::Arc;

use super::Purse;

/// What a call holds of a purse. Dropped unsettled, it is spent in full: what may have been spent is spent.
#[must_use = "dropped at once, it is spent in full at once"]
pub struct Held {
    purse: Arc<Purse>,
    amount: i64,
    lease: i64,
    open: bool,
}

impl Held {
    pub(super) fn new(purse: Arc<Purse>, amount: i64, lease: i64) -> Self {
        Self { purse, amount, lease, open: true }
    }

    /// How much.
    pub fn amount(&self) -> i64 {
        self.amount
    }

    /// Of which purse.
    pub fn purse(&self) -> &Arc<Purse> {
        &self.purse
    }

    /// The call came to this much, which may be more than was held.
    pub fn settle(mut self, used: i64) {
        self.open = false;
        self.purse.settle(self.amount, used, self.lease);
    }

    /// There was no call.
    pub fn release(self) {
        self.settle(0);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.open {
            self.purse.settle(self.amount, self.amount, self.lease);
        }
    }
}
