//! The purses of one limit, by owner; and all that draw from one bank, to be emptied when it ends.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Purse;
use crate::ledger::Window;

/// Purses that one limit may have at once.
const MOST: usize = 100_000;
/// A purse that nobody used for so long is emptied, when others are used.
const IDLE: Duration = Duration::from_secs(2);
/// Purses that are looked at for that in one go.
const LOOK: usize = 64;

/// The purses of one limit.
#[derive(Default)]
pub struct Purses(Mutex<All>);

#[derive(Default)]
struct All {
    purses: HashMap<Box<str>, Entry, foldhash::fast::RandomState>,
    looked: Option<Instant>,
}

struct Entry {
    window: Window,
    purse: Arc<Purse>,
    used: Instant,
}

impl Purses {
    /// The owner's purse of this window, made where there is none; that of a window before is emptied. None where there are
    /// as many as may be, or none can be made.
    pub fn get(&self, owner: &str, window: Window, make: impl FnOnce() -> Option<Arc<Purse>>) -> Option<Arc<Purse>> {
        let now = Instant::now();
        let mut all = self.0.lock();
        all.look(now);
        if let Some(entry) = all.purses.get_mut(owner) {
            if entry.window != window {
                let purse = make()?;
                let before = std::mem::replace(&mut entry.purse, purse);
                entry.window = window;
                before.bring_back();
            }
            entry.used = now;
            return Some(entry.purse.clone());
        }
        if all.purses.len() >= MOST {
            all.purses.retain(|_, entry| Arc::strong_count(&entry.purse) > 1 || !entry.purse.is_empty());
        }
        if all.purses.len() >= MOST {
            return None;
        }
        let purse = make()?;
        all.purses.insert(owner.into(), Entry { window, purse: purse.clone(), used: now });
        Some(purse)
    }
}

impl All {
    /// Empties some that nobody used for a while: others may need it.
    fn look(&mut self, now: Instant) {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < IDLE / 2) {
            return;
        }
        self.looked = Some(now);
        let idle =
            self.purses.values().filter(|entry| now.duration_since(entry.used) >= IDLE && !entry.purse.is_empty());
        idle.take(LOOK).for_each(|entry| entry.purse.bring_back());
    }
}

/// Purses that draw from one bank.
#[derive(Default)]
pub(crate) struct Lenders(Mutex<Vec<Weak<Purse>>>);

impl Lenders {
    pub(super) fn add(&self, purse: &Arc<Purse>) {
        let mut all = self.0.lock();
        if all.len() == all.capacity() {
            all.retain(|purse| purse.strong_count() > 0);
        }
        all.push(Arc::downgrade(purse));
    }

    /// All that are still there, which are then forgotten.
    pub(crate) fn take(&self) -> Vec<Arc<Purse>> {
        std::mem::take(&mut *self.0.lock()).iter().filter_map(Weak::upgrade).collect()
    }
}
