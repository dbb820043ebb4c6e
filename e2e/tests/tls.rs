//! TLS as curl sees it.

use std::process::{Command, Output};

use e2e::client::Client;
use e2e::{Authority, Gate};

/// curl against a host name that resolves to the gate.
fn curl(gate: &Gate, host: &str, path: &str, words: &[&str]) -> Output {
    let address = gate.address("secure");
    Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--cacert", "ca.pem"])
        .args(["--resolve", &format!("{host}:{}:{}", address.port(), address.ip())])
        .args(["--write-out", " %{http_version} %{response_code}"])
        .args(words)
        .arg(format!("https://{host}:{}{path}", address.port()))
        .current_dir(gate.folder())
        .output()
        .expect("curl runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const PLAIN: &str = r#"
version: 1
listeners:
  - name: secure
    address: "127.0.0.1:0"
    tls:
      certificates: [{ certificate: a.pem, key: a.key }, { certificate: wild.pem, key: wild.key }]
apis: [{ name: a, to: { respond: { status: 200, body: "hello {{ connection.tls.server_name }}" } } }]
"#;

fn plain(authority: &Authority) -> Gate {
    let (a, a_key) = authority.sign("a", &["a.test"]);
    let (wild, wild_key) = authority.sign("wild", &["*.wild.test"]);
    let ca = authority.pem();
    Gate::start_with(
        PLAIN,
        &[("ca.pem", &ca), ("a.pem", &a), ("a.key", &a_key), ("wild.pem", &wild), ("wild.key", &wild_key)],
        &[],
    )
}

#[test]
fn certificates_are_chosen_by_name_and_http2_by_alpn() {
    let gate = plain(&Authority::new());
    for (host, words, wanted) in [
        ("a.test", &["--http2"][..], "hello a.test 2 200"),
        ("a.test", &["--http1.1"], "hello a.test 1.1 200"),
        ("b.wild.test", &["--http2"], "hello b.wild.test 2 200"),
        ("a.test", &["--tls-max", "1.2"], "hello a.test 2 200"),
    ] {
        let output = curl(&gate, host, "/", words);
        assert_eq!(said(&output), wanted, "{}", String::from_utf8_lossy(&output.stderr));
    }
    let stranger = curl(&gate, "c.test", "/", &[]);
    assert_eq!(stranger.status.code(), Some(60), "curl refuses a certificate for another name");
}

#[test]
fn plain_http_to_a_tls_port_is_told_so() {
    let gate = plain(&Authority::new());
    let mut client = Client::connect(gate.address("secure"));
    let answer = client.call("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("https://"), "{}", answer.text());
    assert!(client.read().is_none(), "and the connection ends");
}

#[test]
fn the_least_version_is_kept() {
    let authority = Authority::new();
    let (a, key) = authority.sign("a", &["a.test"]);
    let text = PLAIN.replace(
        "certificates: [{ certificate: a.pem, key: a.key }, { certificate: wild.pem, key: wild.key }]",
        "certificates: [{ certificate: a.pem, key: a.key }]\n      min_version: \"1.3\"",
    );
    let gate = Gate::start_with(&text, &[("ca.pem", &authority.pem()), ("a.pem", &a), ("a.key", &key)], &[]);
    assert_eq!(said(&curl(&gate, "a.test", "/", &[])), "hello a.test 2 200");
    assert_eq!(curl(&gate, "a.test", "/", &["--tls-max", "1.2"]).status.code(), Some(35), "the handshake fails");
}

#[test]
fn a_new_certificate_is_used_as_soon_as_its_file_is_there() {
    let authority = Authority::new();
    let gate = plain(&authority);
    assert_eq!(curl(&gate, "new.test", "/", &[]).status.code(), Some(60));
    let (certificate, key) = authority.sign("new", &["new.test"]);
    std::fs::write(gate.folder().join("a.key.new"), key).unwrap();
    std::fs::write(gate.folder().join("a.pem.new"), certificate).unwrap();
    // Key and certificate change together, as far as two files can: a half is a problem, and the old pair stays.
    std::fs::rename(gate.folder().join("a.key.new"), gate.folder().join("a.key")).unwrap();
    std::fs::rename(gate.folder().join("a.pem.new"), gate.folder().join("a.pem")).unwrap();
    gate.until_said("reloaded");
    assert_eq!(said(&curl(&gate, "new.test", "/", &[])), "hello new.test 2 200");
}

#[test]
fn client_certificates_are_asked_for_verified_and_passed_on() {
    let authority = Authority::new();
    let upstream =
        e2e::Upstream::start(|seen| Some(e2e::response("200 OK", "", seen.header("client-cert").unwrap_or("none"))));
    let (a, a_key) = authority.sign("a", &["a.test"]);
    let (known, known_key) = authority.sign("robot", &["robot.test"]);
    let (foreign, foreign_key) = Authority::new().sign("mallory", &["robot.test"]);
    let ca = authority.pem();
    let files = [
        ("ca.pem", ca.as_str()),
        ("a.pem", &a),
        ("a.key", &a_key),
        ("robot.pem", &known),
        ("robot.key", &known_key),
        ("foreign.pem", &foreign),
        ("foreign.key", &foreign_key),
    ];
    for (mode, without) in [("required", None), ("requested", Some("anonymous 2 200"))] {
        let text = format!(
            r#"
version: 1
listeners:
  - name: secure
    address: "127.0.0.1:0"
    tls:
      certificates: [{{ certificate: a.pem, key: a.key }}]
      client_certificates: {{ mode: {mode}, ca: ca.pem, forward: on }}
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - {{ name: up, path: /up, to: u }}
  - name: who
    path: /
    routes:
      - {{ match: {{ when: 'connection.tls.client.subject == "CN=robot"' }}, to: {{ respond: {{ status: 200, body: robot }} }} }}
      - {{ to: {{ respond: {{ status: 200, body: anonymous }} }} }}
"#,
            upstream.address
        );
        let gate = Gate::start_with(&text, &files, &[]);
        let robot = ["--cert", "robot.pem", "--key", "robot.key"];
        assert_eq!(said(&curl(&gate, "a.test", "/", &robot)), "robot 2 200", "{mode}");
        let forged = [&robot[..], &["--header", "client-cert: forged"]].concat();
        let passed = said(&curl(&gate, "a.test", "/up", &forged));
        assert!(passed.starts_with(':') && passed.ends_with(": 2 200"), "RFC 9440 byte sequence: {passed}");
        let foreign = curl(&gate, "a.test", "/", &["--cert", "foreign.pem", "--key", "foreign.key"]);
        assert!(!foreign.status.success(), "a certificate of another authority is refused: {}", said(&foreign));
        let none = curl(&gate, "a.test", "/", &[]);
        match without {
            Some(text) => assert_eq!(said(&none), text),
            None => assert!(!none.status.success(), "no certificate, no connection"),
        }
        if without.is_some() {
            assert_eq!(said(&curl(&gate, "a.test", "/up", &["--header", "client-cert: forged"])), "none 2 200");
        }
    }
}

#[test]
fn plain_requests_are_sent_to_https() {
    let gate = Gate::start(
        r#"
version: 1
listeners: [{ name: plain, address: "127.0.0.1:0", redirect_to_https: { port: 8443 } }]
apis: [{ name: a, to: { respond: { status: 200 } } }]
"#,
    );
    let answer = e2e::client::get(gate.address("plain"), "/a/b?c=d", &["host: shop.test:8080"]);
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://shop.test:8443/a/b?c=d")));
}
