//! The limiter against plain models that remember every admission.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::limit::by::Of;
use crate::policies::rate_limit::counters::{Counters, Key, View};
use crate::policies::rate_limit::keyed::Keyed;
use crate::policies::rate_limit::rule::{Kind, Rule};
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

/// However addresses differ, their keys do, and in the bits that choose the place in the table.
#[test]
fn addresses_have_keys_of_their_own() {
    let counters = Counters::default();
    let v4 = (0..256u32).flat_map(|at| [at, at << 8, at << 16, at << 24]).map(Of::V4);
    let v6 = (0..256u128).flat_map(|at| (0..16).map(move |byte| at << (8 * byte))).map(Of::V6);
    let addresses: HashSet<Of<'_>> = v4.chain(v6).collect();
    let key = |of: &Of<'_>| match counters.key(of) {
        Key::Hash(hash) => hash,
        other => panic!("{other:?}"),
    };
    let keys: HashSet<u128> = addresses.iter().map(key).collect();
    assert_eq!(keys.len(), addresses.len());
    let places: HashSet<u16> = keys.iter().map(|key| *key as u16).collect();
    // As many places as chance takes: of some 5,000 in 65,536 nearly all.
    assert!(places.len() * 10 > keys.len() * 9, "{} of {}", places.len(), keys.len());
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

/// Every way to count.
fn rules() -> impl Strategy<Value = Rule> {
    (limits(), 0..4).prop_map(|((count, period, burst), way)| {
        let period = Duration::from_nanos(period);
        match way {
            0 => Rule::bucket(count, period, burst),
            1 => Rule::queue(count, period, period),
            2 => Rule::windows(Kind::Fixed, count, period),
            _ => Rule::windows(Kind::Sliding, count, period),
        }
    })
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
        let rule = Rule::bucket(count, Duration::from_nanos(period), burst);
        let got: Vec<bool> = moments.iter().map(|now| view.take(key, &rule, *now, 1).is_ok()).collect();
        if period % count == 0 {
            prop_assert_eq!(&got, &model(count, period, burst, &moments));
        }
        let admitted: Vec<u64> = moments.iter().zip(&got).filter(|(_, ok)| **ok).map(|(now, _)| *now).collect();
        assert_bounded(count, period, burst, &admitted);
    }

    /// A window admits its count and no more, and the last one that was admitted in it is the count's.
    #[test]
    fn a_fixed_window_is_a_plain_count((count, period, _) in limits(), moments in moments()) {
        let view = view();
        let rule = Rule::windows(Kind::Fixed, count, Duration::from_nanos(period));
        let mut windows: HashMap<u64, u64> = HashMap::new();
        for now in &moments {
            let used = windows.entry(now / period).or_default();
            prop_assert_eq!(view.take(Key::Single, &rule, *now, 1).is_ok(), *used < count);
            *used += u64::from(*used < count);
        }
    }

    /// A sliding window is the two counts that it stands for; what divides badly it rounds to the safe side.
    #[test]
    fn a_sliding_window_is_two_counts((count, period, _) in limits(), moments in moments()) {
        let view = view();
        // A whole number of nanoseconds each, so that a count is exact.
        let period = period.next_multiple_of(count);
        let rule = Rule::windows(Kind::Sliding, count, Duration::from_nanos(period));
        let mut windows: HashMap<u64, u64> = HashMap::new();
        for now in &moments {
            let window = now / period;
            let before = window.checked_sub(1).and_then(|before| windows.get(&before)).copied().unwrap_or_default();
            let used = windows.entry(window).or_default();
            let whole = u128::from(period);
            let part = u128::from(before) * (whole - u128::from(now % period));
            let fits = part + u128::from(*used + 1) * whole <= u128::from(count) * whole;
            prop_assert_eq!(view.take(Key::Single, &rule, *now, 1).is_ok(), fits, "{} and {} at {}", before, used, now);
            *used += u64::from(fits);
        }
    }

    /// `left` tells exactly how many more are admitted at this moment, and the wait of a refusal how long until one is.
    #[test]
    fn what_is_told_is_true(rule in rules(), moments in moments()) {
        let view = view();
        for now in &moments {
            let (left, _) = view.stand(Key::Single, &rule, *now);
            match view.take(Key::Single, &rule, *now, 1) {
                Ok(taken) => prop_assert_eq!(rule.left(taken.after, taken.other, *now), left - 1),
                Err(wait) => {
                    prop_assert_eq!(left, 0);
                    prop_assert!(wait > 0);
                    prop_assert!(view.look(Key::Single, &rule, now + wait, 1).is_ok());
                    prop_assert!(view.look(Key::Single, &rule, now + wait - 1, 1).is_err());
                }
            }
        }
    }

    /// Giving back never leaves less owed than if the request had counted the rest alone, whatever others took meanwhile;
    /// and without others, and where nothing is kept, it leaves exactly that.
    #[test]
    fn giving_back_never_gains(
        rule in rules(),
        history in moments(),
        cost in 1u64..4,
        kept in 0u64..4,
        others in prop::collection::vec(0u64..2_000_000, 0..4),
    ) {
        let kept = kept.min(cost);
        let (with, without) = (view(), view());
        for now in &history {
            let _ = (with.take(Key::Single, &rule, *now, 1), without.take(Key::Single, &rule, *now, 1));
        }
        let now = history.last().copied().unwrap_or_default();
        let Ok(taken) = with.take(Key::Single, &rule, now, cost) else { return Ok(()) };
        prop_assert!(without.take(Key::Single, &rule, now, kept).is_ok());
        let mut moment = now;
        for pause in &others {
            moment += pause;
            let same = with.take(Key::Single, &rule, moment, 1).is_ok() == without.take(Key::Single, &rule, moment, 1).is_ok();
            prop_assume!(same);
        }
        with.settle(Key::Single, &rule, &taken, kept, moment);
        let (left, expected) = (with.stand(Key::Single, &rule, moment).0, without.stand(Key::Single, &rule, moment).0);
        prop_assert!(left <= expected, "{} {}", left, expected);
        if others.is_empty() {
            prop_assert_eq!(left, expected);
        }
    }

    /// What a request turned out to count more is owed, room or no room, and nobody has it twice.
    #[test]
    fn charging_more_counts_as_if_from_the_start(rule in rules(), more in 1u64..60) {
        let (with, without) = (view(), view());
        let taken = with.take(Key::Single, &rule, 0, 1).unwrap();
        with.settle(Key::Single, &rule, &taken, 1 + more, 0);
        let all = without.take(Key::Single, &rule, 0, 1 + more);
        if all.is_ok() {
            prop_assert_eq!(with.state(Key::Single), without.state(Key::Single));
        } else {
            prop_assert_eq!(with.stand(Key::Single, &rule, 0).0, 0);
        }
    }

    /// However many keys there are, each admits at most what it would in a table of its own.
    #[test]
    fn a_full_table_never_admits_more(keys in prop::collection::vec(0u32..400, 1..3_000), pause in 0u64..2_000_000) {
        let rule = Rule::bucket(5, Duration::from_millis(100), 3);
        let table = Keyed::default();
        table.bound(64);
        let mut alone: HashMap<u32, Vec<u64>> = HashMap::new();
        let counters = Counters::default();
        for (at, key) in keys.iter().enumerate() {
            let now = at as u64 * pause;
            let hash = hashed(&counters, key);
            if table.update(hash, 0, 1, |own, other| rule.take(own, other, now, 1)).is_ok() {
                alone.entry(*key).or_default().push(now);
            }
        }
        prop_assert!(table.len() <= 64);
        for admitted in alone.values() {
            assert_bounded(5, 100_000_000, 3, admitted);
        }
    }
}

