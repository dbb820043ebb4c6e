use std::sync::Arc;

use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::exchange::{Body, Error, Finding, Learnt};
use crate::policies::{Outcome, Verdict};
use crate::program::RouteId;

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ rbac: {policy} }} }}]
apis:
  - name: users
    path: /users
    routes:
      - {{ name: read, match: {{ path: /read }}, to: {{ echo: {{}} }} }}
      - {{ name: write, match: {{ path: /write }}, to: {{ echo: {{}} }} }}
  - {{ name: files, path: /files, to: {{ echo: {{}} }} }}
consumers:
  - {{ name: ann, groups: [reader], tags: [blue] }}
  - {{ name: bob, groups: [editor] }}
"#
    )
}

const ROLES: &str = "{ roles: [
    { name: reader, permissions: [{ api: users, methods: [GET] }] },
    { name: editor, inherits: [reader], permissions: [{ api: users, routes: [write], methods: [PUT, POST] }] },
    { name: chief, inherits: [editor], values: [boss, 'a b'], permissions: [{ api: files }] },
    { name: root, permissions: [{ api: '*' }] }]";

/// What a caller gets on a route, by its names; nothing where it may.
fn ask(policy: &str, caller: Option<&str>, claims: serde_json::Value, method: &str, route: &str) -> Option<Error> {
    let program = program(&configuration(policy));
    let request = http::Request::builder().method(method).uri("/").body(Body::Empty).unwrap();
    let mut x = exchange_of(&program, request);
    let named = |at: &usize| format!("{}/{}", program.routes[*at].api, program.routes[*at].name) == route;
    let at = (0..program.routes.len()).rev().find(named).unwrap();
    x.route = RouteId(u32::try_from(at).unwrap());
    if let Some(name) = caller {
        let words = |name: &str| {
            let words = claims.get(name).and_then(|words| words.as_array());
            words.into_iter().flatten().map(|word| word.as_str().unwrap().into()).collect()
        };
        let claims_map = claims.as_object().cloned().unwrap_or_default();
        let learnt = Learnt { scopes: words("scopes"), groups: words("groups"), claims: claims_map, subject: None };
        let consumer = program.consumers.by_name(name).map(|consumer| consumer.slot);
        x.identify(Finding { method: "jwt", consumer, credential: None, learnt: Some(Arc::new(learnt)) }).unwrap();
    }
    match program.routes[at].steps[0].step.request(&mut x) {
        Verdict::Done(Outcome::Next) => None,
        Verdict::Done(Outcome::Fail(error)) => Some(*error),
        _ => panic!("neither"),
    }
}

#[test]
fn roles_permit_and_inherit() {
    let policy = format!("{ROLES} }}");
    let groups = |groups: &[&str]| serde_json::json!({ "groups": groups });
    for (caller, claims, method, route, passes) in [
        ("ann", groups(&[]), "GET", "users/read", true),
        ("ann", groups(&[]), "HEAD", "users/read", true),
        ("ann", groups(&[]), "GET", "users/write", true),
        ("ann", groups(&[]), "PUT", "users/write", false),
        ("ann", groups(&[]), "GET", "files/0", false),
        ("bob", groups(&[]), "GET", "users/read", true),
        ("bob", groups(&[]), "PUT", "users/write", true),
        ("bob", groups(&[]), "PUT", "users/read", false),
        ("bob", groups(&[]), "DELETE", "users/write", false),
        ("eve", groups(&[]), "GET", "users/read", false),
        ("eve", groups(&["boss"]), "DELETE", "files/0", true),
        ("eve", groups(&["a b"]), "PUT", "users/write", true),
        ("eve", groups(&["chief"]), "GET", "files/0", false),
        ("eve", groups(&["root"]), "TRACE", "files/0", true),
        ("eve", groups(&["Reader", "x"]), "GET", "users/read", false),
        ("ann", groups(&["editor"]), "POST", "users/write", true),
    ] {
        let found = ask(&policy, Some(caller), claims.clone(), method, route);
        assert_eq!(found.is_none(), passes, "{caller} {claims} {method} {route}");
        assert!(found.is_none_or(|error| error.code.name == "rbac.denied"));
    }
    let nobody = ask(&policy, None, serde_json::json!({}), "GET", "users/read");
    assert_eq!(nobody.unwrap().code.name, "auth.missing");
    assert!(ask(&policy, None, serde_json::json!({}), "GET", "/").is_none(), "no route is no secret");
}

