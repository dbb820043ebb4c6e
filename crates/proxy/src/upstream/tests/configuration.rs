//! What is wrong with an upstream is said when it is checked, all of it, with its place.

use crate::exchange::testing::try_program;
use crate::upstream::testing::{environment, yaml};

/// The problems of this upstream, as `tollgate check` shows them.
fn problems(upstream: &str) -> String {
    match try_program(&yaml(upstream, ""), &environment()) {
        Ok(_) => String::new(),
        Err(shown) => shown,
    }
}

#[test]
fn every_wrong_field_is_named() {
    let cases: [(&str, &[&str]); 21] = [
        ("targets: []", &["an upstream has at least one target"]),
        ("targets: [{ url: '10.0.0.1:80' }]", &["`10.0.0.1:80` is not a URL"]),
        ("targets: [{ url: 'ftp://a' }]", &["targets do not speak `ftp`"]),
        ("targets: [{ url: 'http://' }]", &["is not a host and port"]),
        ("targets: [{ url: 'http://[2002%]:80' }]", &["is not a host and port"]),
        ("targets: [{ url: 'http://a..b' }]", &["is not a host and port"]),
        ("targets: [{ url: 'http://a:0' }]", &["has no usable port"]),
        ("targets: [{ url: 'http://a:99999' }]", &["`a:99999`"]),
        ("targets: [{ url: 'http://a/path' }]", &["has more than a host and a port", "`rewrite`"]),
        ("targets: [{ url: 'http://user:pw@a' }]", &["has more than a host and a port"]),
        ("targets: [{ url: 'http://a', weight: 0 }]", &["the weights are all 0"]),
        ("targets: [{ url: 'h2c://a' }], protocol: h1", &["`h2c` targets do not speak `protocol: h1`"]),
        ("targets: [{ url: 'http://a' }], host: 'a/b'", &["`a/b` is not a host"]),
        ("targets: [{ url: 'http://a' }], timeouts: { connect: 0s }", &["`timeouts.connect` of 0"]),
        (
            "targets: [{ url: 'http://a' }], pool: { connections: 0, streams: 0 }",
            &["`pool.connections` of 0", "`pool.streams` of 0"],
        ),
        ("targets: [{ url: 'https://a' }], tls: { ca: /no/such.pem }", &["`/no/such.pem` cannot be read"]),
        ("targets: [{ url: 'https://a' }], tls: { ca: /dev/null }", &["`/dev/null` holds no certificate"]),
        ("targets: [{ url: 'https://a' }], tls: { key: /dev/null }", &["its certificate is missing"]),
        ("targets: [{ url: 'https://a' }], tls: { certificate: /dev/null }", &["its key is missing"]),
        ("targets: [{ url: 'https://a' }], tls: { server_name: 'no name' }", &["`no name` is not a host name"]),
        ("targets: [{ url: 'ftp://a' }, { url: 'gopher://b' }]", &["`ftp`", "`gopher`"]),
    ];
    for (written, expected) in cases {
        let shown = problems(written);
        for expected in expected {
            assert!(shown.contains(expected), "{written}\n{expected}\n{shown}");
        }
        assert!(shown.contains("test.yaml:3:"), "it has a place: {shown}");
    }
}

#[test]
fn what_is_right_is_taken() {
    for written in [
        "targets: [{ url: 'http://10.0.0.1' }, { url: 'http://[2001:db8::1]:8080/' }, { url: 'http://users.internal:81' }]",
        "targets: [{ url: 'https://users.internal' }, { url: 'http://users.internal' }], tls: { server_name: a.example }",
        "targets: [{ url: 'h2c://a' }, { url: 'http://b' }], protocol: h2, host: 'a.example:81', balance: random",
    ] {
        assert_eq!(problems(written), "", "{written}");
    }
}

#[test]
fn files_that_are_absent_here_are_warnings_offline() {
    let env = crate::program::Environment { offline: true, ..environment() };
    let written = "targets: [{ url: 'https://a' }], tls: { ca: /no/such.pem }";
    assert!(try_program(&yaml(written, ""), &env).is_ok());
}
