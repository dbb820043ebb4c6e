//! What is held until it is known what it came to.

use std::sync::Arc;

use super::meter::{Exceeded, Meter, Receipt};

/// An amount that is held. Dropped unsettled, it is charged in full: what may have been spent is spent.
#[derive(Debug)]
#[must_use = "dropped at once, it is charged in full at once"]
pub struct Reservation {
    meter: Arc<Meter>,
    amount: i64,
    open: bool,
}

impl Reservation {
    pub(super) fn new(meter: Arc<Meter>, amount: i64) -> Self {
        Self { meter, amount, open: true }
    }

    /// How much is held.
    pub fn amount(&self) -> i64 {
        self.amount
    }

    /// Where.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// It came to this much, which may be more than was held.
    pub fn settle(mut self, used: i64) -> Receipt {
        self.open = false;
        self.meter.settle(self.amount, used)
    }

    /// It came to nothing.
    pub fn release(self) -> Receipt {
        self.settle(0)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            self.meter.settle(self.amount, self.amount);
        }
    }
}

/// What is asked of one meter.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The meter.
    pub meter: Arc<Meter>,
    /// How much to hold.
    pub amount: i64,
    /// Within which limit.
    pub limit: i64,
}

/// Holds on every meter or on none. The error says which one refuses.
pub fn reserve_all(claims: &[Claim]) -> Result<Vec<Reservation>, (usize, Exceeded)> {
    let mut held = Vec::with_capacity(claims.len());
    for (at, claim) in claims.iter().enumerate() {
        match claim.meter.reserve(claim.amount, claim.limit) {
            Ok(reservation) => held.push(reservation),
            Err(exceeded) => {
                for reservation in held {
                    reservation.release();
                }
                return Err((at, exceeded));
            }
        }
    }
    Ok(held)
}
