//! A model is up as long as anybody who serves it is: whatever fails, another is asked, before the first token and after it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::client::{Answer, Client};
use e2e::provider::{Baton, Play, Provider, Turn, Wire};
use e2e::{Gate, until};
use serde_json::json;

use super::speech::{BOTH, ask, events, request, says, stream, streamed, whole};
use super::{CALLER_KEY, anthropic, configuration, gate, openai};

/// A model with these targets, by provider, and what else is said of it.
fn model(name: &str, targets: &[&str], more: &str) -> String {
    let targets: Vec<String> = targets.iter().map(|target| format!("{{ provider: {target} }}")).collect();
    format!("    - {{ name: {name}, targets: [{}]{more} }}\n", targets.join(", "))
}

/// The same provider with more said of it.
fn with(provider: String, more: &str) -> String {
    provider.replace(" }\n", &format!(", {more} }}\n"))
}

fn served_by(answer: &Answer) -> String {
    answer.header("x-tollgate-provider").unwrap_or_else(|| panic!("nobody served: {}", answer.text())).to_owned()
}

fn says_to(gate: &Gate, model: &str, text: &str) -> Answer {
    ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, model, text))
}

fn streams_to(gate: &Gate, wire: Wire, model: &str) -> Answer {
    ask(gate.address("public"), wire, &streamed(wire, says(wire, model, "hello")))
}

/// Calls with header lines of their own.
fn says_with(gate: SocketAddr, lines: &[&str], model: &str) -> Answer {
    let body = says(Wire::OpenAi, model, "hello").to_string();
    Client::connect(gate).call(request(Wire::OpenAi, CALLER_KEY, lines, &body))
}

