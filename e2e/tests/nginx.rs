//! A real nginx as the upstream: HTTP/1.1 and HTTP/2, plain and over TLS that is verified.

use e2e::client::{Client, call, get};
use e2e::{Authority, Gate, Nginx};

/// What nginx says of a request: its protocol and connection, the name of TLS and the client's certificate.
const TELLS: &str = r#"return 200 "$server_protocol $connection_requests $request_method $host [$ssl_server_name] [$ssl_client_s_dn]";"#;

/// A gate of one worker whose upstream has these fields, with files beside its configuration.
fn gate(upstream: &str, files: &[(&str, &str)]) -> Gate {
    let text = format!(
        r#"
version: 1
workers: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, host: preserve, {upstream} }}]
apis: [{{ name: a, to: u }}]
"#
    );
    Gate::start_with(&text, files, &[])
}

#[test]
fn plain_http_1_with_bodies_of_every_kind() {
    let server = "location / { root files; } location /tells { TELLS } client_max_body_size 10m; location /dav { root files; dav_methods PUT DELETE; create_full_put_path on; }"
        .replace("TELLS", TELLS);
    let nginx = Nginx::start("", &server, &[]);
    let large = "0123456789abcdef".repeat(64 << 10);
    std::fs::create_dir(nginx.folder().join("files")).unwrap();
    std::fs::write(nginx.folder().join("files/large"), &large).unwrap();
    let gate = gate(&format!("targets: [{{ url: \"http://{}\" }}]", nginx.address), &[]);
    let address = gate.address("public");
    // Kept: nginx counts the requests of the one connection.
    for at in 1..=3 {
        assert_eq!(get(address, "/tells", &[]).text(), format!("HTTP/1.1 {at} GET gate.test [] []"));
    }
    let whole = get(address, "/large", &[]);
    assert_eq!((whole.status, whole.text() == large), (200, true));
    let part = get(address, "/large", &["range: bytes=4-7"]);
    assert_eq!((part.status, part.text().as_str()), (206, "4567"));
    let etag = whole.header("etag").expect("nginx gives one").to_owned();
    let unchanged = get(address, "/large", &[&format!("if-none-match: {etag}")]);
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, Some(etag.as_str())));
    let mut client = Client::connect(address);
    client.send("HEAD /large HTTP/1.1\r\nhost: gate.test\r\n\r\n");
    let head = client.read_head().expect("an answer");
    assert_eq!(head.header("content-length"), Some(large.len().to_string().as_str()));
    assert_eq!(client.call("GET /tells HTTP/1.1\r\nhost: gate.test\r\n\r\n").status, 200, "HEAD has no body");
    assert_eq!(call(address, "PUT", "/dav/file", &[], &large).status, 201);
    assert!(std::fs::read_to_string(nginx.folder().join("files/dav/file")).unwrap() == large, "it came whole");
    assert_eq!(call(address, "DELETE", "/dav/file", &[], "").status, 204);
    assert_eq!(get(address, "/absent", &[]).status, 404);
}

#[test]
fn http_2_in_the_clear_and_over_tls() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("nginx", &["nginx.test", "127.0.0.1"]);
    let ca = authority.pem();
    let files = [("a.pem", certificate.as_str()), ("a.key", &key)];
    let secure = format!("ssl_certificate a.pem; ssl_certificate_key a.key; location / {{ {TELLS} }}");
    let plain = format!("location / {{ {TELLS} }}");
    for (listen, server, scheme, protocol, expected) in [
        ("http2", &plain, "h2c", "auto", "HTTP/2.0"),
        ("http2", &plain, "http", "h2", "HTTP/2.0"),
        ("", &plain, "http", "auto", "HTTP/1.1"),
        ("ssl http2", &secure, "https", "auto", "HTTP/2.0"),
        ("ssl http2", &secure, "https", "h1", "HTTP/1.1"),
        ("ssl", &secure, "https", "auto", "HTTP/1.1"),
    ] {
        let nginx = Nginx::start(listen, server, &files);
        let upstream = format!(
            "protocol: {protocol}, tls: {{ ca: ca.pem }}, targets: [{{ url: \"{scheme}://{}\" }}]",
            nginx.address
        );
        let gate = gate(&upstream, &[("ca.pem", &ca)]);
        for method in ["GET", "POST"] {
            let answer = call(gate.address("public"), method, "/", &[], if method == "POST" { "body" } else { "" });
            let text = answer.text();
            assert!(text.starts_with(expected), "{listen:?} {scheme} {protocol}: {text}");
            assert!(text.contains(&format!("{method} gate.test")), "{text}");
        }
    }
}

