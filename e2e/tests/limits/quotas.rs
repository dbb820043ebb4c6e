//! `quota`: what is used outlives the gateway.

use e2e::client::{call, get};
use e2e::{Gate, Redis, until};

use crate::rates::pass;

fn configuration(top: &str, quota: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
{top}
apis:
  - name: a
    access: subscribed
    policies: {{ key_auth: {{}}, quota: {quota} }}
    to: {{ respond: {{ status: 200, body: in }} }}
plans: [{{ name: gold, policies: {{ quota: {{ limits: [{{ limit: 1000000/month }}] }} }} }}]
consumers:
  - {{ name: mobile, credentials: [{{ key: mobile-key-of-24-letters }}] }}
  - {{ name: rich, plan: gold, credentials: [{{ key: another-key-of-24-letters }}] }}
subscriptions: [{{ consumer: mobile, api: a }}, {{ consumer: rich, api: a }}]
"#
    )
}

const KEY: [&str; 1] = ["x-api-key: mobile-key-of-24-letters"];

/// Waits until everything that was counted is on the disk.
fn until_saved(gate: &Gate) {
    until("it is saved", || gate.metric("tollgate_store_unsaved_meters", &[]) == 0.0);
    // What was taken in hand is written by the time that a backup, which comes after it, is.
    let to = gate.folder().join(format!("backup-{:?}.db", std::time::Instant::now()));
    let words = ["backup", "--data", "data", "--to"];
    let output = std::process::Command::new(e2e::binary()).args(words).arg(to).current_dir(gate.folder()).output();
    assert!(output.expect("the binary starts").status.success());
}

#[test]
fn what_is_used_survives_a_kill() {
    // No `store`: the data directory is beside the configuration, made as it is needed.
    let text = configuration("", "{ limits: [{ limit: 10/month, by: consumer, warn: ['50%'] }] }");
    let gate = Gate::start(&text);
    assert!(gate.folder().join("data/tollgate.db").exists());
    assert_eq!(pass(&gate, &KEY, 6), 6);
    until("it warned", || gate.metric("tollgate_quota_warnings_total", &["consumer-month", "50"]) == 1.0);
    let line = gate.until_said("a quota passed a threshold");
    assert!(line.contains("consumer:mobile"), "{line}");
    until_saved(&gate);
    let data = gate.folder().join("data");
    gate.signal("KILL");
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("data");
    let copied = std::process::Command::new("cp").arg("-r").arg(&data).arg(&kept).status();
    assert!(copied.expect("cp runs").success());
    drop(gate);
    let text = configuration(
        &format!("store: {{ directory: '{}' }}", kept.display()),
        "{ limits: [{ limit: 10/month, by: consumer }] }",
    );
    let again = Gate::start(&text);
    assert_eq!(pass(&again, &KEY, 10), 4, "six of ten were used");
    let refused = get(again.address("public"), "/", &KEY);
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("quota.exceeded")));
    assert!(
        refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait <= 31 * 86_400))
    );
    assert!(refused.header("ratelimit").is_some_and(|field| field.starts_with(r#""consumer-month";r=0;t="#)));
    // A plan's quota is its own.
    assert_eq!(pass(&again, &["x-api-key: another-key-of-24-letters"], 20), 20);
    // Nothing is counted that was refused for identity.
    let before = again.metric("tollgate_store_meters", &[]);
    assert_eq!(call(again.address("public"), "GET", "/", &["x-api-key: wrong"], "").status, 401);
    assert_eq!(again.metric("tollgate_store_meters", &[]), before);
}

#[test]
fn two_gateways_share_a_quota_on_redis() {
    let redis = Redis::start();
    let text = configuration(
        &format!("redis: {{ url: '{}', timeout: 2s }}", redis.url()),
        "{ store: redis, limits: [{ limit: 10/day, by: consumer, timezone: Asia/Tokyo, warn: ['100%'] }, { limit: 100/month, by: api, billing_day: 15 }] }",
    );
    let gates = [Gate::start(&text), Gate::start(&text)];
    until("Redis is there", || gates.iter().all(|gate| gate.metric("tollgate_redis_up", &[]) == 1.0));
    assert_eq!(pass(&gates[0], &KEY, 6), 6);
    assert_eq!(pass(&gates[1], &KEY, 10), 4);
    let refused = get(gates[0].address("public"), "/", &KEY);
    let fields = refused.header("ratelimit").unwrap_or_default().to_owned();
    assert!(refused.status == 429 && fields.contains(r#""api-month";r=90;t="#), "{fields}");
    let warned: f64 = gates.iter().map(|gate| gate.metric("tollgate_quota_warnings_total", &["100"])).sum();
    assert_eq!(warned, 1.0);
    // Its keys last as long as their windows.
    let key = "tollgate:limit:{api:a/}:consumer-day:quota:consumer:mobile";
    let lives = redis.say(&format!("TTL {key}")).expect("it says");
    let lives: i64 = lives.lines().next().unwrap_or_default().trim_start_matches(':').parse().expect("seconds");
    assert!((0..=86_400 + 2).contains(&lives), "{lives}");
}

#[test]
fn a_quota_added_by_a_reload_opens_the_store() {
    let text = configuration("", "{ limits: [{ limit: 3/day }] }");
    let without = text.replace(", quota: { limits: [{ limit: 3/day }] }", "");
    let without = without.replace("policies: { quota: { limits: [{ limit: 1000000/month }] } }", "policies: {}");
    let gate = Gate::start(&without);
    assert!(!gate.folder().join("data").exists());
    gate.reload(&text);
    assert_eq!(pass(&gate, &KEY, 5), 3);
    assert!(gate.folder().join("data/tollgate.db").exists());
}

#[test]
fn without_a_place_for_it_the_gateway_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("data"), "a file").expect("written");
    std::fs::write(folder.path().join("tollgate.yaml"), configuration("", "{ limits: [{ limit: 3/day }] }"))
        .expect("written");
    let run = |words: &[&str]| {
        let output = std::process::Command::new(e2e::binary()).args(words).current_dir(folder.path()).output();
        let output = output.expect("the binary starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&["check"]).0, Some(0), "checking opens nothing");
    let (code, said) = run(&["run"]);
    assert!(code == Some(1) && said.contains("the store cannot be opened"), "{said}");
}
