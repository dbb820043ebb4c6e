//! The gateway's own log: text or JSON, with a level that is changed while it runs.

use std::net::TcpListener;

use e2e::client;
use e2e::{Gate, Upstream};
use serde_json::Value;

use super::operations::over;
use super::{configuration, operations, until};

#[test]
fn it_is_text_or_json_as_the_configuration_says() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "log: { format: json }\n"));
    gate.reload(&configuration(upstream.address, "log: { format: json }\nx-turn: 1\n"));
    let text = configuration(upstream.address, "log: { format: text, level: info }\n");
    gate.reload(&text);
    let quiet = configuration(upstream.address, "log: { level: error }\n");
    gate.rewrite(&quiet);
    until("the level is the new one", || operations(&gate, "/log/level", &[]).text() == "error\n");
    let left = gate.leave();
    let json: Vec<Value> = left.said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let reloaded = json.iter().find(|line| line["message"] == "reloaded").expect("a line of the first reload");
    assert_eq!((&reloaded["level"], &reloaded["target"]), (&"INFO".into(), &"tollgate::reload".into()));
    assert_eq!((&reloaded["revision"], &reloaded["why"]), (&2.into(), &"file change".into()));
    assert!(reloaded["hash"].as_str().is_some_and(|hash| hash.len() == 16), "{reloaded}");
    assert!(reloaded["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{reloaded}");
    let mut lines = left.said.lines().filter(|line| line.contains("reloaded"));
    // The third reload made it quiet before it could say so.
    let line = lines.next_back().expect("a line of the second reload");
    assert!(line.contains("INFO tollgate::reload: reloaded") && !line.contains('\u{1b}'), "{line}");
    assert!(!left.said.contains("leaving"), "{}", left.said);
}

#[test]
fn no_level_tells_a_secret() {
    let upstream = Upstream::text("hello");
    // HTTP/2 towards an upstream that does not speak it: what speaks it has much to say.
    let more =
        "  - { name: keyed, path: /keyed, access: identified, policies: { key_auth: { upstream: keep } }, to: up }
  - { name: framed, path: /framed, to: h2c }
consumers: [{ name: mobile, credentials: [{ key: s3cret-of-mobile }] }]
log: { level: trace }
";
    let h2c = format!("upstreams: [{{ name: h2c, targets: [{{ url: 'h2c://{}' }}] }}, ", upstream.address);
    let gate = Gate::start(&configuration(upstream.address, more).replace("upstreams: [", &h2c));
    let headers = ["authorization: Bearer s3cret-of-mobile", "cookie: a=s3cret"];
    for (path, status) in [("/keyed", 200), ("/web/call", 200), ("/framed", 502), ("/nothing", 404)] {
        let answer = client::get(gate.address("public"), &format!("{path}?token=s3cret"), &headers);
        assert_eq!(answer.status, status, "{path}");
    }
    client::get(gate.address("public"), "/keyed", &["x-api-key: s3cret-that-is-wrong"]);
    let left = gate.leave();
    assert!(left.said.contains("TRACE"), "{}", left.said);
    assert!(!left.said.contains("s3cret") && !left.output.contains("s3cret"), "{}", left.said);
}

#[test]
fn a_level_set_by_hand_holds_until_the_configuration_says_another() {
    // A port that was free a moment ago: each try to connect there is a line of level debug.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = |more: &str| {
        let operations = "operations: { address: '127.0.0.1:0', socket: tollgate.sock }\n";
        configuration(nobody, &format!("{operations}{more}"))
    };
    let gate = Gate::start(&text(""));
    let call = || assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 502);
    let level = || operations(&gate, "/log/level", &[]).text();
    let set = |level: &str| {
        let length = level.len();
        let head =
            format!("PUT /log/level HTTP/1.1\r\nhost: gate\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        over(&gate.folder().join("tollgate.sock"), &format!("{head}{level}"))
    };
    call();
    assert!(set("info,tollgate::upstream=debug").starts_with("HTTP/1.1 200"));
    assert_eq!(level(), "info,tollgate::upstream=debug\n");
    assert!(!gate.said().contains("not connected"), "{}", gate.said());
    call();
    gate.until_said("not connected");
    for (wrong, why) in [
        ("loud", "`loud` is not a level; write error, warn, info, debug or trace"),
        ("info,tollgate::nothing=debug", "`tollgate::nothing` is not a target"),
        ("", "is not a level"),
    ] {
        let answer = set(wrong);
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(why), "{answer}");
    }
    assert!(set(&"x".repeat(5000)).starts_with("HTTP/1.1 413"));
    assert_eq!(level(), "info,tollgate::upstream=debug\n");
    gate.reload(&text("x-turn: 1\n"));
    assert_eq!(level(), "info,tollgate::upstream=debug\n");
    gate.rewrite(&text("log: { level: warn }\n"));
    until("the configuration's level", || level() == "warn\n");
}
