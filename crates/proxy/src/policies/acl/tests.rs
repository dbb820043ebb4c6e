use std::sync::Arc;

use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::exchange::{Body, Error, Finding, Learnt};
use crate::policies::{Outcome, Verdict};

fn configuration(policy: &str) -> String {
    let many: String = (0..70).map(|at| format!("  - {{ name: c{at} }}\n")).collect();
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ acl: {policy} }}, to: {{ echo: {{}} }} }}]
consumers:
  - {{ name: ann, groups: [staff, beta] }}
  - {{ name: bob, groups: [staff] }}
  - {{ name: eve }}
{many}"#
    )
}

/// What a caller with these groups of its token gets: nothing where it is let in.
fn ask(policy: &str, caller: Option<(&str, &[&str])>) -> Option<Error> {
    let program = program(&configuration(policy));
    let mut x = exchange_of(&program, http::Request::get("/").body(Body::Empty).unwrap());
    x.challenges.push(http::HeaderValue::from_static("Bearer"));
    if let Some((name, groups)) = caller {
        let groups = groups.iter().map(|&group| group.into()).collect();
        let learnt = Some(Arc::new(Learnt { groups, ..Learnt::default() }));
        let consumer = program.consumers.by_name(name).map(|consumer| consumer.slot);
        x.identify(Finding { method: "jwt", consumer, credential: None, learnt }).unwrap();
    }
    let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
    match plan.steps[0].step.request(&mut x) {
        Verdict::Done(Outcome::Next) => None,
        Verdict::Done(Outcome::Fail(error)) => Some(*error),
        _ => panic!("neither"),
    }
}

#[test]
fn callers_are_let_in_by_name_and_group() {
    let staff = "{ allow: { groups: [staff] }, deny: { consumers: [bob] } }";
    for (policy, caller, code) in [
        (staff, Some(("ann", &[][..])), None),
        (staff, Some(("bob", &[])), Some("acl.denied")),
        (staff, Some(("eve", &[])), Some("acl.denied")),
        (staff, Some(("eve", &["x", "staff"])), None),
        (staff, Some(("nobody", &["staff"])), None),
        (staff, Some(("nobody", &["STAFF"])), Some("acl.denied")),
        (staff, None, Some("auth.missing")),
        ("{ allow: { consumers: [eve, c69] } }", Some(("eve", &[])), None),
        ("{ allow: { consumers: [eve, c69] } }", Some(("c69", &[])), None),
        ("{ allow: { consumers: [eve, c69] } }", Some(("c5", &[])), Some("acl.denied")),
        ("{ allow: { consumers: [eve], groups: [beta] } }", Some(("ann", &[])), None),
        ("{ deny: { groups: [beta] } }", Some(("ann", &[])), Some("acl.denied")),
        ("{ deny: { groups: [beta] } }", Some(("bob", &[])), None),
        ("{ deny: { groups: [beta] } }", Some(("bob", &["beta"])), Some("acl.denied")),
        ("{ deny: { groups: [beta] } }", None, None),
    ] {
        let found = ask(policy, caller);
        assert_eq!(found.as_ref().map(|error| error.code.name), code, "{policy} {caller:?}");
        assert_eq!(found.is_some_and(|error| !error.headers.is_empty()), code == Some("auth.missing"));
    }
}

#[test]
fn the_reason_is_for_the_log() {
    let why = "consumer `eve` is not among those allowed, by name or group";
    let hidden = ask("{ allow: { groups: [staff] } }", Some(("eve", &[]))).unwrap();
    assert!(!hidden.detail.contains("eve"), "{}", hidden.detail);
    assert_eq!(hidden.cause.unwrap().to_string(), why);
    let told = ask("{ allow: { groups: [staff] }, tell: client }", Some(("eve", &[]))).unwrap();
    assert!(told.detail.contains(why), "{}", told.detail);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "lets everyone in"),
        ("{ allow: { consumers: [an] } }", "unknown consumer `an`; did you mean `ann`?"),
        ("{ alow: {} }", "alow"),
        ("{ deny: { groups: [x] }, tell: all }", "all"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
