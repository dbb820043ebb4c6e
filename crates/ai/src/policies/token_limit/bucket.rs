//! Tokens in this gateway's memory: a bucket for each key, that drains evenly. What a call may take is poured in before it,
//! and what it did not take is taken out after.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

/// Keys at once. One more is refused: to forget another would be to refill it.
const MOST: usize = 100_000;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    /// What fits at once, and drains in a period.
    pub(super) limit: u64,
    pub(super) period: Duration,
}

/// What a bucket reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// How much more fits.
    pub(super) left: u64,
    /// Until nothing is in it.
    pub(super) reset: Duration,
}

/// A bucket for each key, kept over reloads.
#[derive(Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Default)]
struct Bucket {
    level: f64,
    /// Nanoseconds.
    at: u64,
}

/// Why nothing was poured in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Refusal {
    /// For so long.
    Wait(Duration),
    /// There are as many keys as may be.
    Full,
}

/// Less is what sums of fractions leave over.
const NOTHING: f64 = 1e-6;

impl Rule {
    fn limit(self) -> f64 {
        float(self.limit)
    }

    fn drained(self, bucket: Bucket, now: u64) -> Bucket {
        let passed = float(now.saturating_sub(bucket.at)) / (self.period.as_secs_f64() * 1e9);
        Bucket { level: (bucket.level - passed * self.limit()).max(0.0), at: now.max(bucket.at) }
    }

    fn time(self, tokens: f64) -> Duration {
        Duration::from_secs_f64((tokens.max(0.0) / self.limit() * self.period.as_secs_f64()).min(1e9))
    }

    fn reading(self, bucket: Bucket) -> Reading {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
        let left = (self.limit() - bucket.level + NOTHING).max(0.0) as u64;
        Reading { left, reset: self.time(bucket.level) }
    }
}

impl Buckets {
    /// Pours so much in, if that fits.
    pub(super) fn take(&self, key: &str, rule: Rule, tokens: u64, now: u64) -> Result<Reading, Refusal> {
        let mut all = self.0.lock();
        let known = all.get(key).copied();
        let mut bucket = rule.drained(known.unwrap_or(Bucket { level: 0.0, at: now }), now);
        let over = bucket.level + float(tokens) - rule.limit();
        if over > NOTHING {
            return Err(Refusal::Wait(rule.time(over)));
        }
        bucket.level += float(tokens);
        if known.is_none() && all.len() >= MOST {
            all.retain(|_, bucket| rule.drained(*bucket, now).level > 0.0);
            if all.len() >= MOST {
                return Err(Refusal::Full);
            }
        }
        match all.get_mut(key) {
            Some(place) => *place = bucket,
            None => {
                all.insert(key.to_owned(), bucket);
            }
        }
        Ok(rule.reading(bucket))
    }

    /// A call that took `held` before turned out to take `used`.
    pub(super) fn settle(&self, key: &str, rule: Rule, (held, used): (u64, u64), now: u64) {
        let mut all = self.0.lock();
        if let Some(place) = all.get_mut(key) {
            let mut bucket = rule.drained(*place, now);
            bucket.level = (bucket.level + float(used) - float(held)).max(0.0);
            *place = bucket;
        }
    }

    /// What a key's bucket reads.
    pub(super) fn reading(&self, key: &str, rule: Rule, now: u64) -> Reading {
        let known = self.0.lock().get(key).copied();
        rule.reading(rule.drained(known.unwrap_or(Bucket { level: 0.0, at: now }), now))
    }
}

#[expect(clippy::cast_precision_loss, reason = "tokens of a period and times are told well enough by a float")]
fn float(number: u64) -> f64 {
    number as f64
}