#[test]
fn roles_come_from_where_it_is_said() {
    let claims = serde_json::json!({ "scopes": ["reader"], "realm": { "roles": ["root"] }, "role": "x editor" });
    for (from, method, route, passes) in [
        ("groups", "GET", "users/read", false),
        ("scopes", "GET", "users/read", true),
        ("{ claim: realm.roles }", "PUT", "files/0", true),
        ("{ claim: role }", "PUT", "users/write", true),
        ("{ claim: none }", "GET", "users/read", false),
        ("[tags, scopes]", "GET", "users/read", true),
    ] {
        let found = ask(&format!("{ROLES}, from: {from} }}"), Some("eve"), claims.clone(), method, route);
        assert_eq!(found.is_none(), passes, "{from}");
    }
    let blue = "{ roles: [{ name: r, values: [blue], permissions: [{ api: files }] }], from: tags }";
    assert!(ask(blue, Some("ann"), serde_json::json!({}), "GET", "files/0").is_none());
    assert!(ask(blue, Some("bob"), serde_json::json!({ "groups": ["blue"] }), "GET", "files/0").is_some());
}

#[test]
fn the_reason_is_for_the_log() {
    let denied = |more: &str| {
        ask(&format!("{ROLES}{more} }}"), Some("bob"), serde_json::json!({}), "DELETE", "files/0").unwrap()
    };
    let why = "the caller's roles (reader, editor) do not permit DELETE on `files/0`";
    let hidden = denied("");
    assert_eq!(
        (hidden.detail.as_ref(), hidden.cause.unwrap().to_string()),
        ("The caller may not do this.", why.into())
    );
    assert_eq!(denied(", tell: client").detail, format!("The caller may not do this: {why}."));
    let none = ask(&format!("{ROLES} }}"), Some("eve"), serde_json::json!({}), "GET", "files/0").unwrap();
    assert_eq!(none.cause.unwrap().to_string(), "the caller has no role, for GET on `files/0`");
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ roles: [] }", "from 1 to 256 `roles`"),
        ("{ roles: [{ name: r, permissions: [{ api: user }] }] }", "unknown api `user`; did you mean `users`?"),
        (
            "{ roles: [{ name: r, permissions: [{ api: users, routes: [raed] }] }] }",
            "unknown route `raed`; did you mean `read`?",
        ),
        ("{ roles: [{ name: r, permissions: [{ api: '*', routes: [read] }] }] }", "those of one api"),
        ("{ roles: [{ name: r, permissions: [{ api: users, methods: [get] }] }] }", "`get` is not a method"),
        ("{ roles: [{ name: r, inherits: [s] }] }", "unknown role `s`"),
        ("{ roles: [{ name: r, inherits: [r] }] }", "role `r` inherits from itself"),
        (
            "{ roles: [{ name: a, inherits: [b] }, { name: b, inherits: [c] }, { name: c, inherits: [a] }, { name: d, inherits: [a] }] }",
            "role `b` inherits from itself",
        ),
        ("{ roles: [{ name: r }, { name: r }] }", "two roles are named `r`"),
        ("{ roles: [{ name: r }], from: group }", "groups"),
        ("{ roles: [{ name: r }], from: [] }", "`from` is empty"),
        ("{ roles: [{ name: r }], from: { header: x } }", "header"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
        assert!(!problems.contains("role `d` inherits"), "it is no part of the round: {problems}");
    }
}
