use std::sync::Arc;

use crate::exchange::testing::{environment, exchange_of, program, program_in, try_program};
use crate::exchange::{Body, Error, Exchange, Finding, Learnt};
use crate::policies::{Outcome, Verdict};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ authz: {policy} }}, to: {{ echo: {{}} }} }}]
consumers: [{{ name: ann, groups: [staff] }}]
"#
    )
}

/// An exchange by nobody, or by the holder of a token with these claims.
fn exchange(yaml: &str, uri: &str, claims: Option<serde_json::Value>) -> Box<Exchange> {
    let program = program(yaml);
    let mut x = exchange_of(&program, http::Request::get(uri).header("x-a", "1").body(Body::Empty).unwrap());
    x.challenges.push(http::HeaderValue::from_static("Bearer"));
    if let Some(claims) = claims {
        let learnt = Learnt { claims: claims.as_object().unwrap().clone(), ..Learnt::default() };
        let consumer = program.consumers.by_name("ann").map(|consumer| consumer.slot);
        let found = Finding { method: "jwt", consumer, credential: None, learnt: Some(Arc::new(learnt)) };
        x.identify(found).unwrap();
    }
    x
}

fn ask(x: &mut Exchange) -> Option<Error> {
    let program = x.local.program.clone();
    let plan = program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap();
    match plan.steps[0].step.request(x) {
        Verdict::Done(Outcome::Next) => None,
        Verdict::Done(Outcome::Fail(error)) => Some(*error),
        _ => panic!("neither"),
    }
}

#[test]
fn the_first_rule_that_applies_decides() {
    let rules = "{ rules: [
        { name: closed, when: 'request.path.startsWith(\"/closed\")', effect: deny, reason: it is closed },
        { name: staff, when: '\"staff\" in auth.groups', effect: allow },
        { name: open, when: 'request.path == \"/open\"', effect: allow }] }";
    for (uri, known, code, rule) in [
        ("/closed", true, Some("authz.denied"), Some("closed")),
        ("/closed", false, Some("auth.missing"), Some("closed")),
        ("/x", true, None, Some("staff")),
        ("/open", false, None, Some("open")),
        ("/x", false, Some("auth.missing"), None),
    ] {
        let mut x = exchange(&configuration(rules), uri, known.then(|| serde_json::json!({})));
        let found = ask(&mut x);
        assert_eq!(found.as_ref().map(|error| error.code.name), code, "{uri} {known}");
        assert_eq!(x.record.rule.as_deref(), rule, "{uri} {known}");
        let cause = found.and_then(|error| Some(error.cause?.to_string()));
        assert_eq!(cause.is_some_and(|cause| cause == "rule `closed` denies it: it is closed"), uri == "/closed");
    }
}

/// What nobody can say is denied by a rule that denies, and not allowed by one that allows.
#[test]
fn it_fails_closed() {
    let claims = serde_json::json!({ "level": 3, "text": "3", "list": ["a", 1], "flag": true, "object": { "a": 1 } });
    for (when, allows, denies) in [
        ("auth.claims.level < 3", false, false),
        ("auth.claims.level >= 3", true, true),
        ("auth.claims.none < 3", false, true),
        ("!(auth.claims.none < 3)", true, true),
        ("auth.claims.text < 3", false, true),
        ("int(auth.claims.text) < 5", true, true),
        ("int(request.query.n) < 5", false, true),
        ("int(request.query.n) < 5 && request.path == '/other'", false, false),
        ("int(request.query.n) < 5 || request.path == '/'", true, true),
        ("request.path == '/other' ? true : int(request.query.n) < 5", false, true),
        ("has(request.query.n) && int(request.query.n) < 5", false, false),
        ("request.headers['x-none'] == 'yes'", false, false),
        ("request.headers['x-none'].contains('yes')", false, false),
        ("auth.claims.level.startsWith('3')", false, true),
        ("auth.claims.level.matches('3')", false, true),
        ("auth.claims.none.matches('3')", false, false),
        ("auth.claims.flag", true, true),
        ("auth.claims.text", false, true),
        ("auth.claims.none", false, false),
        ("'a' in auth.claims.list", true, true),
        ("'a' in auth.claims.text", false, true),
        ("'a' in auth.claims.none", false, false),
        ("auth.claims.list.exists(item, item == 'a')", true, true),
        ("auth.claims.list.exists(item, item > 5)", false, true),
        ("auth.claims.list.all(item, item != 'z')", true, true),
        ("auth.claims.text.all(item, item != 'z')", false, true),
        ("auth.claims.list.exists_one(item, item == 1)", true, true),
        ("inNetwork(auth.claims.text, '10.0.0.0/8')", false, true),
        ("inNetwork(auth.claims.none, '10.0.0.0/8')", false, false),
        ("auth.claims.level != auth.claims.none", true, true),
        ("request.path.size() / 0 > 1", false, true),
    ] {
        let verdict = |rule: &str, default: &str| {
            let rule = format!("{{ rules: [{{ name: r, when: \"{when}\", effect: {rule} }}], default: {default} }}");
            ask(&mut exchange(&configuration(&rule), "/", Some(claims.clone()))).is_some()
        };
        assert_eq!(!verdict("allow", "deny"), allows, "allow {when}");
        assert_eq!(verdict("deny", "allow"), denies, "deny {when}");
    }
}

