//! Latencies in logarithmic buckets: 128 for each power of two, so a value is right to 0.8 %, from 1 ns to 5 minutes.

const SUB_BITS: u32 = 7;
const SUB: u64 = 1 << SUB_BITS;
const MAX: u64 = 1 << 38;

/// The counts.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    /// Empty.
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(MAX) + 1], count: 0 }
    }

    /// Counts one value, in nanoseconds; beyond the range it counts as the largest.
    pub(crate) fn record(&mut self, value: u64) {
        if let Some(count) = self.buckets.get_mut(bucket(value.min(MAX))) {
            *count += 1;
            self.count += 1;
        }
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The value that a share `q` of all values does not exceed, in nanoseconds; `None` when empty.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let rank = ((self.count as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && self.count > 0 {
                return Some(middle(index));
            }
        }
        None
    }
}

fn bucket(value: u64) -> usize {
    let shift = (63 - (value | 1).leading_zeros()).saturating_sub(SUB_BITS);
    (u64::from(shift) * SUB + (value >> shift)) as usize
}

/// The middle of a bucket's range.
fn middle(index: usize) -> f64 {
    let index = index as u64;
    let shift = (index / SUB).saturating_sub(1);
    let low = (index - shift * SUB) << shift;
    low as f64 + ((1u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests;
