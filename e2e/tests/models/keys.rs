//! A provider's keys: used in turn; one that is refused or used up rests, and the others go on.

use std::collections::BTreeMap;

use e2e::Gate;
use e2e::provider::{PROVIDER_KEY, Play, Provider, Wire};

use super::gate;
use super::speech::{BOTH, ask, says};

/// A gateway with one provider of two keys, the first of which ends in `-1`.
fn two_keys(provider: &Provider) -> Gate {
    let address = provider.address;
    let keys = format!("[{PROVIDER_KEY}-1, {PROVIDER_KEY}-2]");
    let providers = format!(
        "    - {{ name: o, preset: openai, base_url: \"http://{address}/v1\", keys: {keys} }}\n\
         \x20   - {{ name: a, preset: anthropic, base_url: \"http://{address}\", keys: {keys} }}\n"
    );
    let models = "    - { name: o, targets: [{ provider: o, model: plain }] }\n\
                  \x20   - { name: a, targets: [{ provider: a, model: plain }] }\n";
    gate(&providers, models)
}

/// How often each key was shown, by its last letter.
fn shown(provider: &Provider) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    for seen in provider.asked() {
        let key = seen.header("authorization").or(seen.header("x-api-key")).expect("a key").to_owned();
        *counts.entry(key.chars().last().unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn keys_are_used_in_turn() {
    let provider = Provider::start();
    let gate = two_keys(&provider);
    for _ in 0..4 {
        assert_eq!(ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "o", "hello")).status, 200);
    }
    assert_eq!(shown(&provider), BTreeMap::from([('1', 2), ('2', 2)]));
}

#[test]
fn a_key_that_is_refused_or_used_up_rests() {
    for status in [401, 403, 429] {
        for (wire, model) in BOTH.into_iter().zip(["o", "a"]) {
            let provider = Provider::playing(move |seen, heard| {
                let key = seen.header("authorization").or(seen.header("x-api-key")).unwrap_or_default();
                if key.ends_with('1') { Play::fails_with(status, "retry-after: 600\r\n") } else { Play::of(heard) }
            });
            let gate = two_keys(&provider);
            for call in 0..6 {
                let answer = ask(gate.address("public"), wire, &says(wire, model, "hello"));
                assert_eq!(answer.status, 200, "{status}, call {call}: {}", answer.text());
            }
            assert_eq!(shown(&provider), BTreeMap::from([('1', 1), ('2', 6)]), "{status} {model}");
        }
    }
}

#[test]
fn when_all_keys_rest_nobody_is_asked() {
    let provider = Provider::playing(|_, _| Play::fails_with(429, "retry-after: 600\r\n"));
    let gate = two_keys(&provider);
    for wire in BOTH {
        for _ in 0..3 {
            let answer = ask(gate.address("public"), wire, &says(wire, "o", "hello"));
            assert_eq!(answer.status, 429, "{}", answer.text());
            assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
            let after: u64 = answer.header("retry-after").expect("when to come again").parse().unwrap();
            assert!((1..=600).contains(&after), "{after}");
        }
    }
    assert_eq!(shown(&provider), BTreeMap::from([('1', 1), ('2', 1)]));
}
