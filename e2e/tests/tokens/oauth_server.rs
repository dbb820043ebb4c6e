//! The gate as an authorization server: a key is traded for a token, here and at another gateway.

use e2e::client::{call, get};
use e2e::{Gate, Upstream, binary};

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

const CLIENT: &str = "client_id=mobile&client_secret=mobile-key-0123456789";

/// A gateway with this store, which issues access and refresh tokens and tells its upstream by token who calls.
fn keeping(upstream: &Upstream, store: &str) -> String {
    issuing(upstream)
        .replace("\nworkers: 2\n", &format!("\nstore: {store}\n"))
        .replace("scopes: [read, write] }", "scopes: [read, write], refresh_lifetime: 1d }")
        .replace(
            "      scopes: { all: [write] }\n",
            &format!(
                "      scopes: {{ all: [write] }}\n      identity_headers: {{ jwt: {{ issuer: \"{ISSUER}\", audience: u }} }}\n"
            ),
        )
}

fn ask(gate: &Gate, access: &str) -> (u16, Option<String>) {
    let answer = get(gate.address("public"), "/users", &[&format!("authorization: Bearer {access}")]);
    let code = (answer.status != 200).then(|| answer.json()["code"].as_str().unwrap_or_default().to_owned());
    (answer.status, code)
}

#[test]
fn keys_and_what_was_taken_back_survive_a_crash() {
    let upstream = Upstream::text("in");
    let folder = tempfile::tempdir().unwrap();
    let configuration = keeping(&upstream, &format!("{{ directory: \"{}\" }}", folder.path().display()));
    let gate = Gate::start(&configuration);
    let jwks = |gate: &Gate| get(gate.address("public"), "/oauth/jwks", &[]).json();
    let given = |gate: &Gate| {
        let (status, given) = token(gate, &format!("grant_type=client_credentials&{CLIENT}"));
        assert_eq!(status, 200, "{given}");
        ["access_token", "refresh_token"].map(|name| given[name].as_str().unwrap().to_owned())
    };
    let [good, used] = given(&gate);
    let [taken, unused] = given(&gate);
    let refresh =
        |gate: &Gate, token_: &str| token(gate, &format!("grant_type=refresh_token&refresh_token={token_}&{CLIENT}")).0;
    assert_eq!(refresh(&gate, &used), 200);
    let kind = "content-type: application/x-www-form-urlencoded";
    let form = format!("token={taken}&{CLIENT}");
    assert_eq!(call(gate.address("public"), "POST", "/oauth/revoke", &[kind], &form).status, 200);
    assert_eq!((ask(&gate, &good).0, ask(&gate, &taken).1.as_deref()), (200, Some("jwt.revoked")));
    let told = upstream.seen().last().unwrap().header("x-tollgate-identity").unwrap().to_owned();
    let keys = jwks(&gate);
    // Dropped, it is killed.
    drop(gate);
    let gate = Gate::start(&configuration);
    assert_eq!(jwks(&gate), keys);
    assert_eq!((ask(&gate, &good).0, ask(&gate, &taken).1.as_deref()), (200, Some("jwt.revoked")));
    assert_eq!((refresh(&gate, &used), refresh(&gate, &unused), refresh(&gate, &unused)), (400, 200, 400));
    let again = upstream.seen().last().unwrap().header("x-tollgate-identity").unwrap().to_owned();
    assert_eq!(told.split('.').next(), again.split('.').next(), "the same key signs");
    drop(gate);
    // No private key lies there in the clear, and without the key that seals them there is no start.
    let database = std::fs::read(folder.path().join("tollgate.db")).unwrap();
    let wal = std::fs::read(folder.path().join("tollgate.db-wal")).unwrap_or_default();
    let holds = |what: &[u8]| [&database, &wal].iter().any(|file| file.windows(what.len()).any(|part| part == what));
    // "TGS", the mark of an envelope; and how a PKCS#8 key on P-256 begins, in base64.
    assert!(holds(b"TGS\x01") && !holds(b"MIGHAgEA"));
    std::fs::rename(folder.path().join("secrets.key"), folder.path().join("kept.key")).unwrap();
    let other =
        keeping(&upstream, &format!("{{ directory: \"{}\", keys: {{ env: OTHER_KEY }} }}", folder.path().display()));
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("tollgate.yaml"), other).unwrap();
    let run = std::process::Command::new(binary())
        .arg("run")
        .current_dir(place.path())
        .env("OTHER_KEY", "00".repeat(31) + "01")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("which is not among the keys given"), "{said}");
    // Behind another key, the old one still opens.
    let both = keeping(
        &upstream,
        &format!(
            "{{ directory: \"{path}\", keys: [{{ env: OTHER_KEY }}, {{ file: \"{path}/kept.key\" }}] }}",
            path = folder.path().display()
        ),
    );
    let gate = Gate::start_with(&both, &[], &[("OTHER_KEY", &("00".repeat(31) + "01"))]);
    assert_eq!(jwks(&gate), keys);
    drop(gate);
    // And after that it may go.
    let gate = Gate::start_with(
        &both.replace(&format!(", {{ file: \"{}/kept.key\" }}", folder.path().display()), ""),
        &[],
        &[("OTHER_KEY", &("00".repeat(31) + "01"))],
    );
    assert_eq!(jwks(&gate), keys);
}
