//! `authz`: rules over real requests, in the log, in metrics, in the shadow.

use std::process::Command;

use e2e::client::get;
use e2e::{Gate, binary};

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis:
  - name: documents
    path: /documents
    policies:
      key_auth: {}
      authz:
        rules:
          - { name: suspended, when: 'auth.consumer.metadata.state == "suspended"', effect: deny, reason: the account is suspended }
          - { name: public, when: 'request.path.startsWith("/documents/public/")', effect: allow }
          - { name: own, when: 'params.owner == auth.consumer.name', effect: allow }
        tell: TELL
        mode: MODE
    identify: { mode: optional }
    routes: [{ match: { path: "/{owner}/{name}" }, to: { respond: { body: in } } }]
consumers:
  - { name: ann, credentials: [{ key: key-of-ann-0123456789 }] }
  - { name: eve, metadata: { state: suspended }, credentials: [{ key: key-of-eve-0123456789 }] }
access_log: { fields: [path, status, error, error_cause, rule, shadow_denied] }
"#;

const ANN: &str = "x-api-key: key-of-ann-0123456789";
const EVE: &str = "x-api-key: key-of-eve-0123456789";

fn configuration(mode: &str, tell: &str) -> String {
    CONFIGURATION.replace("MODE", mode).replace("TELL", tell)
}

#[test]
fn the_first_rule_decides_and_the_log_knows_which() {
    let gate = Gate::start(&configuration("enforce", "log"));
    for (path, headers, status, code) in [
        ("/documents/ann/1", &[ANN][..], 200, ""),
        ("/documents/bob/1", &[ANN], 403, "authz.denied"),
        ("/documents/public/1", &[ANN], 200, ""),
        ("/documents/public/1", &[], 200, ""),
        ("/documents/public/1", &[EVE], 403, "authz.denied"),
        ("/documents/ann/1", &[], 401, "auth.missing"),
    ] {
        let answer = get(gate.address("public"), path, headers);
        assert_eq!(answer.status, status, "{path} {headers:?}: {}", answer.text());
        if status != 200 {
            let problem = answer.json();
            assert_eq!(problem["code"], code, "{problem}");
            assert!(!answer.text().contains("suspended") && !answer.text().contains("rule"), "{problem}");
        }
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    }
    assert_eq!(gate.metric("tollgate_denied_total", &[r#"policy="authz""#, r#"rule="suspended""#]), 1.0);
    assert_eq!(gate.metric("tollgate_denied_total", &[r#"rule="default""#, r#"mode="enforce""#]), 2.0);
    let explained = Command::new(binary())
        .args(["explain", "GET", "http://localhost/documents/ann/1"])
        .current_dir(gate.folder())
        .output()
        .unwrap();
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("authorize") && explained.contains("authz"), "{explained}");
    let log = gate.leave().output;
    for line in [
        r#""error_cause":"rule `suspended` denies it: the account is suspended","rule":"suspended""#,
        r#""error_cause":"no rule allows it""#,
        r#""rule":"own""#,
    ] {
        assert!(log.contains(line), "no {line} in {log}");
    }
}

#[test]
fn the_client_is_told_where_that_is_asked_for() {
    let gate = Gate::start(&configuration("enforce", "client"));
    let problem = get(gate.address("public"), "/documents/public/1", &[EVE]).json();
    assert_eq!(problem["detail"], "The caller may not do this: the account is suspended.");
}

#[test]
fn a_shadow_lets_pass_and_a_reload_enforces() {
    let gate = Gate::start(&configuration("shadow", "log"));
    for (path, headers) in
        [("/documents/public/1", &[EVE][..]), ("/documents/bob/1", &[ANN]), ("/documents/ann/1", &[])]
    {
        assert_eq!(get(gate.address("public"), path, headers).status, 200, "{path}");
    }
    assert_eq!(gate.metric("tollgate_denied_total", &[r#"mode="shadow""#]), 3.0);
    gate.reload(&configuration("enforce", "log"));
    assert_eq!(get(gate.address("public"), "/documents/bob/1", &[ANN]).status, 403);
    let log = gate.leave().output;
    assert!(log.contains(r#""shadow_denied":"authz: rule `suspended` denies it: the account is suspended""#), "{log}");
}
