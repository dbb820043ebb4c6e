//! Money and tokens: what is spent is what providers told, to the cent; what is limited is not passed, however many call at
//! once, on how many gateways, and whoever is killed meanwhile.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use e2e::client::{Answer, Client};
use e2e::provider::{Baton, PROVIDER_KEY, Play, Provider, Turn, Wire};
use e2e::{Gate, Redis, binary, until};
use serde_json::{Value, json};

use super::CALLER_KEY;
use super::speech::{ask, says, streamed};

/// A dollar in billionths.
const DOLLAR: u64 = 1_000_000_000;
/// What a call of these tests costs by OpenAI's prices of gpt-4o: 20 tokens in at 2.50 dollars a million, 100 out at 10.
const COST: u64 = 20 * 2_500 + 100 * 10_000;
/// What is held for one at most: a hundred tokens out, and a token in for every 2.5 of its some 110 bytes.
const HELD: u64 = 60 * 2_500 + 100 * 10_000;
/// What fifty calls cost, and less than another.
const BUDGET: u64 = 50 * COST + 200_000;
/// Of it, what a gateway draws ahead at most.
const LEASE: u64 = BUDGET / 100;

/// A provider each of whose answers costs [`COST`], when the baton lets it.
fn provider(baton: &Baton) -> Provider {
    let baton = baton.clone();
    Provider::playing(move |_, _| {
        Play::says(Turn { text: "Well then.".to_owned(), usage: (20, 100), ..Turn::default() }).at(&baton)
    })
}

fn call() -> Value {
    json!({ "model": "smart", "max_tokens": 100, "messages": [{ "role": "user", "content": "How much?" }] })
}

/// A gateway with these policies; `more` are lines of its own.
fn gate(provider: SocketAddr, policies: &str, more: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
{more}
ai:
  providers:
    - {{ name: o, preset: openai, base_url: "http://{provider}/v1", keys: [{PROVIDER_KEY}] }}
    - {{ name: a, preset: anthropic, base_url: "http://{provider}", keys: [{PROVIDER_KEY}] }}
    - {{ name: own, dialect: openai_chat, base_url: "http://{provider}/v1", keys: [{PROVIDER_KEY}] }}
  models:
    - {{ name: smart, targets: [{{ provider: o, model: gpt-4o }}] }}
    - {{ name: claude, targets: [{{ provider: a, model: claude-sonnet-4-5 }}] }}
    - {{ name: unknown, targets: [{{ provider: own, model: nobody-knows }}] }}
apis:
  - name: models
    path: /v1
    access: identified
    policies: {{ key_auth: {{}}, {policies} }}
    to: {{ ai: {{}} }}
consumers: [{{ name: app, metadata: {{ team: blue }}, credentials: [{{ name: first, key: {CALLER_KEY} }}] }}]
"#
    ))
}

fn budget(store: &str) -> String {
    let (dollars, rest) = (BUDGET / DOLLAR, BUDGET % DOLLAR);
    format!("budget: {{ store: {store}, limits: [{{ limit: {dollars}.{rest:09} USD/month, by: consumer }}] }}")
}

/// Calls until it is decided: open calls that hold what is left may bring some of it back.
fn decided(gate: SocketAddr) -> u16 {
    loop {
        let answer = ask(gate, Wire::OpenAi, &call());
        let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        match (answer.status, code.as_str()) {
            (429, "budget.held") => {
                assert!(answer.header("retry-after").is_some());
                std::thread::yield_now();
            }
            (200, _) | (402, "budget.exceeded") => return answer.status,
            _ => panic!("{} {}", answer.status, answer.text()),
        }
    }
}

/// Two hundred at once, the gateways by turns: how many were answered.
fn two_hundred(gates: &[&Gate], meanwhile: impl FnOnce()) -> u64 {
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for caller in 0..200 {
            let (gate, answered) = (gates[caller % gates.len()].address("public"), &answered);
            scope.spawn(move || {
                answered.fetch_add(usize::from(decided(gate) == 200), SeqCst);
            });
        }
        meanwhile();
    });
    answered.into_inner() as u64
}

