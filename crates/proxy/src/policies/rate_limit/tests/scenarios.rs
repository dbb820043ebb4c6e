//! From a configuration's text to answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, answer_to, environment, exchange_of, program_in, try_program};
use crate::program::{Environment, Program};

const SECOND: u64 = 1_000_000_000;

/// A world whose clock is turned by hand.
fn world() -> (Environment, Arc<AtomicU64>) {
    let (clock, hand) = Clock::manual();
    (Environment { clock, ..environment() }, hand)
}

fn configuration(limits: &str, more: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: users
    identify: {{ mode: optional }}
    policies: {{ key_auth: {{}}, rate_limit: {{ limits: [{limits}] {more} }} }}
    to: {{ respond: {{ headers: {{ x-ratelimit-limit: upstream }} }} }}
consumers:
  - {{ name: one, credentials: [{{ key: one }}, {{ key: one-b }}] }}
  - {{ name: two, credentials: [{{ key: two }}] }}
"#
    )
}

fn get(program: &Arc<Program>, headers: &[(&str, &str)]) -> Response<Bytes> {
    let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    answer(program, request.body(Body::Empty).unwrap())
}

/// How many of `tries` pass.
fn pass(program: &Arc<Program>, headers: &[(&str, &str)], tries: usize) -> usize {
    (0..tries).filter(|_| get(program, headers).status() == 200).count()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_burst_then_the_sustained_rate() {
    let (env, hand) = world();
    let program = program_in(&configuration("{ limit: 100/minute, by: consumer, burst: 20 }", ""), &env);
    let key = [("x-api-key", "one")];
    assert_eq!(pass(&program, &key, 30), 20);
    hand.fetch_add(599_999_999, Relaxed);
    assert_eq!(pass(&program, &key, 5), 0);
    hand.fetch_add(1, Relaxed);
    assert_eq!(pass(&program, &key, 5), 1);
    hand.fetch_add(6 * SECOND, Relaxed);
    assert_eq!(pass(&program, &key, 30), 10);
    hand.fetch_add(3600 * SECOND, Relaxed);
    assert_eq!(pass(&program, &key, 30), 20);
}

#[test]
fn without_a_burst_the_whole_count_may_come_at_once() {
    let program = program_in(&configuration("{ limit: 5/second }", ""), &world().0);
    assert_eq!(pass(&program, &[("x-api-key", "one")], 10), 5);
    assert_eq!(pass(&program, &[("x-api-key", "two")], 10), 5);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let (env, hand) = world();
    let program = program_in(&configuration("{ limit: 6/minute, by: global, burst: 2 }", ""), &env);
    let first = get(&program, &[]);
    assert_eq!(text(first.headers(), "ratelimit-policy"), "\"global-minute\";q=6;w=60");
    assert_eq!(text(first.headers(), "ratelimit"), "\"global-minute\";r=1;t=10");
    assert_eq!(text(get(&program, &[]).headers(), "ratelimit"), "\"global-minute\";r=0;t=20");
    hand.fetch_add(3 * SECOND, Relaxed);
    let refused = get(&program, &[]);
    assert_eq!(refused.status(), 429);
    assert_eq!(text(refused.headers(), "retry-after"), "7");
    assert_eq!(text(refused.headers(), "ratelimit"), "\"global-minute\";r=0;t=17");
    let problem: serde_json::Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(problem["code"], "rate_limit.exceeded");
    assert_eq!(problem["detail"], "The limit of 6/minute by global is used up; try again in 7 s.");
}

#[test]
fn the_header_fields_are_a_choice() {
    let ask = |more: &str| {
        let limits = "{ limit: 9/s, by: global }, { limit: 5/10s, by: client, name: mine }";
        get(&program_in(&configuration(limits, more), &world().0), &[]).headers().clone()
    };
    let both = ask(", headers: [ietf, x]");
    assert_eq!(text(&both, "ratelimit-policy"), "\"global-second\";q=9;w=1, \"mine\";q=5;w=10");
    assert_eq!(text(&both, "ratelimit"), "\"global-second\";r=8;t=1, \"mine\";r=4;t=2");
    // The tightest limit, and the upstream's field gone.
    let x = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    assert_eq!(x.map(|name| text(&both, name)), ["5", "4", "2"]);
    assert_eq!(both.get_all("x-ratelimit-limit").iter().count(), 1);
    assert_eq!(text(&ask(""), "x-ratelimit-limit"), "upstream");
    let none = ask(", headers: []");
    assert!(!none.contains_key("ratelimit") && !none.contains_key("ratelimit-policy"));
}

#[test]
fn each_thing_that_a_limit_counts_by_has_its_own() {
    for (by, asks, passed) in [
        ("global", vec![("x-api-key", "one"), ("x-api-key", "two"), ("x-t", "a")], [2, 0, 0]),
        ("api", vec![("x-api-key", "one"), ("x-api-key", "two"), ("x-t", "a")], [2, 0, 0]),
        ("route", vec![("x-api-key", "one"), ("x-api-key", "two"), ("x-t", "a")], [2, 0, 0]),
        ("consumer", vec![("x-api-key", "one"), ("x-api-key", "one-b"), ("x-api-key", "two")], [2, 0, 2]),
        ("credential", vec![("x-api-key", "one"), ("x-api-key", "one-b"), ("x-api-key", "two")], [2, 2, 2]),
        ("client", vec![("x-api-key", "one"), ("x-api-key", "two"), ("x-t", "a")], [2, 0, 0]),
        ("{ header: x-t }", vec![("x-t", "a"), ("x-t", "b"), ("x-t", "a")], [2, 2, 0]),
        // Who is not known, and who sends no such header, counts as the client.
        ("consumer", vec![("x-t", "a"), ("x-t", "b"), ("x-api-key", "one")], [2, 0, 2]),
        ("{ header: x-t }", vec![("x-a", "a"), ("x-a", "b"), ("x-t", "")], [2, 0, 2]),
    ] {
        let program = program_in(&configuration(&format!("{{ limit: 2/hour, by: {by} }}"), ""), &world().0);
        let got: Vec<_> = asks.iter().map(|ask| pass(&program, &[*ask], 4)).collect();
        assert_eq!(got, passed, "{by} {asks:?}");
    }
}

#[test]
fn an_ipv6_client_is_its_network() {
    let program = program_in(&configuration("{ limit: 2/hour, by: client }", ""), &world().0);
    let from = |address: &str| {
        let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
        x.client = address.parse().unwrap();
        answer_to(x).status().as_u16()
    };
    let asked = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::9", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"];
    assert_eq!(asked.map(from), [200, 200, 429, 200, 200, 200]);
}