#[test]
fn the_reason_is_for_the_log() {
    let policy = |more: &str| {
        configuration(&format!(
            "{{ rules: [{{ name: r, when: 'true', effect: deny, reason: the account is closed. }}]{more} }}"
        ))
    };
    let known = || Some(serde_json::json!({}));
    let hidden = ask(&mut exchange(&policy(""), "/", known())).unwrap();
    assert_eq!(hidden.detail, "The caller may not do this.");
    assert_eq!(hidden.cause.unwrap().to_string(), "rule `r` denies it: the account is closed.");
    let told = ask(&mut exchange(&policy(", tell: client"), "/", known())).unwrap();
    assert_eq!(told.detail, "The caller may not do this: the account is closed.");
    let default = configuration("{ rules: [{ name: r, when: 'false', effect: allow }], tell: client }");
    let by_default = ask(&mut exchange(&default, "/", known())).unwrap();
    assert_eq!(by_default.detail, "The caller may not do this.");
}

#[test]
fn a_shadow_denies_nobody_and_says_whom_it_would() {
    let yaml = configuration("{ rules: [{ name: r, when: 'true', effect: deny, reason: why }], mode: shadow }");
    let mut x = exchange(&yaml, "/", None);
    assert!(ask(&mut x).is_none());
    assert_eq!(x.record.shadow_denied.as_deref(), Some("authz: rule `r` denies it: why"));
    assert_eq!(x.challenges.len(), 1, "others may still need them");
    let metrics = x.local.program.telemetry.metrics(&x.local.program, crate::telemetry::Format::Prometheus);
    assert!(metrics.contains(r#"tollgate_denied_total{policy="authz",rule="r",mode="shadow"} 1"#), "{metrics}");
}

#[test]
fn every_level_has_to_allow() {
    let yaml = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis:
  - name: a
    policies: { authz: { rules: [{ name: outer, when: 'request.path == "/x"', effect: allow }] } }
    routes:
      - match: { prefix: / }
        policies: { authz: { rules: [{ name: inner, when: 'has(request.query.q)', effect: allow }] } }
        to: { respond: {} }
"#;
    let program = program_in(yaml, &environment());
    for (uri, status) in [("/x?q=1", 200), ("/x", 403), ("/y?q=1", 403)] {
        let request = http::Request::get(uri).body(Body::Empty).unwrap();
        assert_eq!(crate::exchange::testing::answer(&program, request).status(), status, "{uri}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ rules: [] }", "from 1 to 1000 rules"),
        ("{ rules: [{ name: r, when: 'request.pat', effect: allow }] }", "did you mean `request.path`?"),
        ("{ rules: [{ name: r, when: 'request.path', effect: allow }] }", "a condition is asked for"),
        ("{ rules: [{ name: r, when: 'response.status == 200', effect: allow }] }", "there is no answer yet"),
        ("{ rules: [{ name: r, when: 'true', effect: permit }] }", "permit"),
        ("{ rules: [{ name: r, effect: allow }] }", "when"),
        (
            "{ rules: [{ name: r, when: 'true', effect: allow }, { name: r, when: 'true', effect: deny }] }",
            "two rules are named `r`",
        ),
        ("{ rules: [{ name: r, when: 'true', effect: deny, reason: \"a\\nb\" }] }", "one line"),
        ("{ rules: [{ name: r, when: 'true', effect: allow }], mode: dry }", "dry"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
