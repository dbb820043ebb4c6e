use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::Request;
use serde_json::Value;

use super::verifier::{Attempt, Checked, Verifier};
use crate::exchange::Body;
use crate::exchange::testing::{PEER, answer, environment, program_in};
use crate::program::{Environment, Program};

/// A hash as `argon2` prints it, of the least cost.
fn hash_of(password: &str) -> String {
    let mut made = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    argon2.hash_password_into(password.as_bytes(), b"saltsalt", &mut made).unwrap();
    format!("$argon2id$v=19$m=8,t=1,p=1${}${}", STANDARD_NO_PAD.encode("saltsalt"), STANDARD_NO_PAD.encode(made))
}

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: reports, policies: {{ basic_auth: {policy} }}, to: {{ echo: {{}} }} }}]
consumers:
  - name: printer
    credentials:
      - {{ basic: {{ username: plain, password: "pass:word" }} }}
      - {{ basic: {{ username: hashed, password_hash: '{}' }} }}
      - {{ basic: {{ username: late, password: x, }}, expires: "1970-01-01T00:00:00Z" }}
      - {{ basic: {{ username: off, password: x }}, enabled: false }}
  - {{ name: gone, enabled: false, credentials: [{{ basic: {{ username: gone, password: x }} }}] }}
"#,
        hash_of("secret")
    )
}

fn basic(shown: &str) -> String {
    format!("Basic {}", STANDARD.encode(shown))
}

fn ask(program: &Arc<Program>, fields: &[&str]) -> (u16, Value, Vec<String>) {
    let request = fields.iter().fold(Request::get("/"), |request, field| request.header("authorization", *field));
    let (head, body) = answer(program, request.body(Body::Empty).unwrap()).into_parts();
    let challenges = head.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap().to_owned());
    (head.status.as_u16(), serde_json::from_slice(&body).unwrap(), challenges.collect())
}

