//! Decimals are exact: what is written is what is kept, and sums are sums.

use proptest::prelude::*;

use super::super::money::NotDecimal;
use super::super::{Money, Price};

#[test]
fn amounts() {
    let cases = [
        ("0", 0, "0"),
        ("1", 1_000_000_000_000, "1"),
        ("0.000000000001", 1, "0.000000000001"),
        ("12.50", 12_500_000_000_000, "12.5"),
        ("-3.05", -3_050_000_000_000, "-3.05"),
        ("0.1000000000000000", 100_000_000_000, "0.1"),
        ("-0", 0, "0"),
        ("007", 7_000_000_000_000, "7"),
    ];
    for (text, picos, shown) in cases {
        let money = Money::parse(text).unwrap();
        assert_eq!((money.picos(), money.to_string().as_str()), (picos, shown), "{text}");
    }
}

#[test]
fn what_is_no_amount() {
    let huge = "9".repeat(60);
    for text in ["", ".", "1.", ".5", "+1", "1e3", "1,5", " 1", "1 ", "--1", "0x1", "1.2.3", "NaN", "١"] {
        assert_eq!(Money::parse(text), Err(NotDecimal::Malformed), "{text:?}");
    }
    assert_eq!(Money::parse("0.0000000000001"), Err(NotDecimal::TooFine(12)));
    assert_eq!(Money::parse(&huge), Err(NotDecimal::TooLarge));
    assert_eq!(Price::per_million("0.0000001"), Err(NotDecimal::TooFine(6)));
    assert_eq!(Price::per_million("-1"), Err(NotDecimal::Malformed));
    assert_eq!(Price::each("1000000.000000000001"), Err(NotDecimal::TooLarge));
    assert!(Price::each("1000000").is_ok());
}

#[test]
fn with_a_precision_it_is_rounded_half_away_from_nothing() {
    let cases = [
        ("0.125", 2, "0.13"),
        ("-0.125", 2, "-0.13"),
        ("0.124999999999", 2, "0.12"),
        ("0.999", 2, "1.00"),
        ("1.5", 0, "2"),
        ("1.4", 0, "1"),
        ("-0.001", 2, "0.00"),
        ("3", 4, "3.0000"),
        ("0.000000000001", 12, "0.000000000001"),
        ("0.000000000001", 99, "0.000000000001"),
    ];
    for (text, precision, expected) in cases {
        assert_eq!(format!("{:.precision$}", Money::parse(text).unwrap()), expected, "{text} to {precision}");
    }
}

#[test]
fn nanos_are_rounded_up() {
    for (picos, nanos) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (-1, 0), (-1000, -1), (-1999, -1)] {
        assert_eq!(Money::from_picos(picos).nanos_up(), nanos, "{picos}");
    }
    assert_eq!(Money::MAX.nanos_up(), i64::MAX);
    assert_eq!(Money::from_picos(i128::MIN).nanos_up(), i64::MIN);
}

#[test]
fn bounds_are_kept() {
    let one = Money::from_picos(1);
    assert_eq!(Money::MAX.checked_add(one), None);
    assert_eq!(Money::MAX.saturating_add(one), Money::MAX);
    assert_eq!(Money::from_picos(i128::MIN).checked_sub(one), None);
    assert_eq!(one.checked_sub(one), Some(Money::ZERO));
    let dearest = Price::each("1000000").unwrap();
    assert_eq!(dearest.of(u64::MAX).picos(), 1_000_000_000_000_000_000 * i128::from(u64::MAX));
}

proptest! {
    #[test]
    fn shown_and_read_back_it_is_the_same(picos in (i128::MIN + 1)..i128::MAX) {
        let money = Money::from_picos(picos);
        prop_assert_eq!(Money::parse(&money.to_string()), Ok(money));
        prop_assert_eq!(Money::parse(&format!("{money:.12}")), Ok(money));
    }

    /// A twin that counts in dollars and parts of a dollar.
    #[test]
    fn reading_agrees_with_whole_and_part(whole in 0..1_000_000_000_u64, part in 0..1_000_000_000_000_u64) {
        let money = Money::parse(&format!("{whole}.{part:012}")).unwrap();
        prop_assert_eq!(money.picos(), i128::from(whole) * 1_000_000_000_000 + i128::from(part));
    }

    #[test]
    fn a_price_of_a_million_is_a_million_prices(micros in 0..1_000_000_000_000_u64) {
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let price = Price::per_million(&text).unwrap();
        prop_assert_eq!(price.picos(), micros);
        prop_assert_eq!(price.shown_per_million(), Money::parse(&text).unwrap());
    }

    #[test]
    fn parts_add_up(picos in 0..=1_000_000_000_000_000_000_u64, a in 0..u64::MAX / 2, b in 0..u64::MAX / 2) {
        let price = Price::each(&Money::from_picos(i128::from(picos)).to_string()).unwrap();
        prop_assert_eq!(price.of(a).checked_add(price.of(b)), Some(price.of(a + b)));
    }

    /// Rounding up never gives anything away, and never more than one 10⁻¹² dollar to us.
    #[test]
    fn durations_are_charged_whole(picos in 0..1_000_000_000_000_u64, ms in 0..1_000_000_000_u64) {
        let price = Price::each(&Money::from_picos(i128::from(picos)).to_string()).unwrap();
        let (exact, charged) = (price.of(ms).picos(), price.of_thousandths(ms).picos() * 1000);
        prop_assert!(charged >= exact && charged < exact + 1000);
    }

    #[test]
    fn rounding_for_people_is_within_half_a_step(picos in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000, precision in 0..=12_usize) {
        let money = Money::from_picos(picos);
        let shown = Money::parse(&format!("{money:.precision$}")).unwrap();
        let step = 10_i128.pow(12 - precision as u32);
        prop_assert!((shown.picos() - picos).abs() * 2 <= step);
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = (Money::parse(&text), Price::each(&text), Price::per_million(&text));
    }
}
