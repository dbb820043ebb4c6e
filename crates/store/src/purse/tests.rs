use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ledger::{Account, Ledger as _, Measure, MemoryLedger, Meter, Total, Window};
use crate::{Clock, Options, Store};

const NOW: i64 = 1_800_000_000;
const MONTH: Window = Window { starts: NOW - 1000, ends: NOW + 1_000_000 };
const ACCOUNT: Account<'_> = Account { measure: Measure::Money, book: "api/a/budget", owner: "consumer:a" };

fn clock() -> Clock {
    Clock::new(|| NOW)
}

fn memory() -> Arc<Meter> {
    MemoryLedger::new(10, clock()).meter(ACCOUNT, MONTH).unwrap()
}

fn open(folder: &tempfile::TempDir) -> Store {
    // Gathering for long: what is drawn is saved when it is needed, not because time passed.
    Store::open(folder.path(), &Options { gather: Duration::from_secs(60), clock: clock(), ..Options::default() })
        .unwrap()
}

fn on_disk(store: &Store) -> Arc<Purse> {
    let meter = store.ledger().meter(ACCOUNT, MONTH).unwrap();
    Purse::new(Bank::Disk { ledger: store.ledger().clone(), meter })
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn draw(amount: i64, lease: i64) -> Draw {
    Draw { amount, limit: 100, lease }
}

/// What is on the disk.
fn saved(folder: &tempfile::TempDir) -> (i64, i64) {
    let connection = rusqlite::Connection::open(folder.path().join(crate::DATABASE)).unwrap();
    connection.query_row("SELECT used, held FROM total", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn calls_hold_what_they_may_come_to_and_bring_the_rest_back() {
    let meter = memory();
    let purse = Purse::new(Bank::Memory { meter: meter.clone() });
    let held: Vec<Held> = (0..10).map(|_| wait(purse.hold(&draw(10, 0))).unwrap()).collect();
    assert_eq!(wait(purse.hold(&draw(1, 0))).err(), Some(Refusal::Held));
    let mut held = held.into_iter();
    held.next().unwrap().settle(3);
    assert_eq!(meter.total(), Total { used: 3, held: 90 });
    wait(purse.hold(&draw(7, 0))).unwrap().settle(7);
    held.next().unwrap().release();
    drop(held.next());
    assert_eq!(meter.total(), Total { used: 20, held: 70 });
    held.for_each(|held| held.settle(9));
    assert_eq!(meter.total(), Total { used: 83, held: 0 });
    assert_eq!(wait(purse.hold(&draw(18, 0))).err(), Some(Refusal::Spent));
    assert!(wait(purse.hold(&draw(17, 0))).is_ok());
}

#[test]
fn what_a_call_came_to_beyond_its_own_leaves_others_theirs() {
    let meter = memory();
    let purse = Purse::new(Bank::Memory { meter: meter.clone() });
    let (one, other) = (wait(purse.hold(&draw(50, 0))).unwrap(), wait(purse.hold(&draw(50, 0))).unwrap());
    one.settle(70);
    assert_eq!(meter.total(), Total { used: 70, held: 50 });
    assert_eq!(wait(purse.hold(&draw(1, 0))).err(), Some(Refusal::Held));
    other.settle(10);
    assert_eq!(meter.total(), Total { used: 80, held: 0 });
}

#[test]
fn what_is_held_is_on_the_disk_before_and_a_kill_costs_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let purse = on_disk(&store);
    let held = wait(purse.hold(&draw(5, 20))).unwrap();
    assert_eq!(saved(&folder), (0, 20), "the lease was there before the call");
    held.settle(4);
    for _ in 0..3 {
        wait(purse.hold(&draw(4, 20))).unwrap().settle(4);
    }
    store.ledger().flush(Duration::from_secs(10)).unwrap();
    let (used, lent) = saved(&folder);
    assert!(used == 16 && (1..=40).contains(&lent), "{used} {lent}");
    // Killed: the file as it is now, opened by another.
    let copy = tempfile::tempdir().unwrap();
    crate::backup(folder.path(), &copy.path().join(crate::DATABASE)).unwrap();
    let after = open(&copy);
    assert_eq!(after.ledger().meter(ACCOUNT, MONTH).unwrap().total(), Total { used: 16 + lent, held: 0 });
    // Ended well: nothing is lost.
    drop(purse);
    drop(store);
    assert_eq!(saved(&folder), (16, 0));
}

#[test]
fn closing_takes_back_what_purses_still_have() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let purse = on_disk(&store);
    wait(purse.hold(&draw(5, 20))).unwrap().settle(5);
    store.close();
    assert_eq!(saved(&folder), (5, 0));
    drop(purse);
}

#[test]
fn the_next_lease_is_drawn_before_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let purse = on_disk(&store);
    let mut waits = 0;
    for _ in 0..60 {
        let held = purse.hold_at_once(&draw(1, 20)).unwrap_or_else(|| {
            waits += 1;
            wait(purse.hold(&draw(1, 20))).unwrap()
        });
        held.settle(1);
        store.ledger().flush(Duration::from_secs(10)).unwrap();
    }
    assert_eq!(waits, 1, "the first has to wait, and no other");
}

#[test]
fn purses_are_by_owner_and_window() {
    let purses = Purses::default();
    let meter = memory();
    let make = || Some(Purse::new(Bank::Memory { meter: meter.clone() }));
    let first = purses.get("a", MONTH, make).unwrap();
    assert!(Arc::ptr_eq(&first, &purses.get("a", MONTH, || None).unwrap()));
    assert!(!Arc::ptr_eq(&first, &purses.get("b", MONTH, make).unwrap()));
    let next = Window { starts: MONTH.ends, ends: MONTH.ends + 10 };
    assert!(!Arc::ptr_eq(&first, &purses.get("a", next, make).unwrap()));
    assert!(purses.get("c", next, || None).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However calls hold and settle: within what they held, the limit is never passed, and all that is spent is counted.
    #[test]
    fn no_order_of_calls_passes_the_limit(
        steps in prop::collection::vec((1i64..30, 0i64..=100, any::<bool>()), 1..80),
        lease in 0i64..40,
    ) {
        let ledger = MemoryLedger::new(10, clock());
        let meter = ledger.meter(ACCOUNT, MONTH).unwrap();
        // Two that draw from one.
        let purses = [(); 2].map(|()| Purse::new(Bank::Memory { meter: meter.clone() }));
        let (mut open, mut spent) = (Vec::new(), 0);
        for (at, (amount, share, settles)) in steps.into_iter().enumerate() {
            if let Ok(held) = wait(purses[at % 2].hold(&draw(amount, lease))) {
                open.push((held, amount * share / 100));
            }
            if settles && let Some((held, used)) = open.pop() {
                held.settle(used);
                spent += used;
            }
            prop_assert!(meter.total().all() <= 100);
            prop_assert_eq!(meter.total().used, spent);
        }
        for (held, used) in open {
            held.settle(used);
            spent += used;
        }
        drop(purses);
        prop_assert_eq!(meter.total(), Total { used: spent, held: 0 });
    }
}