/// Nobody listens there.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn targets_are_chosen_by_what_is_asked() {
    let provider = Provider::start();
    let providers: String = ["small", "sees", "long"].iter().map(|name| openai(name, provider.address)).collect();
    let models = "    - name: m\n      targets:\n        - { provider: sees, when: \"ai.images > 0\" }\n        \
                  - { provider: long, when: \"ai.input_tokens > 1000\" }\n        - { provider: small }\n";
    let gate = gate(&providers, models);
    let image = json!([{ "type": "text", "text": "what is it" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGVsbG8h" } }]);
    for (content, expected) in [(json!("hello"), "small"), (json!("many words ".repeat(500)), "long"), (image, "sees")]
    {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": content }] });
        let answer = ask(gate.address("public"), Wire::OpenAi, &body);
        assert_eq!(served_by(&answer), expected);
    }
}

/// Prices are the catalog's, of the vendor's models.
#[test]
fn the_cheapest_is_asked_first_and_those_without_a_price_last() {
    let provider = Provider::start();
    let target = |model: &str| format!("{{ provider: p, model: {model} }}");
    let targets = ["nobody-knows-it", "gpt-4o", "gpt-4o-mini", "gpt-4.1"].map(target).join(", ");
    let models = format!("    - {{ name: m, strategy: lowest_cost, targets: [{targets}] }}\n");
    let gate = gate(&openai("p", provider.address), &models);
    assert_eq!(says_to(&gate, "m", "hello").header("x-tollgate-model"), Some("gpt-4o-mini"));
}

#[test]
fn the_fastest_of_late_is_asked_first() {
    let baton = Baton::held();
    let held = baton.clone();
    let slow = Provider::playing(move |_, _| Play::text("slow words").at(&held));
    let fast = Provider::start();
    let providers = format!("{}{}", openai("slow", slow.address), openai("fast", fast.address));
    let gate = gate(&providers, &model("m", &["slow", "fast"], ", strategy: lowest_latency"));
    // Nobody knows either: the first is tried, and while it is, the other.
    let mut first = Client::connect(gate.address("public"));
    let body = streamed(Wire::OpenAi, says(Wire::OpenAi, "m", "hello")).to_string();
    first.send(request(Wire::OpenAi, CALLER_KEY, &[], &body));
    until("the first is tried", || slow.asked().len() == 1);
    for _ in 0..5 {
        assert_eq!(served_by(&streams_to(&gate, Wire::OpenAi, "m")), "fast");
    }
    baton.pass(100);
    assert!(first.read().is_some_and(|answer| answer.text().contains("[DONE]")));
    until("it is seen how slow it was", || gate.metric("tollgate_ai_attempts_total", &["slow", "\"ok\""]) == 1.0);
    assert_eq!(served_by(&streams_to(&gate, Wire::OpenAi, "m")), "fast");
    assert_eq!(gate.metric("tollgate_ai_time_to_first_token_seconds_count", &["fast"]), 6.0);
}

#[test]
fn shares_are_as_the_weights_say() {
    let provider = Provider::start();
    let providers = format!("{}{}", openai("much", provider.address), openai("little", provider.address));
    let models =
        "    - { name: m, strategy: weighted, targets: [{ provider: much, weight: 3 }, { provider: little }] }\n";
    let gate = gate(&providers, models);
    let much = (0..200).filter(|_| served_by(&says_to(&gate, "m", "hello")) == "much").count();
    // 150 are expected; six standard deviations are 37.
    assert!((113..=187).contains(&much), "{much}");
}

#[test]
fn a_conversation_stays_where_it_began() {
    let provider = Provider::start();
    let names = ["p1", "p2", "p3", "p4"];
    let providers: String = names.iter().map(|name| openai(name, provider.address)).collect();
    let gate = gate(&providers, &model("m", &names, ", strategy: hash"));
    let mut seen = std::collections::BTreeSet::new();
    for conversation in 0..24 {
        let said = |role: &str, text: String| json!({ "role": role, "content": text });
        let mut messages = vec![said("user", format!("question {conversation}"))];
        let mut at = Vec::new();
        for turn in 0..3 {
            let body = json!({ "model": "m", "messages": messages });
            at.push(served_by(&ask(gate.address("public"), Wire::OpenAi, &body)));
            messages.extend([said("assistant", "so".to_owned()), said("user", format!("and {turn}"))]);
        }
        assert!(at.iter().all(|one| *one == at[0]), "{at:?}");
        seen.insert(at[0].clone());
    }
    assert!(seen.len() >= 3, "24 conversations are spread: {seen:?}");
}

#[test]
fn who_is_less_busy_is_asked() {
    let baton = Baton::held();
    let providers: Vec<Provider> = (0..2)
        .map(|_| {
            let held = baton.clone();
            Provider::playing(move |_, heard| Play::of(heard).at(&held))
        })
        .collect();
    let written = format!("{}{}", openai("one", providers[0].address), openai("two", providers[1].address));
    let gate = gate(&written, &model("m", &["one", "two"], ", strategy: least_busy"));
    let asked = || providers.iter().map(|provider| provider.asked().len()).collect::<Vec<_>>();
    let mut clients = Vec::new();
    for call in 1..=6 {
        let mut client = Client::connect(gate.address("public"));
        client.send(request(Wire::OpenAi, CALLER_KEY, &[], &says(Wire::OpenAi, "m", "hello").to_string()));
        clients.push(client);
        until("somebody is asked", || asked().iter().sum::<usize>() == call);
    }
    assert_eq!(asked(), [3, 3]);
    baton.pass(6);
    assert!(clients.iter_mut().all(|client| client.read().is_some_and(|answer| answer.status == 200)));
}

#[test]
fn each_way_to_fail_has_its_own_fallback() {
    let first = Provider::playing(|_, heard| match heard.text.as_str() {
        "long" => Play::refuses(400, "This model's maximum context length is 8192 tokens."),
        "bad" => Play::refuses(400, "The response was filtered due to our content management policy."),
        "down" => Play::fails(500),
        "wrong" => Play::refuses(400, "Something is wrong."),
        _ => Play::of(heard),
    });
    let others = Provider::start();
    let names = ["large", "lenient", "other"];
    let providers: String =
        std::iter::once(openai("first", first.address)).chain(names.map(|name| openai(name, others.address))).collect();
    let models: String = std::iter::once(model(
        "m",
        &["first"],
        ", fallbacks: [{ when: context_window, to: large }, { when: [content_policy], to: [lenient] }, \
         { when: [server, timeout], to: [other] }]",
    ))
    .chain(names.map(|name| model(name, &[name], "")))
    .collect();
    let gate = gate(&providers, &models);
    for (text, by) in [("fine", "first"), ("long", "large"), ("bad", "lenient"), ("down", "other")] {
        let answer = says_to(&gate, "m", text);
        assert_eq!((answer.status, served_by(&answer).as_str()), (200, by), "{text}");
    }
    assert_eq!(says_to(&gate, "m", "wrong").status, 400, "what is wrong is wrong everywhere");
    assert_eq!(gate.metric("tollgate_ai_attempts_total", &["first", "context_window"]), 1.0);
    assert_eq!(gate.metric("tollgate_ai_attempts_total", &["large", "\"ok\""]), 1.0);
}

#[test]
fn all_are_asked_again_within_a_budget() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let provider = Provider::playing(move |_, heard| {
        let at = counted.fetch_add(1, Ordering::SeqCst);
        if heard.text == "never" || at == 0 { Play::fails(503) } else { Play::of(heard) }
    });
    let more = ", retry: { attempts: 1, backoff: 5ms, budget: 0% }";
    let gate = gate(&openai("p", provider.address), &model("m", &["p"], more));
    let answer = says_to(&gate, "m", "hello");
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (200, Some("2")), "{}", answer.text());
    // Ten are there to begin with, of which one is spent.
    let attempts = || says_to(&gate, "m", "never").header("x-tollgate-attempts").unwrap().to_owned();
    let all: Vec<String> = (0..12).map(|_| attempts()).collect();
    let again = all.iter().filter(|attempts| *attempts == "2").count();
    assert_eq!(again, 9, "{all:?}");
}

