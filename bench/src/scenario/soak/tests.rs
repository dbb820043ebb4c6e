use super::*;

#[test]
fn growth_is_what_stays() {
    let rising = (0..24).map(|at| 40.0 + f64::from(at) * 0.1).collect::<Vec<_>>();
    // Pools that fill in the beginning, and one reading out of the row.
    let filling = (0..24).map(|at| if at < 8 { 20.0 } else { 40.0 + f64::from(u8::from(at == 20)) * 9.0 }).collect();
    for (values, expected) in [(rising, Some(0.6)), (filling, Some(0.0)), (vec![], None), (vec![1.0, 2.0], None)] {
        let found = growth(&values);
        assert_eq!(found.map(|value| (value * 1e6).round() / 1e6), expected, "{values:?}");
    }
}
