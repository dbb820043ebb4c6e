//! Histograms of time. A bucket is found by the position of the highest bit and one comparison.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds in nanoseconds with their text in seconds. Each is at least twice the one before, so that of all values
/// with the same highest bit at most one bound parts them.
pub(super) struct Bounds<const N: usize> {
    bounds: [(u64, &'static str); N],
    /// By the position of a value's highest bit: the first bound that is not below every such value.
    first: [u8; 64],
}

impl<const N: usize> Bounds<N> {
    /// The table of these bounds.
    #[expect(clippy::indexing_slicing, clippy::panic, reason = "evaluated by the compiler, which stops at a mistake")]
    const fn new(bounds: [(u64, &'static str); N]) -> Self {
        let mut first = [0; 64];
        let mut bit = 0;
        while bit < 64 {
            let mut at = 0;
            while at < N && bounds[at].0 < 1 << bit {
                at += 1;
            }
            first[bit] = at as u8;
            bit += 1;
        }
        let mut at = 1;
        while at < N {
            if bounds[at].0 < 2 * bounds[at - 1].0 {
                panic!("each bound must be at least twice the one before");
            }
            at += 1;
        }
        Self { bounds, first }
    }

    /// The bucket of a value: the first whose bound is not below it; `N` is the one without a bound.
    fn bucket(&self, value: u64) -> usize {
        let bit = 63 - (value | 1).leading_zeros() as usize;
        let first = self.first.get(bit).map_or(N, |&first| usize::from(first));
        first + usize::from(self.bounds.get(first).is_some_and(|(bound, _)| value > *bound))
    }

    /// The texts of the bounds.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'static str> {
        self.bounds.iter().map(|(_, text)| *text)
    }
}

/// Whole requests: half a millisecond to a minute.
pub(super) static DURATION: Bounds<16> = Bounds::new([
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1.0"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5.0"),
    (10_000_000_000, "10.0"),
    (30_000_000_000, "30.0"),
    (60_000_000_000, "60.0"),
]);

/// The gateway's own part: ten microseconds to a tenth of a second.
pub(super) static OVERHEAD: Bounds<13> = Bounds::new([
    (10_000, "0.00001"),
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
]);

/// A histogram with `B` buckets, the last without a bound.
pub(super) struct Histogram<const B: usize> {
    buckets: [AtomicU64; B],
    /// In nanoseconds. Beyond 584 years it wraps, which scrapers read as a restart.
    sum: AtomicU64,
}

impl<const B: usize> Default for Histogram<B> {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; B], sum: AtomicU64::new(0) }
    }
}

impl<const B: usize> Histogram<B> {
    /// Counts a value.
    pub(super) fn observe<const N: usize>(&self, bounds: &Bounds<N>, value: Duration) {
        let value = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bounds.bucket(value)) {
            bucket.fetch_add(1, Relaxed);
            self.sum.fetch_add(value, Relaxed);
        }
    }
}

/// What a histogram held when it was read, several stripes added up.
pub(super) struct Sums<const B: usize> {
    /// Counts by bucket, not cumulative.
    pub(super) buckets: [u64; B],
    /// The sum of all values, in nanoseconds.
    pub(super) sum: u64,
}

impl<const B: usize> Default for Sums<B> {
    fn default() -> Self {
        Self { buckets: [0; B], sum: 0 }
    }
}

impl<const B: usize> Sums<B> {
    /// Adds a stripe.
    pub(super) fn add(&mut self, from: &Histogram<B>) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&from.buckets) {
            *sum += bucket.load(Relaxed);
        }
        self.sum = self.sum.wrapping_add(from.sum.load(Relaxed));
    }

    /// How many values there were.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_the_one_a_linear_search_finds() {
        let naive = |value: u64| DURATION.bounds.iter().position(|(bound, _)| value <= *bound).unwrap_or(16);
        let edges = DURATION.bounds.iter().flat_map(|(bound, _)| [bound - 1, *bound, bound + 1]);
        let powers = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges.chain(powers).chain([0, u64::MAX]) {
            assert_eq!(DURATION.bucket(value), naive(value), "{value}");
        }
        let naive = |value: u64| OVERHEAD.bounds.iter().position(|(bound, _)| value <= *bound).unwrap_or(13);
        for value in (0..1_000_000).step_by(997) {
            assert_eq!(OVERHEAD.bucket(value), naive(value), "{value}");
        }
    }

    #[test]
    fn the_text_of_each_bound_is_its_value() {
        for (bound, text) in DURATION.bounds.iter().chain(&OVERHEAD.bounds) {
            assert_eq!((text.parse::<f64>().unwrap() * 1e9).round() as u64, *bound);
        }
    }
}
