//! At three times the limit, over whole windows, what passes is the limit times the windows and the burst: for every way to
//! count and every kind of key, alone and over four threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use crate::policies::rate_limit::counters::{Counters, Key, View};
use crate::policies::rate_limit::rule::{Kind, Rule};
use crate::program::ConsumerSlot;

/// An aligned moment: windows begin here.
const BEGIN: u64 = 1_800_000_000_000_000_000;

struct Case {
    name: &'static str,
    rule: Rule,
    limit: u64,
    period: Duration,
    /// What passes at once, beside what the windows admit.
    burst: u64,
}

fn cases() -> Vec<Case> {
    let second = Duration::from_secs(1);
    let case = |name, rule, limit, period, burst| Case { name, rule, limit, period, burst };
    vec![
        case("gcra", Rule::bucket(100, second, 100), 100, second, 100),
        case("gcra, small burst", Rule::bucket(1_000, second, 20), 1_000, second, 20),
        case("gcra by the hour", Rule::bucket(700, second * 3600, 70), 700, second * 3600, 70),
        case("gcra that divides badly", Rule::bucket(997, second, 10), 997, second, 10),
        case("fixed", Rule::windows(Kind::Fixed, 100, second), 100, second, 0),
        case("fixed that divides badly", Rule::windows(Kind::Fixed, 997, second), 997, second, 0),
        case("fixed by the minute", Rule::windows(Kind::Fixed, 6_000, second * 60), 6_000, second * 60, 0),
        case("sliding", Rule::windows(Kind::Sliding, 100, second), 100, second, 0),
        case("sliding that divides badly", Rule::windows(Kind::Sliding, 997, second), 997, second, 0),
        case("sliding by the minute", Rule::windows(Kind::Sliding, 6_000, second * 60), 6_000, second * 60, 0),
        // Ten a second with two seconds to wait: twenty may wait beside the one that is served.
        case("leaky", Rule::queue(10, second, second * 2), 10, second, 21),
        case("leaky, a short wait", Rule::queue(500, second, second / 20), 500, second, 26),
    ]
}

/// Offers three times the limit, evenly, from so many threads that share one clock; what passed.
fn offer(view: &View, key: Key, case: &Case, windows: u64, threads: usize) -> u64 {
    let period = u64::try_from(case.period.as_nanos()).unwrap();
    let pause = period / (case.limit * 3);
    let (clock, passed) = (AtomicU64::new(BEGIN), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let now = clock.fetch_add(pause, SeqCst);
                    if now >= BEGIN + windows * period {
                        break;
                    }
                    if view.take(key, &case.rule, now, 1).is_ok() {
                        passed.fetch_add(1, SeqCst);
                    }
                }
            });
        }
    });
    passed.into_inner()
}

#[test]
fn what_passes_is_the_limit_times_the_windows_and_the_burst() {
    const WINDOWS: u64 = 30;
    for case in cases() {
        for threads in [1, 4] {
            for kind in ["single", "consumer", "keyed"] {
                let counters = Arc::new(Counters::default());
                counters.bound(1_000);
                let view = View::new(counters, 10);
                let key = match kind {
                    "single" => Key::Single,
                    "consumer" => Key::Consumer(ConsumerSlot(3)),
                    _ => view.counters().hash("key"),
                };
                let passed = offer(&view, key, &case, WINDOWS, threads);
                let expected = case.limit * WINDOWS + case.burst;
                let off = passed.abs_diff(expected);
                assert!(off * 100 <= expected, "{}, {kind}, {threads} threads: {passed} of {expected}", case.name);
            }
        }
    }
}

#[test]
fn a_turn_is_at_the_sustained_rate() {
    let view = View::new(Arc::new(Counters::default()), 0);
    let rule = Rule::queue(10, Duration::from_secs(1), Duration::from_millis(250));
    let turns: Vec<_> = (0..5)
        .map(|_| view.take(Key::Single, &rule, BEGIN, 1).map(|taken| rule.turn(&taken, BEGIN) / 1_000_000))
        .map(|turn| turn.map_err(|wait| wait / 1_000_000))
        .collect();
    assert_eq!(turns, [Ok(0), Ok(100), Ok(200), Err(50), Err(50)]);
}

#[test]
fn what_costs_more_than_there_ever_is_room_for_is_told_so() {
    for case in cases() {
        let view = View::new(Arc::new(Counters::default()), 0);
        let never = view.take(Key::Single, &case.rule, BEGIN, case.limit * 100).unwrap_err();
        assert_eq!(never, crate::policies::rate_limit::rule::NEVER, "{}", case.name);
        assert!(view.take(Key::Single, &case.rule, BEGIN, 1).is_ok(), "{}: nothing was used up", case.name);
    }
}