#[test]
fn a_provider_that_asks_for_much_patience_is_not_waited_for() {
    let provider = Provider::playing(|_, _| Play::fails_with(429, "retry-after: 300\r\n"));
    let gate = gate(&openai("p", provider.address), &model("m", &["p"], ", retry: { attempts: 3 }"));
    let answer = says_to(&gate, "m", "hello");
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (429, Some("1")));
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((290..=300).contains(&after), "{after}");
}

#[test]
fn who_says_nothing_in_time_is_replaced_before_anybody_sees() {
    for wire in BOTH {
        let baton = Baton::held();
        let held = baton.clone();
        // Its head and the start of an answer come, and no word.
        let first = Provider::playing(move |_, _| {
            held.pass(2);
            Play::text("late").at(&held)
        });
        let second = Provider::start();
        let late = with(openai("first", first.address), "timeouts: { first_token: 300ms }");
        let gate =
            gate(&format!("{late}{}", anthropic("second", second.address)), &model("m", &["first", "second"], ""));
        let answer = streams_to(&gate, wire, "m");
        assert_eq!((answer.status, served_by(&answer).as_str()), (200, "second"));
        assert_eq!(stream(wire, &answer.text()).text, "I heard: hello");
        until("the first is hung up on", || first.left() == 1);
        assert_eq!(gate.metric("tollgate_ai_attempts_total", &["first", "first_token"]), 1.0);
    }
}

#[test]
fn the_first_token_wins_and_the_other_is_hung_up_on() {
    for streams in [true, false] {
        let baton = Baton::held();
        let held = baton.clone();
        let slow = Provider::playing(move |_, _| Play::text("slow").at(&held));
        let fast = Provider::start();
        let providers = format!("{}{}", openai("slow", slow.address), anthropic("fast", fast.address));
        let gate = gate(&providers, &model("m", &["slow", "fast"], ", hedge: { after: 50ms }"));
        let answer = match streams {
            true => streams_to(&gate, Wire::OpenAi, "m"),
            false => says_to(&gate, "m", "hello"),
        };
        assert_eq!((answer.status, served_by(&answer).as_str()), (200, "fast"), "{}", answer.text());
        assert_eq!(answer.header("x-tollgate-attempts"), Some("2"));
        until("the slow one is hung up on", || slow.left() == 1);
        until("it is counted", || gate.metric("tollgate_ai_attempts_total", &["slow", "\"lost\""]) == 1.0);
        let log = gate.leave().output;
        assert!(log.contains("slow/m:lost:") && log.contains("fast/m:ok:"), "{log}");
    }
}

/// Anthropic's can be gone on with; whoever dies, the caller has one answer.
#[test]
fn another_goes_on_with_a_text_that_broke_off() {
    let text = "The quick brown fox jumps over the lazy dog.";
    for dies in BOTH {
        for tears in [false, true] {
            for wire in BOTH {
                let first = Provider::playing(move |_, _| {
                    let play = Play::text(text);
                    if tears { play.tears_after(5) } else { play.breaks_after(5) }
                });
                let second = Provider::playing(move |_, heard| {
                    assert!(!heard.begun.is_empty() && text.starts_with(&heard.begun), "{heard:?}");
                    Play::says(Turn { text: text[heard.begun.len()..].to_owned(), usage: (20, 4), ..Turn::default() })
                });
                let dying = match dies {
                    Wire::OpenAi => openai("first", first.address),
                    Wire::Anthropic => anthropic("first", first.address),
                };
                let providers = format!("{dying}{}", anthropic("second", second.address));
                let gate = gate(&providers, &model("m", &["first", "second"], ""));
                let answer = streams_to(&gate, wire, "m");
                let case = format!("{dies:?} dies before {wire:?}, torn: {tears}: {}", answer.text());
                let understood = stream(wire, &answer.text());
                assert_eq!(understood.text, text, "{case}");
                assert!(understood.usage.0 > 20 && understood.usage.1 > 4, "both are counted: {understood:?} {case}");
                assert_eq!(served_by(&answer), "first", "{case}");
                let log = gate.leave().output;
                assert!(log.contains("first/m:broken:") && log.contains("second/m:continued:"), "{log}");
            }
        }
    }
}

