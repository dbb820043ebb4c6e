use http::Request;
use serde_json::{Value, json};

use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
plans: [{{ name: gold }}]
apis:
  - name: a
    identify: {{ mode: optional }}
    policies: {{ key_auth: {{}}, identity_headers: {policy} }}
    to: {{ echo: {{}} }}
consumers:
  - {{ name: ann, plan: gold, groups: [staff, beta], metadata: {{ odd: "a\nb", city: Köln }}, credentials: [{{ name: first, key: ann-key }}] }}
  - {{ name: bob, credentials: [{{ key: bob-key }}] }}
"#
    )
}

/// The fields that the upstream gets of a request by this key with these fields.
fn seen(policy: &str, key: Option<&str>, fields: &[(&str, &str)]) -> Value {
    let program = program(&configuration(policy));
    let key = key.map(|key| ("x-api-key", key));
    let fields = fields.iter().copied().chain(key);
    let request = fields.fold(Request::get("/"), |request, (name, value)| request.header(name, value));
    let body = answer(&program, request.body(Body::Empty).unwrap()).into_body();
    let mut told: Value = serde_json::from_slice(&body).unwrap();
    let mut headers = told["headers"].take();
    headers.as_object_mut().unwrap().remove("host");
    headers
}

#[test]
fn the_upstream_is_told_and_nobody_else_can_tell_it() {
    let lies = [
        ("x-consumer-name", "root"),
        ("X-Consumer-Name", "admin"),
        ("x_consumer_name", "root"),
        ("x-consumer_groups", "root"),
        ("x-credential-name", "root"),
        ("x-auth-subject", "root"),
        ("x-consumer-names", "kept"),
        ("x_other", "kept"),
    ];
    let kept = json!({ "x-consumer-names": "kept", "x_other": "kept" });
    assert_eq!(seen("{}", None, &lies), kept);
    let mut ann = kept.clone();
    ann["x-consumer-name"] = "ann".into();
    ann["x-consumer-groups"] = "staff,beta".into();
    // The echo hides what may be a credential by its name.
    ann["x-credential-name"] = "***".into();
    assert_eq!(seen("{}", Some("ann-key"), &lies), ann);
    assert_eq!(seen("{}", Some("bob-key"), &[]), json!({ "x-consumer-name": "bob", "x-credential-name": "***" }));
}

#[test]
fn chosen_fields_have_chosen_values() {
    let policy = "{ headers: { x-plan: plan, x-how: method, x-scopes: scopes, x-city: { cel: auth.consumer.metadata.city }, \
                  x-odd: { cel: auth.consumer.metadata.odd }, x-none: { cel: auth.claims.email } } }";
    let lies = [("x-odd", "root"), ("x-none", "root"), ("x-scopes", "root"), ("x-consumer-name", "not of this policy")];
    let told = seen(policy, Some("ann-key"), &lies);
    let city = told["x-city"].as_str().unwrap().to_owned();
    assert_eq!(city, "Köln");
    let expected =
        json!({ "x-plan": "gold", "x-how": "key_auth", "x-city": city, "x-consumer-name": "not of this policy" });
    assert_eq!(told, expected);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ headers: {} }", "from 1 to 64"),
        ("{ headers: { x-a: consumers } }", "`consumers` is nothing of an identity"),
        ("{ headers: { x-a: { cel: auth.consumr } } }", "unknown name"),
        ("{ headers: { content-length: consumer } }", "is set by the gateway itself"),
        ("{ headers: { 'x a': consumer } }", "is not a header name"),
        ("{ when: 'has(auth)' }", "`when` cannot stand on `identity_headers`"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
