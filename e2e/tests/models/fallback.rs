//! When one target fails the next is asked, unless the failure is the request's own.

use std::net::{SocketAddr, TcpListener};

use e2e::provider::{Baton, Play, Provider, Wire};

use super::speech::{BOTH, ask, says, stream, streamed, whole};
use super::{anthropic, gate, openai};

/// A gateway with a model of two targets, the first of which answers within a second or not at all.
fn pair(first: SocketAddr, second: SocketAddr) -> e2e::Gate {
    let first = openai("first", first).replace(" }\n", ", timeouts: { first_byte: 500ms } }\n");
    let models = "    - { name: m, targets: [{ provider: first, model: one }, { provider: second, model: two }] }\n";
    gate(&format!("{first}{}", anthropic("second", second)), models)
}

type Plays = Box<dyn Fn() -> Play + Send + Sync>;

#[test]
fn the_next_target_is_asked() {
    let hangs = Baton::held();
    let slow = hangs.clone();
    let causes: [(&str, Plays); 9] = [
        ("401", Box::new(|| Play::fails(401))),
        ("403", Box::new(|| Play::fails(403))),
        ("404", Box::new(|| Play::fails(404))),
        ("429", Box::new(|| Play::fails(429))),
        ("500", Box::new(|| Play::fails(500))),
        ("503", Box::new(|| Play::fails(503))),
        ("529", Box::new(|| Play::fails(529))),
        ("closes", Box::new(Play::closes)),
        ("hangs", Box::new(move || Play::text("late").at(&slow))),
    ];
    for (cause, play) in causes {
        let first = Provider::playing(move |_, _| play());
        let second = Provider::start();
        let gate = pair(first.address, second.address);
        for (at, wire) in BOTH.into_iter().enumerate() {
            let body = says(wire, "m", "hello");
            let whole_answer = ask(gate.address("public"), wire, &body);
            assert_eq!(whole_answer.status, 200, "{cause}: {}", whole_answer.text());
            assert_eq!(whole(wire, &whole_answer.json()).text, "I heard: hello", "{cause}");
            assert_eq!(whole_answer.header("x-tollgate-provider"), Some("second"), "{cause}");
            assert_eq!(whole_answer.header("x-tollgate-model"), Some("two"), "{cause}");
            if at == 0 {
                assert_eq!(whole_answer.header("x-tollgate-attempts"), Some("2"), "{cause}");
            }
            let streamed = ask(gate.address("public"), wire, &streamed(wire, body));
            assert_eq!(stream(wire, &streamed.text()).text, "I heard: hello", "{cause}");
        }
        assert_eq!(second.asked().len(), 4, "{cause}");
    }
}

#[test]
fn the_next_target_is_asked_where_nobody_listens() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let second = Provider::start();
    let gate = pair(nobody, second.address);
    let answer = ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "m", "hello"));
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (200, Some("2")), "{}", answer.text());
}

#[test]
fn a_wrong_request_is_nobody_elses() {
    let first = Provider::playing(|_, _| Play::fails(400));
    let second = Provider::start();
    let gate = pair(first.address, second.address);
    for wire in BOTH {
        let answer = ask(gate.address("public"), wire, &says(wire, "m", "hello"));
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("decimal above maximum"), "the provider's own words: {message}");
    }
    assert_eq!((first.asked().len(), second.asked().len()), (2, 0));
}

#[test]
fn when_all_fail_the_last_is_told() {
    let first = Provider::playing(|_, _| Play::fails(500));
    let second = Provider::playing(|_, _| Play::fails_with(429, "retry-after: 21\r\n"));
    let gate = pair(first.address, second.address);
    for (wire, kind) in [(Wire::OpenAi, "rate_limit_error"), (Wire::Anthropic, "rate_limit_error")] {
        let answer = ask(gate.address("public"), wire, &says(wire, "m", "hello"));
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.json()["error"]["type"], kind);
    }
    assert_eq!(second.asked().len(), 1, "its key rests");
}