#[test]
fn what_one_limit_refuses_uses_none_of_the_others_up() {
    let (env, hand) = world();
    let limits = "{ limit: 100/hour, by: global }, { limit: 2/minute, by: client }";
    let program = program_in(&configuration(limits, ""), &env);
    assert_eq!(pass(&program, &[], 50), 2);
    let refused = get(&program, &[]);
    assert_eq!(text(refused.headers(), "ratelimit"), "\"global-hour\";r=98;t=72, \"client-minute\";r=0;t=60");
    hand.fetch_add(60 * SECOND, Relaxed);
    assert_eq!(pass(&program, &[], 50), 2);
}

#[test]
fn a_reload_does_not_refill_and_a_changed_limit_applies_to_what_was_used() {
    let (env, hand) = world();
    let limit = |limit: &str| program_in(&configuration(&format!("{{ limit: {limit}, by: consumer }}"), ""), &env);
    let key = [("x-api-key", "one")];
    let first = limit("10/minute");
    assert_eq!(pass(&first, &key, 5), 5);
    // Half of ten used is half of twenty used.
    let second = limit("20/minute");
    drop(first);
    assert_eq!(pass(&second, &key, 20), 10);
    let third = limit("10/minute");
    drop(second);
    assert_eq!(pass(&third, &key, 20), 0);
    hand.fetch_add(6 * SECOND, Relaxed);
    assert_eq!(pass(&third, &key, 20), 1);
    // Another period is another limit.
    let fourth = limit("10/hour");
    assert_eq!(pass(&fourth, &key, 20), 10);
}

#[test]
fn a_plans_limit_replaces_the_routes() {
    let yaml = configuration("{ limit: 2/minute, by: consumer }", "").replace("name: two,", "name: two, plan: gold,")
        + "plans: [{ name: gold, policies: { rate_limit: { limits: [{ limit: 7/minute, by: consumer }] } } }]\n";
    let program = program_in(&yaml, &world().0);
    assert_eq!(pass(&program, &[("x-api-key", "one")], 20), 2);
    assert_eq!(pass(&program, &[("x-api-key", "two")], 20), 7);
}

