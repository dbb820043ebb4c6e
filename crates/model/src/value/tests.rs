//! What each value reads, how it writes it, and what it says to the rest.
use std::fmt::{Debug, Display};
use std::str::FromStr;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::load::{Node, from_node};
use crate::problem::Problems;

/// Text that is read, and its canonical form.
fn reads<T: FromStr<Err = ValueError> + Display + Debug + PartialEq + DeserializeOwned>(cases: &[(&str, &str)]) {
    for (text, canonical) in cases {
        let value: T = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_string(), *canonical, "{text}");
        assert_eq!(canonical.parse(), Ok(value), "{text}");
        assert!(serde_json::from_value::<T>(json!(text)).is_ok(), "{text}");
    }
}

/// Text that is refused, and a part of what is said about it.
fn refuses<T: FromStr<Err = ValueError> + Debug>(cases: &[(&str, &str)]) {
    for (text, message) in cases {
        let error = text.parse::<T>().expect_err(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn moments() {
    reads::<Timestamp>(&[
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("2026-11-23T16:10:05.250Z", "2026-11-23T16:10:05.250Z"),
        ("2026-11-23t16:10:05.2509999z", "2026-11-23T16:10:05.250Z"),
        ("2024-02-29T23:59:60Z", "2024-02-29T23:59:59Z"),
        ("2000-02-29T00:00:00+01:00", "2000-02-28T23:00:00Z"),
        ("2100-02-28T23:30:00-00:30", "2100-03-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ]);
    let known: Timestamp = "2027-01-31T12:00:00Z".parse().expect("a moment");
    assert_eq!((known.as_millis(), known.since_epoch().as_secs()), (1_801_396_800_000, 1_801_396_800));
    const FORM: &str = "date, `T`, time, and `Z` or an offset";
    refuses::<Timestamp>(&[
        ("", FORM),
        ("2027-01-31", FORM),
        ("2027-01-31T12:00:00", FORM),
        ("2027-01-31 12:00:00Z", FORM),
        ("2027-01-31T12:00Z", FORM),
        ("2027-02-29T12:00:00Z", FORM),
        ("2100-02-29T12:00:00Z", FORM),
        ("2027-13-01T12:00:00Z", FORM),
        ("2027-00-01T12:00:00Z", FORM),
        ("2027-01-00T12:00:00Z", FORM),
        ("2027-01-31T24:00:00Z", FORM),
        ("2027-01-31T12:00:00.Z", FORM),
        ("2027-01-31T12:00:00+24:00", FORM),
        ("2027-01-31T12:00:00ZZ", FORM),
        ("1969-12-31T23:59:59Z", FORM),
        ("1970-01-01T00:00:00+01:00", FORM),
        ("+027-01-31T12:00:00Z", FORM),
        ("1801396800", "expected a moment"),
    ]);
}

#[test]
fn durations() {
    reads::<Duration>(&[
        ("0s", "0s"),
        ("0ms", "0s"),
        ("500ms", "500ms"),
        ("1500ms", "1s500ms"),
        ("30s", "30s"),
        ("90s", "1m30s"),
        ("5m", "5m"),
        ("1h30m", "1h30m"),
        ("36h", "1d12h"),
        ("1d2h3m4s5ms", "1d2h3m4s5ms"),
        ("36500d", "36500d"),
    ]);
    refuses::<Duration>(&[
        ("", "expected a duration such as `30s`, found an empty text"),
        ("30", "add a unit (ms, s, m, h or d), for example `30s`"),
        ("1.5s", "without a fraction"),
        ("30 s", "units are"),
        ("30S", "units are"),
        ("-1s", "units are"),
        ("1m1h", "larger ones first"),
        ("1s1s", "larger ones first"),
        ("10us", "smallest unit is ms"),
        ("1w", "largest unit is d"),
        ("s", "units are"),
        ("30sec", "units are"),
        ("36501d", "at most 36500d"),
        ("99999999999999999999d", "units are"),
        ("9999999999999999d", "at most 36500d"),
    ]);
    let duration: Duration = "1m1ms".parse().expect("a duration");
    assert_eq!((duration.as_millis(), duration.get()), (60_001, std::time::Duration::from_millis(60_001)));
    assert!(Duration::ZERO.is_zero() && Duration::from_secs(u64::MAX) == "36500d".parse().expect("a duration"));
}

#[test]
fn sizes() {
    reads::<ByteSize>(&[
        ("0B", "0B"),
        ("512B", "512B"),
        ("1024B", "1KiB"),
        ("64KiB", "64KiB"),
        ("10MiB", "10MiB"),
        ("1MB", "1MB"),
        ("1000B", "1KB"),
        ("1500B", "1500B"),
        ("2GiB", "2GiB"),
        ("1TB", "1TB"),
        ("16777215TiB", "16777215TiB"),
    ]);
    refuses::<ByteSize>(&[
        ("10", "add a unit, for example `10B` or `10KiB`"),
        ("10mb", "write `10MB`"),
        ("10 MiB", "write `10MiB`"),
        ("10M", "write `10MiB`"),
        ("1.5GiB", "without a fraction"),
        ("MiB", "units are"),
        ("-1B", "units are"),
        ("10XB", "units are"),
        ("16777216TiB", "under 16777216TiB"),
    ]);
    assert_eq!((ByteSize::kib(2).get(), ByteSize::mib(1).as_usize(), ByteSize::bytes(7).get()), (2048, 1 << 20, 7));
}

#[test]
fn rates() {
    reads::<Rate>(&[
        ("100/minute", "100/minute"),
        ("10/s", "10/second"),
        ("10/1s", "10/second"),
        ("5/10s", "5/10s"),
        ("5/90s", "5/1m30s"),
        ("1/d", "1/day"),
        ("1/24h", "1/day"),
        ("3/hour", "3/hour"),
        ("7/500ms", "7/500ms"),
        ("1000000000000/day", "1000000000000/day"),
    ]);
    refuses::<Rate>(&[
        ("100", "say in which time, for example `100/second`"),
        ("many", "say in which time, for example `100/second`"),
        ("0/second", "from 1 to"),
        ("1000000000001/second", "from 1 to"),
        ("1.5/second", "`1.5` is not a whole number"),
        ("x/second", "`x` is not a whole number"),
        ("10/min", "write `/minute`"),
        ("10/minutes", "write `/minute`"),
        ("10/sec", "write `/second`"),
        ("10/0s", "must not be zero"),
        ("10/month", "is not second, minute, hour, day"),
        ("10/", "is not second, minute, hour, day"),
        ("10/5", "is not second, minute, hour, day"),
    ]);
    let rate: Rate = "5/10s".parse().expect("a rate");
    assert_eq!((rate.count(), rate.period()), (5, Duration::from_secs(10)));
}

#[test]
fn percentages() {
    reads::<Percent>(&[
        ("0%", "0%"),
        ("20%", "20%"),
        ("0.5%", "0.5%"),
        ("12.3400%", "12.34%"),
        ("0.0001%", "0.0001%"),
        ("100%", "100%"),
        ("100.0%", "100%"),
    ]);
    refuses::<Percent>(&[
        ("20", "write `20%`"),
        ("0.2", "write `20%`"),
        ("x", "write `20%`"),
        ("101%", "the most is `100%`"),
        ("100.0001%", "the most is `100%`"),
        ("-1%", "from 0 to 100"),
        ("%", "from 0 to 100"),
        ("1.%", "write the decimals"),
        (".5%", "from 0 to 100"),
        ("1.00001%", "four decimals"),
        ("99999999999%", "the most is `100%`"),
    ]);
    assert_eq!((Percent::new(20).fraction(), Percent::new(500).millionths()), (0.2, 1_000_000));
}

#[test]
fn names() {
    let long = "x".repeat(128);
    reads::<Name>(&[("users", "users"), ("a.b_c-D9", "a.b_c-D9"), ("-", "-"), (&long, &long)]);
    let longer = "x".repeat(129);
    refuses::<Name>(&[
        ("", "must not be empty"),
        (".users", "must not start with a dot"),
        ("a b", "a space is not allowed"),
        ("a/b", "`/` is not allowed"),
        ("é", "`é` is not allowed"),
        (&longer, "it has 129 characters, the most is 128"),
    ]);
}

#[test]
fn a_number_without_its_unit_is_told_the_unit() {
    fn said<T: DeserializeOwned>(json: serde_json::Value) -> String {
        let mut problems = Problems::new();
        assert!(from_node::<T>(&Node::from_json(&json), "", &mut problems).is_none());
        problems.into_vec().remove(0).message
    }
    let expected =
        "expected a duration such as `30s`, found the number 30: add a unit (ms, s, m, h or d), for example `30s`";
    assert_eq!(said::<Duration>(json!(30)), expected);
    assert!(said::<Duration>(json!(-1)).contains("found the number -1"));
    assert!(said::<ByteSize>(json!(10)).ends_with("for example `10B` or `10KiB`"));
    assert!(said::<Rate>(json!(10)).ends_with("for example `10/second`"));
    assert!(said::<Percent>(json!(0.25)).ends_with("write `25%`"));
    assert!(said::<Name>(json!(5)).ends_with("put it in quotes: \"5\""));
    assert!(said::<Duration>(json!([])).contains("expected a duration such as `30s`"));
}

#[test]
fn secrets_are_never_shown() {
    let secret: Secret = serde_json::from_value(json!("hunter2")).expect("a secret");
    assert_eq!((secret.expose().as_str(), format!("{secret:?}").as_str()), ("hunter2", "***"));
    assert_eq!(serde_json::to_value(&secret).expect("json"), json!("***"));
    for (key, expected) in [
        ("key", true),
        ("keys", true),
        ("client_secret", true),
        ("API-Key", true),
        ("tokens", true),
        ("password", true),
        ("keyed", false),
        ("token_limit", false),
        ("name", false),
        ("monkey", false),
        ("secrets", true),
    ] {
        assert_eq!(is_secretive(key), expected, "{key}");
    }
}

#[test]
fn one_or_many_writes_what_it_read() {
    for json in [json!("a"), json!(["a", "b"]), json!([])] {
        let list: OneOrMany<String> = serde_json::from_value(json.clone()).expect("a list");
        assert_eq!(serde_json::to_value(&list).expect("json"), json);
    }
    assert!(serde_json::from_value::<OneOrMany<String>>(json!({})).is_err());
    assert_eq!(OneOrMany::from("a").into_vec(), ["a"]);
}

/// Every schema has a description and examples, its pattern takes what is canonical, and every example reads.
#[test]
fn schemas_say_what_is_read() {
    fn check<T: JsonSchema + FromStr<Err = ValueError>>() {
        let schema = schemars::schema_for!(T).to_value();
        assert!(schema["description"].as_str().is_some_and(|text| text.len() > 20), "{schema}");
        assert!(
            schema["pattern"].as_str().is_some_and(|text| text.starts_with('^') && text.ends_with('$')),
            "{schema}"
        );
        let examples = schema["examples"].as_array().expect("examples");
        assert!(!examples.is_empty());
        for example in examples {
            assert!(example.as_str().expect("text").parse::<T>().is_ok(), "{example}");
        }
    }
    check::<Duration>();
    check::<ByteSize>();
    check::<Rate>();
    check::<Percent>();
    check::<Name>();
    check::<Timestamp>();
}

proptest! {
    #[test]
    fn canonical_forms_read_back(millis in 0_u64..4_000_000_000_000, bytes: u64, count in 1_u64..1_000_000_000_000, share in 0_u32..=1_000_000) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        let size = ByteSize::bytes(bytes);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
        let rate: Rate = format!("{count}/{}ms", millis.clamp(1, 3_000_000_000_000)).parse().expect("a rate");
        prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        let percent: Percent = format!("{}.{:04}%", share / 10_000, share % 10_000).parse().expect("a percentage");
        prop_assert_eq!(percent.millionths(), share);
        prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        let moment = Timestamp::from_millis(millis.saturating_mul(60));
        prop_assert_eq!(moment.to_string().parse(), Ok(moment));
    }

    #[test]
    fn no_text_panics(text in "[0-9a-zA-Z./%+-]{0,8}|.{0,10}") {
        let _ = (text.parse::<Duration>(), text.parse::<ByteSize>(), text.parse::<Rate>());
        let _ = (text.parse::<Percent>(), text.parse::<Name>(), text.parse::<Timestamp>());
    }
}

#[test]
fn allowances() {
    for (text, count, per, shown) in [
        ("1000000/month", 1_000_000, Per::Month, "1000000/month"),
        ("5/d", 5, Per::Day, "5/day"),
        ("7/week", 7, Per::Week, "7/week"),
    ] {
        let allowance: Allowance = text.parse().expect("an allowance");
        assert_eq!((allowance.count(), allowance.per(), allowance.to_string().as_str()), (count, per, shown));
    }
    for (text, says) in [
        ("1000000", "1000000/month"),
        ("0/month", "from 1 to"),
        ("5/minute", "`minute` is not day, week or month"),
        ("x/day", "`x` is not a whole number"),
        ("5/", "an empty text is not day"),
        ("", "an empty text"),
    ] {
        let error = text.parse::<Allowance>().expect_err("none").to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn spendings() {
    for (text, nanos, per, shown) in [
        ("50 USD/month", 50_000_000_000, "month", "50 USD/month"),
        ("0.000000001 USD/day", 1, "day", "0.000000001 USD/day"),
        ("1.50USD/w", 1_500_000_000, "week", "1.5 USD/week"),
        ("9000000 USD", 9_000_000_000_000_000, "total", "9000000 USD/total"),
    ] {
        let spending: Spending = text.parse().expect("an amount");
        assert_eq!((spending.nanos(), spending.per().as_str(), spending.to_string().as_str()), (nanos, per, shown));
    }
    for (text, says) in [
        ("50/month", "write `USD`"),
        ("50 EUR/month", "write `USD`"),
        ("50 USD/year", "not day, week, month or total"),
        ("0 USD/day", "more than 0"),
        ("9000001 USD/day", "at most 9000000"),
        ("99999999999999999999999 USD", "at most"),
        ("-1 USD/day", "no amount"),
        ("1.0000000001 USD", "up to 9 decimals"),
        (".5 USD", "no amount"),
        ("1e3 USD", "no amount"),
    ] {
        let error = text.parse::<Spending>().expect_err("none").to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
