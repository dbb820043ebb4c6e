use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Clock, Kind, Options, Store};

const PATIENCE: Duration = Duration::from_secs(30);
const NOW: i64 = 1_800_000_000;
const MONTH: Window = Window { starts: NOW - 1000, ends: NOW + 1_000_000 };

fn clock() -> Clock {
    Clock::new(|| NOW)
}

fn options() -> Options {
    Options { gather: Duration::from_millis(1), clock: clock(), ..Options::default() }
}

fn requests(owner: &str) -> Account<'_> {
    Account { measure: Measure::Requests, book: "api/users/quota", owner }
}

/// Both ledgers behave alike while the process lives.
fn both(check: impl Fn(&dyn Ledger)) {
    check(&MemoryLedger::new(3, clock()));
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options { most_meters: 3, ..options() }).unwrap();
    check(store.ledger().as_ref());
}

#[test]
fn one_meter_for_an_account_in_a_window() {
    both(|ledger| {
        let meter = ledger.meter(requests("a"), MONTH).unwrap();
        meter.charge(5);
        let again = ledger.meter(requests("a"), MONTH).unwrap();
        assert!(Arc::ptr_eq(&meter, &again));
        assert_eq!(again.total(), Total { used: 5, held: 0 });
        let other = Window { starts: MONTH.starts + 1, ..MONTH };
        let tokens = Account { measure: Measure::Tokens, ..requests("a") };
        assert_eq!(ledger.meter(requests("a"), other).unwrap().total(), Total::default());
        assert_eq!(ledger.meter(tokens, MONTH).unwrap().total(), Total::default());
    });
}

#[test]
fn a_limit_counts_what_is_used_and_what_is_held() {
    both(|ledger| {
        let meter = ledger.meter(requests("a"), MONTH).unwrap();
        assert!(meter.take(6, 10).is_ok());
        let held = meter.reserve(4, 10).unwrap();
        let full = Total { used: 6, held: 4 };
        assert_eq!(meter.take(1, 10), Err(Exceeded { total: full, limit: 10 }));
        assert!(matches!(meter.reserve(1, 10), Err(Exceeded { total, limit: 10 }) if total == full));
        assert_eq!(meter.total(), full, "what is refused counts nothing");
        held.settle(1);
        assert_eq!(meter.total(), Total { used: 7, held: 0 });
        meter.reserve(3, 10).unwrap().release();
        assert_eq!(meter.total(), Total { used: 7, held: 0 });
        drop(meter.reserve(3, 10).unwrap());
        assert_eq!(meter.total(), Total { used: 10, held: 0 }, "unsettled is charged in full");
        meter.charge(-4);
        assert_eq!(meter.total(), Total { used: 6, held: 0 });
    });
}

#[test]
fn several_are_reserved_or_none() {
    both(|ledger| {
        let claims: Vec<Claim> = [("a", 10), ("b", 3)]
            .map(|(owner, limit)| Claim { meter: ledger.meter(requests(owner), MONTH).unwrap(), amount: 2, limit })
            .into();
        let first = reserve_all(&claims).unwrap();
        let (at, exceeded) = reserve_all(&claims).unwrap_err();
        assert_eq!((at, exceeded.limit), (1, 3));
        assert_eq!(claims[0].meter.total(), Total { used: 0, held: 2 }, "the first is let go again");
        for held in first {
            held.settle(1);
        }
        assert_eq!(claims[1].meter.total(), Total { used: 1, held: 0 });
    });
}

#[test]
fn totals_are_cut_off_and_never_overflow() {
    both(|ledger| {
        let meter = ledger.meter(requests("a"), MONTH).unwrap();
        for amount in [i64::MAX, i64::MAX, 1] {
            meter.charge(amount);
        }
        assert_eq!(meter.total().used, MOST);
        ledger.flush(PATIENCE).unwrap();
        for _ in 0..3 {
            meter.charge(i64::MIN);
        }
        assert_eq!(meter.total().used, -MOST);
        let held = meter.reserve(i64::MAX, i64::MAX).unwrap();
        assert!(meter.reserve(1, i64::MAX).is_err());
        assert_eq!(held.amount(), MOST);
        held.release();
        ledger.flush(PATIENCE).unwrap();
        assert_eq!(meter.total(), Total { used: -MOST, held: 0 });
    });
}