#[test]
fn windows_begin_with_the_clock() {
    for (algorithm, passed) in [("fixed_window", [4, 0, 4, 0]), ("sliding_window", [4, 0, 0, 2])] {
        let (env, hand) = world();
        let limit = format!("{{ limit: 4/minute, by: global, algorithm: {algorithm} }}");
        let program = program_in(&configuration(&limit, ""), &env);
        let got = [30, 29, 1, 30].map(|seconds| {
            hand.fetch_add(seconds * SECOND, Relaxed);
            pass(&program, &[], 10)
        });
        assert_eq!(got, passed, "{algorithm}");
    }
}

#[test]
fn a_window_tells_when_it_ends() {
    let (env, hand) = world();
    hand.store(50 * SECOND, Relaxed);
    let ask = |algorithm: &str| {
        let limit = format!("{{ limit: 2/minute, by: global, algorithm: {algorithm} }}");
        let program = program_in(&configuration(&limit, ""), &env);
        let first = get(&program, &[]);
        assert_eq!(pass(&program, &[], 3), 1);
        let refused = get(&program, &[]);
        let refused = refused.headers();
        (text(first.headers(), "ratelimit").to_owned(), text(refused, "retry-after").to_owned())
    };
    assert_eq!(ask("fixed_window"), ("\"global-minute\";r=1;t=10".to_owned(), "10".to_owned()));
    // Half of what this window used is gone by the middle of the next.
    assert_eq!(ask("sliding_window"), ("\"global-minute\";r=1;t=70".to_owned(), "40".to_owned()));
}

#[test]
fn a_leaky_queue_delays_and_then_refuses() {
    // Its timers are the runtime's, and the clock that is turned by hand has none; so the machine's clock.
    let env = Environment { clock: Clock::system(), ..environment() };
    let limit = "{ limit: 20/second, by: global, algorithm: leaky_queue, delay: 200ms }";
    let program = program_in(&configuration(limit, ""), &env);
    let started = std::time::Instant::now();
    assert_eq!(pass(&program, &[], 5), 5);
    assert!(started.elapsed() >= std::time::Duration::from_millis(200), "{:?}", started.elapsed());
    // As many at once as wait no longer than that.
    let at_once = |program: &Arc<Program>| {
        let served = (0..20).map(|_| exchange_of(program, Request::get("/").body(Body::Empty).unwrap()));
        let served: Vec<_> = served.map(|x| std::thread::spawn(move || answer_to(x).status().as_u16())).collect();
        served.into_iter().map(|one| one.join().unwrap()).filter(|status| *status == 200).count()
    };
    let passed =
        at_once(&program_in(&configuration(&limit.replace("20/second", "20/minute").replace("200ms", "1s"), ""), &env));
    assert_eq!(passed, 1, "a turn every three seconds is out of reach");
}

#[test]
fn a_request_counts_what_an_expression_says() {
    let limits = "{ limit: 10/hour, by: global, cost: 'int(request.headers[\"x-cost\"])' }";
    let program = program_in(&configuration(limits, ""), &world().0);
    let asked = [("6", 200), ("5", 429), ("11", 429), ("0", 200), ("-3", 200), ("4", 200), ("0", 200), ("1", 429)];
    for (cost, status) in asked {
        let answer = get(&program, &[("x-cost", cost)]);
        assert_eq!(answer.status(), status, "{cost}");
        // Waiting does not help with what never fits.
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429 && cost != "11", "{cost}");
    }
    assert_eq!(get(&program, &[]).status(), 429, "1 where the expression has no value");
}

