//! The limiter against a plain model that remembers every admission, alone and with many threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use proptest::prelude::*;

use crate::policies::rate_limit::counters::{Counters, Key, View};
use crate::policies::rate_limit::gcra::Gcra;
use crate::policies::rate_limit::keyed::Keyed;
use crate::program::ConsumerSlot;

fn view() -> View {
    let counters = Arc::new(Counters::default());
    counters.bound(1_000);
    View::new(counters, 10)
}

fn hashed(counters: &Counters, key: impl std::hash::Hash) -> u128 {
    match counters.hash(key) {
        Key::Hash(hash) => hash,
        other => panic!("{other:?}"),
    }
}

/// A bucket that is filled exactly, in fractions of a request: `count` times a nanosecond's share of the period.
struct Bucket {
    /// Tokens times the period.
    level: u128,
    at: u64,
}

/// What an exact token bucket admits.
fn model(count: u64, period: u64, burst: u64, moments: &[u64]) -> Vec<bool> {
    let full = u128::from(burst) * u128::from(period);
    let mut bucket = Bucket { level: full, at: 0 };
    let admit = |now: &u64| {
        let refill = u128::from(now - bucket.at) * u128::from(count);
        bucket.level = full.min(bucket.level + refill);
        bucket.at = *now;
        let admitted = bucket.level >= u128::from(period);
        bucket.level -= if admitted { u128::from(period) } else { 0 };
        admitted
    };
    moments.iter().map(admit).collect()
}

/// The most that any stretch of time may admit.
fn assert_bounded(count: u64, period: u64, burst: u64, admitted: &[u64]) {
    for (first, start) in admitted.iter().enumerate() {
        for (so_far, end) in admitted[first..].iter().enumerate() {
            let allowed =
                burst + u64::try_from(u128::from(end - start) * u128::from(count) / u128::from(period)).unwrap();
            assert!((so_far as u64) < allowed, "{} admitted within {} ns", so_far + 1, end - start);
        }
    }
}

fn limits() -> impl Strategy<Value = (u64, u64, u64)> {
    (1u64..50, prop_oneof![Just(1_000_000u64), 50_000u64..10_000_000_000], 1u64..50)
        .prop_map(|(count, period, burst)| (count, period, burst.min(count)))
}

/// Moments with pauses from none to several intervals.
fn moments() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(0u64), 0..1_000u64, 0..2_000_000u64, 0..3_000_000_000u64], 1..200).prop_map(
        |pauses| {
            let mut now = 0;
            pauses
                .iter()
                .map(|pause| {
                    now += pause;
                    now
                })
                .collect()
        },
    )
}

proptest! {
    /// Where the interval is a whole number of nanoseconds the limiter is the exact bucket; else it is never above it in
    /// any stretch of time.
    #[test]
    fn a_limit_is_an_exact_bucket((count, period, burst) in limits(), moments in moments(), keyed in any::<bool>()) {
        let view = view();
        let key = if keyed { view.counters().hash("key") } else { Key::Single };
        let gcra = Gcra::new(count, Duration::from_nanos(period), burst);
        let got: Vec<bool> = moments.iter().map(|now| view.take(key, &gcra, *now).is_ok()).collect();
        if period % count == 0 {
            prop_assert_eq!(&got, &model(count, period, burst, &moments));
        }
        let admitted: Vec<u64> = moments.iter().zip(&got).filter(|(_, ok)| **ok).map(|(now, _)| *now).collect();
        assert_bounded(count, period, burst, &admitted);
    }

    /// `left` tells exactly how many more are admitted at this moment, and the wait of a refusal how long until one is.
    #[test]
    fn what_is_told_is_true((count, period, burst) in limits(), moments in moments()) {
        let view = view();
        let gcra = Gcra::new(count, Duration::from_nanos(period), burst);
        for now in &moments {
            let left = gcra.left(view.due(Key::Single), *now);
            match view.take(Key::Single, &gcra, *now) {
                Ok(taken) => prop_assert_eq!(gcra.left(taken.after, *now), left - 1),
                Err(wait) => {
                    prop_assert_eq!(left, 0);
                    prop_assert!(wait > 0);
                    prop_assert!(gcra.take(view.due(Key::Single), now + wait).is_ok());
                    prop_assert!(gcra.take(view.due(Key::Single), now + wait - 1).is_err());
                }
            }
        }
    }

    /// Undoing never leaves less owed than if the request had not been there, whatever others took meanwhile; and without
    /// others it leaves exactly that.
    #[test]
    fn undoing_never_gains(
        (count, period, burst) in limits(),
        history in moments(),
        others in prop::collection::vec(0u64..2_000_000, 0..4),
    ) {
        let gcra = Gcra::new(count, Duration::from_nanos(period), burst);
        let (with, without) = (view(), view());
        for now in &history {
            let _ = (with.take(Key::Single, &gcra, *now), without.take(Key::Single, &gcra, *now));
        }
        let now = history.last().copied().unwrap_or_default();
        let Ok(taken) = with.take(Key::Single, &gcra, now) else { return Ok(()) };
        let mut moment = now;
        for pause in &others {
            moment += pause;
            let same = with.take(Key::Single, &gcra, moment).is_ok() == without.take(Key::Single, &gcra, moment).is_ok();
            prop_assume!(same);
        }
        with.undo(Key::Single, taken, moment);
        let (owed, expected) = (with.due(Key::Single), without.due(Key::Single));
        prop_assert!(owed.max(moment) >= expected.max(moment), "{} {}", owed, expected);
        if others.is_empty() {
            prop_assert_eq!(owed, expected);
        }
    }

    /// However many keys there are, each admits at most what it would in a table of its own.
    #[test]
    fn a_full_table_never_admits_more(keys in prop::collection::vec(0u32..400, 1..3_000), pause in 0u64..2_000_000) {
        let gcra = Gcra::new(5, Duration::from_millis(100), 3);
        let table = Keyed::default();
        table.bound(64);
        let mut alone: HashMap<u32, Vec<u64>> = HashMap::new();
        let counters = Counters::default();
        for (at, key) in keys.iter().enumerate() {
            let now = at as u64 * pause;
            let hash = hashed(&counters, key);
            if table.update(hash, |due| gcra.take(due, now)).is_ok() {
                alone.entry(*key).or_default().push(now);
            }
        }
        prop_assert!(table.len() <= 64);
        for admitted in alone.values() {
            assert_bounded(5, 100_000_000, 3, admitted);
        }
    }
}

