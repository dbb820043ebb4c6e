//! Medians of paired ratios with an exact interval: no model of the noise, no random resampling.

/// A median and the interval that holds the true one with at least 95 % certainty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Estimates the median of `values`; the order does not matter. `None` without values.
///
/// The interval lies between two order statistics: the k-th smallest and k-th largest value, with the largest k for which
/// the median lies outside with at most 5 % (a coin thrown once a value: David and Nagaraja, Order Statistics, 7.1).
/// Fewer than six values allow no such k; the interval is then their whole range.
pub(crate) fn estimate(values: &[f64]) -> Option<Estimate> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let skip = skipped(sorted.len());
    let low = *sorted.get(skip)?;
    let high = *sorted.get(sorted.len() - 1 - skip)?;
    Some(Estimate { median: median(&sorted)?, low, high })
}

/// The ratios of two series, round by round.
pub(crate) fn ratios(values: &[f64], against: &[f64]) -> Vec<f64> {
    values.iter().zip(against).filter(|(_, base)| **base > 0.0).map(|(value, base)| value / base).collect()
}

/// The middle of sorted values.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// How many values at either end lie outside the interval: the most for which so few heads, or tails, in `count` throws
/// have a chance of 5 % at most.
fn skipped(count: usize) -> usize {
    let mut skip = 0;
    let mut term = 0.5f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut tail = term;
    loop {
        term *= count.saturating_sub(skip) as f64 / (skip + 1) as f64;
        tail += term;
        if 2.0 * tail > 0.05 || skip >= count {
            return skip;
        }
        skip += 1;
    }
}

#[cfg(test)]
mod tests;
