use http::Request;
use serde_json::Value;

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(mode: &str, policies: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: shop
    access: identified
    identify: {{ mode: {mode} }}
    policies: {{ {policies} }}
    to: {{ echo: {{}} }}
consumers:
  - {{ name: visitors }}
  - {{ name: off, enabled: false }}
  - {{ name: partner, credentials: [{{ key: partner-key }}, {{ basic: {{ username: p, password: x }} }}] }}
"#
    )
}

/// `p:x`.
const BASIC: (&str, &str) = ("authorization", "Basic cDp4");
const KEY: (&str, &str) = ("x-api-key", "partner-key");

#[test]
fn nobody_is_somebody() {
    let both = "key_auth: {}, basic_auth: {}, anonymous: { consumer: visitors }";
    for (mode, policies, headers, expected) in [
        ("any", both, &[][..], (200, "visitors")),
        ("any", both, &[KEY], (200, "partner")),
        ("any", both, &[("x-api-key", "wrong")], (401, "key_auth.invalid")),
        ("optional", both, &[], (200, "visitors")),
        ("optional", both, &[BASIC], (200, "partner")),
        // Each must be there, or none.
        ("all", both, &[], (200, "visitors")),
        ("all", both, &[KEY, BASIC], (200, "partner")),
        ("all", both, &[KEY], (401, "auth.missing")),
        ("any", "anonymous: { consumer: visitors }", &[], (200, "visitors")),
        ("any", "anonymous: { consumer: off }", &[], (403, "auth.consumer_disabled")),
    ] {
        let program = program(&configuration(mode, policies));
        let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        let (head, body) = answer(&program, request.body(Body::Empty).unwrap()).into_parts();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let found = body["consumer"].as_str().or(body["code"].as_str()).unwrap();
        assert_eq!((head.status.as_u16(), found), expected, "{mode} {policies} {headers:?}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("anonymous: {}", "consumer"),
        ("anonymous: { consumer: visitor }", "unknown consumer `visitor`; did you mean `visitors`?"),
    ] {
        let problems = try_program(&configuration("any", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
