use super::*;

#[test]
fn a_value_is_found_again_to_0_8_percent() {
    for value in [0u64, 1, 5, 127, 128, 129, 255, 256, 1_000, 65_535, 65_536, 1_234_567, 999_999_999, MAX] {
        let mut histogram = Histogram::new();
        histogram.record(value);
        let found = histogram.quantile(0.5).unwrap();
        assert!((found - value as f64).abs() <= value as f64 / 128.0, "{value} came back as {found}");
    }
}

#[test]
fn buckets_follow_each_other_without_a_gap() {
    let mut last = bucket(0);
    for value in 1..200_000u64 {
        let this = bucket(value);
        assert!(this == last || this == last + 1, "{value} jumps from {last} to {this}");
        last = this;
    }
}

#[test]
fn quantiles() {
    let mut histogram = Histogram::new();
    assert_eq!(histogram.quantile(0.5), None);
    (1..=100).for_each(|value| histogram.record(value));
    for (q, expected) in [(0.0, 1.0), (0.01, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
        assert_eq!(histogram.quantile(q), Some(expected), "at {q}");
    }
    assert_eq!(histogram.count(), 100);
}

#[test]
fn a_value_out_of_range_counts_as_the_largest() {
    let mut histogram = Histogram::new();
    histogram.record(u64::MAX);
    assert!((histogram.quantile(1.0).unwrap() - MAX as f64).abs() <= MAX as f64 / 128.0);
}