#[test]
fn what_nobody_can_go_on_with_ends_cleanly() {
    let call = || Turn { calls: vec![("look".to_owned(), json!({ "city": "Paris" }))], ..Turn::default() };
    for (what, can_prefill) in [("a call of a tool", true), ("a text, and nobody who goes on", false)] {
        for wire in BOTH {
            for tears in [false, true] {
                let first = Provider::playing(move |_, _| {
                    let play = if can_prefill { Play::says(call()) } else { Play::text("some words and more") };
                    if tears { play.tears_after(4) } else { play.breaks_after(4) }
                });
                let second = Provider::start();
                let own = |name: &str, provider: &Provider| match wire {
                    Wire::OpenAi => openai(name, provider.address),
                    Wire::Anthropic => anthropic(name, provider.address),
                };
                let prefill = if can_prefill { "last_message" } else { "none" };
                let second_one = with(own("second", &second), &format!("prefill: {prefill}"));
                let gate =
                    gate(&format!("{}{second_one}", own("first", &first)), &model("m", &["first", "second"], ""));
                let answer = streams_to(&gate, wire, "m");
                let case = format!("{what}, torn: {tears}, {wire:?}: {}", answer.text());
                let all = events(&answer.text());
                let (_, last) = all.last().expect("it began");
                assert!(last["error"]["message"].is_string(), "{case}");
                assert!(second.asked().is_empty(), "{case}");
            }
        }
    }
}

#[test]
fn who_fails_again_and_again_rests() {
    let works = Arc::new(AtomicUsize::new(0));
    let up = works.clone();
    let first = Provider::playing(move |_, heard| match up.load(Ordering::SeqCst) {
        0 => Play::fails(500),
        _ => Play::of(heard),
    });
    let second = Provider::start();
    let resting = with(openai("first", first.address), "cooldown: { failures: 3, rest: 400ms }");
    let gate = gate(&format!("{resting}{}", openai("second", second.address)), &model("m", &["first", "second"], ""));
    for _ in 0..10 {
        assert_eq!(served_by(&says_to(&gate, "m", "hello")), "second");
    }
    assert_eq!(first.asked().len(), 3, "then it rests");
    works.store(1, Ordering::SeqCst);
    until("it is tried, and then it is asked again", || served_by(&says_to(&gate, "m", "hello")) == "first");
    assert_eq!(served_by(&says_to(&gate, "m", "hello")), "first");
}

#[test]
fn the_more_urgent_are_first_where_places_are_few() {
    let baton = Baton::held();
    let held = baton.clone();
    let provider = Provider::playing(move |_, heard| Play::of(heard).at(&held));
    let few = with(openai("p", provider.address), "max_concurrent: 1, queue: { length: 2 }");
    let text = configuration(&few, &model("m", &["p"], ""))
        .replace("max_bytes: 64KiB", "max_bytes: 64KiB, priority: 'request.headers[\"x-class\"].orValue(\"normal\")'");
    let gate = Gate::start(&text);
    let address = gate.address("public");
    let send = |name: &str, class: &str| {
        let mut client = Client::connect(address);
        let body = says(Wire::OpenAi, "m", name).to_string();
        client.send(request(Wire::OpenAi, CALLER_KEY, &[&format!("x-class: {class}")], &body));
        client
    };
    let waiting = |count: f64| {
        until("it waits", || gate.metric("tollgate_requests_in_flight", &[]) >= count);
    };
    let mut first = send("first", "normal");
    until("the place is taken", || provider.asked().len() == 1);
    let mut low = send("low", "low");
    waiting(2.0);
    let mut high = send("high", "high");
    waiting(3.0);
    until("a third finds no place to wait", || says_with(address, &[], "m").status == 503);
    for (client, asked) in [(&mut first, 2), (&mut high, 3)] {
        baton.pass(1);
        assert_eq!(client.read().map(|answer| answer.status), Some(200));
        until("the next is asked", || provider.asked().len() == asked);
    }
    baton.pass(1);
    assert_eq!(low.read().map(|answer| answer.status), Some(200));
    let order: Vec<String> =
        provider.asked().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    let at = |name: &str| order.iter().position(|body| body.contains(&format!("\"{name}\""))).unwrap();
    assert!(at("first") < at("high") && at("high") < at("low"), "{order:?}");
}

