//! Durations, sizes, rates, shares, names: what is read is written in a form that reads back, and the schema that
//! editors check with takes it too.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::LazyLock;

use model::value::{ByteSize, Duration, Name, Percent, Rate, ValueError};
use regex::Regex;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    static DURATION: LazyLock<Regex> = LazyLock::new(pattern::<Duration>);
    static SIZE: LazyLock<Regex> = LazyLock::new(pattern::<ByteSize>);
    static RATE: LazyLock<Regex> = LazyLock::new(pattern::<Rate>);
    static PERCENT: LazyLock<Regex> = LazyLock::new(pattern::<Percent>);
    static NAME: LazyLock<Regex> = LazyLock::new(pattern::<Name>);
    if let Some(duration) = check::<Duration>(text, &DURATION) {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        assert_eq!(u128::from(duration.as_millis()), sum(text, &units), "{text}");
    }
    if let Some(size) = check::<ByteSize>(text, &SIZE) {
        let units = ["B", "KB", "MB", "GB", "TB"].into_iter().enumerate();
        let decimal = units.map(|(power, unit)| (unit, 1_000_u128.pow(power as u32)));
        let binary = ["KiB", "MiB", "GiB", "TiB"].into_iter().enumerate();
        let binary = binary.map(|(power, unit)| (unit, 1_024_u128.pow(power as u32 + 1)));
        let units: Vec<_> = decimal.chain(binary).collect();
        assert_eq!(u128::from(size.get()), sum(text, &units), "{text}");
    }
    if let Some(rate) = check::<Rate>(text, &RATE) {
        assert!(rate.count() > 0 && !rate.period().is_zero(), "{text}");
    }
    if let Some(share) = check::<Percent>(text, &PERCENT) {
        assert!(share.millionths() <= 1_000_000);
        let written: f64 = text.trim_end_matches('%').parse().expect("a number");
        assert!((share.fraction() - written / 100.0).abs() < 1e-9, "{text}");
    }
    if let Some(name) = check::<Name>(text, &NAME) {
        assert_eq!(name.to_string(), text);
    }
}

fn check<T>(text: &str, pattern: &Regex) -> Option<T>
where
    T: FromStr<Err = ValueError> + Display + Debug + PartialEq + DeserializeOwned,
{
    let read = text.parse::<T>();
    let of_document = serde_json::from_value::<T>(text.into()).ok();
    assert_eq!(of_document.as_ref(), read.as_ref().ok(), "{text}: a document reads what text does");
    match read {
        Ok(value) => {
            let written = value.to_string();
            let again = written.parse::<T>();
            assert_eq!(again.as_ref(), Ok(&value), "{text} is written {written}");
            assert_eq!(again.map(|again| again.to_string()).as_ref(), Ok(&written));
            assert!(pattern.is_match(text), "`{text}` is read, but not by the schema's {pattern}");
            Some(value)
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            None
        }
    }
}

/// The schema's pattern. What it looks ahead for only narrows it, so it is left out: the engine has no such thing.
fn pattern<T: JsonSchema>() -> Regex {
    let schema = schemars::schema_for!(T).to_value();
    let pattern = schema["pattern"].as_str().expect("a pattern").replace("(?=.)", "").replace(r"(?=\d)", "");
    Regex::new(&pattern).expect("a pattern")
}

/// Numbers with units, added up in the simplest way.
fn sum(text: &str, units: &[(&str, u128)]) -> u128 {
    let mut sum = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.chars().take_while(char::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let factor = units.iter().find(|(name, _)| *name == unit).expect("a unit").1;
        sum += number.parse::<u128>().expect("a number") * factor;
        rest = after;
    }
    sum
}
