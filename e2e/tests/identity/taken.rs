//! What is taken back is good no more with the next request: on a connection that stays open, and whatever was remembered
//! of a password or a token.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use e2e::client::Client;
use e2e::{Gate, Upstream};
use serde_json::json;

const SECRET: &str = "a-secret-of-the-issuer-of-more-than-32-bytes";

const CONFIGURATION: &str = r#"
version: 1
workers: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
upstreams: [{ name: u, targets: [{ url: "http://UPSTREAM" }] }]
apis:
  - name: a
    access: subscribed
    policies:
      key_auth: { names: x-api-key }
      basic_auth: {}
      jwt: { issuers: [{ issuer: me, audience: a, keys: { secret: SECRET } }], consumer: { claim: sub } }
      acl: { allow: { groups: [staff] } }
      scopes: { any: [read] }
    to: u
consumers:
  - name: ann
    enabled: true
    groups: [staff]
    credentials:
      - { name: key, key: key-of-ann-0123456789, scopes: [read], enabled: true }
      - { name: basic, basic: { username: ann, password_hash: 'HASH' }, scopes: [read], enabled: true }
subscriptions: [{ consumer: ann, api: a, enabled: true }]
access_log: "off"
"#;

fn token() -> String {
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": "me", "aud": "a", "sub": "ann", "scope": "read", "exp": 4_000_000_000_u64 });
    let signed = format!("{}.{}", encode(json!({ "alg": "HS256", "typ": "at+jwt" })), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[test]
fn what_is_taken_back_is_good_no_more_at_once() {
    let upstream = Upstream::text("in");
    let good = CONFIGURATION
        .replace("UPSTREAM", &upstream.address.to_string())
        .replace("SECRET", SECRET)
        .replace("HASH", &super::basic::hash("secret"));
    let gate = Gate::start(&good);
    let shown = [
        ("key", "x-api-key: key-of-ann-0123456789".to_owned()),
        ("basic", format!("authorization: Basic {}", STANDARD.encode("ann:secret"))),
        ("jwt", format!("authorization: Bearer {}", token())),
    ];
    let mut clients = shown.map(|(method, field)| (method, field, Client::connect(gate.address("public"))));
    let mut ask = || -> Vec<(&str, String)> {
        let answers = clients.iter_mut().map(|(method, field, client)| {
            let answer = client.call(format!("GET / HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n"));
            let code = || answer.json()["code"].as_str().unwrap_or_default().to_owned();
            (*method, if answer.status == 200 { answer.text() } else { code() })
        });
        answers.collect()
    };
    let all = |code: &'static str| [("key", code), ("basic", code), ("jwt", code)];
    let only = |code: &'static str, of: &'static str| {
        all("in").map(|(method, usual)| (method, if method == of { code } else { usual }))
    };
    let gone = good.replace("name: ann\n", "name: bob\n").replace("consumer: ann", "consumer: bob");
    let gone = gone.replace("key-of-ann", "key-of-bob").replace("username: ann", "username: bob");
    for (what, changed, expected) in [
        (
            "the key",
            good.replacen("scopes: [read], enabled: true", "scopes: [read], enabled: false", 1),
            only("key_auth.invalid", "key"),
        ),
        (
            "the password",
            good.replace("' }, scopes: [read], enabled: true", "' }, scopes: [read], enabled: false"),
            only("basic_auth.invalid", "basic"),
        ),
        ("the scope", good.replacen("scopes: [read], ", "scopes: [write], ", 1), only("scopes.insufficient", "key")),
        ("the consumer", good.replace("    enabled: true", "    enabled: false"), all("auth.consumer_disabled")),
        (
            "the subscription",
            good.replace("api: a, enabled: true", "api: a, enabled: false"),
            all("auth.subscription_suspended"),
        ),
        ("the group", good.replace("groups: [staff]\n", "groups: []\n"), all("acl.denied")),
        (
            "everything",
            gone,
            [("key", "key_auth.invalid"), ("basic", "basic_auth.invalid"), ("jwt", "jwt.no_consumer")],
        ),
    ] {
        assert_eq!(ask(), all("in").map(|(method, code)| (method, code.to_owned())), "before {what}");
        assert_eq!(ask().len(), 3, "what is remembered is warm");
        gate.reload(&changed);
        assert_eq!(ask(), expected.map(|(method, code)| (method, code.to_owned())), "without {what}");
        gate.reload(&good);
    }
}
