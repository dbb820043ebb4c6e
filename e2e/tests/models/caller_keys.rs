//! Keys of callers that are made, changed and revoked while a gateway runs: each may do no more than was said, from the
//! moment it is made until the moment it is revoked.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use e2e::client::{Answer, Client, call, get};
use e2e::provider::{PROVIDER_KEY, Play, Provider, Turn, Wire};
use e2e::{Gate, binary, until};
use serde_json::{Value, json};

use super::speech::{request, says};
use super::{CALLER_KEY, speech};

const TOKEN: &str = "operators-token-of-32-characters";
/// What a call costs by OpenAI's prices of gpt-4o: 20 tokens in at 2.50 dollars a million, 100 out at 10.
const COST: u64 = 20 * 2_500 + 100 * 10_000;

fn provider() -> Provider {
    Provider::playing(|_, _| Play::says(Turn { text: "Well then.".to_owned(), usage: (20, 100), ..Turn::default() }))
}

/// A gateway whose data are in this folder; `operations` are more settings of its port, `policies` more of its api.
fn gate(provider: SocketAddr, data: &Path, operations: &str, policies: &str) -> Gate {
    Gate::start(&configuration(provider, data, operations, policies))
}

fn configuration(provider: SocketAddr, data: &Path, operations: &str, policies: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
operations: {{ address: "127.0.0.1:0", {operations} }}
store: {{ directory: '{}' }}
access_log: {{ path: access.log, fields: [status, consumer, credential, model, provider, tokens_in, tokens_out, cost] }}
ai:
  providers: [{{ name: o, preset: openai, base_url: "http://{provider}/v1", keys: [{PROVIDER_KEY}] }}]
  models:
    - {{ name: smart, aliases: [clever], targets: [{{ provider: o, model: gpt-4o }}] }}
    - {{ name: small, targets: [{{ provider: o, model: gpt-4o-mini }}] }}
    - {{ name: other, targets: [{{ provider: o, model: gpt-4o }}] }}
apis:
  - name: models
    path: /v1
    access: identified
    policies: {{ key_auth: {{}}, models: {{ deny: [other] }}, {policies} }}
    to: {{ ai: {{}} }}
consumers:
  - {{ name: app, credentials: [{{ name: first, key: {CALLER_KEY} }}] }}
  - {{ name: gone, enabled: false }}
"#,
        data.display()
    )
}

const SOCKET: &str = "socket: tollgate.sock";