/// Threads that share a moving clock; what they are admitted is counted.
fn race(view: &View, key: impl Fn(usize) -> Key + Sync, gcra: &Gcra, until: u64) -> u64 {
    let clock = AtomicU64::new(0);
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (clock, admitted, key) = (&clock, &admitted, &key);
            scope.spawn(move || {
                loop {
                    let now = clock.fetch_add(1_000, SeqCst);
                    if now > until {
                        break;
                    }
                    if view.take(key(thread), gcra, now).is_ok() {
                        admitted.fetch_add(1, SeqCst);
                    }
                }
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn threads_share_one_limit() {
    // 100 a second, 20 at once, for 1 s: 20 at first, then one each 10 ms.
    let gcra = Gcra::new(100, Duration::from_secs(1), 20);
    for kind in ["single", "consumer", "keyed"] {
        let view = view();
        let key = match kind {
            "single" => Key::Single,
            "consumer" => Key::Consumer(ConsumerSlot(3)),
            _ => view.counters().hash("key"),
        };
        let admitted = race(&view, |_| key, &gcra, 1_000_000_000);
        assert!((119..=120).contains(&admitted), "{kind}: {admitted}");
    }
}

#[test]
fn consumers_have_a_limit_each_and_others_have_none() {
    let view = view();
    let gcra = Gcra::new(2, Duration::from_secs(1), 2);
    for slot in 0..10 {
        let admitted = (0..5).filter(|_| view.take(Key::Consumer(ConsumerSlot(slot)), &gcra, 0).is_ok()).count();
        assert_eq!(admitted, 2, "{slot}");
    }
    // A slot that the program does not have cannot be; it is refused all the same.
    assert!(view.take(Key::Consumer(ConsumerSlot(100_000)), &gcra, 0).is_err());
}

#[test]
fn a_lowered_bound_is_reached_as_keys_come() {
    let gcra = Gcra::new(1, Duration::from_secs(1), 1);
    let (table, counters) = (Keyed::default(), Counters::default());
    // One a second, so that none is refused for what others owed.
    let put = |from: u32, to: u32| {
        for key in from..to {
            let hash = hashed(&counters, key);
            assert!(table.update(hash, |due| gcra.take(due, u64::from(key) * 1_000_000_000)).is_ok());
        }
    };
    table.bound(10_000);
    put(0, 5_000);
    assert_eq!(table.len(), 5_000);
    table.bound(1_000);
    put(5_000, 15_000);
    assert!(table.len() <= 1_024, "{}", table.len());
}

#[test]
fn a_flood_of_new_keys_is_over_when_its_debt_would_be() {
    let gcra = Gcra::new(1, Duration::from_secs(1), 1);
    let (table, counters) = (Keyed::default(), Counters::default());
    table.bound(64);
    let take = |key: u32, now: u64| {
        let hash = hashed(&counters, key);
        table.update(hash, |due| gcra.take(due, now)).is_ok()
    };
    let admitted = (0..10_000).filter(|key| take(*key, 0)).count();
    // Two are remembered in each of 32 shards, and the third is what fills a shard.
    assert_eq!((admitted, table.len()), (96, 64));
    assert!((100_000..101_000).all(|key| !take(key, 999_999_999)));
    assert!(take(200_000, 1_000_000_000));
}
