//! Streams are streams: each event goes on as it comes, and who leaves is not waited for.

use e2e::client::Client;
use e2e::provider::{Baton, Play, Provider, Wire};
use e2e::{PATIENCE, until};

use super::speech::{BOTH, request, says, streamed};
use super::{CALLER_KEY, before};

fn both_ways() -> impl Iterator<Item = (Wire, &'static str)> {
    BOTH.into_iter().flat_map(|wire| [(wire, "o-plain"), (wire, "a-plain")])
}

/// Reads chunks until one holds this.
fn reads_until(client: &mut Client, text: &str) -> bool {
    while let Some(chunk) = client.read_chunk() {
        if String::from_utf8_lossy(&chunk).contains(text) {
            return true;
        }
    }
    false
}

#[test]
fn each_event_arrives_before_the_next_is_sent() {
    for (wire, model) in both_ways() {
        let baton = Baton::held();
        let held = baton.clone();
        let provider = Provider::playing(move |_, _| Play::text("alpha beta gamma delta").at(&held));
        let gate = before(provider.address);
        let mut client = Client::connect(gate.address("public"));
        client.send(request(wire, CALLER_KEY, &[], &streamed(wire, says(wire, model, "hello")).to_string()));
        baton.pass(1);
        let case = format!("{wire:?} {model}");
        assert_eq!(client.read_head().expect("the head comes before any event").status, 200, "{case}");
        // What stands before the first word: OpenAI's role; Anthropic's message_start, content_block_start and ping.
        let before_words = if model == "o-plain" { 1 } else { 3 };
        baton.pass(before_words);
        for (at, word) in ["alpha", "beta", "gamma", "delta"].into_iter().enumerate() {
            baton.pass(1);
            assert!(reads_until(&mut client, word), "{case}: {word}");
            assert_eq!(provider.sent(), before_words + at + 1, "{case}");
        }
        baton.pass(100);
        let end = if wire == Wire::OpenAi { "[DONE]" } else { "message_stop" };
        assert!(reads_until(&mut client, end), "{case}");
        assert!(client.read_chunk().is_none(), "{case}");
    }
}

#[test]
fn who_leaves_is_not_waited_for() {
    for (wire, model) in both_ways() {
        for steps in [0, 5] {
            let baton = Baton::held();
            let held = baton.clone();
            let provider = Provider::playing(move |_, _| Play::text("alpha beta gamma delta").at(&held));
            let gate = before(provider.address);
            let mut client = Client::connect(gate.address("public"));
            client.send(request(wire, CALLER_KEY, &[], &streamed(wire, says(wire, model, "hello")).to_string()));
            until("the provider is asked", || provider.asked().len() == 1);
            if steps > 0 {
                baton.pass(steps);
                assert_eq!(client.read_head().map(|head| head.status), Some(200));
                assert!(reads_until(&mut client, "alpha"));
            }
            drop(client);
            until("the provider's call is cancelled", || provider.left() == 1);
        }
    }
}

#[test]
fn a_whole_answer_is_cancelled_too() {
    let baton = Baton::held();
    let held = baton.clone();
    let provider = Provider::playing(move |_, _| Play::text("late").at(&held));
    let gate = before(provider.address);
    let mut client = Client::connect(gate.address("public"));
    client.send(request(Wire::OpenAi, CALLER_KEY, &[], &says(Wire::OpenAi, "a-plain", "hello").to_string()));
    until("the provider is asked", || provider.asked().len() == 1);
    drop(client);
    until("the provider's call is cancelled", || provider.left() == 1);
    assert_eq!(provider.asked().len(), 1, "nobody is asked in the place of who left");
}

/// Over connections that are shared one after the other.
#[test]
fn many_streams_at_once_are_each_their_own() {
    let provider = Provider::start();
    let gate = before(provider.address);
    let address = gate.address("public");
    let callers: Vec<_> = (0..24)
        .map(|at| {
            std::thread::spawn(move || {
                let (wire, model) = both_ways().nth(at % 4).unwrap();
                let text = format!("caller number {at}, and some words more");
                let body = streamed(wire, says(wire, model, &text));
                let answer = super::speech::ask(address, wire, &body);
                assert_eq!(super::speech::stream(wire, &answer.text()).text, format!("I heard: {text}"));
            })
        })
        .collect();
    let begun = std::time::Instant::now();
    for caller in callers {
        caller.join().expect("each gets its own");
    }
    assert!(begun.elapsed() < PATIENCE);
}
