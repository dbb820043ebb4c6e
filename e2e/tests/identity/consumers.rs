//! Consumers and their credentials over their life: made, rotated, revoked, seen.

use std::process::Command;

use e2e::client::get;
use e2e::{Gate, binary};

fn configuration(credentials: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, access: identified, policies: {{ key_auth: {{}} }}, to: {{ respond: {{ body: "{{{{ auth.consumer.name }}}}" }} }} }}]
consumers:
  - name: mobile
    credentials:
{credentials}
"#
    )
}

/// A key and its hash, as the command prints them.
fn make() -> (String, String) {
    let output = Command::new(binary()).args(["key", "--json"]).output().unwrap();
    assert!(output.status.success());
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (said["key"].as_str().unwrap().to_owned(), said["sha256"].as_str().unwrap().to_owned())
}

#[test]
fn a_key_is_rotated_without_a_gap() {
    let ((old, old_hash), (new, new_hash)) = (make(), make());
    let gate = Gate::start(&configuration(&format!("      - {{ name: old, key_sha256: {old_hash} }}")));
    let ask = |key: &str| get(gate.address("public"), "/", &[&format!("x-api-key: {key}")]).status;
    assert_eq!((ask(&old), ask(&new)), (200, 401));
    let both =
        format!("      - {{ name: old, key_sha256: {old_hash} }}\n      - {{ name: new, key_sha256: {new_hash} }}");
    gate.reload(&configuration(&both));
    assert_eq!((ask(&old), ask(&new)), (200, 200));
    let revoked = both.replace("name: old,", "name: old, enabled: false,");
    gate.reload(&configuration(&revoked));
    assert_eq!((ask(&old), ask(&new)), (401, 200));
    let left = gate.leave();
    for secret in [&old, &new, &old_hash, &new_hash] {
        assert!(!left.said.contains(secret.as_str()) && !left.output.contains(secret.as_str()));
    }
}

#[test]
fn the_operations_port_tells_of_consumers_and_no_secret() {
    let gate = Gate::start(&configuration(
        "      - { name: first, key: key-of-mobile-0123, expires: 2126-01-01T00:00:00Z }\n      - { name: second, key: key-of-mobile-4567 }",
    ));
    let see = |query: &str| get(gate.address("operations"), &format!("/consumers{query}"), &["host: localhost"]);
    let told = see("").json();
    let unused = &told["consumers"][0]["credentials"];
    assert_eq!(
        (&unused[0]["last_used"], &unused[1]["last_used"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(get(gate.address("public"), "/", &["x-api-key: key-of-mobile-4567"]).text(), "mobile");
    let seen = see("?limit=1");
    assert!(!seen.text().contains("key-of"), "{}", seen.text());
    let told = seen.json();
    assert_eq!((&told["next"], &told["total"]), (&"mobile".into(), &1.into()));
    let [first, second] = [0, 1].map(|at| &told["consumers"][0]["credentials"][at]);
    assert_eq!((&first["name"], &first["expires"]), (&"first".into(), &"2126-01-01T00:00:00Z".into()));
    assert!(first["last_used"].is_null() && second["last_used"].as_str().unwrap().starts_with("20"), "{told}");
    assert_eq!(see("?after=mobile").json()["consumers"], serde_json::json!([]));
    assert_eq!(see("?limit=0").status, 400);
}
