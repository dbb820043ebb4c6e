//! The gate as an authorization server: a key is traded for a token, here and at another gateway.

use e2e::client::{call, get};
use e2e::{Gate, Upstream};

const ISSUER: &str = "http://id.test/oauth";

fn issuing(upstream: &Upstream) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
access_log: {{ path: access.log }}
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - {{ name: oauth, path: /oauth, to: {{ oauth_server: {{ issuer: "{ISSUER}", audience: users, scopes: [read, write] }} }} }}
  - name: users
    path: /users
    access: identified
    policies:
      jwt: {{ issuers: {{ issuer: "{ISSUER}", audience: users, signed_by: gateway }}, consumer: {{ claim: client_id }} }}
      scopes: {{ all: [write] }}
    to: u
consumers:
  - {{ name: mobile, credentials: [{{ key: mobile-key-0123456789 }}] }}
"#,
        upstream.address
    )
}

fn token(gate: &Gate, form: &str) -> (u16, serde_json::Value) {
    let kind = "content-type: application/x-www-form-urlencoded";
    let answer = call(gate.address("public"), "POST", "/oauth/token", &[kind], form);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    (answer.status, answer.json())
}

#[test]
fn a_consumer_trades_its_key_for_a_token() {
    let upstream = Upstream::text("in");
    let gate = Gate::start(&issuing(&upstream));
    let client = "grant_type=client_credentials&client_id=mobile&client_secret=mobile-key-0123456789";
    let (status, given) = token(&gate, client);
    assert_eq!(
        (status, given["token_type"].as_str(), given["scope"].as_str()),
        (200, Some("Bearer"), Some("read write"))
    );
    let access = given["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("authorization: Bearer {access}");
    let ask = |bearer: &str| get(gate.address("public"), "/users", &[bearer]);
    assert_eq!((ask(&bearer).status, upstream.seen()[0].header("authorization")), (200, None));
    let (_, weak) = token(&gate, &format!("{client}&scope=read"));
    let weak = ask(&format!("authorization: Bearer {}", weak["access_token"].as_str().unwrap()));
    assert_eq!(weak.status, 403, "its scope is not enough");
    assert_eq!(token(&gate, &client.replace("mobile-key", "wrong-key")).1["error"], "invalid_client");
    // Another gateway takes the token by the keys of the first.
    let other = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: users
    policies: {{ jwt: {{ issuers: {{ issuer: "{ISSUER}", audience: users, jwks_url: "http://{}/oauth/jwks" }} }} }}
    to: u
"#,
        upstream.address,
        gate.address("public")
    ));
    assert_eq!(get(other.address("public"), "/", &[&bearer]).status, 200);
    // A reload keeps the keys.
    gate.reload(&issuing(&upstream).replace("scopes: [read, write] }", "scopes: [read, write, more] }"));
    assert_eq!(ask(&bearer).status, 200);
    // It is taken back, and not good here any more.
    let form = format!("token={access}&client_id=mobile&client_secret=mobile-key-0123456789");
    let kind = "content-type: application/x-www-form-urlencoded";
    assert_eq!(call(gate.address("public"), "POST", "/oauth/revoke", &[kind], &form).status, 200);
    let gone = ask(&bearer);
    assert_eq!((gone.status, gone.json()["code"].as_str()), (401, Some("jwt.revoked")));
    let log = std::fs::read_to_string(gate.folder().join("access.log")).unwrap_or_default();
    let left = gate.leave();
    for secret in [access.as_str(), "mobile-key-0123456789"] {
        assert!(!left.said.contains(secret) && !left.output.contains(secret) && !log.contains(secret));
    }
}
