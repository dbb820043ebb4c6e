//! Budgets of keys that callers were given while the gateway runs: by the key, on the disk that has the key too.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use model::value::{Spending, SpendingPer};
use parking_lot::Mutex;
use proxy::caller_keys::CallerKey;
use proxy::limit::calendar::{Calendar, Current};
use proxy::policies::Policy as _;
use proxy::program::{Compile, Environment};
use store::purse::Purses;

use super::limit::{Books, Limit, NO_LIMIT};
use super::spec::Mode;
use super::{Budget, Money};
use crate::policies::whose::By;

/// Under which name purses are kept.
const PURSES: &str = "purses of keys";

/// What budgets of keys have in common.
pub(in crate::policies) struct OfKeys {
    books: Books,
    purses: Arc<Purses>,
    refused: Arc<AtomicU64>,
}

impl OfKeys {
    pub(in crate::policies) fn compile(cx: &Compile<'_>) -> Self {
        let refused = cx.env.telemetry.limit(Budget::KIND, "key", "enforce");
        Self { refused, ..Self::of(cx.env) }
    }

    fn of(env: &Environment) -> Self {
        // Where there is no data directory there are no keys.
        let books = Books::Disk(env.stores.ledger());
        Self { books, purses: env.keep.get(PURSES, Purses::default), refused: Arc::default() }
    }

    /// The budgets of a key; none where it has none.
    pub(in crate::policies) fn money(&self, key: &CallerKey) -> Option<Money> {
        let budgets = &key.terms.budgets;
        let limits = budgets.iter().map(|spending| Arc::new(self.limit(&key.id, *spending)));
        (!budgets.is_empty()).then(|| Money {
            limits: limits.collect(),
            books: self.books.clone(),
            refuses_unpriced: true,
            expected: None,
        })
    }

    fn limit(&self, id: &str, spending: Spending) -> Limit {
        let limit = i64::try_from(spending.nanos()).unwrap_or(NO_LIMIT);
        let per = spending.per().as_str();
        Limit {
            spending,
            word: "key",
            by: By::Single(format!("{id}:{per}")),
            mode: Mode::Hard,
            book: format!("budget|keys|{per}"),
            purses: self.purses.clone(),
            refused: self.refused.clone(),
            name: "key".to_owned(),
            current: match spending.per() {
                SpendingPer::Total => None,
                SpendingPer::Calendar(per) => Some(Current::new(Calendar {
                    per,
                    billing_day: 1,
                    week_starts: Weekday::Monday,
                    zone: TimeZone::UTC,
                })),
            },
            limit,
            lease: limit / 100,
            warn: Box::default(),
            warned: Mutex::default(),
        }
    }
}

/// What of a key's budget is spent and held at this moment, in billionths of a US dollar. None where it cannot be known.
pub(crate) fn spent(env: &Environment, id: &str, spending: Spending, now: Duration) -> Option<u64> {
    let of_keys = OfKeys::of(env);
    let limit = of_keys.limit(id, spending);
    let window = limit.window(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let By::Single(owner) = &limit.by else { return None };
    let purse = limit.purses.get(owner, window, || of_keys.books.purse(&limit.book, owner, window))?;
    u64::try_from(purse.taken(limit.limit)).ok()
}
