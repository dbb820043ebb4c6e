use http::Request;

use crate::exchange::Body;
use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::policies::{Outcome, Verdict};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ upstream_auth: {policy} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

#[test]
fn what_is_fixed_replaces_what_the_client_shows() {
    for (policy, name, value) in [
        ("{ header: { name: x-key, value: s3cret } }", "x-key", "s3cret"),
        ("{ basic: { username: gate, password: 'a:b' } }", "authorization", "Basic Z2F0ZTphOmI="),
        ("{ bearer: t0ken }", "authorization", "Bearer t0ken"),
    ] {
        let program = program(&configuration(policy));
        let request = Request::get("/").header(name, "forged").header(name, "twice").body(Body::Empty).unwrap();
        let mut x = exchange_of(&program, request);
        let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
        assert!(matches!(plan.steps[0].step.request(&mut x), Verdict::Done(Outcome::Next)));
        let shown: Vec<_> = x.request.headers.get_all(name).iter().collect();
        assert_eq!(shown, [value]);
        assert!(shown[0].is_sensitive());
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    let server = "{ url: 'https://id.test/token', client: { id: a, secret: b } }";
    for (policy, says) in [
        ("{}".to_owned(), "one of `header`"),
        (format!("{{ bearer: a, client_credentials: {server} }}"), "one of `header`"),
        ("{ header: { name: 'x y', value: a } }".to_owned(), "not a header name"),
        ("{ header: { name: content-length, value: a } }".to_owned(), "set by the gateway itself"),
        ("{ header: { name: x, value: \"a\\nb\" } }".to_owned(), "control characters"),
        ("{ bearer: '' }".to_owned(), "the secret is empty"),
        ("{ basic: { username: 'a:b', password: c } }".to_owned(), "no colon"),
        ("{ client_credentials: { url: id.test, client: { id: a, secret: b } } }".to_owned(), "not an HTTP URL"),
        (
            "{ exchange: { url: 'https://id.test', client: { id: '', secret: b } } }".to_owned(),
            "an `id` and a `secret`",
        ),
        ("{ client_credentials: { url: 'https://id.test' } }".to_owned(), "client"),
    ] {
        let problems = try_program(&configuration(&policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
        assert!(!problems.contains("s3cret"));
    }
}
