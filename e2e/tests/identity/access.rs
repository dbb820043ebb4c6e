//! What becomes of those who are known: several methods on one api, rules, and what the upstream is told.

use std::process::Command;

use e2e::client::{Client, get};
use e2e::{Gate, Upstream, binary};

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
upstreams: [{ name: u, targets: [{ url: "http://UPSTREAM" }] }]
apis:
  - name: any
    path: /any
    access: identified
    policies: { key_auth: {}, basic_auth: {}, identity_headers: {} }
    routes:
      - { match: { path: /all }, identify: { mode: all }, to: u }
      - { match: { path: /staff }, policies: { acl: { allow: { groups: [staff] } } }, to: u }
      - { match: { path: /scope }, policies: { scopes: { all: [users.read] } }, to: u }
      - { to: u }
  - name: open
    path: /open
    identify: { mode: optional }
    policies: { key_auth: {}, identity_headers: {} }
    to: u
  - name: taste
    path: /taste
    access: identified
    policies: { key_auth: {}, anonymous: { consumer: visitors }, identity_headers: {} }
    to: u
consumers:
  - { name: ann, groups: [staff], credentials: [{ key: key-of-ann-0123456789 }, { basic: { username: ann, password: secret } }] }
  - { name: bob, credentials: [{ key: key-of-bob-0123456789 }] }
  - { name: visitors }
access_log: { fields: [path, status, consumer, error, error_cause] }
"#;

const ANN: &str = "x-api-key: key-of-ann-0123456789";
const BOB: &str = "x-api-key: key-of-bob-0123456789";
/// `ann:secret`.
const PASSWORD: &str = "authorization: Basic YW5uOnNlY3JldA==";

#[test]
fn methods_combine_as_the_route_says() {
    let upstream = Upstream::text("in");
    let gate = Gate::start(&CONFIGURATION.replace("UPSTREAM", &upstream.address.to_string()));
    let ask = |path: &str, headers: &[&str]| {
        let answer = get(gate.address("public"), path, headers);
        let code =
            if answer.status == 200 { "in".to_owned() } else { answer.json()["code"].as_str().unwrap().to_owned() };
        (answer.status, code)
    };
    for (path, headers, status, code) in [
        ("/any", &[][..], 401, "auth.missing"),
        ("/any", &[ANN], 200, "in"),
        ("/any", &[PASSWORD], 200, "in"),
        ("/any", &[ANN, PASSWORD], 200, "in"),
        ("/any", &[BOB, PASSWORD], 400, "auth.conflict"),
        ("/any", &["x-api-key: wrong", PASSWORD], 401, "key_auth.invalid"),
        ("/any/all", &[ANN], 401, "auth.missing"),
        ("/any/all", &[ANN, PASSWORD], 200, "in"),
        ("/any/staff", &[ANN], 200, "in"),
        ("/any/staff", &[BOB], 403, "acl.denied"),
        ("/any/scope", &[ANN], 403, "scopes.insufficient"),
        ("/open", &[], 200, "in"),
        ("/taste", &[], 200, "in"),
    ] {
        assert_eq!(ask(path, headers), (status, code.to_owned()), "{path} {headers:?}");
    }
    let missing = get(gate.address("public"), "/any", &[]);
    let challenges: Vec<_> = missing.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert_eq!(challenges.len(), 3, "those of all methods: {challenges:?}");
    let denied = get(gate.address("public"), "/any/staff", &[BOB]).text();
    assert!(!denied.contains("bob") && !denied.contains("staff\"") && !denied.contains("allowed"), "{denied}");
    let explained = Command::new(binary())
        .args(["explain", "GET", "http://localhost/any/all"])
        .current_dir(gate.folder())
        .output()
        .unwrap();
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("known by each of key_auth, basic_auth, asked in this order"), "{explained}");
    let log = gate.leave().output;
    assert!(log.contains("consumer `bob` is not among those allowed"), "the log knows why: {log}");
    assert!(!log.contains("key-of") && !log.contains("YW5u"), "{log}");
}

#[test]
fn the_upstream_believes_no_client() {
    let upstream = Upstream::text("in");
    let gate = Gate::start(&CONFIGURATION.replace("UPSTREAM", &upstream.address.to_string()));
    let ask = |path: &str, headers: &[&str]| {
        let mut client = Client::connect(gate.address("public"));
        let lies = "x-consumer-name: root\r\nX-Consumer-Name: admin\r\nx_consumer_name: root\r\n\
                    x-auth-subject: root\r\nconnection: x-consumer-name, x-credential-name\r\n";
        let own: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let answer = client.call(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{lies}{own}\r\n"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let seen = upstream.seen().pop().unwrap();
        let said = format!("{:?}", seen.headers);
        assert!(!said.contains("root") && !said.contains("admin"), "{said}");
        [seen.header("x-consumer-name"), seen.header("x-credential-name")].map(|value| value.map(str::to_owned))
    };
    assert_eq!(ask("/open", &[]), [None, None]);
    assert_eq!(ask("/open", &[BOB]), [Some("bob".to_owned()), Some("0".to_owned())]);
    assert_eq!(ask("/any", &[PASSWORD]), [Some("ann".to_owned()), Some("1".to_owned())]);
    assert_eq!(ask("/taste", &[]), [Some("visitors".to_owned()), None]);
}
