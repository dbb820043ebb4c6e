use std::sync::Arc;

use http::Request;

use super::places::Places;
use crate::exchange::testing::{answer_to, environment, exchange_of, program_in, try_program};
use crate::exchange::{Body, Exchange};
use crate::limit::by::Of;
use crate::policies::{Outcome, Verdict};
use crate::program::{Environment, Program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - {{ name: a, to: {{ respond: {{ status: 200 }} }}, policies: {{ concurrency: {policy} }} }}
"#
    )
}

/// An exchange whose limits have been asked, and whether they let it pass.
fn enter(program: &Arc<Program>, client: &str) -> (Box<Exchange>, bool) {
    let mut x = exchange_of(program, Request::get("/").body(Body::Empty).unwrap());
    x.client = client.parse().unwrap();
    let local = x.local.clone();
    crate::pipeline::find_route(&mut x, &local);
    let step = &local.program.plan(x.route).steps[0].step;
    let passed = matches!(step.request(&mut x), Verdict::Done(Outcome::Next));
    (x, passed)
}

#[test]
fn as_many_as_may_be_and_each_place_is_free_again_however_it_ends() {
    let program =
        program_in(&configuration("{ limits: [{ limit: 2, by: client }, { limit: 3, by: global }] }"), &environment());
    let (one, passed_one) = enter(&program, "192.0.2.1");
    let (_two, passed_two) = enter(&program, "192.0.2.1");
    assert!(passed_one && passed_two);
    let (third, passed) = enter(&program, "192.0.2.1");
    assert!(!passed, "its client has two");
    let (_other, passed) = enter(&program, "192.0.2.2");
    assert!(passed, "the refused one holds no place of all");
    assert!(!enter(&program, "192.0.2.3").1, "three of all");
    drop(third);
    assert!(!enter(&program, "192.0.2.1").1, "what was refused frees nothing");
    // A panic unwinds through the exchange.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = one;
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(enter(&program, "192.0.2.1").1);
}

#[test]
fn places_are_given_back_exactly() {
    let places = Arc::new(Places::default());
    let keys = [Of::Single, Of::V4(1), Of::V6(1), Of::Api("a")];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for at in 0..2_000 {
                    let held: Vec<_> = keys.iter().skip(at % 3).filter_map(|key| places.take(key, 5)).collect();
                    assert!(!held.is_empty());
                }
            });
        }
    });
    assert_eq!(places.taken(), 0);
}

#[test]
fn how_it_is_refused_is_a_choice() {
    for (more, status, code) in [
        ("", 429, "concurrency.exceeded"),
        (", refuse_with: '503'", 503, "concurrency.busy"),
        (", mode: shadow", 200, ""),
    ] {
        let program =
            program_in(&configuration(&format!("{{ limits: [{{ limit: 1, by: global }}] {more} }}")), &environment());
        let _held = enter(&program, "192.0.2.1");
        let answered = answer_to(exchange_of(&program, Request::get("/").body(Body::Empty).unwrap()));
        assert_eq!(answered.status(), status, "{more}");
        if !code.is_empty() {
            let problem: serde_json::Value = serde_json::from_slice(answered.body()).unwrap();
            assert_eq!(problem["code"], code);
        }
    }
}

#[test]
fn a_reload_keeps_what_is_in_flight() {
    let env: Environment = environment();
    let of =
        |limit: u32| program_in(&configuration(&format!("{{ limits: [{{ limit: {limit}, by: global }}] }}")), &env);
    let first = of(2);
    let held = [enter(&first, "192.0.2.1"), enter(&first, "192.0.2.1")];
    let second = of(3);
    drop(first);
    let (_third, passed) = enter(&second, "192.0.2.1");
    assert!(passed && !enter(&second, "192.0.2.1").1);
    drop(held);
    let now = [enter(&second, "192.0.2.1").1, enter(&second, "192.0.2.1").1];
    assert_eq!(now, [true, true]);
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ limits: [] }", "not from 1 to 8"),
        ("{ limits: [{ limit: 0 }] }", "from 1 to 10000000"),
        ("{ limits: [{ limit: 1 }], refuse_with: '500' }", "500"),
        ("{ limits: [{ limit: 1, by: { header: 'a b' } }] }", "not a header name"),
        ("{ limit: 1 }", "limit"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
