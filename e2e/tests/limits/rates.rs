//! `rate_limit` in a gateway's memory.

use std::time::{Duration, Instant};

use e2e::client::{Answer, Client, get};
use e2e::{Gate, Upstream, until};

fn configuration(upstream: &Upstream, policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u, policies: {{ rate_limit: {policy} }} }}]
"#,
        upstream.address
    )
}

fn gate(upstream: &Upstream, policy: &str) -> Gate {
    Gate::start(&configuration(upstream, policy))
}

/// How many of `tries` pass, one after the other; each other one is over a limit, and says so.
pub(crate) fn pass(gate: &Gate, headers: &[&str], tries: usize) -> usize {
    let mut client = Client::connect(gate.address("public"));
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let answers = (0..tries).map(|_| client.call(format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n")));
    answers.filter(|answer| answer.status == 200 || is_over(answer)).filter(|answer| answer.status == 200).count()
}

/// Asserts that this is an answer of a limit that is used up.
#[track_caller]
fn is_over(answer: &Answer) -> bool {
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    assert!(answer.status == 429 && code.ends_with(".exceeded"), "{} {}", answer.status, answer.text());
    true
}

#[test]
fn over_the_limit_is_429_with_a_true_retry_after() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "{ limits: [{ limit: 4/2s, by: client, burst: 2 }], headers: [ietf, x] }");
    let address = gate.address("public");
    let first = get(address, "/", &[]);
    assert_eq!(first.header("ratelimit-policy"), Some(r#""client-2s";q=4;w=2"#));
    assert_eq!(first.header("ratelimit"), Some(r#""client-2s";r=1;t=1"#));
    let x = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| first.header(name));
    assert_eq!(x, [Some("4"), Some("1"), Some("1")]);
    let refusal = std::iter::from_fn(|| Some(get(address, "/", &[]))).take(20).find(|answer| answer.status == 429);
    let refusal = refusal.expect("the burst is used up");
    assert_eq!(refusal.json()["code"], "rate_limit.exceeded");
    let wait: u64 = refusal.header("retry-after").expect("it says when").parse().expect("seconds");
    let until_then = Instant::now() + Duration::from_secs(wait);
    while Instant::now() < until_then {
        // What is tested is that waiting so long, and not asking meanwhile, is enough.
        std::thread::park_timeout(until_then - Instant::now());
    }
    assert_eq!(get(address, "/", &[]).status, 200);
    assert!(gate.metric("tollgate_limit_refused_total", &["rate_limit", "client-2s", "enforce"]) >= 1.0);
    assert!(gate.metric("tollgate_errors_total", &["rate_limit.exceeded"]) >= 1.0);
}

#[test]
fn a_reload_does_not_refill() {
    let upstream = Upstream::text("in");
    let text = |limit: &str| configuration(&upstream, &format!("{{ limits: [{{ limit: {limit}, by: global }}] }}"));
    let gate = Gate::start(&text("10/hour"));
    assert_eq!(pass(&gate, &[], 5), 5);
    gate.reload(&text("20/hour"));
    assert_eq!(pass(&gate, &[], 30), 10, "half of ten is half of twenty");
    gate.reload(&text("10/hour"));
    assert_eq!(pass(&gate, &[], 5), 0);
}

#[test]
fn an_answer_settles_what_the_request_counts() {
    let upstream = Upstream::start(|_| Some(e2e::response("200 OK", "x-cost: 30\r\n", "in")));
    let settle = r#"int(response.headers["x-cost"])"#;
    let gate = gate(&upstream, &format!("{{ limits: [{{ limit: 100/hour, by: global, settle: '{settle}' }}] }}"));
    let left: Vec<_> =
        (0..4).map(|_| get(gate.address("public"), "/", &[]).header("ratelimit").map(str::to_owned)).collect();
    let left: Vec<_> = left.iter().flatten().map(|field| field.split(['=', ';']).nth(2).unwrap_or_default()).collect();
    assert_eq!(left, ["99", "69", "39", "9"]);
    assert_eq!(pass(&gate, &[], 3), 0, "120 of 100 are owed");
}

#[test]
fn a_leaky_queue_makes_an_even_stream() {
    let upstream = Upstream::text("in");
    let gate = gate(&upstream, "{ limits: [{ limit: 20/second, by: global, algorithm: leaky_queue, delay: 1s }] }");
    let started = Instant::now();
    let address = gate.address("public");
    let clients: Vec<_> = (0..10).map(|_| std::thread::spawn(move || get(address, "/", &[]).status)).collect();
    assert!(clients.into_iter().all(|client| client.join().expect("an answer") == 200));
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
    // A client that leaves while it waits takes nothing with it.
    let mut waiting: Vec<Client> = (0..10).map(|_| Client::connect(address)).collect();
    waiting.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
    drop(waiting);
    until("nothing is left", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
}