#[test]
fn consumers_have_a_limit_each_and_others_have_none() {
    let view = view();
    let rule = Rule::bucket(2, Duration::from_secs(1), 2);
    for slot in 0..10 {
        let admitted = (0..5).filter(|_| view.take(Key::Consumer(ConsumerSlot(slot)), &rule, 0, 1).is_ok()).count();
        assert_eq!(admitted, 2, "{slot}");
    }
    // A slot that the program does not have cannot be; it is refused all the same.
    assert!(view.take(Key::Consumer(ConsumerSlot(100_000)), &rule, 0, 1).is_err());
}

#[test]
fn a_lowered_bound_is_reached_as_keys_come() {
    let rule = Rule::bucket(1, Duration::from_secs(1), 1);
    let (table, counters) = (Keyed::default(), Counters::default());
    // One a second, so that none is refused for what others owed.
    let put = |from: u32, to: u32| {
        for key in from..to {
            let hash = hashed(&counters, key);
            assert!(
                table.update(hash, 0, 1, |own, other| rule.take(own, other, u64::from(key) * 1_000_000_000, 1)).is_ok()
            );
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
    let rule = Rule::bucket(1, Duration::from_secs(1), 1);
    let (table, counters) = (Keyed::default(), Counters::default());
    table.bound(64);
    let take = |key: u32, now: u64| {
        let hash = hashed(&counters, key);
        table.update(hash, 0, 1, |own, other| rule.take(own, other, now, 1)).is_ok()
    };
    let admitted = (0..10_000).filter(|key| take(*key, 0)).count();
    // Two are remembered in each of 32 shards, and the third is what fills a shard.
    assert_eq!((admitted, table.len()), (96, 64));
    assert!((100_000..101_000).all(|key| !take(key, 999_999_999)));
    assert!(take(200_000, 1_000_000_000));
}