#[test]
fn meters_are_bounded_and_none_is_refilled_for_another() {
    both(|ledger| {
        for owner in ["a", "b", "c"] {
            ledger.meter(requests(owner), MONTH).unwrap().charge(1);
        }
        assert_eq!(ledger.meter(requests("d"), MONTH).unwrap_err().kind(), Kind::Full);
        assert_eq!(ledger.meter(requests("a"), MONTH).unwrap().total().used, 1);
    });
}

#[test]
fn a_window_ends_with_grace() {
    let now = Arc::new(AtomicI64::new(NOW));
    let clock = Clock::new({
        let now = now.clone();
        move || now.load(Ordering::SeqCst)
    });
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options { clock: clock.clone(), ..options() }).unwrap();
    for ledger in [store.ledger().as_ref() as &dyn Ledger, &MemoryLedger::new(3, clock)] {
        now.store(NOW, Ordering::SeqCst);
        ledger.meter(requests("a"), MONTH).unwrap().charge(1);
        ledger.flush(PATIENCE).unwrap();
        now.store(MONTH.ends + GRACE - 1, Ordering::SeqCst);
        ledger.forget();
        assert_eq!(ledger.meter(requests("a"), MONTH).unwrap().total().used, 1, "late calls are still settled");
        now.store(MONTH.ends + GRACE, Ordering::SeqCst);
        let held = ledger.meter(requests("a"), MONTH).unwrap();
        ledger.forget();
        assert!(Arc::ptr_eq(&held, &ledger.meter(requests("a"), MONTH).unwrap()), "what is held is kept");
        drop(held);
        ledger.forget();
        assert_eq!(ledger.meter(requests("a"), MONTH).unwrap_err().kind(), Kind::Ended);
    }
}

#[test]
fn the_sum_of_windows() {
    both(|ledger| {
        for (day, amount) in [(0, 1), (1, 10), (2, 100)] {
            let window = Window::aligned(NOW + day * 86_400, 86_400);
            ledger.meter(requests("a"), window).unwrap().charge(amount);
        }
        let start = Window::aligned(NOW, 86_400).starts;
        let sum = |days: std::ops::Range<i64>| {
            ledger.sum(requests("a"), start + days.start * 86_400, start + days.end * 86_400).unwrap().used
        };
        assert_eq!((sum(0..3), sum(1..3), sum(0..1), sum(3..9)), (111, 110, 1, 0));
        assert_eq!(ledger.sum(requests("b"), 0, i64::MAX).unwrap(), Total::default());
    });
}

#[test]
fn windows_are_aligned() {
    let table = [(0, 60, 0, 60), (59, 60, 0, 60), (60, 60, 60, 120), (-1, 60, -60, 0), (7, 0, 7, 8)];
    for (now, length, starts, ends) in table {
        assert_eq!(Window::aligned(now, length), Window { starts, ends }, "{now} by {length}");
    }
}

#[test]
fn a_receipt_is_durable_once_saved() {
    let folder = tempfile::tempdir().unwrap();
    // It gathers for longer than the test takes: nothing is saved unasked.
    let store = Store::open(folder.path(), &Options { gather: Duration::from_secs(3600), ..options() }).unwrap();
    let ledger = store.ledger();
    let meter = ledger.meter(requests("a"), MONTH).unwrap();
    let first = meter.charge(1);
    assert!(!ledger.is_durable(first));
    ledger.flush(PATIENCE).unwrap();
    assert!(ledger.is_durable(first));
    assert!(!ledger.is_durable(meter.charge(1)));
}

