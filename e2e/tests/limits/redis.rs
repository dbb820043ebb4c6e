//! `rate_limit` on one real Redis, asked by hand.

use e2e::client::get;
use e2e::{Gate, Redis, until};

use crate::rates::pass;

fn configuration(redis: &str, limits: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
redis: {redis}
apis:
  - name: a
    identify: {{ mode: optional }}
    to: {{ respond: {{ status: 200, body: in, headers: {{ x-cost: "7" }} }} }}
    policies: {{ key_auth: {{}}, rate_limit: {{ store: redis, limits: [{limits}] }} }}
consumers: [{{ name: mobile, credentials: [{{ key: mobile-key-of-24-letters }}] }}]
"#
    )
}

/// A gateway on this Redis, which it has found.
fn gate(redis: &Redis, limits: &str, more: &str) -> Gate {
    let gate = Gate::start(&configuration(&format!("{{ url: '{}', timeout: 2s {more} }}", redis.url()), limits));
    until("Redis is there", || gate.metric("tollgate_redis_up", &[]) == 1.0);
    gate
}

#[test]
fn two_gateways_share_every_limit_of_a_request() {
    let redis = Redis::start();
    let limits = "{ limit: 10/hour, by: consumer }, { limit: 100/hour, by: global, algorithm: sliding_window }, \
                  { limit: 50/day, by: { header: x-tenant }, algorithm: fixed_window }";
    let gates = [gate(&redis, limits, ""), gate(&redis, limits, "")];
    until("they see one another", || gates.iter().all(|gate| gate.metric("tollgate_redis_gateways", &[]) == 2.0));
    redis.say("CONFIG RESETSTAT");
    let key = ["x-api-key: mobile-key-of-24-letters", "x-tenant: t"];
    assert_eq!(pass(&gates[0], &key, 6), 6);
    assert_eq!(pass(&gates[1], &key, 10), 4);
    let stats = redis.say("INFO commandstats").expect("it says");
    let count = |command: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse::<u32>().ok()).unwrap_or_default()
    };
    // Beside them only the signs of life.
    assert!((16..16 + 4 * 40).contains(&count("evalsha")), "{stats}");
    let answer = get(gates[0].address("public"), "/", &key);
    assert_eq!(answer.status, 429);
    let fields = answer.header("ratelimit").expect("it is told");
    assert!(fields.starts_with(r#""consumer-hour";r=0;t="#), "{fields}");
    assert!(fields.contains(r#""global-hour";r=90;"#) && fields.contains(r#""header-day";r=40;"#), "{fields}");
    let wait: u64 = answer.header("retry-after").expect("it says when").parse().expect("seconds");
    assert!((300..=360).contains(&wait), "{wait}");
    // No key of a client's making is on the server as it is.
    let keys = redis.say("KEYS *").expect("it says");
    assert!(keys.contains("tollgate:limit:{api:a/}:consumer-hour:gcra:consumer:mobile"), "{keys}");
    assert!(!keys.contains("x-tenant") && keys.contains("header:"), "{keys}");
}

#[test]
fn an_answer_settles_what_it_counted() {
    let redis = Redis::start();
    for algorithm in ["gcra", "fixed_window", "sliding_window"] {
        for (cost, left) in [("1", 100 - 7 - 1), ("20", 100 - 7 - 20)] {
            let name = format!("{algorithm}-{cost}").replace('_', "-");
            let settle = r#"int(response.headers["x-cost"])"#;
            let limit = format!(
                "{{ limit: 100/day, by: global, name: {name}, algorithm: {algorithm}, cost: '{cost}', settle: '{settle}' }}"
            );
            let gate = gate(&redis, &limit, "");
            let _first = get(gate.address("public"), "/", &[]);
            let second = get(gate.address("public"), "/", &[]);
            let fields = second.header("ratelimit").expect("it is told");
            assert!(fields.starts_with(&format!("\"{name}\";r={left};")), "{fields}, not {left}");
        }
    }
}

#[test]
fn a_reload_keeps_the_connection_and_what_is_counted() {
    let redis = Redis::start();
    let gate = gate(&redis, "{ limit: 10/hour, by: global }", "");
    assert_eq!(pass(&gate, &[], 5), 5);
    let connections = || redis.say("INFO stats").unwrap_or_default();
    let connected = |said: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|count| count.trim().parse::<u32>().ok()).unwrap_or_default()
    };
    let before = connected(&connections());
    let url = format!("{{ url: '{}', timeout: 2s  }}", redis.url());
    gate.reload(&configuration(&url, "{ limit: 8/hour, by: global }"));
    assert_eq!(pass(&gate, &[], 10), 3);
    assert_eq!(connected(&connections()), before + 1, "only the one that asks");
}

#[test]
fn without_redis_each_gateway_does_as_it_is_told() {
    let mut redis = Redis::start();
    let limit = "{ limit: 90/hour, by: global }";
    let local: Vec<Gate> = (0..3).map(|_| gate(&redis, limit, "")).collect();
    until("they see one another", || local.iter().all(|gate| gate.metric("tollgate_redis_gateways", &[]) == 3.0));
    redis.stop();
    until("it is noticed", || local.iter().all(|gate| gate.metric("tollgate_redis_up", &[]) == 0.0));
    for gate in &local {
        assert_eq!(pass(gate, &[], 40), 30, "a third of it each");
    }
    drop(local);
    // One that has never been there.
    for (on_error, passed, code) in
        [("open", 20, ""), ("closed", 0, "rate_limit.unavailable"), ("local", 5, "rate_limit.exceeded")]
    {
        let text = configuration(
            &format!("{{ url: '{}', on_error: {on_error} }}", redis.url()),
            "{ limit: 5/hour, by: global }",
        );
        let gate = Gate::start(&text);
        let answers: Vec<_> = (0..20).map(|_| get(gate.address("public"), "/", &[])).collect();
        let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(good.len(), passed, "{on_error}");
        assert!(bad.iter().all(|answer| answer.json()["code"] == code), "{on_error}");
        assert!(gate.metric("tollgate_redis_calls_total", &["failed"]) >= 20.0);
        redis.start_again();
        until("it is found", || gate.metric("tollgate_redis_up", &[]) == 1.0);
        assert_eq!(pass(&gate, &[], 20), if on_error == "local" { 0 } else { 5 }, "{on_error}: nothing is refilled");
        redis.stop();
    }
}

#[test]
fn a_wrong_redis_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = "{ limit: 5/hour, by: global }";
    for (redis, says) in [
        ("{ url: 'http://secret@host' }", "none of Redis's"),
        ("{ url: [] }", "there is no address"),
        ("{ url: ['redis://a', 'redis://b'] }", "one server has one address"),
        ("{ url: 'redis://a', mode: sentinel }", "asked for a master by name"),
        ("{ url: 'redis://a', master: m }", "only Sentinel"),
        ("{ url: 'redis://a', timeout: 0s }", "from 1ms to 10s"),
        ("{ url: 'redis://a', connections: 0 }", "from 1 to 64"),
        ("{ url: 'redis://a', prefix: 'a{b' }", "without spaces and braces"),
        ("{ url: 'redis://a', on_error: allow }", "allow"),
        ("{ url: 'rediss://a', tls: { ca: nowhere.pem } }", "cannot be read"),
        ("{ url: 'rediss://a', tls: { certificate: tollgate.yaml } }", "go together"),
    ] {
        std::fs::write(folder.path().join("tollgate.yaml"), configuration(redis, limit)).expect("written");
        let output = std::process::Command::new(e2e::binary()).arg("check").current_dir(folder.path()).output();
        let output = output.expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{redis}: {said}");
        assert!(said.contains(says) && !said.contains("secret@"), "{redis}: {said}");
    }
}
