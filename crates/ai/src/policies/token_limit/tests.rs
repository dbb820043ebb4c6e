use std::time::Duration;

use proptest::prelude::*;
use proxy::exchange::testing::{environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;

use super::bucket::{Buckets, Refusal, Rule};

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

fn world() -> Environment {
    Environment { registry: &REGISTRY, ..environment() }
}

#[test]
fn the_example_compiles() {
    program_in(include_str!("example.yaml"), &world());
}

#[test]
fn wrong_limits_are_problems() {
    for (policy, says) in [
        ("{ limits: [] }", "`limits` has 0 limits"),
        ("{ limits: [{ limit: 10 }] }", "10/second"),
        ("{ limits: [{ limit: 10/minute, by: [] }] }", "one of global"),
        ("{ limits: [{ limit: 10/minute }, { limit: 20/minute }] }", "two limits are named `consumer-minute`"),
        ("{ limits: [{ limit: 10/minute, count: words }] }", "words"),
        ("{ limits: [{ limit: 10/minute }], store: redis }", "there is none"),
    ] {
        let text = include_str!("example.yaml");
        let (before, rest) = text.split_once("      token_limit:").unwrap();
        let (_, after) = rest.split_once("    to: { ai").unwrap();
        let text = format!("{before}      token_limit: {policy}\n    to: {{ ai{after}");
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}

const SECOND: u64 = 1_000_000_000;
const RULE: Rule = Rule { limit: 600, period: Duration::from_secs(60) };

#[test]
fn buckets_drain_evenly_and_say_when() {
    let buckets = Buckets::default();
    assert_eq!(buckets.take("a", RULE, 500, 0).unwrap().left, 100);
    assert_eq!(buckets.take("a", RULE, 200, 0), Err(Refusal::Wait(Duration::from_secs(10))));
    assert_eq!(buckets.take("b", RULE, 600, 0).unwrap().left, 0);
    assert_eq!(buckets.take("a", RULE, 200, 10 * SECOND).unwrap().left, 0);
    assert_eq!(buckets.reading("a", RULE, 10 * SECOND).reset, Duration::from_secs(60));
    // It took less than was poured in, and another more: then that is owed first.
    buckets.settle("a", RULE, (200, 50), 10 * SECOND);
    assert_eq!(buckets.reading("a", RULE, 10 * SECOND).left, 150);
    buckets.settle("a", RULE, (0, 450), 10 * SECOND);
    assert_eq!(buckets.reading("a", RULE, 10 * SECOND).left, 0);
    assert_eq!(buckets.take("a", RULE, 1, 10 * SECOND), Err(Refusal::Wait(Duration::from_millis(30_100))));
    buckets.settle("nobody", RULE, (1, 0), 0);
}

proptest! {
    /// In any stretch of time no more is admitted than fits at once and drains meanwhile, and who waits as told is admitted.
    #[test]
    fn never_more_than_the_limit(calls in prop::collection::vec((0u64..20, 1u64..300), 1..60)) {
        let buckets = Buckets::default();
        let (mut now, mut admitted) = (0, Vec::new());
        for (pause, tokens) in calls {
            now += pause * SECOND;
            match buckets.take("a", RULE, tokens, now) {
                Ok(_) => admitted.push((now, tokens)),
                Err(Refusal::Wait(wait)) => {
                    now += u64::try_from(wait.as_nanos()).unwrap() + 1;
                    prop_assert!(buckets.take("a", RULE, tokens, now).is_ok());
                    admitted.push((now, tokens));
                }
                Err(Refusal::Full) => prop_assert!(false, "there is one key"),
            }
        }
        for (from, (start, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (at, tokens) in &admitted[from..] {
                sum += tokens;
                prop_assert!(sum <= 600 + (at - start) / (SECOND / 10) + 1, "{} from {} to {}", sum, start, at);
            }
        }
    }
}