#[test]
fn two_hundred_at_once_spend_what_fifty_may() {
    for store in ["memory", "disk"] {
        let baton = Baton::held();
        let provider = provider(&baton);
        let gate = gate(provider.address, &budget(store), "");
        let answered = two_hundred(&[&gate], || {
            // As many as the budget may hold at once are asked, and no more.
            until("calls are open", || provider.asked().len() as u64 >= BUDGET / HELD - 5);
            assert!(provider.asked().len() as u64 * COST <= BUDGET);
            baton.pass(10_000);
        });
        assert_eq!((answered, provider.asked().len()), (50, 50), "{store}");
        let spent = ask(gate.address("public"), Wire::OpenAi, &call());
        let error = &spent.json()["error"];
        assert_eq!((spent.status, error["code"].as_str()), (402, Some("budget.exceeded")), "{}", spent.text());
        assert!(error["message"].as_str().unwrap().contains("USD/month by consumer"), "{}", spent.text());
        let anthropic = ask(gate.address("public"), Wire::Anthropic, &says(Wire::Anthropic, "smart", "How much?"));
        assert_eq!((anthropic.status, anthropic.json()["type"].as_str()), (402, Some("error")), "{}", anthropic.text());
    }
}

/// As many gateways on one Redis.
fn on_redis(redis: &Redis, provider: &Provider, count: usize) -> Vec<Gate> {
    let more = format!("redis: {{ url: '{}', timeout: 2s }}", redis.url());
    let gates: Vec<Gate> = (0..count).map(|_| gate(provider.address, &budget("redis"), &more)).collect();
    until("they see one another", || {
        gates.iter().all(|gate| gate.metric("tollgate_redis_gateways", &[]) == count as f64)
    });
    gates
}

#[test]
fn two_gateways_spend_together_what_one_may() {
    let redis = Redis::start();
    let baton = Baton::held();
    let provider = provider(&baton);
    let gates = on_redis(&redis, &provider, 2);
    let answered = two_hundred(&[&gates[0], &gates[1]], || {
        until("calls are open", || provider.asked().len() >= 20);
        baton.pass(10_000);
    });
    assert_eq!(answered, provider.asked().len() as u64);
    assert!(answered * COST <= BUDGET, "{answered}");
    assert!(answered * COST + 2 * LEASE + HELD >= BUDGET, "{answered}");
}

#[test]
fn a_gateway_that_is_killed_costs_its_lease_and_what_was_open() {
    let folder = tempfile::tempdir().unwrap();
    let directory = format!("store: {{ directory: '{}' }}", folder.path().display());
    let redis = Redis::start();
    for store in ["disk", "redis"] {
        let baton = Baton::held();
        let provider = provider(&baton);
        let (first, second) = match store {
            "redis" => {
                let mut gates = on_redis(&redis, &provider, 2);
                (gates.remove(0), gates.pop())
            }
            _ => (gate(provider.address, &budget(store), &directory), None),
        };
        // Five calls are over, twenty open.
        baton.pass(5);
        (0..5).for_each(|_| assert_eq!(decided(first.address("public")), 200));
        let mut open: Vec<Client> = (0..20).map(|_| Client::connect(first.address("public"))).collect();
        for client in &mut open {
            client.send(super::speech::request(Wire::OpenAi, CALLER_KEY, &[], &call().to_string()));
        }
        until("calls are open", || provider.asked().len() == 25);
        drop(first); // SIGKILL
        until("they are gone", || provider.left() == 20);
        let second = second.unwrap_or_else(|| gate(provider.address, &budget(store), &directory));
        baton.pass(10_000);
        let answered = 5 + two_hundred(&[&second], || ());
        assert!((answered + 20) * COST <= BUDGET, "{store}: {answered}");
        assert!(answered * COST + 20 * HELD + 2 * LEASE + HELD >= BUDGET, "{store}: {answered}");
    }
}

#[test]
fn one_of_two_gateways_is_killed_in_the_middle_of_two_hundred() {
    let redis = Redis::start();
    let baton = Baton::held();
    let provider = provider(&baton);
    let mut gates = on_redis(&redis, &provider, 2);
    let addresses = [gates[0].address("public"), gates[1].address("public")];
    let (answered, open) = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200).map(|caller| scope.spawn(move || decided(addresses[caller % 2]))).collect();
        until("calls are open", || provider.asked().len() >= 20);
        drop(gates.remove(0)); // SIGKILL
        let open = provider.asked().len() as u64;
        baton.pass(10_000);
        // Who called the one that is gone has no answer.
        let answers = calls.into_iter().filter_map(|call| call.join().ok());
        (answers.filter(|status| *status == 200).count() as u64, open)
    });
    let asked = provider.asked().len() as u64;
    assert!(asked * COST <= BUDGET && answered <= asked, "{asked} {answered}");
    // What was open at the one that is gone may all have been held there, and each may have had a lease.
    assert!(answered * COST + open * HELD + 2 * LEASE + HELD >= BUDGET, "{asked} {answered} {open}");
    assert_eq!(decided(gates[0].address("public")), 402);
}

