//! Many consumers from a file of hashes: in little memory, and read anew when it changes.

use std::process::Command;

use e2e::client::{Client, get};
use e2e::{Gate, binary, until};

const MANY: usize = 100_000;

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis: [{ name: a, access: subscribed, policies: { key_auth: {} }, to: { respond: { body: "{{ auth.consumer.name }} {{ auth.plan }}" } } }]
plans: [{ name: gold }, { name: free }]
consumers_file: consumers.csv
"#;

/// The resident memory of a process, in MiB.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// Keys that the command made, with the lines of their consumers.
fn make(count: usize) -> (Vec<String>, String) {
    let output = Command::new(binary()).args(["key", "--json", "--count", &count.to_string()]).output().unwrap();
    let (mut keys, mut lines) = (Vec::new(), String::from("name,plan,sha256,apis\n"));
    for (at, line) in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let made: serde_json::Value = serde_json::from_slice(line).unwrap();
        let plan = if at % 2 == 0 { "gold" } else { "free" };
        lines.push_str(&format!("consumer-{at},{plan},{},a\n", made["sha256"].as_str().unwrap()));
        keys.push(made["key"].as_str().unwrap().to_owned());
    }
    (keys, lines)
}

#[test]
fn a_hundred_thousand_consumers_fit_and_are_found() {
    let (keys, lines) = make(MANY);
    assert_eq!(keys.len(), MANY);
    let gate = Gate::start_with(CONFIGURATION, &[("consumers.csv", &lines)], &[]);
    let mut client = Client::connect(gate.address("public"));
    for at in [0, 1, MANY / 2, MANY - 1] {
        let plan = if at % 2 == 0 { "gold" } else { "free" };
        let answer = client.call(format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\n\r\n", keys[at]));
        assert_eq!(answer.text(), format!("consumer-{at} {plan}"));
    }
    let loaded = resident(gate.pid());
    assert!(loaded < 120, "{loaded} MiB with {MANY} consumers");
    let told = get(gate.address("operations"), "/consumers?limit=1", &["host: localhost"]).json();
    assert_eq!(told["total"], MANY);
    // One line less is a key less, without anything else being touched.
    let (kept, _) = lines.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(gate.folder().join("next"), kept).unwrap();
    std::fs::rename(gate.folder().join("next"), gate.folder().join("consumers.csv")).unwrap();
    until("the last key is gone", || {
        get(gate.address("public"), "/", &[&format!("x-api-key: {}", keys[MANY - 1])]).status == 401
    });
    assert_eq!(get(gate.address("public"), "/", &[&format!("x-api-key: {}", keys[0])]).status, 200);
    let again = resident(gate.pid());
    assert!(again < 150, "{again} MiB after a reload");
    println!("resident: {loaded} MiB loaded, {again} MiB after a reload");
    // What cannot be read keeps the old file's consumers.
    std::fs::write(gate.folder().join("next"), "nonsense\n").unwrap();
    std::fs::rename(gate.folder().join("next"), gate.folder().join("consumers.csv")).unwrap();
    assert!(gate.until_said("not reloaded").contains("not reloaded"));
    assert_eq!(get(gate.address("public"), "/", &[&format!("x-api-key: {}", keys[0])]).status, 200);
}