#[test]
fn a_target_that_does_not_speak_http_2_is_an_answer_where_only_that_is_spoken() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("nginx", &["127.0.0.1"]);
    let server = format!("ssl_certificate a.pem; ssl_certificate_key a.key; location / {{ {TELLS} }}");
    let nginx = Nginx::start("ssl", &server, &[("a.pem", &certificate), ("a.key", &key)]);
    let upstream = format!("protocol: h2, tls: {{ ca: ca.pem }}, targets: [{{ url: \"https://{}\" }}]", nginx.address);
    let gate = gate(&upstream, &[("ca.pem", &authority.pem())]);
    assert_eq!(get(gate.address("public"), "/", &[]).status, 502);
}

#[test]
fn tls_is_verified_and_fails_closed() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (ca, other) = (authority.pem(), stranger.pem());
    let good = authority.sign("nginx", &["127.0.0.1", "nginx.test"]);
    let wrong = authority.sign("nginx", &["other.test"]);
    let expired = authority.sign_expired("nginx", &["127.0.0.1"]);
    let foreign = stranger.sign("nginx", &["127.0.0.1"]);
    for (what, (certificate, key), tls, expected) in [
        ("a good one", &good, "ca: ca.pem", Ok("[]")),
        ("by the name that is sent", &good, "ca: ca.pem, server_name: nginx.test", Ok("[nginx.test]")),
        ("of another name", &wrong, "ca: ca.pem", Err("upstream.certificate")),
        ("of that other name", &wrong, "ca: ca.pem, server_name: other.test", Ok("[other.test]")),
        ("not that name either", &good, "ca: ca.pem, server_name: other.test", Err("upstream.certificate")),
        ("of another authority", &foreign, "ca: ca.pem", Err("upstream.certificate")),
        ("of an authority that the system does not know", &good, "verify: on", Err("upstream.certificate")),
        ("expired", &expired, "ca: ca.pem", Err("upstream.certificate")),
        ("whatever, as nobody looks", &foreign, "verify: off", Ok("[]")),
    ] {
        let server = format!("ssl_certificate a.pem; ssl_certificate_key a.key; location / {{ {TELLS} }}");
        let nginx = Nginx::start("ssl http2", &server, &[("a.pem", certificate), ("a.key", key)]);
        let upstream = format!("tls: {{ {tls} }}, targets: [{{ url: \"https://{}\" }}]", nginx.address);
        let gate = gate(&upstream, &[("ca.pem", &ca), ("other.pem", &other)]);
        let answer = get(gate.address("public"), "/", &[]);
        match expected {
            Ok(name) => assert!(answer.status == 200 && answer.text().contains(name), "{what}: {}", answer.text()),
            Err(code) => {
                assert_eq!((answer.status, answer.json()["code"].as_str()), (502, Some(code)), "{what}");
                let detail = answer.text();
                assert!(!detail.contains(&nginx.address.to_string()), "{what} tells an address: {detail}");
            }
        }
    }
}

#[test]
fn a_client_certificate_is_shown_to_who_asks() {
    let authority = Authority::new();
    let ca = authority.pem();
    let (certificate, key) = authority.sign("nginx", &["127.0.0.1"]);
    let (own, own_key) = authority.sign("tollgate", &["gate.test"]);
    let (foreign, foreign_key) = Authority::new().sign("mallory", &["gate.test"]);
    let server = format!(
        "ssl_certificate a.pem; ssl_certificate_key a.key; ssl_verify_client on; ssl_client_certificate ca.pem; \
         location / {{ {TELLS} }}"
    );
    let nginx = Nginx::start("ssl", &server, &[("a.pem", &certificate), ("a.key", &key), ("ca.pem", &ca)]);
    let files = [
        ("ca.pem", ca.as_str()),
        ("own.pem", &own),
        ("own.key", &own_key),
        ("foreign.pem", &foreign),
        ("foreign.key", &foreign_key),
    ];
    for (more, expected) in [
        (", certificate: own.pem, key: own.key", (200, "[CN=tollgate]")),
        // nginx takes the connection and answers 400 itself.
        ("", (400, "No required SSL certificate")),
        (", certificate: foreign.pem, key: foreign.key", (400, "SSL certificate error")),
    ] {
        let upstream = format!("tls: {{ ca: ca.pem{more} }}, targets: [{{ url: \"https://{}\" }}]", nginx.address);
        let answer = get(gate(&upstream, &files).address("public"), "/", &[]);
        assert!(answer.status == expected.0 && answer.text().contains(expected.1), "{more}: {}", answer.text());
    }
}