/// What the command says of a gateway's data directory.
fn usage(gate: &Gate, words: &[&str]) -> Value {
    let output = Command::new(binary()).args(["ai", "usage", "--json"]).args(words).current_dir(gate.folder()).output();
    let output = output.expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn usage_sums_to_the_cent_what_the_provider_told() {
    let calls = AtomicUsize::new(0);
    let provider = Provider::playing(move |_, _| {
        let call = calls.fetch_add(1, SeqCst) as u64;
        Play::says(Turn { text: "Well then.".to_owned(), usage: (101 + call, 7 * call + 1), ..Turn::default() })
    });
    let gate = gate(provider.address, "", "store: { directory: data }");
    let address = gate.address("public");
    // Billionths of a dollar: gpt-4o costs 2.50 and 10 dollars a million, claude-sonnet-4-5 3 and 15.
    let (mut smart, mut claude, mut all) = ((0, 0, 0, 0), (0, 0, 0, 0), 0);
    for call in 0..40_u64 {
        let (input, output) = (101 + call, 7 * call + 1);
        let wire = if call % 4 < 2 { Wire::OpenAi } else { Wire::Anthropic };
        let (model, sums, cost) = match call % 3 {
            0 => ("claude", &mut claude, input * 3_000 + output * 15_000),
            _ => ("smart", &mut smart, input * 2_500 + output * 10_000),
        };
        let body = says(wire, model, "How much?");
        let streams = call % 5 == 0;
        let answer = ask(address, wire, &if streams { streamed(wire, body) } else { body });
        assert_eq!(answer.status, 200, "{}", answer.text());
        if !streams {
            assert_eq!(answer.header("x-tollgate-cost"), Some(dollars(cost).as_str()), "{input} {output}");
        }
        *sums = (sums.0 + 1, sums.1 + input, sums.2 + output, sums.3 + cost);
        all += cost;
    }
    until("it is written down", || usage(&gate, &[])["total"]["calls"] == 40);
    let said = usage(&gate, &["--by", "consumer,model", "--since", "1d"]);
    assert_eq!(said["total"]["cost_usd"], dollars(all), "{said}");
    for line in said["usage"].as_array().unwrap() {
        let sums = if line["model"] == "smart" { smart } else { claude };
        let told = json!([line["calls"], line["input"], line["output"], line["cost_usd"], line["consumer"]]);
        assert_eq!(told, json!([sums.0, sums.1, sums.2, dollars(sums.3), "app"]), "{said}");
    }
    let said = usage(&gate, &["--by", "team,credential,api,provider,target", "--only", "model=claude"]);
    let line = &said["usage"][0];
    let told = ["team", "credential", "api", "provider", "target"].map(|key| line[key].as_str().unwrap_or_default());
    assert_eq!(told, ["blue", "first", "models", "a", "claude-sonnet-4-5"], "{said}");
    let tokens = |direction: &str| gate.metric("tollgate_ai_tokens_total", &[direction]) as u64;
    assert_eq!((tokens("input"), tokens("output")), (smart.1 + claude.1, smart.2 + claude.2));
    let cost = gate.metric("tollgate_ai_cost_usd_total", &["model=\"smart\""]);
    assert!((cost - smart.3 as f64 / 1e9).abs() < 1e-9, "{cost}");
}

/// In dollars, as few decimals as say it.
fn dollars(nanos: u64) -> String {
    let text = format!("{}.{:09}", nanos / DOLLAR, nanos % DOLLAR);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn tags_failures_and_those_who_leave_are_written_down() {
    let baton = Baton::held();
    let held = baton.clone();
    let provider = Provider::playing(move |_, heard| match heard.text.as_str() {
        "fail" => Play::fails(400),
        "long" => Play::says(Turn { text: "one two three four five six".to_owned(), usage: (9, 9), ..Turn::default() })
            .at(&held),
        _ => Play::text("Well then."),
    });
    let gate = gate(provider.address, "", "store: { directory: data }");
    let address = gate.address("public");
    let tagged = says(Wire::OpenAi, "smart", "hello").to_string();
    let lines = ["x-tollgate-tag: nightly"];
    let answer = Client::connect(address).call(super::speech::request(Wire::OpenAi, CALLER_KEY, &lines, &tagged));
    assert_eq!(answer.status, 200);
    assert_eq!(ask(address, Wire::OpenAi, &says(Wire::OpenAi, "smart", "fail")).status, 400);
    let unpriced = ask(address, Wire::OpenAi, &says(Wire::OpenAi, "unknown", "hello"));
    assert_eq!((unpriced.status, unpriced.header("x-tollgate-cost")), (200, None));
    // The head and four events, then the caller leaves; the provider never came to tell what it took.
    let mut client = Client::connect(address);
    let long = streamed(Wire::OpenAi, says(Wire::OpenAi, "smart", "long")).to_string();
    client.send(super::speech::request(Wire::OpenAi, CALLER_KEY, &[], &long));
    baton.pass(5);
    until("some of it was said", || provider.sent() == 4);
    client.read_head().expect("a head");
    client.read_chunk().expect("an event");
    drop(client);
    until("the provider's call is over", || provider.left() == 1);
    until("it is written down", || usage(&gate, &[])["total"]["calls"] == 4);
    let said = usage(&gate, &["--by", "tag,model,provider"]);
    let line = |tag: &str, provider: &str| {
        let lines = said["usage"].as_array().unwrap();
        let found = lines.iter().find(|line| line["tag"] == tag && line["provider"] == provider);
        found.unwrap_or_else(|| panic!("no {tag} {provider}: {said}")).clone()
    };
    assert_eq!((&line("nightly", "o")["calls"], &line("nightly", "o")["input"]), (&json!(1), &json!(11)));
    assert_eq!((&line("", "")["errors"], &line("", "")["cost_usd"]), (&json!(1), &json!("0")));
    assert_eq!(line("", "own")["unpriced"], 1);
    let left = line("", "o");
    // `one two three` was said at the least; hello, its role and frame were asked.
    assert!(left["output"].as_u64().unwrap() >= 1 && left["input"].as_u64().unwrap() >= 4, "{left}");
    assert_ne!(left["cost_usd"], "0");
}

#[test]
fn a_model_without_a_price_is_refused_where_money_is_limited() {
    let provider = Provider::start();
    let gate = gate(provider.address, &budget("memory"), "");
    let answer = ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "unknown", "hello"));
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (403, Some("budget.unpriced")));
    gate.reload(
        &std::fs::read_to_string(gate.folder().join("tollgate.yaml"))
            .unwrap()
            .replace("budget: {", "budget: { unpriced: allow,"),
    );
    assert_eq!(ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "unknown", "hello")).status, 200);
}

