//! `rbac` and `bot`: what callers may do by their roles, and what becomes of those who say that they are robots.

use e2e::Gate;
use e2e::client::{call, get};

const CONFIGURATION: &str = r#"
version: 1
listeners:
  - name: public
    address: "127.0.0.1:0"
    policies:
      bot: { categories: { scanner: deny } }
      rbac:
        roles:
          - { name: reader, permissions: [{ api: articles, methods: [GET] }] }
          - { name: editor, inherits: [reader], permissions: [{ api: articles, routes: [write] }] }
          - { name: admin, permissions: [{ api: "*" }] }
apis:
  - name: articles
    path: /articles
    access: identified
    policies: { key_auth: {} }
    routes:
      - { name: read, match: { path: "/{id}", methods: [GET] }, to: { respond: { body: "{{ client.bot }}" } } }
      - { name: write, match: { path: "/{id}", methods: [PUT] }, to: { respond: { body: in } } }
  - { name: settings, path: /settings, access: identified, policies: { key_auth: {} }, to: { respond: { body: in } } }
consumers:
  - { name: ann, groups: [reader], credentials: [{ key: key-of-ann-0123456789 }] }
  - { name: bob, groups: [editor], credentials: [{ key: key-of-bob-0123456789 }] }
  - { name: eve, credentials: [{ key: key-of-eve-0123456789 }] }
  - { name: root, groups: [admin], credentials: [{ key: key-of-root-0123456789 }] }
access_log: { fields: [path, status, error, error_cause, bot] }
"#;

#[test]
fn roles_permit_and_robots_say_who_they_are() {
    let gate = Gate::start(CONFIGURATION);
    let address = gate.address("public");
    for (method, path, who, status, code) in [
        ("GET", "/articles/1", "ann", 200, ""),
        ("PUT", "/articles/1", "ann", 403, "rbac.denied"),
        ("PUT", "/articles/1", "bob", 200, ""),
        ("GET", "/articles/1", "bob", 200, ""),
        ("GET", "/settings", "bob", 403, "rbac.denied"),
        ("GET", "/articles/1", "eve", 403, "rbac.denied"),
        ("GET", "/settings", "root", 200, ""),
        ("GET", "/nowhere", "root", 404, "route.not_found"),
    ] {
        let key = format!("x-api-key: key-of-{who}-0123456789");
        let answer = call(address, method, path, &[&key, "user-agent: tests"], "");
        assert_eq!(answer.status, status, "{method} {path} {who}: {}", answer.text());
        if status != 200 {
            assert_eq!(answer.json()["code"], code);
        }
    }
    let nobody = get(address, "/articles/1", &["user-agent: tests"]);
    assert_eq!((nobody.status, nobody.header("www-authenticate").is_some()), (401, true));
    let ann = "x-api-key: key-of-ann-0123456789";
    let google = get(address, "/articles/1", &[ann, "user-agent: Mozilla/5.0 (compatible; Googlebot/2.1)"]);
    assert_eq!((google.status, google.text().as_str()), (200, "Googlebot"));
    for agent in ["user-agent: ", "user-agent: masscan/1.3"] {
        let refused = get(address, "/articles/1", &[ann, agent]);
        assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("bot.denied")), "{agent}");
    }
    let log = gate.leave().output;
    assert!(log.contains("the caller's roles (reader, editor) do not permit GET on `settings/0`"), "{log}");
    assert!(log.contains(r#""bot":"Googlebot""#), "{log}");
}