#[test]
fn callers_may_ask_for_less() {
    let baton = Baton::held();
    let held = baton.clone();
    let hangs = Provider::playing(move |_, _| Play::text("late").at(&held));
    let second = Provider::start();
    let providers =
        format!("{}{}{}", openai("none", nobody()), openai("hangs", hangs.address), openai("second", second.address));
    let models = format!("{}{}", model("m", &["none", "second"], ""), model("slow", &["hangs"], ""));
    let text = configuration(&providers, &models);
    let gate = Gate::start(&text);
    let address = gate.address("public");
    assert_eq!(says_with(address, &[], "m").status, 200);
    let alone = says_with(address, &["x-tollgate-fallbacks: none"], "m");
    assert_eq!((alone.status, alone.header("x-tollgate-attempts")), (502, Some("1")), "{}", alone.text());
    assert_eq!(says_with(address, &["x-tollgate-timeout: 0.2"], "slow").status, 504);
    // Little time is not the target's fault: however often, it does not rest.
    for _ in 0..6 {
        assert_eq!(says_with(address, &["x-tollgate-timeout: 0.05"], "slow").status, 504);
    }
    assert_eq!(gate.metric("tollgate_ai_attempts_total", &["hangs", "cancelled"]), 7.0);
    let gate = Gate::start(&text.replace("max_bytes: 64KiB", "max_bytes: 64KiB, callers_may: []"));
    assert_eq!(says_with(gate.address("public"), &["x-tollgate-fallbacks: none"], "m").status, 200);
}

#[test]
fn a_stream_that_is_still_gives_signs_of_life() {
    for (wire, sign) in [(Wire::OpenAi, ": ping\n\n"), (Wire::Anthropic, "event: ping\ndata: {\"type\": \"ping\"}\n\n")]
    {
        for asked in BOTH {
            let baton = Baton::held();
            let held = baton.clone();
            let provider = Provider::playing(move |_, _| Play::text("alpha beta").at(&held));
            let own = match asked {
                Wire::OpenAi => openai("p", provider.address),
                Wire::Anthropic => anthropic("p", provider.address),
            };
            let text = configuration(&own, &model("m", &["p"], ""));
            let gate = Gate::start(&text.replace("max_bytes: 64KiB", "max_bytes: 64KiB, heartbeat: 100ms"));
            let mut client = Client::connect(gate.address("public"));
            let body = streamed(wire, says(wire, "m", "hello")).to_string();
            client.send(request(wire, CALLER_KEY, &[], &body));
            // Up to the first word.
            baton.pass(if asked == Wire::OpenAi { 3 } else { 5 });
            assert_eq!(client.read_head().map(|head| head.status), Some(200));
            let mut all = String::new();
            while all.matches(sign).count() < 2 {
                all.push_str(&String::from_utf8_lossy(&client.read_chunk().expect("it lives")));
            }
            baton.pass(100);
            while let Some(chunk) = client.read_chunk() {
                all.push_str(&String::from_utf8_lossy(&chunk));
            }
            assert_eq!(stream(wire, &all).text, "alpha beta", "{wire:?} {asked:?}");
        }
    }
}

#[test]
fn an_answer_in_one_piece_that_breaks_off_is_asked_for_elsewhere() {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        e2e::read_head(&mut stream);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":";
        stream.write_all(head.as_bytes()).unwrap();
    });
    let second = Provider::start();
    let providers = format!("{}{}", openai("first", address), openai("second", second.address));
    let gate = gate(&providers, &model("m", &["first", "second"], ""));
    let answer = says_to(&gate, "m", "hello");
    assert_eq!((answer.status, served_by(&answer).as_str()), (200, "second"), "{}", answer.text());
    assert_eq!(whole(Wire::OpenAi, &answer.json()).text, "I heard: hello");
    first.join().unwrap();
}
