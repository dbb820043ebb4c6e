//! One account in one window: counted on by every worker, in memory.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::account::{Account, Key, Window};
use super::journal::Journal;
use super::reserve::Reservation;

/// The most that a total can be, either way. More is cut off here, so that no sum of a few can overflow.
pub const MOST: i64 = 2_000_000_000_000_000_000;

/// What a meter reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// What was used.
    pub used: i64,
    /// What is reserved.
    pub held: i64,
}

impl Total {
    /// Both.
    pub fn all(self) -> i64 {
        self.used.saturating_add(self.held)
    }

    /// The sum of two.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            used: bounded(self.used.saturating_add(other.used)),
            held: bounded(self.held.saturating_add(other.held)),
        }
    }

    /// Whether this much more keeps within a limit.
    fn fits(self, amount: i64, limit: i64) -> bool {
        self.all().saturating_add(amount) <= limit
    }
}

fn bounded(amount: i64) -> i64 {
    amount.clamp(-MOST, MOST)
}

/// A place in the order of counts; see [`super::Ledger::is_durable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub(super) u64);

/// A limit that is used up; nothing was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What the meter reads.
    pub total: Total,
    /// The limit.
    pub limit: i64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} are used and {} reserved", self.total.used, self.limit, self.total.held)
    }
}

impl std::error::Error for Exceeded {}

/// One account in one window.
pub struct Meter {
    key: Key,
    state: Mutex<State>,
    /// Where changes are told, in a ledger that lasts.
    journal: Option<Arc<Journal>>,
}

#[derive(Default)]
struct State {
    total: Total,
    /// What the disk knows.
    saved: Total,
    /// Whether the journal has this meter in hand.
    queued: bool,
}

impl Meter {
    pub(super) fn new(key: Key, journal: Option<Arc<Journal>>, total: Total) -> Self {
        Self { key, state: Mutex::new(State { total, saved: total, queued: false }), journal }
    }

    /// Whose what it counts.
    pub fn account(&self) -> Account<'_> {
        self.key.account()
    }

    /// When.
    pub fn window(&self) -> Window {
        self.key.window
    }

    /// What it reads.
    pub fn total(&self) -> Total {
        self.state.lock().total
    }

    /// Counts what has been used; less than nothing gives back.
    pub fn charge(self: &Arc<Self>, amount: i64) -> Receipt {
        self.change(&mut self.state.lock(), amount, 0)
    }

    /// Counts this much if it keeps within the limit, together with what is reserved.
    pub fn take(self: &Arc<Self>, amount: i64, limit: i64) -> Result<Receipt, Exceeded> {
        let mut state = self.state.lock();
        if !state.total.fits(amount, limit) {
            return Err(Exceeded { total: state.total, limit });
        }
        Ok(self.change(&mut state, amount, 0))
    }

    /// The same, with what it reads after. Without a limit it is counted in any case; less than nothing gives back.
    pub fn count(self: &Arc<Self>, amount: i64, limit: Option<i64>) -> Result<Total, Exceeded> {
        let mut state = self.state.lock();
        if let Some(limit) = limit.filter(|limit| !state.total.fits(amount, *limit)) {
            return Err(Exceeded { total: state.total, limit });
        }
        self.change(&mut state, amount, 0);
        Ok(state.total)
    }

    /// Holds this much if it keeps within the limit, until it is settled. Less than nothing holds nothing.
    pub fn reserve(self: &Arc<Self>, amount: i64, limit: i64) -> Result<Reservation, Exceeded> {
        let amount = bounded(amount.max(0));
        let mut state = self.state.lock();
        if !state.total.fits(amount, limit) {
            return Err(Exceeded { total: state.total, limit });
        }
        // What is held is never cut off: as much as is added here is taken away again.
        if state.total.held > MOST - amount {
            return Err(Exceeded { total: state.total, limit: MOST });
        }
        self.change(&mut state, 0, amount);
        drop(state);
        Ok(Reservation::new(self.clone(), amount))
    }

    /// Holds as much as fits of what is wanted, at least what is needed. Without an owner: whoever borrows settles it, or it
    /// is charged in full when the ledger is opened again.
    pub(crate) fn lend(self: &Arc<Self>, needed: i64, wanted: i64, limit: i64) -> Result<(i64, Receipt), Exceeded> {
        let mut state = self.state.lock();
        let room = limit.saturating_sub(state.total.all()).min(MOST - state.total.held);
        let needed = bounded(needed.max(0));
        if needed > room {
            return Err(Exceeded { total: state.total, limit });
        }
        let amount = bounded(wanted).min(room).max(needed);
        let receipt = self.change(&mut state, 0, amount);
        Ok((amount, receipt))
    }

    /// Turns what was held into what was used.
    pub(crate) fn settle(self: &Arc<Self>, held: i64, used: i64) -> Receipt {
        self.change(&mut self.state.lock(), used, -held)
    }

    fn change(self: &Arc<Self>, state: &mut State, used: i64, held: i64) -> Receipt {
        state.total = state.total.plus(Total { used: bounded(used), held });
        let Some(journal) = &self.journal else { return Receipt(0) };
        if !state.queued {
            state.queued = true;
            journal.push(self.clone());
        }
        // The number is taken after the meter is in the journal's hands and while it cannot be read: whoever saves up to
        // this number has this change.
        journal.number()
    }

    /// What the disk does not know yet, and the reading that it stands for. From now on a change is told anew.
    pub(super) fn unsaved(&self) -> (Total, Total) {
        let mut state = self.state.lock();
        state.queued = false;
        let Total { used, held } = state.saved;
        (Total { used: state.total.used - used, held: state.total.held - held }, state.total)
    }

    /// The disk knows this reading now.
    pub(super) fn saved(&self, reading: Total) {
        self.state.lock().saved = reading;
    }

    /// The disk refused: tell it again.
    pub(super) fn again(self: &Arc<Self>, queue: &mut Vec<Arc<Self>>) {
        let mut state = self.state.lock();
        if !state.queued {
            state.queued = true;
            queue.push(self.clone());
        }
    }

    /// Whether nobody but its ledger has it and the disk knows all of it.
    pub(super) fn is_idle(self: &Arc<Self>) -> bool {
        let state = self.state.lock();
        let saved = self.journal.is_none() || (!state.queued && state.total == state.saved);
        Arc::strong_count(self) == 1 && saved
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.key, self.total())
    }
}
