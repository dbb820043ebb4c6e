//! What usages cost.

use super::*;

fn entry(json: &str) -> Entry {
    let rows = Row::list(json).unwrap();
    let (provider, model) = (rows[0].provider.clone(), rows[0].model.clone());
    Catalog::embedded().with_overrides(rows).find(&provider, &model).unwrap()
}

fn model(prices: &str) -> Entry {
    entry(&format!(r#"[{{"provider": "p", "model": "m", {prices}}}]"#))
}

#[test]
fn tokens() {
    let none = Charged::default();
    let model = model(
        r#""price": {"in": "3", "read": "0.3", "write": "3.75", "write_1h": "6", "out": "15", "audio_in": "32",
                     "over": {"200000": {"in": "6", "read": "0.6", "out": "22.5"}}},
           "batch": {"in": "1.5", "out": "7.5"}"#,
    );
    let cases = [
        ("nothing", Service::Standard, none, "0"),
        ("in and out", Service::Standard, Charged { input: 1000, output: 100, ..none }, "0.0045"),
        ("one token", Service::Standard, Charged { input: 1, ..none }, "0.000003"),
        ("cached", Service::Standard, Charged { cached: 1000, ..none }, "0.0003"),
        ("written", Service::Standard, Charged { cache_write: 1000, cache_write_hour: 1000, ..none }, "0.00975"),
        ("reasoning is output", Service::Standard, Charged { reasoning: 1000, ..none }, "0.015"),
        ("audio has a price", Service::Standard, Charged { audio_input: 1000, ..none }, "0.032"),
        ("cached audio is cached", Service::Standard, Charged { audio_cached: 1000, ..none }, "0.0003"),
        ("audio out is output", Service::Standard, Charged { audio_output: 1000, ..none }, "0.015"),
        ("an image is input", Service::Standard, Charged { image_input: 1000, ..none }, "0.003"),
        ("to the edge", Service::Standard, Charged { input: 200_000, ..none }, "0.6"),
        ("over it, all of it", Service::Standard, Charged { input: 200_001, ..none }, "1.200006"),
        ("the cache counts", Service::Standard, Charged { input: 1, cached: 200_000, output: 10, ..none }, "0.120231"),
        ("in a batch", Service::Batch, Charged { input: 1000, output: 100, ..none }, "0.00225"),
        ("what a batch has no price for", Service::Batch, Charged { cached: 1000, ..none }, "0.0003"),
        ("a service without prices", Service::Flex, Charged { input: 1000, ..none }, "0.003"),
        ("a kind without any", Service::Standard, Charged { images: 3, calls: 9, ..none }, "0"),
    ];
    for (what, service, usage, expected) in cases {
        assert_eq!(model.cost_as(service, &usage).unwrap().to_string(), expected, "{what}");
    }
}

#[test]
fn other_things() {
    let none = Charged::default();
    let model =
        model(r#""price": {"image": "0.04", "second_in": "0.000283333333", "character": "0.000015", "call": "0.002"}"#);
    let cases = [
        (Charged { images: 3, ..none }, "0.12"),
        (Charged { audio_in_ms: 60_000, ..none }, "0.01699999998"),
        // 0.000283333333 a second, for a thousandth of it: the part of 10⁻¹² is charged as one.
        (Charged { audio_in_ms: 1, ..none }, "0.000000283334"),
        (Charged { characters: 1000, ..none }, "0.015"),
        (Charged { calls: 2, ..none }, "0.004"),
        (Charged { input: 1000, output: 1000, ..none }, "0"),
    ];
    for (usage, expected) in cases {
        assert_eq!(model.cost(&usage).unwrap().to_string(), expected, "{usage:?}");
    }
}

#[test]
fn without_a_price_nothing_is_known() {
    let usage = Charged { input: 1, ..Charged::default() };
    let unknown = model(r#""context": 10"#);
    assert_eq!(unknown.cost(&usage), None);
    assert!(!unknown.is_free());
    let free = model(r#""price": {"in": "0", "out": "0"}"#);
    assert_eq!(free.cost(&usage), Some(Money::ZERO));
    assert!(free.is_free());
    assert!(!model(r#""price": {"in": "0", "out": "0.01"}"#).is_free());
}

#[test]
fn the_embedded_prices_charge() {
    let usage = Charged { input: 10_000, cached: 90_000, output: 1_000, reasoning: 1_000, ..Charged::default() };
    let cost = |provider, model: &str| find(provider, model).unwrap().cost(&usage).unwrap().to_string();
    // 10,000 at 1.25, 90,000 at 0.125, 2,000 at 10.
    assert_eq!(cost("openai", "gpt-5"), "0.04375");
    // 10,000 at 3, 90,000 at 0.3, 2,000 at 15.
    assert_eq!(cost("anthropic", "claude-sonnet-4-5"), "0.087");
}

/// Providers say how much of the whole was cached or thought; no token is charged twice.
#[test]
fn what_a_provider_tells_is_charged_once() {
    let told = crate::translate::canonical::Usage {
        input: 1000,
        cached_input: 600,
        cache_write: 100,
        cache_write_hour: 40,
        output: 50,
        reasoning: 30,
        audio_input: 10,
        audio_output: 5,
    };
    let charged = Charged::from(&told);
    let expected = Charged {
        input: 290,
        cached: 600,
        cache_write: 60,
        cache_write_hour: 40,
        output: 15,
        reasoning: 30,
        audio_input: 10,
        audio_output: 5,
        ..Charged::default()
    };
    assert_eq!(charged, expected);
    assert_eq!((charged.input_tokens(), charged.output_tokens()), (told.input, told.output));
}

#[test]
fn sums_of_what_is_charged() {
    let usage = Charged { input: u64::MAX, cached: 1, output: 2, reasoning: 3, ..Charged::default() };
    assert_eq!((usage.input_tokens(), usage.output_tokens()), (u64::MAX, 5));
    let dear = model(r#""price": {"in": "1000000", "out": "1000000"}"#);
    assert!(dear.cost(&Charged { output: u64::MAX, ..usage }).unwrap() > Money::ZERO);
}
