//! Quotas counted in a ledger: that of the data directory, or one that forgets with the process. All of them are counted, or
//! none.

use std::sync::Arc;

use smallvec::SmallVec;
use store::ledger::{Account, Ledger, Measure, MemoryLedger, Meter, Window};

use super::{Common, Limit, seconds};
use crate::exchange::Exchange;
use crate::limit::fields::Stand;
use crate::limit::held::What;
use crate::policies::{Outcome, Step, Verdict};
use crate::program::Compile;
use crate::stores;

/// Keys that a ledger in memory has, some 150 bytes each. One more is refused, as to forget another would be to refill it.
const MOST_KEYS: usize = 200_000;

/// Where quotas are written down.
pub(super) enum Books {
    Disk(stores::Ledger),
    Memory(Arc<MemoryLedger>),
}

impl Books {
    pub(super) fn memory(cx: &Compile<'_>) -> Self {
        let clock = cx.clock.clone();
        let clock = store::Clock::new(move || i64::try_from(clock.wall().as_secs()).unwrap_or(i64::MAX));
        Books::Memory(cx.keep("ledger", || MemoryLedger::new(MOST_KEYS, clock)))
    }

    fn meter(&self, account: Account<'_>, window: Window) -> Option<Arc<Meter>> {
        match self {
            Books::Disk(ledger) => ledger.get()?.meter(account, window).ok(),
            Books::Memory(ledger) => ledger.meter(account, window).ok(),
        }
    }

    /// A window began: what can no longer be counted on goes. The disk's ledger sees to that itself.
    fn turn(&self) {
        if let Books::Memory(ledger) = self {
            ledger.forget();
        }
    }
}

/// The quotas of one policy.
pub(super) struct Counter {
    common: Common,
    books: Books,
    /// What each quota's counts are written down under: names, never numbers, so that a changed one does not refill.
    names: Box<[String]>,
}

/// What was counted and is settled once the answer is there.
pub(crate) struct Pending(Vec<Counted>);

struct Counted {
    meter: Arc<Meter>,
    cost: u64,
}

/// What became of a request.
enum Found {
    Counted(SmallVec<[Counted; 2]>),
    Refused { limit: usize, never: bool, window: Window },
    Unavailable,
}

impl Counter {
    pub(super) fn new(common: Common, books: Books, cx: &Compile<'_>) -> Self {
        let (owner, instance) = (cx.owner.path(), &cx.instance);
        let names = common.limits.iter().map(|limit| format!("quota|{owner}|{instance}|{}", limit.identity)).collect();
        Self { common, books, names }
    }

    /// Counts on every quota, or on none.
    fn count(&self, x: &Exchange, now: i64) -> Found {
        let mut counted: SmallVec<[Counted; 2]> = SmallVec::new();
        let mut key = String::new();
        for (at, (limit, book)) in self.common.limits.iter().zip(&self.names).enumerate() {
            let (window, turned) = limit.window.window(now);
            if turned {
                self.books.turn();
            }
            key.clear();
            limit.by.of(x).write(x, &mut key);
            let account = Account { measure: Measure::Requests, book, owner: &key };
            let Some(meter) = self.books.meter(account, window) else {
                give_back(&counted);
                return Found::Unavailable;
            };
            let cost = limit.cost.of_request(x);
            match change(limit, &meter, signed(cost), Some(limit.allowance.count())) {
                true => counted.push(Counted { meter, cost }),
                false => {
                    give_back(&counted);
                    return Found::Refused { limit: at, never: cost > limit.allowance.count(), window };
                }
            }
        }
        Found::Counted(counted)
    }

    /// How every quota stands.
    fn stands(&self, x: &Exchange, now: i64) -> SmallVec<[Stand; 4]> {
        let mut key = String::new();
        let stands = self.common.limits.iter().zip(&self.names).map(|(limit, book)| {
            let (window, _) = limit.window.window(now);
            key.clear();
            limit.by.of(x).write(x, &mut key);
            let meter = self.books.meter(Account { measure: Measure::Requests, book, owner: &key }, window);
            let used = meter.map_or(0, |meter| unsigned(meter.total().all()));
            stand(limit, used, window, now)
        });
        stands.collect()
    }
}

/// Counts this much more, and warns where it passes a threshold. False where that does not fit.
fn change(limit: &Limit, meter: &Arc<Meter>, amount: i64, most: Option<u64>) -> bool {
    match meter.count(amount, most.map(signed)) {
        Ok(total) => {
            if !limit.warn.is_empty() {
                let after = total.all();
                limit.warn(meter.account().owner, unsigned(after - amount), unsigned(after));
            }
            true
        }
        Err(_) => false,
    }
}

fn give_back(counted: &[Counted]) {
    for Counted { meter, cost } in counted {
        meter.charge(-signed(*cost));
    }
}

pub(super) fn stand(limit: &Limit, used: u64, window: Window, now: i64) -> Stand {
    Stand { left: limit.allowance.count().saturating_sub(used), reset: unsigned(window.ends - now) }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

impl Step for Counter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.common.exempt.holds(x) {
            return Verdict::NEXT;
        }
        let now = seconds(x);
        let found = self.count(x, now);
        if self.common.tells() && !matches!(found, Found::Unavailable) {
            let stands = self.stands(x, now);
            self.common.fields.put(x, &stands);
        }
        Verdict::Done(match found {
            Found::Unavailable => self.common.unavailable(),
            Found::Refused { limit, never, window } => self.common.refuse(limit, never, window, now),
            Found::Counted(counted) => {
                if self.common.settles {
                    x.held.put(self.common.owner, What::Quota(Pending(counted.into_vec())));
                }
                Outcome::Next
            }
        })
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.common.fields.replace(x);
        if self.common.settles
            && let Some(What::Quota(Pending(pending))) = x.held.take(self.common.owner)
        {
            for (limit, counted) in self.common.limits.iter().zip(&pending) {
                if let Some(cost) = limit.cost.of_answer(x).filter(|cost| *cost != counted.cost) {
                    change(limit, &counted.meter, signed(cost) - signed(counted.cost), None);
                }
            }
        }
        Verdict::NEXT
    }
}
