use super::*;

#[test]
fn how_many_values_lie_outside_the_interval() {
    // Tables of the sign test: the largest count whose two-sided chance is at most 5 %.
    for (count, expected) in
        [(0, 0), (1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7), (100, 39)]
    {
        assert_eq!(skipped(count), expected, "of {count}");
    }
}

#[test]
fn estimates() {
    let table: [(&[f64], f64, f64, f64); 4] = [
        (&[2.0], 2.0, 2.0, 2.0),
        (&[3.0, 1.0], 2.0, 1.0, 3.0),
        (&[5.0, 1.0, 2.0, 4.0, 3.0], 3.0, 1.0, 5.0),
        // Of fifteen the fourth and the twelfth, whatever lies beyond.
        (&[900.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 0.0], 8.0, 4.0, 12.0),
    ];
    for (values, median, low, high) in table {
        assert_eq!(estimate(values), Some(Estimate { median, low, high }), "{values:?}");
    }
    assert_eq!(estimate(&[]), None);
}

#[test]
fn the_interval_holds_the_true_median_at_least_95_times_in_100() {
    // A skewed distribution whose median is known: u³ for even u has its median at 1/8.
    let mut state = 7u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let held = (0..2000).filter(|_| {
        let values: Vec<f64> = (0..15).map(|_| uniform().powi(3)).collect();
        let estimate = estimate(&values).unwrap();
        (estimate.low..=estimate.high).contains(&0.125)
    });
    let held = held.count();
    assert!((1900..=1960).contains(&held), "held {held} times of 2000");
}

#[test]
fn ratios_are_of_the_same_round() {
    assert_eq!(ratios(&[2.0, 9.0, 5.0], &[1.0, 3.0]), [2.0, 3.0]);
    assert_eq!(ratios(&[2.0, 9.0], &[0.0, 3.0]), [3.0]);
}
