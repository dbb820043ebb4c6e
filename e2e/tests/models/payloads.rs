//! Payloads: what was asked and said is kept where somebody wants it, masked, bounded, and joined to the access log.

use std::net::SocketAddr;
use std::process::Command;

use e2e::client::Client;
use e2e::provider::{Baton, PROVIDER_KEY, Play, Provider, Turn, Wire};
use e2e::{Gate, binary, until};
use serde_json::Value;

use super::CALLER_KEY;
use super::speech::{ask, request, says, streamed};

fn gate(provider: SocketAddr, policy: &str) -> Gate {
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
store: {{ directory: data }}
access_log: {{ path: access.log }}
ai:
  providers: [{{ name: o, preset: openai, base_url: "http://{provider}/v1", keys: [{PROVIDER_KEY}] }}]
  models: [{{ name: smart, targets: [{{ provider: o, model: gpt-4o }}] }}]
apis:
  - name: models
    path: /v1
    access: identified
    policies: {{ key_auth: {{}}, {policy} }}
    to: {{ ai: {{}} }}
consumers: [{{ name: app, credentials: [{{ name: first, key: {CALLER_KEY} }}] }}]
"#
    ))
}

/// What the command finds, the youngest first.
fn kept(gate: &Gate, words: &[&str]) -> Vec<Value> {
    let output = Command::new(binary()).args(["ai", "payloads"]).args(words).current_dir(gate.folder()).output();
    let text = String::from_utf8(output.expect("the binary starts").stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text_of(record: &Value) -> &str {
    record["response"]["choices"][0]["parts"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn what_was_asked_and_said_is_kept_masked_and_joined_to_the_access_log() {
    let provider = Provider::playing(|_, _| {
        Play::says(Turn { text: "Ask ann@example.org for it.".to_owned(), usage: (20, 10), ..Turn::default() })
    });
    let gate = gate(provider.address, "payload_log: {}");
    let secret = format!("sk-proj-{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2));
    let asked = format!("I am bob@example.com and my key is {secret}");
    for wire in [Wire::OpenAi, Wire::Anthropic] {
        for streams in [false, true] {
            let body = says(wire, "smart", &asked);
            let answer = ask(gate.address("public"), wire, &if streams { streamed(wire, body) } else { body });
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    until("all are written", || kept(&gate, &[]).len() == 4);
    let log = || std::fs::read_to_string(gate.folder().join("access.log")).unwrap_or_default();
    until("all are logged", || log().lines().count() == 4);
    for record in kept(&gate, &[]) {
        assert_eq!(text_of(&record), "Ask [EMAIL] for it.", "{record}");
        assert_eq!(record["response"]["end"], "complete");
        let message = record["request"]["messages"][0]["content"].as_str().unwrap();
        assert!(message.starts_with("I am [EMAIL] and my key is [SECRET]"), "{record}");
        let known = ["api", "consumer", "credential", "model"].map(|key| record[key].as_str().unwrap());
        assert_eq!(known, ["models", "app", "first", "smart"]);
        let id = record["request_id"].as_str().filter(|id| id.len() >= 32).expect("an id");
        assert!(log().contains(id), "{id}");
        assert_eq!(kept(&gate, &["--request", id]).first(), Some(&record));
    }
    let everything = format!("{:?}", kept(&gate, &[]));
    for hidden in [secret.as_str(), CALLER_KEY, PROVIDER_KEY, "example.com"] {
        assert!(!everything.contains(hidden), "{hidden}");
    }
    assert_eq!(kept(&gate, &["--consumer", "nobody"]).len(), 0);
    assert_eq!(kept(&gate, &["--last", "2"]).len(), 2);
    assert_eq!(gate.metric("tollgate_payload_log_records_total", &["written"]), 4.0);
}

#[test]
fn bounds_samples_and_those_who_leave() {
    let baton = Baton::held();
    let held = baton.clone();
    let provider = Provider::playing(move |_, heard| match heard.text.as_str() {
        "long" => Play::says(Turn { text: "one two three four five six".to_owned(), usage: (9, 9), ..Turn::default() })
            .at(&held),
        _ => Play::text("Well then, this is more than is kept."),
    });
    let gate = gate(provider.address, "payload_log: { max_request: 64B, max_response: 16B, mask: [] }");
    let address = gate.address("public");
    let body = says(Wire::OpenAi, "smart", &"a long story ".repeat(100));
    assert_eq!(ask(address, Wire::OpenAi, &body).status, 200);
    until("it is written", || kept(&gate, &[]).len() == 1);
    let record = &kept(&gate, &[])[0];
    assert_eq!((&record["request_cut"], &record["response_cut"]), (&true.into(), &true.into()), "{record}");
    assert!(record.to_string().len() < 800 && record["request_bytes"].as_u64().unwrap() > 1300, "{record}");
    // A caller that leaves: what was said until then.
    let mut client = Client::connect(address);
    let long = streamed(Wire::OpenAi, says(Wire::OpenAi, "smart", "long")).to_string();
    client.send(request(Wire::OpenAi, CALLER_KEY, &[], &long));
    baton.pass(4);
    client.read_head().expect("a head");
    client.read_chunk().expect("an event");
    drop(client);
    until("it is written", || kept(&gate, &[]).len() == 2);
    let record = &kept(&gate, &[])[0];
    assert_eq!(record["response"]["end"], "broken", "{record}");
    gate.reload(
        &std::fs::read_to_string(gate.folder().join("tollgate.yaml")).unwrap().replace("mask: []", "sample: 0%"),
    );
    for _ in 0..5 {
        assert_eq!(ask(address, Wire::OpenAi, &says(Wire::OpenAi, "smart", "hello")).status, 200);
    }
    // On the way out all that was given is written.
    let folder = gate.folder().join("data/payloads");
    let lines = |folder: &std::path::Path| -> usize {
        let files = std::fs::read_dir(folder).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count()).sum()
    };
    assert_eq!(lines(&folder), 2);
    assert_eq!(mode(&folder), 0o700);
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_disk_that_refuses_stops_nobody() {
    let provider = Provider::start();
    let gate = gate(provider.address, "payload_log: { folder: 'access.log/none' }");
    for _ in 0..3 {
        assert_eq!(ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "smart", "hello")).status, 200);
    }
    until("they are counted", || gate.metric("tollgate_payload_log_records_total", &["dropped"]) == 3.0);
}
