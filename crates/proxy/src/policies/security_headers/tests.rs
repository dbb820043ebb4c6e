use http::{HeaderMap, Request};

use crate::exchange::testing::{answer_to, environment, exchange_of, program, try_program};
use crate::exchange::{Body, Scheme};

fn configuration(policy: &str, respond: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ security_headers: {policy} }} }}]
apis: [{{ name: a, path: /a, to: {{ respond: {respond} }} }}]
"#
    )
}

fn ask(yaml: &str, path: &str, scheme: Scheme) -> HeaderMap {
    let mut x = exchange_of(&program(yaml), Request::get(path).body(Body::Empty).unwrap());
    x.scheme = scheme;
    answer_to(x).into_parts().0.headers
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("-", |value| value.to_str().unwrap())
}

#[test]
fn every_answer_has_the_defaults() {
    for (path, policies) in
        [("/a", "{}"), ("/nowhere", "{}"), ("/a", "{}, ip: { deny: [0.0.0.0/0] }"), ("/a", "{}, error_pages: {}")]
    {
        let headers = ask(&configuration(policies, "{}"), path, Scheme::Https);
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000"),
            ("content-security-policy", "base-uri 'self'; frame-ancestors 'none'; object-src 'none'"),
            ("content-security-policy-report-only", "-"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("permissions-policy", "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "-"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(text(&headers, name), value, "{path} {policies} {name}");
        }
    }
}

#[test]
fn hsts_goes_over_tls_alone() {
    for (hsts, scheme, expected) in [
        ("{}", Scheme::Https, "max-age=31536000"),
        ("{}", Scheme::Http, "-"),
        ("{ send: never }", Scheme::Https, "-"),
        ("{ max_age: 0s }", Scheme::Https, "max-age=0"),
        ("{ max_age: 1h, subdomains: include }", Scheme::Https, "max-age=3600; includeSubDomains"),
        ("{ subdomains: include, preload: ask }", Scheme::Https, "max-age=31536000; includeSubDomains; preload"),
    ] {
        let headers = ask(&configuration(&format!("{{ hsts: {hsts} }}"), "{}"), "/a", scheme);
        assert_eq!(text(&headers, "strict-transport-security"), expected, "{hsts}");
    }
}

#[test]
fn what_the_upstream_set_stays_unless_it_is_to_be_replaced() {
    let own = "{ headers: { x-frame-options: SAMEORIGIN, server: secret, x-powered-by: more } }";
    for (policy, frame, server) in [
        ("{}", "SAMEORIGIN", "secret"),
        ("{ existing: replace }", "DENY", "secret"),
        // What is off is not sent here, so it replaces nothing.
        ("{ existing: replace, frame_options: 'off' }", "SAMEORIGIN", "secret"),
        ("{ remove: [server, x-powered-by] }", "SAMEORIGIN", "-"),
    ] {
        let headers = ask(&configuration(policy, own), "/a", Scheme::Http);
        assert_eq!((text(&headers, "x-frame-options"), text(&headers, "server")), (frame, server), "{policy}");
    }
}

#[test]
fn fields_are_chosen() {
    for (policy, name, value) in [
        (
            "content_security_policy: \"default-src\\n  'none';\\n  base-uri 'none'\"",
            "content-security-policy",
            "default-src 'none'; base-uri 'none'",
        ),
        ("content_security_policy: 'off'", "content-security-policy", "-"),
        ("content_security_policy_report_only: default-src", "content-security-policy-report-only", "default-src"),
        ("content_type_options: 'off'", "x-content-type-options", "-"),
        ("frame_options: same_origin", "x-frame-options", "SAMEORIGIN"),
        ("referrer_policy: no_referrer", "referrer-policy", "no-referrer"),
        ("permissions_policy: 'usb=()'", "permissions-policy", "usb=()"),
        ("cross_origin_opener_policy: unsafe_none", "cross-origin-opener-policy", "unsafe-none"),
        ("cross_origin_embedder_policy: require_corp", "cross-origin-embedder-policy", "require-corp"),
        ("cross_origin_resource_policy: cross_origin", "cross-origin-resource-policy", "cross-origin"),
    ] {
        let headers = ask(&configuration(&format!("{{ {policy} }}"), "{}"), "/a", Scheme::Http);
        assert_eq!(text(&headers, name), value, "{policy}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ hsts: { preload: ask } }", "a year at least"),
        ("{ hsts: { preload: ask, subdomains: include, max_age: 30d } }", "a year at least"),
        ("{ content_security_policy: '' }", "the field is empty"),
        ("{ content_security_policy: \"a\\u0001\" }", "control characters"),
        ("{ frame_options: allow }", "allow"),
        ("{ remove: [content-length] }", "set by the gateway itself"),
        ("{ remove: ['a b'] }", "not a header name"),
        ("{ xss: on }", "xss"),
    ] {
        let problems = try_program(&configuration(policy, "{}"), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