/// The header fields of one vendor: limit, remaining, reset.
fn told(wire: Wire, answer: &Answer) -> (u64, u64, String) {
    let name = |what: &str| match wire {
        Wire::OpenAi => format!("x-ratelimit-{what}-tokens"),
        Wire::Anthropic => format!("anthropic-ratelimit-tokens-{what}"),
    };
    let field = |what: &str| answer.header(&name(what)).unwrap_or_else(|| panic!("no {}", name(what))).to_owned();
    (field("limit").parse().unwrap(), field("remaining").parse().unwrap(), field("reset"))
}

#[test]
fn tokens_are_limited_and_told_as_sdks_read_them() {
    let redis = Redis::start();
    for (store, more) in
        [("memory", String::new()), ("redis", format!("redis: {{ url: '{}', timeout: 2s }}", redis.url()))]
    {
        let provider = provider(&Baton::default());
        let policy = format!("token_limit: {{ store: {store}, limits: [{{ limit: 300/hour, by: consumer }}] }}");
        let gate = gate(provider.address, &policy, &more);
        let address = gate.address("public");
        let first = ask(address, Wire::OpenAi, &call());
        assert_eq!(first.status, 200, "{}", first.text());
        let (limit, left, reset) = told(Wire::OpenAi, &first);
        // A hundred out and some sixty in are taken.
        assert!(limit == 300 && (130..=200).contains(&left) && reset.ends_with('s'), "{limit} {left} {reset}");
        // What it did not take came back: 180 are left, enough for another.
        let second = ask(address, Wire::Anthropic, &says(Wire::Anthropic, "smart", "How much?"));
        assert_eq!(second.status, 200, "{store}: {}", second.text());
        let (_, left, reset) = told(Wire::Anthropic, &second);
        assert!(left < 80 && reset.ends_with('Z'), "{left} {reset}");
        let third = ask(address, Wire::OpenAi, &call());
        let error = &third.json()["error"];
        assert_eq!((third.status, error["code"].as_str()), (429, Some("token_limit.exceeded")), "{}", third.text());
        assert_eq!(error["type"], "rate_limit_error", "{}", third.text());
        // 60 are left and some 160 needed, of which 300 come back in an hour.
        let after: u64 = third.header("retry-after").expect("when to come again").parse().unwrap();
        assert!((400..=1300).contains(&after), "{after}");
        assert_eq!(told(Wire::OpenAi, &third).0, 300);
        assert_eq!(provider.asked().len(), 2);
    }
}
