use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::exchange::testing::{answer, environment, exchange_of, program, try_program};
use crate::exchange::{Body, Outgoing};

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
  - {{ name: eve, groups: ["guests,staff", beta], credentials: [{{ key: eve-key, scopes: [read, write] }}] }}
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

/// An upstream may take trailers for headers.
#[tokio::test]
async fn trailers_tell_nothing_either() {
    for (policies, expected) in
        [("key_auth: {}, identity_headers: {}", vec!["sum"]), ("key_auth: {}", vec!["sum", "x-consumer-name"])]
    {
        let text = format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, identify: {{ mode: optional }}, policies: {{ {policies} }}, to: {{ echo: {{}} }} }}]
"#
        );
        let program = program(&text);
        let lies = [("x-consumer-name", "root"), ("sum", "1")];
        let lies =
            lies.map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        let body = Body::Parts([bytes::Bytes::from_static(b"a")].into(), Some(lies.into_iter().collect()));
        let mut x = exchange_of(&program, Request::post("/").body(body).unwrap());
        let local = x.local.clone();
        crate::pipeline::find_route(&mut x, &local);
        let sent = Outgoing::of(&mut x).unwrap().collect().await.unwrap();
        let mut names: Vec<_> = sent.trailers().unwrap().keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{policies}");
    }
}

#[test]
fn one_group_does_not_read_as_two() {
    let told = seen("{ headers: { x-groups: groups, x-scopes: scopes } }", Some("eve-key"), &[]);
    assert_eq!(told, json!({ "x-groups": "beta", "x-scopes": "read write" }));
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

mod token {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;
    use crate::clock::Clock;
    use crate::exchange::testing::program_in;
    use crate::program::{Environment, Program};
    use crate::tokens::keys::Keys;
    use crate::tokens::rules::Rules;
    use crate::tokens::token::Token;
    use crate::tokens::verify::verify;

    const NOW: u64 = 1_800_000_000;

    fn gate(jwt: &str) -> (Arc<Program>, Arc<AtomicU64>) {
        let (clock, hand) = Clock::manual();
        hand.store(NOW * 1_000_000_000, Relaxed);
        let yaml = configuration(&format!("{{ headers: {{}}, jwt: {jwt} }}")).replace(
            "apis:\n",
            "apis:\n  - { name: keys, path: /keys, to: { jwks: { issuer: 'https://gate.test' } } }\n",
        );
        (program_in(&yaml, &Environment { clock, ..environment() }), hand)
    }

    fn asked(program: &Arc<Program>, path: &str, fields: &[(&str, &str)]) -> Value {
        let request = fields.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        serde_json::from_slice(answer(program, request.body(Body::Empty).unwrap()).body()).unwrap()
    }

    /// The token that the upstream gets.
    fn told(program: &Arc<Program>, fields: &[(&str, &str)]) -> Option<String> {
        asked(program, "/", fields)["headers"]["x-tollgate-identity"].as_str().map(str::to_owned)
    }

    #[test]
    fn the_upstream_gets_a_token_that_the_published_keys_verify() {
        let (program, hand) = gate(
            "{ issuer: 'https://gate.test', audience: users, lifetime: 1m, more: { city: { cel: auth.consumer.metadata.city }, kind: app, none: { cel: auth.claims.x } } }",
        );
        let forged = [("x-tollgate-identity", "forged"), ("x_tollgate-identity", "forged")];
        let nobody = asked(&program, "/", &forged);
        assert!(!nobody.to_string().contains("forged"), "{nobody}");
        let ann = [("x-api-key", "ann-key"), ("x-tollgate-identity", "forged"), ("x-tollgate-identity", "twice")];
        let first = told(&program, &ann).unwrap();
        let keys = Arc::new(Keys::jwks(asked(&program, "/keys", &[]).to_string().as_bytes(), &[]).unwrap());
        let token = Token::parse(first.as_bytes()).unwrap();
        let rules = Rules {
            issuer: Some("https://gate.test".into()),
            audiences: vec!["users".into()],
            kinds: vec!["identity+jwt".into()],
            ..Rules::default()
        };
        assert_eq!(verify(&token, &keys, &rules, NOW), Ok(NOW + 60));
        assert!(verify(&token, &keys, &Rules::default(), NOW).is_err(), "it is no access token");
        let mut claims = token.claims.clone();
        assert_eq!(claims.remove("jti").unwrap().as_str().unwrap().len(), 22);
        let expected = json!({
            "iss": "https://gate.test", "sub": "ann", "aud": "users", "method": "key_auth", "consumer": "ann",
            "groups": ["staff", "beta"], "plan": "gold", "credential": "first", "city": "Köln", "kind": "app",
            "iat": NOW, "exp": NOW + 60
        });
        assert_eq!(Value::Object(claims), expected);
        // Signed once for half of its life; and each caller has another.
        assert_eq!(told(&program, &ann).unwrap(), first);
        assert_ne!(told(&program, &[("x-api-key", "bob-key")]).unwrap(), first);
        hand.store((NOW + 30) * 1_000_000_000, Relaxed);
        let second = told(&program, &ann).unwrap();
        assert_ne!(second, first);
        let token = Token::parse(second.as_bytes()).unwrap();
        assert_eq!(verify(&token, &keys, &rules, NOW + 30), Ok(NOW + 90));
    }

    #[test]
    fn wrong_configuration_is_a_problem() {
        let good = "issuer: 'https://gate.test', audience: a";
        for (jwt, says) in [
            ("{ audience: a }".to_owned(), "issuer"),
            ("{ issuer: 'https://gate.test', audience: [] }".to_owned(), "names nobody"),
            ("{ issuer: 'https://gate.test/', audience: a }".to_owned(), "no terminal here has the keys"),
            (format!("{{ {good}, lifetime: 2h }}"), "`10s` to `1h`"),
            (format!("{{ {good}, header: date }}"), "set by the gateway itself"),
            (format!("{{ {good}, claims: [sub] }}"), "is the gateway's own"),
            (format!("{{ {good}, claims: email, more: {{ email: x }} }}"), "stands twice"),
            (format!("{{ {good}, more: {{ email: {{ cel: auth.x }} }} }}"), "unknown name"),
        ] {
            let yaml = configuration(&format!("{{ jwt: {jwt} }}")).replace(
                "apis:\n",
                "apis:\n  - { name: keys, path: /keys, to: { jwks: { issuer: 'https://gate.test' } } }\n",
            );
            let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
            assert!(problems.contains(says), "{jwt}: {problems}");
        }
    }
}
