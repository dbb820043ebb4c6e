//! A provider dies for a while under load: nobody's call fails before its first token, and the streams that were going on
//! are gone on with, or end cleanly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::client::Client;
use e2e::provider::{Play, Provider, Turn, Wire};

use super::speech::{BOTH, events, request, says, stream, streamed};
use super::{CALLER_KEY, anthropic, gate, openai};

const CALLERS: usize = 12;
const EACH: usize = 25;
const TEXT: &str = "One two three four five six seven eight nine ten.";

/// How it ends for one caller.
#[derive(Debug, Default)]
struct Ends {
    whole: usize,
    cleanly: usize,
}

fn call(gate: SocketAddr, wire: Wire, ends: &mut Ends) {
    let body = streamed(wire, says(wire, "m", "count")).to_string();
    let answer = Client::connect(gate).call(request(wire, CALLER_KEY, &[], &body));
    let text = answer.text();
    assert_eq!(answer.status, 200, "no call fails before its first token: {text}");
    let all = events(&text);
    let failed = all.iter().any(|(_, event)| event["error"].is_object());
    if failed {
        ends.cleanly += 1;
        return;
    }
    assert_eq!(stream(wire, &text).text, TEXT);
    ends.whole += 1;
}

/// Its deaths: closed at once, refused, dead in the middle of its words, torn within an event.
fn dying(at: usize) -> Play {
    match at % 6 {
        0 => Play::closes(),
        1 => Play::fails(503),
        2 => Play::text(TEXT).breaks_after(1),
        3 => Play::text(TEXT).tears_after(5),
        4 => Play::text(TEXT).breaks_after(7),
        _ => Play::fails(500),
    }
}

#[test]
fn a_provider_that_dies_under_load_is_not_missed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    // It is well, dies for the middle third of all calls, and is well again.
    let total = CALLERS * EACH;
    let first = Provider::playing(move |_, _| {
        let at = counted.fetch_add(1, Ordering::SeqCst);
        if (total / 3..2 * total / 3).contains(&at) { dying(at) } else { Play::text(TEXT) }
    });
    let second = Provider::playing(|_, heard| {
        Play::says(Turn { text: TEXT[heard.begun.len()..].to_owned(), usage: (11, 7), ..Turn::default() })
    });
    // It never rests, so that it goes on dying under the load.
    let never = "cooldown: { failures: 1000 }";
    let providers = format!(
        "{}{}",
        openai("first", first.address).replace(" }\n", &format!(", {never} }}\n")),
        anthropic("second", second.address)
    );
    let models = "    - { name: m, targets: [{ provider: first }, { provider: second }] }\n";
    let gate = gate(&providers, models);
    let address = gate.address("public");
    let callers: Vec<_> = (0..CALLERS)
        .map(|at| {
            std::thread::spawn(move || {
                let mut ends = Ends::default();
                (0..EACH).for_each(|_| call(address, BOTH[at % 2], &mut ends));
                ends
            })
        })
        .collect();
    let ends = callers.into_iter().map(|caller| caller.join().expect("no call fails"));
    let ends = ends
        .fold(Ends::default(), |sum, ends| Ends { whole: sum.whole + ends.whole, cleanly: sum.cleanly + ends.cleanly });
    assert_eq!(ends.whole + ends.cleanly, total);
    assert_eq!(ends.cleanly, 0, "a text is gone on with: {ends:?}");
    assert!(asked.load(Ordering::SeqCst) >= total, "the first was asked throughout");
    assert!(gate.metric("tollgate_ai_attempts_total", &["second", "continued"]) >= 30.0);
}