/// What `tollgate keys` says, over the socket of a gateway.
fn keys(gate: &Gate, words: &[&str]) -> Value {
    let output = run(gate.folder(), words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn run(folder: &Path, words: &[&str]) -> std::process::Output {
    let mut command = Command::new(binary());
    command.arg("keys").args(words).arg("--json").current_dir(folder).env_remove("TOLLGATE_TOKEN");
    command.output().expect("the binary starts")
}

fn make(gate: &Gate, name: &str, words: &[&str]) -> (Value, String) {
    let made = keys(gate, &[&["create", "--consumer", "app", "--name", name], words].concat());
    let secret = made["key"].as_str().expect("the key").to_owned();
    assert!(secret.starts_with("tg_"), "{made}");
    (made, secret)
}

fn ask(gate: &Gate, key: &str, model: &str) -> Answer {
    ask_at(gate.address("public"), key, model)
}

fn ask_at(gate: SocketAddr, key: &str, model: &str) -> Answer {
    let mut body = says(Wire::OpenAi, model, "How much?");
    body["max_tokens"] = 100.into();
    Client::connect(gate).call(request(Wire::OpenAi, key, &[], &body.to_string()))
}

/// Status and code of an answer.
fn told(answer: &Answer) -> (u16, String) {
    let code = if answer.status == 200 { Value::Null } else { answer.json()["error"]["code"].clone() };
    (answer.status, code.as_str().unwrap_or_default().to_owned())
}

fn is(answer: &Answer, status: u16, code: &str) {
    assert_eq!(told(answer), (status, code.to_owned()), "{}", answer.text());
}

#[test]
fn a_key_may_do_what_was_said_from_when_it_is_made_until_it_is_revoked() {
    let (provider, data) = (provider(), tempfile::tempdir().unwrap());
    let gate = gate(provider.address, data.path(), SOCKET, "");
    let (made, secret) = make(&gate, "ci", &["--allow", "sm*", "--deny", "small", "--tag", "trial"]);
    is(&ask(&gate, &secret, "smart"), 200, "");
    is(&ask(&gate, &secret, "clever"), 200, "");
    is(&ask(&gate, &secret, "small"), 403, "models.not_granted");
    // It may do no more than its consumer may.
    let (_, wide) = make(&gate, "wide", &[]);
    is(&ask(&gate, &wide, "small"), 200, "");
    is(&ask(&gate, &wide, "other"), 403, "models.not_granted");
    let listed = |key: &str| {
        let list = get(gate.address("public"), "/v1/models", &[&format!("authorization: Bearer {key}")]).json();
        let names = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        (listed(&secret), listed(&wide)),
        (vec!["smart".to_owned()], vec!["smart".to_owned(), "small".to_owned()])
    );
    // Off and on again, then for good; each counts from when the command returns.
    let id = made["id"].as_str().unwrap();
    for (enabled, status) in [("false", 401), ("true", 200)] {
        keys(&gate, &["set", "app/ci", "--enabled", enabled]);
        assert_eq!(ask(&gate, &secret, "smart").status, status, "{enabled}");
    }
    let mut kept = Client::connect(gate.address("public"));
    let body = says(Wire::OpenAi, "smart", "hello").to_string();
    assert_eq!(kept.call(request(Wire::OpenAi, &secret, &[], &body)).status, 200);
    keys(&gate, &["revoke", id]);
    is(&kept.call(request(Wire::OpenAi, &secret, &[], &body)), 401, "key_auth.invalid");
    is(&ask(&gate, &secret, "smart"), 401, "key_auth.invalid");
    let output = run(gate.folder(), &["show", id]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn keys_outlive_reloads_and_crashes_and_nobody_sees_them_again() {
    let (provider, data) = (provider(), tempfile::tempdir().unwrap());
    let first = gate(provider.address, data.path(), SOCKET, "");
    let (_, secret) = make(&first, "ci", &["--allow", "smart", "--budget", "1 USD/day"]);
    first.reload(&configuration(
        provider.address,
        data.path(),
        SOCKET,
        "headers: { response: { set: { x-gate: again } } }",
    ));
    is(&ask(&first, &secret, "smart"), 200, "");
    let log = first.folder().join("access.log");
    until("the call is logged", || std::fs::read_to_string(&log).unwrap_or_default().contains("smart"));
    let line: Value = serde_json::from_str(std::fs::read_to_string(&log).unwrap().lines().next().unwrap()).unwrap();
    let expected = json!({ "status": 200, "consumer": "app", "credential": "ci", "model": "smart", "provider": "o",
        "tokens_in": 20, "tokens_out": 100, "cost": line["cost"] });
    assert_eq!(line, expected);
    let shown = format!("{}{}", keys(&first, &["list"]), std::fs::read_to_string(&log).unwrap());
    assert!(!shown.contains(&secret) && shown.contains(&secret[..8]), "{shown}");
    assert!(!first.said().contains(&secret));
    drop(first); // SIGKILL
    for file in std::fs::read_dir(data.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    // Where none runs, the directory itself is asked.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.yaml"), configuration(provider.address, data.path(), SOCKET, ""))
        .unwrap();
    let output = run(folder.path(), &["create", "--consumer", "app", "--name", "offline"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let offline: Value = serde_json::from_slice(&output.stdout).unwrap();
    let second = gate(provider.address, data.path(), SOCKET, "");
    is(&ask(&second, &secret, "smart"), 200, "");
    is(&ask(&second, &secret, "small"), 403, "models.not_granted");
    is(&ask(&second, offline["key"].as_str().unwrap(), "small"), 200, "");
    // What was spent before the crash still is.
    let spent = keys(&second, &["show", "app/ci"])["spent"][0]["usd"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(spent >= 2.0 * COST as f64 / 1e9, "{spent}");
}

#[test]
fn each_key_has_its_own_budget() {
    let (provider, data) = (provider(), tempfile::tempdir().unwrap());
    let gate = gate(provider.address, data.path(), SOCKET, "");
    // Of three calls, and what a fourth holds is more than is left.
    let three = format!("0.{:09} USD/month", 3 * COST + 200_000);
    let (_, first) = make(&gate, "first", &["--budget", &three]);
    let (_, second) = make(&gate, "second", &["--budget", &three]);
    for key in [&first, &second] {
        for _ in 0..3 {
            is(&ask(&gate, key, "smart"), 200, "");
        }
    }
    let refused = ask(&gate, &first, "smart");
    is(&refused, 402, "budget.exceeded");
    assert!(refused.text().contains("USD/month by key"), "{}", refused.text());
    is(&ask(&gate, CALLER_KEY, "smart"), 200, "");
    assert_eq!(provider.asked().len(), 7);
    assert_eq!(keys(&gate, &["show", "app/first"])["spent"][0]["usd"], "0.00315");
    // More money, and what was spent stays spent.
    keys(&gate, &["set", "app/first", "--budget", &format!("0.{:09} USD/month", 4 * COST + 200_000)]);
    is(&ask(&gate, &first, "smart"), 200, "");
    is(&ask(&gate, &first, "smart"), 402, "budget.exceeded");
    keys(&gate, &["set", "app/first", "--no-budget"]);
    is(&ask(&gate, &first, "smart"), 200, "");
    // Many at once spend no more than there is.
    let (_, third) = make(&gate, "third", &["--budget", &three]);
    let (asked, address) = (provider.asked().len(), gate.address("public"));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| while ask_at(address, &third, "smart").status == 429 {});
        }
    });
    assert_eq!(provider.asked().len() - asked, 3);
}

#[test]
fn tokens_expiry_and_a_second_secret() {
    let (provider, data) = (provider(), tempfile::tempdir().unwrap());
    let gate = gate(provider.address, data.path(), SOCKET, "");
    let (_, few) = make(&gate, "few", &["--tokens", "250/hour"]);
    let first = ask(&gate, &few, "smart");
    is(&first, 200, "");
    assert_eq!(first.header("x-ratelimit-limit-tokens"), Some("250"));
    is(&ask(&gate, &few, "smart"), 429, "token_limit.exceeded");
    let (_, over) = make(&gate, "over", &["--expires", "2020-01-01T00:00:00Z"]);
    is(&ask(&gate, &over, "smart"), 401, "auth.credential_expired");
    keys(&gate, &["set", "app/over", "--expires", "never"]);
    is(&ask(&gate, &over, "smart"), 200, "");
    let (_, old) = make(&gate, "old", &[]);
    let graceful = keys(&gate, &["rotate", "app/old", "--grace", "1h"])["key"].as_str().unwrap().to_owned();
    for key in [&old, &graceful] {
        is(&ask(&gate, key, "smart"), 200, "");
    }
    let abrupt = keys(&gate, &["rotate", "app/old"])["key"].as_str().unwrap().to_owned();
    for (key, status) in [(&old, 401), (&graceful, 401), (&abrupt, 200)] {
        assert_eq!(ask(&gate, key, "smart").status, status);
    }
    for (words, code) in [
        (vec!["create", "--consumer", "nobody", "--name", "x"], 2),
        (vec!["create", "--consumer", "app", "--name", "few"], 1),
        (vec!["create", "--consumer", "app", "--name", "x", "--allow", "a*b"], 2),
        (vec!["create", "--consumer", "app", "--name", "x", "--budget", "5/day"], 2),
        (vec!["set", "app/few"], 2),
        (vec!["revoke", "app/nobody"], 1),
    ] {
        let output = run(gate.folder(), &words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // A key of a consumer that may not call is good for nothing.
    let made = keys(&gate, &["create", "--consumer", "gone", "--name", "x"]);
    assert_eq!(ask(&gate, made["key"].as_str().unwrap(), "smart").status, 403);
}

#[test]
fn over_tcp_only_who_shows_the_token_changes_keys() {
    let (provider, data) = (provider(), tempfile::tempdir().unwrap());
    let new = json!({ "consumer": "app", "name": "x" }).to_string();
    let send = |gate: &Gate, method: &str, path: &str, shown: Option<&str>| {
        let shown = shown.map(|token| format!("authorization: Bearer {token}"));
        let lines: Vec<&str> = ["host: localhost"].into_iter().chain(shown.as_deref()).collect();
        let body = if method == "POST" { new.as_str() } else { "" };
        call(gate.address("operations"), method, path, &lines, body).status
    };
    let open = gate(provider.address, data.path(), "", "");
    for (method, path, shown, status) in [
        ("GET", "/keys", None, 200),
        ("GET", "/ai/usage", None, 200),
        ("POST", "/keys", None, 401),
        ("POST", "/keys", Some(TOKEN), 401),
        ("DELETE", "/keys/app/x", None, 401),
    ] {
        assert_eq!(send(&open, method, path, shown), status, "{method} {path} {shown:?}");
    }
    assert_eq!(get(open.address("operations"), "/keys", &["host: evil.example"]).status, 403);
    drop(open);
    let closed = gate(provider.address, data.path(), &format!("token: {TOKEN}"), "");
    for (method, path, shown, status) in [
        ("GET", "/keys", None, 401),
        ("GET", "/ai/usage", None, 401),
        ("GET", "/keys", Some("operators-token-of-32-characterz"), 401),
        ("GET", "/keys", Some(""), 401),
        ("POST", "/keys", None, 401),
        ("POST", "/keys", Some(TOKEN), 201),
        ("POST", "/keys", Some(TOKEN), 409),
        ("GET", "/keys/app/x", Some(TOKEN), 200),
        ("PUT", "/keys/app/x", Some(TOKEN), 405),
        ("DELETE", "/keys/app/x", Some(TOKEN), 200),
        ("DELETE", "/keys/app/x", Some(TOKEN), 404),
        ("GET", "/keys?limit=0", Some(TOKEN), 400),
        ("GET", "/metrics", None, 200),
    ] {
        assert_eq!(send(&closed, method, path, shown), status, "{method} {path} {shown:?}");
    }
    let shown = get(closed.address("operations"), "/config", &["host: localhost"]).text();
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[test]
fn usage_is_told_over_http_and_when_a_credential_was_last_used_is_not_forgotten() {
    let (provider, data) = (provider(), tempfile::tempdir().unwrap());
    let first = gate(provider.address, data.path(), SOCKET, "");
    let (_, secret) = make(&first, "ci", &[]);
    is(&ask(&first, &secret, "smart"), 200, "");
    let body = says(Wire::OpenAi, "small", "hello").to_string();
    let tagged = speech::request(Wire::OpenAi, CALLER_KEY, &["x-tollgate-tag: nightly"], &body);
    assert_eq!(Client::connect(first.address("public")).call(tagged).status, 200);
    let usage = |query: &str| get(first.address("operations"), &format!("/ai/usage?{query}"), &["host: localhost"]);
    until("it is written down", || usage("").json()["total"]["calls"] == 2);
    let said = usage("by=credential,model,tag&since=1d").json();
    let lines = said["usage"].as_array().unwrap();
    let line = lines.iter().find(|line| line["credential"] == "ci").unwrap();
    assert_eq!((&line["model"], &line["output"], &line["cost_usd"]), (&json!("smart"), &json!(100), &json!("0.00105")));
    assert!(lines.iter().any(|line| line["tag"] == "nightly" && line["credential"] == "first"), "{said}");
    let csv = usage("by=day,provider,prompt&format=csv");
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    let text = csv.text();
    assert!(text.starts_with("day,provider,prompt,calls,") && text.lines().count() == 2, "{text}");
    assert_eq!(usage("only=credential%3Dci&by=all").json()["total"]["calls"], 1);
    for wrong in ["by=colour", "since=yesterday", "format=xml", "only=x", "nothing=1"] {
        assert_eq!(usage(wrong).status, 400, "{wrong}");
    }
    let used = |gate: &Gate| {
        let consumers = get(gate.address("operations"), "/consumers", &["host: localhost"]).json();
        let key = keys(gate, &["show", "app/ci"])["last_used"].clone();
        (consumers["consumers"][0]["credentials"][0]["last_used"].clone(), key)
    };
    let before = used(&first);
    assert!(before.0.is_string() && before.1.is_string(), "{before:?}");
    assert!(first.leave().status.success());
    assert_eq!(used(&gate(provider.address, data.path(), SOCKET, "")), before);
}