#[derive(Clone, Debug)]
enum Act {
    Charge(usize, i64),
    Take(usize, i64, i64),
    Reserve(usize, i64, i64),
    Settle(usize, i64),
    Drop(usize),
    Flush,
    /// Closed and opened again.
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0usize..4, -20i64..100).prop_map(|(at, amount)| Act::Charge(at, amount)),
        4 => (0usize..4, 0i64..50, 0i64..500).prop_map(|(at, amount, limit)| Act::Take(at, amount, limit)),
        4 => (0usize..4, 0i64..50, 0i64..500).prop_map(|(at, amount, limit)| Act::Reserve(at, amount, limit)),
        4 => (0usize..8, 0i64..60).prop_map(|(at, used)| Act::Settle(at, used)),
        1 => (0usize..8).prop_map(Act::Drop),
        1 => Just(Act::Flush),
        1 => Just(Act::Reopen),
    ]
}

fn owner(at: usize) -> String {
    format!("consumer-{at}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is done to it, closed and opened again or not, the ledger reads what plain sums read.
    #[test]
    fn the_ledger_equals_plain_sums(acts in prop::collection::vec(act(), 1..80)) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Some(Store::open(folder.path(), &options()).unwrap());
        let mut model: HashMap<usize, (i64, i64)> = HashMap::new();
        let mut open: Vec<(usize, i64, Reservation)> = Vec::new();
        for act in acts {
            let meter = |at: usize| store.as_ref().unwrap().ledger().meter(requests(&owner(at)), MONTH).unwrap();
            match act {
                Act::Charge(at, amount) => {
                    meter(at).charge(amount);
                    model.entry(at).or_default().0 += amount;
                }
                Act::Take(at, amount, limit) => {
                    let total = model.entry(at).or_default();
                    let fits = total.0 + total.1 + amount <= limit;
                    prop_assert_eq!(meter(at).take(amount, limit).is_ok(), fits);
                    total.0 += if fits { amount } else { 0 };
                }
                Act::Reserve(at, amount, limit) => {
                    let total = model.entry(at).or_default();
                    let fits = total.0 + total.1 + amount <= limit;
                    let reserved = meter(at).reserve(amount, limit);
                    prop_assert_eq!(reserved.is_ok(), fits);
                    if let Ok(reservation) = reserved {
                        total.1 += amount;
                        open.push((at, amount, reservation));
                    }
                }
                Act::Settle(at, used) if at < open.len() => {
                    let (owner, amount, reservation) = open.swap_remove(at);
                    reservation.settle(used);
                    let total = model.entry(owner).or_default();
                    *total = (total.0 + used, total.1 - amount);
                }
                Act::Drop(at) if at < open.len() => {
                    let (owner, amount, _) = open.swap_remove(at);
                    let total = model.entry(owner).or_default();
                    *total = (total.0 + amount, total.1 - amount);
                }
                Act::Settle(..) | Act::Drop(_) => {}
                Act::Flush => store.as_ref().unwrap().ledger().flush(PATIENCE).unwrap(),
                Act::Reopen => {
                    for (owner, amount, _) in open.drain(..) {
                        let total = model.entry(owner).or_default();
                        *total = (total.0 + amount, total.1 - amount);
                    }
                    drop(store.take());
                    store = Some(Store::open(folder.path(), &options()).unwrap());
                }
            }
        }
        let store = store.unwrap();
        for (at, (used, held)) in &model {
            let total = Total { used: *used, held: *held };
            prop_assert_eq!(store.ledger().meter(requests(&owner(*at)), MONTH).unwrap().total(), total);
            prop_assert_eq!(store.ledger().sum(requests(&owner(*at)), 0, i64::MAX).unwrap(), total, "on the disk");
        }
    }
}

#[test]
fn threads_count_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &options()).unwrap();
    let limit = 20_000;
    let passed: i64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let meter = store.ledger().meter(requests("a"), MONTH).unwrap();
                    (0..10_000).filter(|_| meter.take(1, limit).is_ok()).count()
                })
            })
            .collect();
        workers.into_iter().map(|worker| i64::try_from(worker.join().unwrap()).unwrap()).sum()
    });
    assert_eq!(passed, limit);
    assert_eq!(store.ledger().sum(requests("a"), 0, i64::MAX).unwrap(), Total { used: limit, held: 0 });
}
