//! A provider's keys: used in turn; one that is refused or used up rests, and the others go on.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use e2e::provider::{Baton, PROVIDER_KEY, Play, Provider, Wire};
use e2e::{Gate, until};

use super::gate;
use super::speech::{BOTH, ask, says};

/// A gateway with one provider of two keys, the first of which ends in `-1`.
fn two_keys(provider: &Provider) -> Gate {
    let address = provider.address;
    let keys = format!("[{PROVIDER_KEY}-1, {PROVIDER_KEY}-2]");
    let providers = format!(
        "    - {{ name: o, preset: openai, base_url: \"http://{address}/v1\", keys: {keys} }}\n\
         \x20   - {{ name: a, preset: anthropic, base_url: \"http://{address}\", keys: {keys} }}\n"
    );
    let models = "    - { name: o, targets: [{ provider: o, model: plain }] }\n\
                  \x20   - { name: a, targets: [{ provider: a, model: plain }] }\n";
    gate(&providers, models)
}

/// How often each key was shown, by its last letter.
fn shown(provider: &Provider) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    for seen in provider.asked() {
        let key = seen.header("authorization").or(seen.header("x-api-key")).expect("a key").to_owned();
        *counts.entry(key.chars().last().unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn keys_are_used_in_turn() {
    let provider = Provider::start();
    let gate = two_keys(&provider);
    for _ in 0..4 {
        assert_eq!(ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "o", "hello")).status, 200);
    }
    assert_eq!(shown(&provider), BTreeMap::from([('1', 2), ('2', 2)]));
}

#[test]
fn a_key_that_is_refused_or_used_up_rests() {
    for status in [401, 403, 429] {
        for (wire, model) in BOTH.into_iter().zip(["o", "a"]) {
            let provider = Provider::playing(move |seen, heard| {
                let key = seen.header("authorization").or(seen.header("x-api-key")).unwrap_or_default();
                if key.ends_with('1') { Play::fails_with(status, "retry-after: 600\r\n") } else { Play::of(heard) }
            });
            let gate = two_keys(&provider);
            for call in 0..6 {
                let answer = ask(gate.address("public"), wire, &says(wire, model, "hello"));
                assert_eq!(answer.status, 200, "{status}, call {call}: {}", answer.text());
            }
            assert_eq!(shown(&provider), BTreeMap::from([('1', 1), ('2', 6)]), "{status} {model}");
        }
    }
}

#[test]
fn when_all_keys_rest_nobody_is_asked() {
    let provider = Provider::playing(|_, _| Play::fails_with(429, "retry-after: 600\r\n"));
    let gate = two_keys(&provider);
    for wire in BOTH {
        for _ in 0..3 {
            let answer = ask(gate.address("public"), wire, &says(wire, "o", "hello"));
            assert_eq!(answer.status, 429, "{}", answer.text());
            assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
            let after: u64 = answer.header("retry-after").expect("when to come again").parse().unwrap();
            assert!((1..=600).contains(&after), "{after}");
        }
    }
    assert_eq!(shown(&provider), BTreeMap::from([('1', 1), ('2', 1)]));
}

/// A gateway with one provider of these keys; `more` are lines of its own.
fn with_keys(provider: &Provider, keys: &str, more: &str) -> Gate {
    Gate::start(&configured(provider, keys, more))
}

fn configured(provider: &Provider, keys: &str, more: &str) -> String {
    let address = provider.address;
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
access_log: {{ path: access.log }}
{more}
ai:
  providers: [{{ name: o, preset: openai, base_url: "http://{address}/v1", keys: {keys} }}]
  models: [{{ name: o, targets: [{{ provider: o, model: plain }}] }}]
apis: [{{ name: models, path: /v1, to: {{ ai: {{}} }} }}]
"#
    )
}

fn calls(gate: &Gate, count: usize) -> Vec<u16> {
    let one = |_| ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "o", "hello")).status;
    (0..count).map(one).collect()
}

#[test]
fn keys_have_their_weights_and_those_that_are_over_are_not_shown() {
    let provider = Provider::start();
    let key = |number: u8, more: &str| format!("{{ key: {PROVIDER_KEY}-{number}, {more} }}");
    let (first, second) = (key(1, "weight: 3"), key(2, "name: second"));
    let (over, off) = (key(3, "expires: 2020-01-01T00:00:00Z"), key(4, "enabled: false"));
    let gate = with_keys(&provider, &format!("[{first}, {second}, {over}, {off}]"), "");
    assert_eq!(calls(&gate, 10), [200; 10]);
    let counts = shown(&provider);
    // Where the turn of the one that is over comes, the next is shown.
    assert!(counts.len() == 2 && counts[&'1'] > counts[&'2'], "{counts:?}");
    let gate = with_keys(&provider, &format!("[{over}]"), "");
    assert_eq!(calls(&gate, 1), [502]);
}