#[test]
fn users_are_known_by_their_passwords() {
    let program = program_in(&configuration("{}"), &environment());
    for (field, expected) in [
        (basic("plain:pass:word"), Ok("printer")),
        (basic("hashed:secret"), Ok("printer")),
        (basic("hashed:secret").replace("Basic", "bASIC"), Ok("printer")),
        (basic("hashed:secret").trim_end_matches('=').to_owned(), Ok("printer")),
        (basic("plain:pass"), Err((401, "basic_auth.invalid"))),
        (basic("plain:"), Err((401, "basic_auth.invalid"))),
        (basic("hashed:secret2"), Err((401, "basic_auth.invalid"))),
        (basic("hashed:"), Err((401, "basic_auth.invalid"))),
        (basic("Hashed:secret"), Err((401, "basic_auth.invalid"))),
        (basic("nobody:secret"), Err((401, "basic_auth.invalid"))),
        (basic(":"), Err((401, "basic_auth.invalid"))),
        (basic("plain"), Err((401, "basic_auth.invalid"))),
        (basic("off:x"), Err((401, "basic_auth.invalid"))),
        (basic("late:x"), Err((401, "auth.credential_expired"))),
        (basic("gone:x"), Err((403, "auth.consumer_disabled"))),
        (basic(&format!("plain:{}", "x".repeat(2000))), Err((401, "basic_auth.invalid"))),
        ("Basic !!!".to_owned(), Err((401, "basic_auth.invalid"))),
        ("Basic ".to_owned(), Err((401, "basic_auth.invalid"))),
    ] {
        let (status, body, challenges) = ask(&program, &[&field]);
        match expected {
            Ok(consumer) => assert_eq!((status, &body["consumer"]), (200, &consumer.into()), "{field}: {body}"),
            Err((expected, code)) => {
                assert_eq!((status, &body["code"]), (expected, &code.into()), "{field}");
                let challenged = vec![r#"Basic realm="reports", charset="UTF-8""#.to_owned()];
                assert_eq!(challenges, if status == 401 { challenged } else { Vec::new() });
            }
        }
    }
    let several = [basic("plain:pass:word"), basic("hashed:secret")];
    let (status, body, _) = ask(&program, &[&several[0], &several[1]]);
    assert_eq!((status, &body["code"]), (400, &"basic_auth.ambiguous".into()));
}

#[test]
fn no_credentials_are_not_wrong_ones() {
    for (policy, fields, status, challenge) in [
        ("{}", &[][..], 401, r#"Basic realm="reports", charset="UTF-8""#),
        ("{ realm: 'a \"b\"' }", &["Bearer x"], 401, r#"Basic realm="a \"b\"", charset="UTF-8""#),
    ] {
        let program = program_in(&configuration(policy), &environment());
        let (found, body, challenges) = ask(&program, fields);
        assert_eq!((found, &body["code"]), (status, &"auth.missing".into()));
        assert_eq!(challenges, [challenge]);
    }
}

#[test]
fn the_upstream_does_not_see_the_password() {
    for (policy, seen) in [("{}", Value::Null), ("{ upstream: keep }", "***".into())] {
        let program = program_in(&configuration(policy), &environment());
        assert_eq!(ask(&program, &[&basic("hashed:secret")]).1["headers"]["authorization"], seen);
    }
}

/// The verifier of an environment's programs.
fn verifier(env: &Environment) -> Arc<Verifier> {
    env.keep.get("basic_auth", Verifier::default)
}

#[test]
fn each_refusal_costs_one_check_and_a_right_password_one_in_all() {
    let env = environment();
    let verifier = verifier(&env);
    let program = program_in(&configuration("{}"), &env);
    for (shown, status, runs) in [
        ("hashed:wrong", 401, 1),
        ("hashed:wrong", 401, 1),
        // Nobody learns from the time whether there is such a user, nor how the password is kept.
        ("nobody:wrong", 401, 1),
        ("plain:wrong", 401, 1),
        ("hashed:secret", 200, 1),
        ("hashed:secret", 200, 0),
    ] {
        let before = verifier.runs.load(Relaxed);
        assert_eq!(ask(&program, &[&basic(shown)]).0, status, "{shown}");
        assert_eq!(verifier.runs.load(Relaxed) - before, runs, "{shown}");
    }
    // A reload forgets nothing; another password under the same name does.
    let again = program_in(&configuration("{ realm: other }"), &env);
    let before = verifier.runs.load(Relaxed);
    assert_eq!(ask(&again, &[&basic("hashed:secret")]).0, 200);
    assert_eq!(verifier.runs.load(Relaxed), before);
    let changed = program_in(&configuration("{}").replace(&hash_of("secret"), &hash_of("other")), &env);
    assert_eq!(ask(&changed, &[&basic("hashed:secret")]).0, 401);
    assert_eq!(ask(&changed, &[&basic("hashed:other")]).0, 200);
}

fn attempt(program: &Program, password: &str) -> Attempt {
    let Some((crate::program::Password::Hashed(hash), _)) = program.consumers.password("hashed") else { panic!() };
    Attempt::new(hash.clone(), b"hashed", password.as_bytes())
}

#[test]
fn the_queue_is_bounded_and_no_client_fills_it() {
    let env = environment();
    let program = program_in(&configuration("{}"), &env);
    let verifier = Verifier::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut held = verifier.hold().await;
        let (one, other) = (PEER.ip(), "2001:db8::1".parse().unwrap());
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let mut check = Box::pin(verifier.verify(attempt(&program, "secret"), one));
            assert!(futures_util::poll!(check.as_mut()).is_pending());
            waiting.push(check);
        }
        assert_eq!(verifier.verify(attempt(&program, "secret"), one).await, Checked::Busy);
        let mut check = Box::pin(verifier.verify(attempt(&program, "wrong"), other));
        assert!(futures_util::poll!(check.as_mut()).is_pending(), "others still get their turn");
        // Who leaves makes room.
        waiting.pop();
        let mut last = Box::pin(verifier.verify(attempt(&program, "secret"), one));
        assert!(futures_util::poll!(last.as_mut()).is_pending());
        drop(held.split(1));
        for check in waiting {
            assert_eq!(check.await, Checked::Right);
        }
        assert_eq!((check.await, last.await), (Checked::Wrong, Checked::Right));
        assert_eq!(verifier.runs.load(Relaxed), 2, "those who waited with the same password share one check");
        assert_eq!(verifier.verify(attempt(&program, "secret"), one).await, Checked::Right);
        drop(held);
    });
}
