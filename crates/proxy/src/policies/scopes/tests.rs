use std::sync::Arc;

use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::exchange::{Body, Error, Finding, Learnt};
use crate::policies::{Outcome, Verdict};

fn configuration(api: &str, route: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ {api} }}, routes: [{{ policies: {{ {route} }}, to: {{ echo: {{}} }} }}] }}]
"#
    )
}

/// What a caller with these scopes gets: nothing where it is let in.
fn ask(api: &str, route: &str, scopes: Option<&[&str]>) -> Option<Error> {
    let program = program(&configuration(api, route));
    let mut x = exchange_of(&program, http::Request::get("/").body(Body::Empty).unwrap());
    if let Some(scopes) = scopes {
        let scopes = scopes.iter().map(|&scope| scope.into()).collect();
        let learnt = Some(Arc::new(Learnt { scopes, ..Learnt::default() }));
        x.identify(Finding { method: "jwt", consumer: None, credential: None, learnt }).unwrap();
    }
    let plan = program.routes.iter().rev().find(|plan| !plan.steps.is_empty()).unwrap();
    plan.steps.iter().find_map(|planned| match planned.step.request(&mut x) {
        Verdict::Done(Outcome::Next) => None,
        Verdict::Done(Outcome::Fail(error)) => Some(*error),
        _ => panic!("neither"),
    })
}

#[test]
fn scopes_are_asked_for_on_each_level() {
    let (read, write) = ("scopes: { any: [read, admin] }", "scopes: { all: [write, read] }");
    for (api, route, scopes, code) in [
        (read, "", Some(&["read"][..]), None),
        (read, "", Some(&["x", "admin"]), None),
        (read, "", Some(&["readx"]), Some("scopes.insufficient")),
        (read, "", Some(&[]), Some("scopes.insufficient")),
        (read, "", None, Some("auth.missing")),
        (read, write, Some(&["write", "read"]), None),
        (read, write, Some(&["write", "admin"]), Some("scopes.insufficient")),
        (read, write, Some(&["read"]), Some("scopes.insufficient")),
        ("scopes: { all: [a], any: [b, c] }", "", Some(&["a", "c"]), None),
        ("scopes: { all: [a], any: [b, c] }", "", Some(&["a"]), Some("scopes.insufficient")),
        ("scopes: { all: [a], any: [b, c] }", "", Some(&["c"]), Some("scopes.insufficient")),
    ] {
        let found = ask(api, route, scopes);
        assert_eq!(found.as_ref().map(|error| error.code.name), code, "{api} {route} {scopes:?}");
    }
    let error = ask(read, "", Some(&[])).unwrap();
    let challenge = r#"Bearer realm="a", error="insufficient_scope", scope="read admin""#;
    assert_eq!(error.headers[0].1, challenge);
    assert_eq!(error.cause.unwrap().to_string(), "the credential has none of the scopes `read`, `admin`");
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("scopes: {}", "from 1 to 100 scopes"),
        ("scopes: { all: ['a b'] }", "`a b` is not a scope"),
        ("scopes: { all: [''] }", "is not a scope"),
        ("scopes: { any: ['a\"'] }", "is not a scope"),
    ] {
        let problems = try_program(&configuration(policy, ""), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
