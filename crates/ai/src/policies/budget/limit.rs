//! One budget at run time, and where its accounts are.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use model::value::Spending;
use parking_lot::Mutex;
use proxy::limit::calendar::Current;
use proxy::policies::Policy as _;
use proxy::program::Compile;
use proxy::stores;
use store::ledger::{Account, Ledger as _, Measure, MemoryLedger, Window};
use store::purse::{Bank, Draw, Purse, Purses};
use store::shared::Shared;

use super::Budget;
use super::spec::{LimitSpec, Mode};
use crate::policies::whose::By;

/// All time, as far as counters can say it: from 2020 on, for 31 years.
const ALWAYS: Window = Window { starts: 1_577_836_800, ends: 1_577_836_800 + 31 * 365 * 86_400 };
/// What a soft budget is held to: as much as a counter on Redis says exactly.
pub(super) const NO_LIMIT: i64 = 9_000_000_000_000_000;
/// Accounts in memory.
const MOST_METERS: usize = 1_000_000;
/// Keys of which it is remembered what was warned of.
const MOST_WARNED: usize = 100_000;

/// Where accounts are.
#[derive(Clone)]
pub(super) enum Books {
    Disk(stores::Ledger),
    Memory(Arc<MemoryLedger>),
    Shared(Arc<Shared>),
}

impl Books {
    /// A ledger that forgets with the process, the same over reloads.
    pub(super) fn memory(cx: &Compile<'_>) -> Self {
        let clock = cx.clock.clone();
        let clock = store::Clock::new(move || i64::try_from(clock.wall().as_secs()).unwrap_or(i64::MAX));
        Self::Memory(cx.keep("ledger", || MemoryLedger::new(MOST_METERS, clock)))
    }

    /// Tells what is kept of one from what is kept of another.
    fn tag(&self) -> String {
        match self {
            Self::Disk(_) => "disk".to_owned(),
            Self::Memory(_) => "memory".to_owned(),
            Self::Shared(shared) => format!("redis {:p}", Arc::as_ptr(shared)),
        }
    }

    /// An empty purse for this account. None where it cannot be counted.
    pub(super) fn purse(&self, book: &str, owner: &str, window: Window) -> Option<Arc<Purse>> {
        let account = Account { measure: Measure::Money, book, owner };
        let bank = match self {
            Self::Disk(ledger) => {
                let ledger = ledger.get()?.clone();
                let meter = ledger.meter(account, window).ok()?;
                Bank::Disk { ledger, meter }
            }
            Self::Memory(ledger) => Bank::Memory { meter: ledger.meter(account, window).ok()? },
            Self::Shared(shared) => {
                let key = format!("{{{book}}}:{owner}:{}", window.starts);
                Bank::Shared { shared: shared.clone(), key, window }
            }
        };
        Some(Purse::new(bank))
    }
}

/// One budget.
pub(super) struct Limit {
    pub(super) spending: Spending,
    pub(super) word: &'static str,
    pub(super) by: By,
    pub(super) mode: Mode,
    /// What its accounts are called.
    pub(super) book: String,
    pub(super) purses: Arc<Purses>,
    pub(super) refused: Arc<AtomicU64>,
    pub(super) name: String,
    pub(super) current: Option<Current>,
    pub(super) limit: i64,
    pub(super) lease: i64,
    pub(super) warn: Box<[(i64, &'static str, Arc<AtomicU64>)]>,
    pub(super) warned: Mutex<HashMap<String, (Window, u8)>>,
}

impl Limit {
    pub(super) fn compile(
        written: &LimitSpec,
        lease_millionths: u32,
        books: &Books,
        cx: &mut Compile<'_>,
    ) -> Option<Self> {
        let calendar = written.calendar(cx).ok()?;
        let by = By::compile(&written.by, cx)?;
        let (spending, name) = (*written.limit, written.name());
        let nanos = i64::try_from(spending.nanos()).unwrap_or(NO_LIMIT);
        let part = |millionths: u64| {
            i64::try_from(u128::from(spending.nanos()) * u128::from(millionths) / 1_000_000).unwrap_or(NO_LIMIT)
        };
        let warn = written.warn.iter().map(|threshold| {
            let (hundredths, label) = threshold.hundredths();
            (part(hundredths * 10_000), label, cx.env.telemetry.warned(&name, label))
        });
        let identity = written.identity();
        let mode = if written.mode == Mode::Hard { "enforce" } else { "shadow" };
        Some(Self {
            spending,
            word: written.by.word(),
            by,
            mode: written.mode,
            book: format!("budget|{}|{}|{identity}", cx.owner.path(), cx.instance),
            purses: cx.keep(&format!("purses|{}|{identity}", books.tag()), Purses::default),
            refused: cx.env.telemetry.limit(Budget::KIND, &name, mode),
            current: calendar.map(Current::new),
            limit: if written.mode == Mode::Hard { nanos } else { NO_LIMIT },
            lease: part(u64::from(lease_millionths)),
            warn: warn.collect(),
            warned: Mutex::default(),
            name,
        })
    }

    /// The window of this moment.
    pub(super) fn window(&self, now: i64) -> Window {
        self.current.as_ref().map_or(ALWAYS, |current| current.window(now).0)
    }

    /// What is asked for a call.
    pub(super) fn draw(&self, amount: i64) -> Draw {
        Draw { amount, limit: self.limit, lease: self.lease }
    }

    /// Warns where what is taken passed a threshold, once a key and window.
    pub(super) fn warn(&self, key: &str, purse: &Purse) {
        if self.warn.is_empty() {
            return;
        }
        let taken = purse.taken(self.limit);
        let window = purse.window();
        let mut warned = self.warned.lock();
        if warned.len() >= MOST_WARNED {
            warned.retain(|_, (of, _)| *of == window);
        }
        let (of, bits) = warned.entry(key.to_owned()).or_insert((window, 0));
        if *of != window {
            (*of, *bits) = (window, 0);
        }
        for (at, (threshold, label, count)) in self.warn.iter().enumerate() {
            if taken >= *threshold && *bits & (1 << (at & 7)) == 0 {
                *bits |= 1 << (at & 7);
                count.fetch_add(1, Relaxed);
                tracing::warn!(target: "tollgate::limit", budget = self.name, key, threshold = label,
                    limit = %self.spending, "a budget passed a threshold");
            }
        }
    }
}
