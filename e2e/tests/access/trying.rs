//! `tollgate authz test`: cases from a file.

use std::process::{Command, Output};

use e2e::binary;

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:8080" }]
apis:
  - name: documents
    path: /documents
    access: identified
    policies:
      key_auth: {}
      ip: { deny: [192.0.2.66] }
      authz:
        rules:
          - { name: night, when: 'now < 1000000000', effect: deny, reason: it is before dawn }
          - { name: level, when: 'auth.claims.level < 3', effect: deny }
          - { name: staff, when: '"staff" in auth.groups && request.query.page == "2 3"', effect: allow }
          - { name: own, when: 'params.owner == auth.subject', effect: allow }
    routes: [{ match: { path: "/{owner}" }, to: { respond: {} } }]
  - { name: plain, path: /plain, policies: { scopes: { all: [read] } }, to: { respond: {} } }
consumers: [{ name: mobile, groups: [staff], credentials: [{ key: key-of-mobile-0123456789 }] }]
"#;

fn test(cases: &str, more: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.yaml"), CONFIGURATION).unwrap();
    std::fs::write(folder.path().join("cases.yaml"), cases).unwrap();
    let mut command = Command::new(binary());
    command.args(["authz", "test"]).args(more).current_dir(folder.path());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

const GOOD: &str = r#"
cases:
  - name: staff reads
    request: { path: /documents/ann, query: { page: "2 3" }, headers: { x-a: b } }
    auth: { consumer: mobile, claims: { level: 3 } }
    expect: allow
    rule: staff
  - name: who owns it reads
    request: { method: GET, host: a.example.com, path: /documents/ann }
    auth: { subject: ann, consumer: mobile, claims: { level: 4 } }
    expect: allow
    rule: own
  - name: no level, no entry
    request: { path: /documents/ann }
    auth: { consumer: mobile, subject: ann }
    expect: deny
    rule: level
    code: authz.denied
    reason: has no outcome
  - { name: nobody, request: { path: /documents/ann }, expect: deny, code: auth.missing }
  - { name: by address, request: { path: /documents/ann, client: 192.0.2.66 }, expect: deny, code: ip.denied }
  - name: before dawn
    request: { path: /documents/ann }
    auth: { consumer: mobile, subject: ann, claims: { level: 3 } }
    at: 2001-01-01T00:00:00Z
    expect: deny
    reason: it is before dawn
  - { request: { path: /plain }, auth: { scopes: read }, expect: allow }
  - { request: { path: /plain }, auth: { scopes: [write] }, expect: deny, code: scopes.insufficient }
"#;

#[test]
fn cases_that_pass() {
    let (code, out, err) = test(GOOD, &["cases.yaml"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("8 cases: 8 passed, 0 failed\n"), "{out}");
    assert!(out.contains("ok    staff reads         allow  documents/0, rule staff\n"), "{out}");
    assert!(out.contains("ok    nobody              deny   documents/0, auth.missing\n"), "{out}");
    let (code, json, _) = test(GOOD, &["cases.yaml", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["passed"], &report["failed"]), (0, &8.into(), &0.into()));
    let third = &report["cases"][2];
    assert_eq!(third["outcome"]["code"], "authz.denied");
    assert_eq!(third["place"], "cases.yaml:13");
    assert_eq!(report["cases"][0]["outcome"]["asked"], serde_json::json!(["ip", "authz"]));
}

#[test]
fn cases_that_fail_say_where_and_why() {
    let cases = "cases:
  - { name: wrong way, request: { path: /documents/ann }, auth: { consumer: mobile, subject: bob, claims: { level: 9 } }, expect: allow }
  - { name: other rule, request: { path: /documents/ann }, auth: { consumer: mobile, subject: ann, claims: { level: 9 } }, expect: allow, rule: staff }
  - { name: other code, request: { path: /plain }, expect: deny, code: authz.denied, reason: too late }
";
    let (code, out, _) = test(cases, &["cases.yaml"]);
    assert_eq!(code, 1);
    for says in [
        "FAIL  wrong way",
        "cases.yaml:2: expected allow, but it is denied\n      because: no rule allows it",
        "cases.yaml:3: expected allow, but the rule is `own`, not `staff`",
        "the code is `auth.missing`, not `authz.denied`; the reason is",
        "3 cases: 0 passed, 3 failed",
    ] {
        assert!(out.contains(says), "no {says} in\n{out}");
    }
}

#[test]
fn what_is_wrong_has_its_place() {
    for (cases, says) in [
        ("cases:\n  - { request: { path: /plain }, expect: permit }\n", "cases.yaml:2:"),
        ("cases:\n  - { requst: { path: /plain }, expect: allow }\n", "did you mean `request`?"),
        (
            "cases:\n  - { request: { path: /plain }, auth: { consumer: mobil }, expect: allow }\n",
            "did you mean `mobile`?",
        ),
        ("cases:\n  - { request: { path: /plain }, auth: { method: jtw }, expect: allow }\n", "known are"),
        ("cases:\n  - { request: { path: /nowhere }, expect: allow }\n", "no route takes this request"),
        ("cases:\n  - { request: { path: /plain, client: home }, expect: allow }\n", "`home` is not an address"),
        ("cases:\n  - { request: { path: /plain, method: 'G T' }, expect: allow }\n", "is not a method"),
        ("cases:\n  - { request: { path: /plain }, expect: allow, code: x }\n", "neither `reason` nor `code`"),
        ("cases: []\n", "from 1 to 10000 cases"),
    ] {
        let (code, out, err) = test(cases, &["cases.yaml"]);
        assert_eq!(code, 1, "{cases}{out}");
        assert!(err.contains(says) && err.contains("cases.yaml") || cases.ends_with("[]\n"), "{cases}: {err}");
    }
    let (code, _, err) = test(GOOD, &["none.yaml"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("`none.yaml` does not exist"), "{err}");
    let (code, _, err) = test(GOOD, &["cases.yaml", "-c", "none.yaml"]);
    assert_eq!(code, 2, "{err}");
}
