//! `tollgate check`, `schema` and `explain` from outside.

use std::process::{Command, Output};

use e2e::binary;

fn run(words: &[&str], configuration: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.yaml"), configuration).unwrap();
    Command::new(binary()).args(words).current_dir(folder.path()).env_remove("ABSENT").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const WRONG: &str = r#"version: 1
listeners:
  - { name: public, address: "127.0.0.1:nowhere" }
upstreams:
  - { name: users, targets: [{ url: "ftp://10.0.0.1" }], balance: round_robbin }
apis:
  - name: a
    polices: {}
    policies:
      rate_limt: {}
      rate_limit: { limits: [{ limit: 100, by: consumer }] }
      headers: { request: { set: { "bad name": x } } }
    routes:
      - { match: { path: "/{id}/{id}" }, to: usres }
      - { match: { methods: [FETCH ME] }, to: { respnd: {} } }
  - name: a
    to: users
consumers:
  - { name: c, credentials: [{ key: "${env:ABSENT}" }] }
"#;

#[test]
fn every_problem_is_shown_at_once_with_its_place_and_a_way_to_mend_it() {
    for (version, wrong) in [
        ("version: 1", None),
        ("version: 2", Some("version 2 is not known")),
        ("version: new", Some("expected a whole number")),
        ("# no version", Some("`version` is missing")),
    ] {
        let check = run(&["check"], &WRONG.replace("version: 1", version));
        let shown = text(&check.stderr);
        assert_eq!(check.status.code(), Some(1), "{shown}");
        let parts = [
            "tollgate.yaml:3:30",
            "did you mean `round_robin`?",
            "unknown key `polices`",
            "did you mean `rate_limit`?",
            "did you mean `users`?",
            "did you mean `respond`?",
            "ABSENT",
            "`id`",
            "two apis are named `a`",
        ];
        for part in parts.into_iter().chain(wrong) {
            assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
        }
    }
}

#[test]
fn machines_get_json() {
    let check = run(&["check", "--format", "json"], WRONG);
    assert_eq!(check.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(report["valid"], false);
    let problems = report["problems"].as_array().unwrap();
    let unknown = problems.iter().find(|problem| problem["code"] == "config.unknown_name").unwrap();
    assert_eq!((unknown["line"].as_u64(), unknown["file"].as_str()), (Some(14), Some("tollgate.yaml")));
}

#[test]
fn offline_forgives_what_is_elsewhere() {
    let configuration = "version: 1\nconsumers: [{ name: c, credentials: [{ key: \"${env:ABSENT}\" }] }]\n";
    assert_eq!(run(&["check"], configuration).status.code(), Some(1));
    let offline = run(&["check", "--offline"], configuration);
    assert_eq!(offline.status.code(), Some(0), "{}", text(&offline.stderr));
    assert!(text(&offline.stderr).contains("ABSENT"), "it is still a warning");
}

#[test]
fn bad_usage_is_told_apart() {
    for words in [&["fly"][..], &["check", "--format", "xml"], &["explain"], &[]] {
        assert_eq!(run(words, "version: 1").status.code(), Some(2), "{words:?}");
    }
    assert_eq!(run(&["check", "-c", "absent.yaml"], "").status.code(), Some(2));
}

#[test]
fn the_schema_is_json_and_names_the_policies() {
    let schema = run(&["schema"], "");
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    for kind in ["key_auth", "rate_limit", "headers", "compress"] {
        assert!(schema["$defs"]["Policies"]["properties"][kind].is_object(), "{kind}");
    }
}

#[test]
fn explain_says_which_route_and_why_and_why_not() {
    let configuration = r#"version: 1
listeners: [{ name: public, address: "127.0.0.1:8080", policies: { request_id: {} } }]
apis:
  - name: users
    path: /users
    policies: { rate_limit: { limits: [{ limit: 10/minute, by: client }] } }
    routes:
      - { name: one, match: { path: "/{id}", methods: [GET] }, to: { respond: { status: 200 } } }
      - { name: beta, match: { path: "/{id}", methods: [GET], headers: { x-beta: yes } }, to: { respond: { status: 200 } } }
"#;
    let explained = run(&["explain", "GET", "http://any.test:8080/users/7", "--json"], configuration);
    assert_eq!(explained.status.code(), Some(0), "{}", text(&explained.stderr));
    let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    let all = explained.to_string();
    for part in ["users/one", "users/beta", "x-beta", "request_id", "rate_limit", "respond"] {
        assert!(all.contains(part), "`{part}` is not in {explained:#}");
    }
    let shown = text(&run(&["explain", "POST", "http://any.test:8080/users/7"], configuration).stdout);
    assert!(shown.contains("405") && shown.contains("GET"), "{shown}");
}