#[test]
fn a_request_is_settled_by_its_answer() {
    let yaml = |settle: &str| {
        configuration(&format!("{{ limit: 100/hour, by: global, cost: '10', settle: '{settle}' }}"), "")
            .replace("x-ratelimit-limit: upstream", "x-cost: \"40\"")
    };
    for (settle, left) in
        [(r#"int(response.headers["x-cost"])"#, 50), ("1", 89), ("10", 80), (r#"int(response.headers["x-none"])"#, 80)]
    {
        let program = program_in(&yaml(settle), &world().0);
        assert!(text(get(&program, &[]).headers(), "ratelimit").starts_with("\"global-hour\";r=90;"), "{settle}");
        // The next one counts ten as well before it is settled.
        let second = get(&program, &[]).headers().clone();
        assert!(text(&second, "ratelimit").starts_with(&format!("\"global-hour\";r={left};")), "{settle}: {second:?}");
    }
}

#[test]
fn who_is_exempt_passes_uncounted() {
    let more = ", exempt: { clients: [192.0.2.64/26], when: 'request.headers[\"x-probe\"] == \"1\"' }";
    let program = program_in(&configuration("{ limit: 1/hour, by: global }", more), &world().0);
    assert_eq!(pass(&program, &[("x-probe", "1")], 5), 5);
    let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
    x.client = "192.0.2.65".parse().unwrap();
    let exempt = answer_to(x);
    assert_eq!((exempt.status().as_u16(), text(exempt.headers(), "ratelimit")), (200, ""));
    assert_eq!(pass(&program, &[], 5), 1);
}

#[test]
fn a_shadow_counts_and_refuses_nobody() {
    let (env, _) = world();
    let program = program_in(&configuration("{ limit: 2/hour, by: global, name: ghost }", ", mode: shadow"), &env);
    assert_eq!(pass(&program, &[], 5), 5);
    assert_eq!(text(get(&program, &[]).headers(), "ratelimit"), "");
    let metrics = env.telemetry.metrics(&program, crate::telemetry::Format::Prometheus);
    let line = r#"tollgate_limit_refused_total{policy="rate_limit",limit="ghost",mode="shadow"} 4"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn clients_are_networks_of_so_many_bits() {
    let program =
        program_in(&configuration("{ limit: 2/hour, by: { client: { ipv4: 24, ipv6: 48 } } }", ""), &world().0);
    let from = |address: &str| {
        let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
        x.client = address.parse().unwrap();
        answer_to(x).status().as_u16()
    };
    let asked = [
        "2001:db8:0:1::1",
        "2001:db8:0:2::1",
        "2001:db8:0:3::1",
        "2001:db8:1::1",
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.3.1",
    ];
    assert_eq!(asked.map(from), [200, 200, 429, 200, 200, 200, 429, 200]);
}

#[test]
fn nothing_is_counted_that_was_refused_for_identity() {
    let yaml = configuration("{ limit: 2/hour, by: global }", "")
        .replace("identify: { mode: optional }", "access: identified");
    let program = program_in(&yaml, &world().0);
    for key in ["", "wrong"] {
        assert_eq!((0..5).filter(|_| get(&program, &[("x-api-key", key)]).status() == 401).count(), 5, "{key}");
    }
    assert_eq!(pass(&program, &[("x-api-key", "one")], 5), 2);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (limits, more, says) in [
        ("", "", "not from 1 to 8"),
        ("{ by: client }", "", "limit"),
        ("{ limit: 100 }", "", "100/second"),
        ("{ limit: 0/second }", "", "from 1"),
        ("{ limit: 2000000/second }", "", "out of bounds"),
        ("{ limit: 5/32d }", "", "out of bounds"),
        ("{ limit: 5/minute, burst: 0 }", "", "from 1 to the limit's count"),
        ("{ limit: 5/minute, burst: 6 }", "", "from 1 to the limit's count"),
        ("{ limit: 5/minute, by: consumers }", "", "consumers"),
        ("{ limit: 5/minute, by: { header: 'a b' } }", "", "not a header name"),
        ("{ limit: 5/minute, by: { query: a } }", "", "query"),
        ("{ limit: 5/minute }, { limit: 6/60s }", "", "two limits count by consumer"),
        ("{ limit: 5/minute, per: x }", "", "per"),
        ("{ limit: 5/minute }", ", headers: [y]", "y"),
        ("{ limit: 5/minute }", ", keys: 5", "not from 1000"),
        ("{ limit: 5/minute, algorithm: token_bucket }", "", "token_bucket"),
        ("{ limit: 5/minute, algorithm: fixed_window, burst: 2 }", "", "`burst` is of `algorithm: gcra`"),
        ("{ limit: 5/minute, delay: 1s }", "", "`delay` is of `algorithm: leaky_queue`"),
        ("{ limit: 5/minute, algorithm: leaky_queue, delay: 2m }", "", "at most 60s"),
        ("{ limit: 5/minute, by: { client: { ipv6: 0 } } }", "", "1 to 128"),
        ("{ limit: 5/minute, cost: 'request.nothing' }", "", "nothing"),
        ("{ limit: 5/minute, lease: 2 }", "", "counted in memory"),
        ("{ limit: 5/minute, by: client, name: a }, { limit: 5/hour, name: a }", "", "two limits are named `a`"),
        ("{ limit: 5/minute }", ", store: redis", "there is none"),
        ("{ limit: 5/minute }", ", mode: quiet", "quiet"),
        ("{ limit: 5/minute }", ", exempt: { clients: [10.0.0.0/33] }", "not an address or a network"),
    ] {
        let problems = try_program(&configuration(limits, more), &world().0).err().unwrap_or_default();
        assert!(problems.contains(says), "{limits}: {problems}");
    }
}
