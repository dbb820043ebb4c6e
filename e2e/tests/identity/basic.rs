//! User names and passwords as clients send them.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use e2e::client::get;
use e2e::{Gate, Upstream, binary};

/// The hash that the command prints for a password.
pub fn hash(password: &str) -> String {
    let mut child =
        Command::new(binary()).arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// `ann:secret` and `ann:wrong` and `bob:secret` as the header has them.
const RIGHT: &str = "authorization: Basic YW5uOnNlY3JldA==";
const WRONG: &str = "authorization: Basic YW5uOndyb25n";
const NOBODY: &str = "authorization: Basic Ym9iOnNlY3JldA==";

#[test]
fn a_user_comes_in_by_password_and_only_once_pays_for_it() {
    let upstream = Upstream::text("in");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, access: identified, policies: {{ basic_auth: {{}} }}, to: u }}]
consumers: [{{ name: ann, credentials: [{{ basic: {{ username: ann, password_hash: '{}' }} }}] }}]
access_log: {{ fields: [status, consumer, credential, auth_method] }}
"#,
        upstream.address,
        hash("secret")
    ));
    let ask = |field: &str| get(gate.address("public"), "/", &[field]);
    let missing = get(gate.address("public"), "/", &[]);
    assert_eq!(missing.status, 401);
    assert_eq!(missing.header("www-authenticate"), Some("Basic realm=\"a\", charset=\"UTF-8\""));
    for wrong in [WRONG, NOBODY] {
        assert_eq!(ask(wrong).json()["code"], "basic_auth.invalid");
    }
    assert_eq!(upstream.requests(), 0);
    let begun = Instant::now();
    assert_eq!(ask(RIGHT).text(), "in");
    let first = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(ask(RIGHT).status, 200);
    }
    let (later, refused) = (begun.elapsed() / 20, {
        let begun = Instant::now();
        assert_eq!(ask(NOBODY).status, 401);
        begun.elapsed()
    });
    assert!(later < first && later < refused, "first {first:?}, later {later:?}, nobody {refused:?}");
    assert!(upstream.seen().iter().all(|seen| seen.header("authorization").is_none()));
    let left = gate.leave();
    assert!(left.output.contains(r#"{"status":200,"consumer":"ann","credential":"0","auth_method":"basic_auth"}"#));
    for secret in ["secret", "wrong", "YW5u", "argon2id"] {
        assert!(!left.output.contains(secret) && !left.said.contains(secret), "{secret}");
    }
}
