use http::Request;
use model::value::Duration;

use crate::exchange::Body;
use crate::exchange::testing::{environment, exchange_of, program, try_program};
use crate::policies::{Outcome, Verdict};

fn configuration(listener: &str, api: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ {listener} }} }}]
apis: [{{ name: a, policies: {{ timeout: {api} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

#[test]
fn it_replaces_what_it_gives() {
    let ms = |given: Option<u64>| given.map(Duration::from_millis);
    for (listener, api, before, after) in [
        ("", "{ total: 5s }", [Some(1), Some(2), Some(3)], [Some(1), Some(2), Some(5_000)]),
        ("", "{ first_byte: 1s, idle: 2s }", [None, None, Some(3)], [Some(1_000), Some(2_000), Some(3)]),
        // The inner level's policy stands alone.
        ("timeout: { first_byte: 9s }", "{ idle: 2s }", [None; 3], [None, Some(2_000), None]),
    ] {
        let program = program(&configuration(listener, api));
        let mut x = exchange_of(&program, Request::get("/").body(Body::Empty).unwrap());
        [x.timeouts.first_byte, x.timeouts.idle, x.timeouts.total] = before.map(ms);
        let plan = program.routes.iter().find(|plan| &*plan.api == "a").unwrap();
        assert_eq!(plan.steps.len(), 1);
        let Verdict::Done(Outcome::Next) = plan.steps[0].step.request(&mut x) else { panic!("it decided") };
        assert_eq!([x.timeouts.first_byte, x.timeouts.idle, x.timeouts.total], after.map(ms), "{api}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{}", "bounds nothing"),
        ("{ total: 0s }", "not from 1ms to 24h"),
        ("{ total: 25h }", "not from 1ms to 24h"),
        ("{ total: 5 }", "5s"),
        ("{ connect: 5s }", "connect"),
    ] {
        let problems = try_program(&configuration("", policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
