//! Where purses draw from: an account's meter in the ledger, on the disk or in memory, or a counter on Redis.

use std::sync::Arc;
use std::time::Duration;

use super::{Draw, Purse};
use crate::ledger::{Meter, Receipt, SqliteLedger, Window};
use crate::shared::{Algorithm, By, Rule, Shared, Take, WhenGone};

/// How long a draw waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where purses draw from.
pub enum Bank {
    /// An account's meter in a ledger that lasts: what is lent is held there, and spent as calls are settled.
    Disk {
        /// The ledger.
        ledger: Arc<SqliteLedger>,
        /// The account in its window.
        meter: Arc<Meter>,
    },
    /// The same in memory, where nothing is drawn ahead.
    Memory {
        /// The account in its window.
        meter: Arc<Meter>,
    },
    /// A counter that gateways share: what is lent is counted there, and counted back as far as it is not spent.
    Shared {
        /// The counters.
        shared: Arc<Shared>,
        /// The account's key. It must name the window: what comes back late must not be another's.
        key: String,
        /// The window.
        window: Window,
    },
}

/// What the bank says to a draw.
pub(super) enum Granted {
    Some {
        amount: i64,
        /// What is left after it, where that is told.
        left: Option<i64>,
    },
    Spent,
    Held,
    Unavailable,
}

impl Bank {
    pub(super) fn window(&self) -> Window {
        match self {
            Self::Disk { meter, .. } | Self::Memory { meter } => meter.window(),
            Self::Shared { window, .. } => *window,
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }

    /// Lets the bank know of a purse, so that it is emptied when all ends.
    pub(super) fn remember(&self, purse: &Arc<Purse>) {
        match self {
            Self::Disk { ledger, .. } => ledger.lenders().add(purse),
            Self::Memory { .. } => {}
            Self::Shared { shared, .. } => shared.lenders().add(purse),
        }
    }

    /// Whether a draw ahead lasts.
    pub(super) fn is_durable(&self, receipt: Receipt) -> bool {
        use crate::ledger::Ledger as _;
        match self {
            Self::Disk { ledger, .. } => ledger.is_durable(receipt),
            Self::Memory { .. } | Self::Shared { .. } => true,
        }
    }

    /// Waits until it does. False where the disk refuses.
    pub(super) async fn wait(&self, receipt: Receipt) -> bool {
        match self {
            Self::Disk { ledger, .. } => ledger.lasts(receipt, PATIENCE).await,
            Self::Memory { .. } | Self::Shared { .. } => true,
        }
    }

    /// Draws a lease without waiting for it, if the whole of it is there and that can be done.
    pub(super) fn draw_ahead(&self, lease: i64, limit: i64) -> Option<(i64, Receipt)> {
        match self {
            Self::Disk { meter, .. } if lease > 0 => meter.lend(lease, lease, limit).ok(),
            _ => None,
        }
    }

    /// Draws at least what is missing, and a lease where there is as much. `left` is what there was the last time.
    pub(super) async fn draw(&self, missing: i64, draw: &Draw, left: Option<i64>) -> Granted {
        match self {
            Self::Disk { ledger, meter } => match lend(meter, missing, draw.lease, draw) {
                Ok((amount, receipt)) => {
                    if ledger.lasts(receipt, PATIENCE).await {
                        return Granted::Some { amount, left: None };
                    }
                    meter.settle(amount, 0);
                    Granted::Unavailable
                }
                Err(granted) => granted,
            },
            Self::Memory { meter } => match lend(meter, missing, 0, draw) {
                Ok((amount, _)) => Granted::Some { amount, left: None },
                Err(granted) => granted,
            },
            Self::Shared { shared, key, window } => {
                // The nearer the end, the less is drawn ahead, so that little of it lies where it is not needed.
                let part = left.unwrap_or(0) / (4 * i64::from(shared.gateways()));
                let lease = missing.max(draw.lease.min(part));
                match take(shared, key, *window, lease, draw.limit).await {
                    Granted::Spent if lease > missing => take(shared, key, *window, missing, draw.limit).await,
                    granted => granted,
                }
            }
        }
    }

    /// So much was spent, so much of it from what was lent.
    pub(super) fn spend(&self, covered: i64, used: i64) {
        match self {
            Self::Disk { meter, .. } | Self::Memory { meter } => {
                meter.settle(covered, used);
            }
            Self::Shared { .. } => self.count(used.saturating_sub(covered)),
        }
    }

    /// So much that was lent was not needed.
    pub(super) fn give_back(&self, amount: i64) {
        match self {
            _ if amount <= 0 => {}
            Self::Disk { meter, .. } | Self::Memory { meter } => {
                meter.settle(amount, 0);
            }
            Self::Shared { .. } => self.count(amount.saturating_neg()),
        }
    }

    /// The same, until it is there.
    pub(super) async fn give_back_and_wait(&self, amount: i64) {
        match self {
            Self::Shared { shared, key, window } if amount > 0 => {
                shared.charge(&[Take { key, rule: rule(*window, 1), cost: amount.saturating_neg() }]).await;
            }
            _ => self.give_back(amount),
        }
    }

    /// What is spent and lent of the account.
    pub(super) fn taken(&self, limit: i64, left: Option<i64>) -> i64 {
        match self {
            Self::Disk { meter, .. } | Self::Memory { meter } => meter.total().all(),
            Self::Shared { .. } => limit.saturating_sub(left.unwrap_or(limit)),
        }
    }

    /// Counts on the shared counter without waiting for it.
    fn count(&self, cost: i64) {
        if let Self::Shared { shared, key, window } = self
            && cost != 0
        {
            shared.charge_soon(&Take { key, rule: rule(*window, 1), cost });
        }
    }
}

fn lend(meter: &Arc<Meter>, missing: i64, lease: i64, draw: &Draw) -> Result<(i64, Receipt), Granted> {
    meter.lend(missing, lease.max(missing), draw.limit).map_err(|exceeded| {
        let spent = exceeded.total.used.saturating_add(draw.amount) > draw.limit;
        if spent { Granted::Spent } else { Granted::Held }
    })
}

async fn take(shared: &Shared, key: &str, window: Window, amount: i64, limit: i64) -> Granted {
    let rule = rule(window, limit);
    let decision = shared.take(&[Take { key, rule, cost: amount }]).await;
    let left = decision.readings.first().and_then(|reading| i64::try_from(reading.left).ok());
    match decision.refused {
        None => Granted::Some { amount, left },
        Some(_) if decision.by == By::Gone(WhenGone::Refuse) => Granted::Unavailable,
        Some(_) => Granted::Spent,
    }
}

/// The window as it is counted there.
fn rule(window: Window, limit: i64) -> Rule {
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
    let period = Duration::from_secs(unsigned(window.ends.saturating_sub(window.starts)));
    let algorithm = Algorithm::Calendar { starts: unsigned(window.starts).saturating_mul(1_000_000) };
    Rule { algorithm, limit: unsigned(limit), period, burst: unsigned(limit) }
}