#[test]
fn a_key_at_its_bounds_is_passed_by() {
    for (bounds, most) in [("requests: 2/hour", 2), ("tokens: 20/hour", 2)] {
        let provider = Provider::start();
        let (first, second) =
            (format!("{{ key: {PROVIDER_KEY}-1, {bounds} }}"), format!("{{ key: {PROVIDER_KEY}-2, {bounds} }}"));
        let gate = with_keys(&provider, &format!("[{first}, {PROVIDER_KEY}-2]"), "");
        assert_eq!(calls(&gate, 8), [200; 8]);
        let counts = shown(&provider);
        assert!(counts[&'1'] <= most && counts[&'1'] + counts[&'2'] == 8, "{bounds}: {counts:?}");
        let provider = Provider::start();
        let gate = with_keys(&provider, &format!("[{}, {second}]", first), "");
        let answers: Vec<_> = (0..8)
            .map(|_| ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, "o", "hello")))
            .filter(|answer| answer.status == 429)
            .collect();
        // Both are at their bounds, and nobody is asked.
        assert!(answers.len() >= 4 && provider.asked().len() + answers.len() == 8, "{bounds}: {}", answers.len());
        let after: u64 = answers[0].header("retry-after").expect("when to come again").parse().unwrap();
        assert!((60..=7200).contains(&after), "{after}");
    }
}

#[test]
fn only_so_many_calls_at_once_have_a_key() {
    let baton = Baton::held();
    let held = baton.clone();
    let provider = Provider::playing(move |_, heard| Play::of(heard).at(&held));
    let gate = with_keys(
        &provider,
        &format!("[{{ key: {PROVIDER_KEY}-1, max_concurrent: 1 }}, {{ key: {PROVIDER_KEY}-2, max_concurrent: 2 }}]"),
        "",
    );
    let address = gate.address("public");
    std::thread::scope(|scope| {
        let one = || ask(address, Wire::OpenAi, &says(Wire::OpenAi, "o", "hello")).status;
        let open: Vec<_> = (0..3).map(|_| scope.spawn(one)).collect();
        until("three are open", || provider.asked().len() == 3);
        assert_eq!(one(), 429);
        baton.pass(1000);
        assert!(open.into_iter().all(|call| call.join().unwrap() == 200));
    });
    assert_eq!(shown(&provider), BTreeMap::from([('1', 1), ('2', 2)]));
    assert_eq!(calls(&gate, 3), [200; 3]);
}

/// Runs `tollgate` beside a configuration, with this on its standard input.
fn tollgate(folder: &std::path::Path, words: &[&str], input: &str) -> std::process::Output {
    let mut child = Command::new(e2e::binary())
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_key_of_the_store_is_replaced_while_it_runs_and_no_key_is_ever_shown() {
    let provider = Provider::playing(|_, heard| {
        // What fails is what gets logged.
        if heard.text == "fail" { Play::fails(500) } else { Play::of(heard) }
    });
    let data = tempfile::tempdir().unwrap();
    let more = format!(
        "store: {{ directory: '{}' }}\noperations: {{ address: \"127.0.0.1:0\", socket: tollgate.sock }}\nlog: {{ level: trace }}",
        data.path().display()
    );
    let keys = format!("[\"${{store:openai/main}}\", {{ key: {PROVIDER_KEY}-9, weight: 0 }}]");
    let text = configured(&provider, &keys, &more);
    // Before a gateway runs, its directory is asked.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.yaml"), &text).unwrap();
    let absent = tollgate(folder.path(), &["check"], "");
    let said = String::from_utf8_lossy(&absent.stderr).into_owned() + &String::from_utf8_lossy(&absent.stdout);
    assert!(said.contains("tollgate secrets put openai/main") && !absent.status.success(), "{said}");
    let put = tollgate(folder.path(), &["secrets", "put", "openai/main"], &format!("{PROVIDER_KEY}-1\n"));
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    assert!(tollgate(folder.path(), &["check"], "").status.success());
    let gate = Gate::start(&text);
    assert_eq!(calls(&gate, 2), [200; 2]);
    assert_eq!(shown(&provider), BTreeMap::from([('1', 2)]));
    let put = tollgate(gate.folder(), &["secrets", "put", "openai/main"], &format!("{PROVIDER_KEY}-2"));
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    assert_eq!(calls(&gate, 2), [200; 2]);
    assert_eq!(shown(&provider), BTreeMap::from([('1', 2), ('2', 2)]));
    // One that is in use is not taken away from a gateway that runs.
    let gone = tollgate(gate.folder(), &["secrets", "remove", "openai/main"], "");
    assert_eq!(gone.status.code(), Some(1));
    assert_eq!(calls(&gate, 1), [200]);
    let list = tollgate(gate.folder(), &["secrets", "list"], "");
    assert!(String::from_utf8_lossy(&list.stdout).contains("no secrets"));
    assert_eq!(tollgate(gate.folder(), &["secrets", "put", "a b"], "x").status.code(), Some(2));
    let body = says(Wire::OpenAi, "o", "fail");
    assert_ne!(ask(gate.address("public"), Wire::OpenAi, &body).status, 200);
    let mut seen = gate.said();
    for path in ["/config", "/metrics", "/upstreams", "/healthz?verbose", "/keys"] {
        seen += &e2e::client::get(gate.address("operations"), path, &["host: localhost"]).text();
    }
    until("it is logged", || std::fs::read_to_string(gate.folder().join("access.log")).unwrap().lines().count() >= 6);
    seen += &std::fs::read_to_string(gate.folder().join("access.log")).unwrap();
    seen += &gate.leave().said;
    assert!(!seen.contains(PROVIDER_KEY), "{}", seen.lines().find(|line| line.contains(PROVIDER_KEY)).unwrap());
    for file in std::fs::read_dir(data.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(PROVIDER_KEY.len()).any(|window| window == PROVIDER_KEY.as_bytes()));
    }
}
