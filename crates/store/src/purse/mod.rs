//! Money ahead: what one gateway may spend of one account without asking for each call.
//!
//! A [`Purse`] draws from its [`Bank`] a lease at a time, and never more than the limit has left; calls hold parts of what
//! is in it ([`Held`]), and settle what they came to. Who draws from the same bank, on this gateway or another, can so never
//! spend more than the limit together, but for what calls came to beyond what they held. A lease is durable before any of it
//! is held: on the disk, or on Redis. A gateway that is killed loses what is in its purses, at most a lease each and what
//! open calls hold: it counts as spent.

mod bank;
mod held;
mod purses;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;

pub use bank::Bank;
use bank::Granted;
pub use held::Held;
pub(crate) use purses::Lenders;
pub use purses::Purses;

use crate::ledger::{Receipt, Window};

/// How often a draw is tried anew whose money others took meanwhile.
const TRIES: usize = 8;

/// What this gateway may spend of one account in one window.
pub struct Purse {
    bank: Bank,
    state: Mutex<State>,
    /// One draws, the others wait for what it gets.
    drawing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// What was drawn, and neither spent nor brought back. Never less than what is held.
    lent: i64,
    /// What open calls hold of it.
    held: i64,
    /// What was drawn ahead, and is not durable yet.
    ahead: Option<(i64, Receipt)>,
    /// What the bank had left when it was last asked.
    left: Option<i64>,
}

impl State {
    const fn free(&self) -> i64 {
        self.lent.saturating_sub(self.held)
    }
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The most that the call is taken to come to.
    pub amount: i64,
    /// The account's limit in its window.
    pub limit: i64,
    /// The most to draw ahead.
    pub lease: i64,
}

/// Why nothing is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The limit is spent: it does not fit even when all that is held comes back.
    Spent,
    /// Open calls hold what is missing, and may bring some of it back.
    Held,
    /// The bank does not answer, or cannot count any more.
    Unavailable,
}

impl Purse {
    /// An empty one.
    pub fn new(bank: Bank) -> Arc<Self> {
        let purse = Arc::new(Self { bank, state: Mutex::default(), drawing: tokio::sync::Mutex::default() });
        purse.bank.remember(&purse);
        purse
    }

    /// Holds what the call may come to, if that is in the purse; nothing where the bank has to be asked.
    pub fn hold_at_once(self: &Arc<Self>, draw: &Draw) -> Option<Held> {
        let mut state = self.state.lock();
        if let Some((amount, receipt)) = state.ahead
            && self.bank.is_durable(receipt)
        {
            state.ahead = None;
            state.lent = state.lent.saturating_add(amount);
        }
        if state.free() < draw.amount {
            return None;
        }
        state.held = state.held.saturating_add(draw.amount);
        // Half a lease before it is empty the next one is drawn, so that nobody waits for the disk.
        if state.ahead.is_none() && state.free() < draw.lease / 2 {
            state.ahead = self.bank.draw_ahead(draw.lease, draw.limit);
        }
        Some(Held::new(self.clone(), draw.amount, draw.lease))
    }

    /// The same, asking the bank for what is missing.
    pub async fn hold(self: &Arc<Self>, draw: &Draw) -> Result<Held, Refusal> {
        if let Some(held) = self.hold_at_once(draw) {
            return Ok(held);
        }
        let _one = self.drawing.lock().await;
        for _ in 0..TRIES {
            if let Some(held) = self.hold_at_once(draw) {
                return Ok(held);
            }
            let (missing, ahead, left) = {
                let state = self.state.lock();
                (draw.amount.saturating_sub(state.free()), state.ahead, state.left)
            };
            if let Some((_, receipt)) = ahead {
                if !self.bank.wait(receipt).await {
                    return Err(Refusal::Unavailable);
                }
                continue;
            }
            match self.bank.draw(missing.max(0), draw, left).await {
                Granted::Some { amount, left } => {
                    let mut state = self.state.lock();
                    state.lent = state.lent.saturating_add(amount);
                    state.left = left;
                }
                // What others hold on the shared counters is not known; what is held here is.
                Granted::Spent if self.bank.is_shared() && self.state.lock().held > 0 => return Err(Refusal::Held),
                Granted::Spent => return Err(Refusal::Spent),
                Granted::Held => return Err(Refusal::Held),
                Granted::Unavailable => return Err(Refusal::Unavailable),
            }
        }
        Err(Refusal::Held)
    }

    /// Brings back what no call holds.
    pub fn bring_back(&self) {
        let free = self.take_free(0);
        self.bank.give_back(free);
    }

    /// The same at the end of the process, waiting until it is there.
    pub(crate) async fn bring_back_and_wait(&self) {
        let free = self.take_free(0);
        self.bank.give_back_and_wait(free).await;
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.lent == 0 && state.ahead.is_none()
    }

    /// When it is of.
    pub fn window(&self) -> Window {
        self.bank.window()
    }

    /// What is spent and held of the account, as far as this gateway knows: on shared counters, since it last asked.
    pub fn taken(&self, limit: i64) -> i64 {
        let free = self.state.lock().free();
        self.bank.taken(limit, self.state.lock().left).saturating_sub(free).max(0)
    }

    /// A call is over: it held so much, and came to so much.
    fn settle(&self, held: i64, used: i64, lease: i64) {
        let used = used.max(0);
        let covered = {
            let mut state = self.state.lock();
            state.held -= held;
            state.lent = state.lent.saturating_sub(used);
            // What it came to beyond its own is charged, so that what others hold stays theirs.
            let short = state.held.saturating_sub(state.lent).max(0);
            state.lent += short;
            used - short
        };
        self.bank.spend(covered, used);
        // Calls that came to less leave it behind; more than a lease must not be lost with the process.
        let excess = self.take_free(lease);
        self.bank.give_back(excess);
    }

    /// Takes out what is free beyond this much.
    fn take_free(&self, keep: i64) -> i64 {
        let mut state = self.state.lock();
        let excess = state.free().saturating_sub(keep).max(0);
        state.lent -= excess;
        excess
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        // Calls that hold a part hold the purse as well: nothing is held any more.
        let ahead = self.state.get_mut().ahead.take().map_or(0, |(amount, _)| amount);
        self.bank.give_back(self.take_free(0).saturating_add(ahead));
    }
}
