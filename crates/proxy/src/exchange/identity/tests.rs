use std::sync::Arc;

use super::{Finding, Learnt};
use crate::exchange::testing::{exchange_of, program};
use crate::exchange::{Body, Exchange};
use crate::program::{ConsumerSlot, Program};

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis: [{ name: a, to: { echo: {} } }]
plans: [{ name: free }, { name: gold }]
consumers: [{ name: mobile, plan: gold }, { name: partner }, { name: gone, enabled: false }]
"#;

fn exchange(program: &Arc<Program>) -> Box<Exchange> {
    exchange_of(program, http::Request::get("/").body(Body::Empty).unwrap())
}

fn slot(program: &Program, name: &str) -> Option<ConsumerSlot> {
    program.consumers.by_name(name).map(|consumer| consumer.slot)
}

fn learnt(subject: Option<&str>, scopes: &[&str], claims: serde_json::Value) -> Arc<Learnt> {
    Arc::new(Learnt {
        subject: subject.map(Into::into),
        scopes: scopes.iter().map(|&scope| scope.into()).collect(),
        groups: scopes.iter().map(|&scope| scope.into()).collect(),
        claims: claims.as_object().cloned().unwrap(),
    })
}

fn found(method: &'static str, consumer: Option<ConsumerSlot>, learnt: Option<Arc<Learnt>>) -> Finding {
    Finding { method, consumer, credential: consumer.map(|_| format!("{method}-1").into()), learnt }
}

#[test]
fn two_steps_must_mean_one_consumer() {
    let program = program(CONFIGURATION);
    // What each step found; the code of the refusal, or who it is, by what, and how many steps knew.
    let (m, p, gone) = (Some("mobile"), Some("partner"), Some("gone"));
    for (steps, expected) in [
        (&[("a", m)][..], Ok((m, "a", 1))),
        (&[("a", None)], Ok((None, "a", 1))),
        (&[("a", m), ("b", m)], Ok((m, "a", 2))),
        (&[("a", m), ("b", None)], Ok((m, "a", 2))),
        (&[("a", None), ("b", m)], Ok((m, "b", 2))),
        (&[("a", None), ("b", m), ("c", p)], Err("auth.conflict")),
        (&[("a", m), ("b", p)], Err("auth.conflict")),
        (&[("a", gone)], Err("auth.consumer_disabled")),
        (&[("a", m), ("b", gone)], Err("auth.consumer_disabled")),
    ] {
        let mut x = exchange(&program);
        let outcome = steps
            .iter()
            .try_for_each(|(method, name)| x.identify(found(method, name.and_then(|name| slot(&program, name)), None)));
        match expected {
            Err(code) => assert_eq!(outcome.unwrap_err().code.name, code, "{steps:?}"),
            Ok((name, method, count)) => {
                outcome.unwrap();
                let identity = x.identity.as_ref().unwrap();
                assert_eq!(identity.consumer, name.and_then(|name| slot(&program, name)), "{steps:?}");
                assert_eq!((identity.method, x.identified), (method, count), "{steps:?}");
                assert_eq!(identity.plan, name.map(|_| 1), "{steps:?}");
                assert_eq!(identity.credential.as_deref(), name.map(|_| format!("{method}-1")).as_deref());
            }
        }
    }
}

#[test]
fn what_several_steps_learn_is_joined() {
    let program = program(CONFIGURATION);
    let mut x = exchange(&program);
    let first = learnt(None, &["read"], serde_json::json!({ "iss": "one", "level": 1 }));
    x.identify(found("a", None, Some(first.clone()))).unwrap();
    assert!(Arc::ptr_eq(&first, x.identity.as_ref().unwrap().learnt.as_ref().unwrap()), "no copy of the only one");
    let second = learnt(Some("ann"), &["write", "read"], serde_json::json!({ "iss": "two", "email": "a@b" }));
    x.identify(found("b", slot(&program, "mobile"), Some(second))).unwrap();
    x.identify(found("c", None, None)).unwrap();
    let joined = x.identity.as_ref().unwrap().learnt.clone().unwrap();
    let claims = serde_json::json!({ "iss": "one", "level": 1, "email": "a@b" });
    let expected = Learnt { subject: Some("ann".into()), ..(*learnt(None, &["read", "write"], claims)).clone() };
    assert_eq!(*joined, expected);
}
