use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::Request;

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program_in, try_program};
use crate::program::{Environment, Program};

const BEGIN: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis:
  - { name: open, path: /open, access: identified, policies: { key_auth: {} }, to: { respond: { body: "{{ auth.plan }}" } } }
  - { name: closed, path: /closed, access: subscribed, policies: { key_auth: {} }, to: { respond: { body: "{{ auth.plan }}" } } }
plans: [{ name: free }, { name: gold }]
"#;

/// Seconds after 1970 at which the clock of these tests starts: 2026-01-01.
const START: u64 = 1_767_225_600;

fn by_hand() -> (Environment, Arc<std::sync::atomic::AtomicU64>) {
    let (clock, hand) = Clock::manual();
    hand.store(Duration::from_secs(START).as_nanos() as u64, Relaxed);
    (Environment { clock, ..environment() }, hand)
}

fn ask(program: &Arc<Program>, path: &str, key: &str) -> (u16, String) {
    let request = Request::get(path).header("x-api-key", key).body(Body::Empty).unwrap();
    let (head, body) = answer(program, request).into_parts();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let code = serde_json::from_str::<serde_json::Value>(&text).ok();
    (head.status.as_u16(), code.map_or(text, |problem| problem["code"].as_str().unwrap().to_owned()))
}

#[test]
fn what_has_an_end_ends_at_the_moment() {
    let (env, hand) = by_hand();
    let program = program_in(
        &format!(
            r#"{BEGIN}
consumers:
  - {{ name: a, plan: free, expires: "2026-01-01T00:00:10Z", credentials: [{{ key: key-a }}] }}
  - {{ name: b, plan: free, credentials: [{{ name: old, key: key-b1, expires: "2026-01-01T00:00:10Z" }}, {{ name: new, key: key-b2 }}] }}
  - {{ name: c, plan: free, credentials: [{{ key: key-c }}] }}
subscriptions:
  - {{ consumer: a, api: closed }}
  - {{ consumer: b, api: closed, plan: gold, enabled: false }}
  - {{ consumer: c, api: closed, plan: gold, expires: "2026-01-01T00:00:10Z" }}
"#
        ),
        &env,
    );
    let table = [
        ("/open", "key-a", (200, "free"), (403, "auth.consumer_expired")),
        ("/closed", "key-a", (200, "free"), (403, "auth.consumer_expired")),
        ("/open", "key-b1", (200, "free"), (401, "auth.credential_expired")),
        ("/open", "key-b2", (200, "free"), (200, "free")),
        ("/closed", "key-b2", (403, "auth.subscription_suspended"), (403, "auth.subscription_suspended")),
        ("/closed", "key-c", (200, "gold"), (403, "auth.subscription_expired")),
        ("/open", "key-c", (200, "free"), (200, "free")),
    ];
    for (seconds, late) in [(0, false), (9, false), (10, true)] {
        hand.store(Duration::from_secs(START + seconds).as_nanos() as u64, Relaxed);
        for (path, key, before, after) in table {
            let (status, what) = ask(&program, path, key);
            assert_eq!((status, &*what), if late { after } else { before }, "{path} {key} {seconds}");
        }
    }
}

#[test]
fn a_revoked_credential_is_gone_at_the_reload_and_its_use_is_remembered() {
    let (env, hand) = by_hand();
    let with = |credentials: &str| {
        let yaml = format!("{BEGIN}\nconsumers: [{{ name: a, credentials: [{credentials}] }}, {{ name: b }}]\n");
        program_in(&yaml, &env)
    };
    let (old, new) = ("{ name: old, key: key-1 }", "{ name: new, key: key-2, created: 2025-12-01T00:00:00Z }");
    let first = with(&format!("{old}, {new}"));
    assert_eq!((ask(&first, "/open", "key-1").0, ask(&first, "/open", "key-2").0), (200, 200));
    hand.store(Duration::from_secs(START + 60).as_nanos() as u64, Relaxed);
    assert_eq!(ask(&first, "/open", "key-1").0, 200);
    let second = with(&format!("{{ name: old, key: key-1, enabled: false }}, {new}"));
    assert_eq!(ask(&second, "/open", "key-1"), (401, "key_auth.invalid".to_owned()));
    assert_eq!(ask(&second, "/open", "key-2").0, 200);
    let status = serde_json::to_value(second.consumer_status("", 10)).unwrap();
    let expected = serde_json::json!([
        { "name": "a", "enabled": true, "groups": [], "subscriptions": [], "credentials": [
            { "name": "old", "type": "key", "enabled": false, "last_used": "2026-01-01T00:01:00Z" },
            { "name": "new", "type": "key", "enabled": true, "created": "2025-12-01T00:00:00Z",
              "last_used": "2026-01-01T00:01:00Z" },
        ] },
        { "name": "b", "enabled": true, "groups": [], "subscriptions": [], "credentials": [] },
    ]);
    assert_eq!(status, expected);
    assert_eq!(second.consumer_status("a", 10).len(), 1);
    assert_eq!(second.consumer_status("", 1).len(), 1);
    assert_eq!(second.consumers.by_name("b").map(|consumer| &*consumer.name), Some("b"));
    assert!(second.consumers.by_name("c").is_none());
}

#[test]
fn a_refused_key_is_not_a_used_one() {
    let (env, _) = by_hand();
    let program =
        program_in(&format!("{BEGIN}\nconsumers: [{{ name: a, enabled: false, credentials: [{{ key: k }}] }}]"), &env);
    assert_eq!(ask(&program, "/open", "k"), (403, "auth.consumer_disabled".to_owned()));
    assert_eq!(program.consumer_status("", 1)[0].credentials[0].last_used, None);
}

const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn what_cannot_be_shown_is_a_problem() {
    let hash = |text: &str| format!("{{ basic: {{ username: u, password_hash: '{text}' }} }}");
    for (credentials, says) in [
        ("{ key: k, key_sha256: k }".to_owned(), "a credential is one of"),
        ("{ name: x }".to_owned(), "a credential is one of"),
        ("{ key: '' }".to_owned(), "the key is empty"),
        ("{ key: tg_abc }".to_owned(), "its checksum is wrong"),
        ("{ key_sha256: abc }".to_owned(), "not a SHA-256"),
        (format!("{{ key_sha256: '{}' }}", "+f".repeat(32)), "not a SHA-256"),
        ("{ key: k }, { key: k }".to_owned(), "this consumer has this key already"),
        ("{ key: other }".to_owned(), "consumer `first` has this key already"),
        ("{ name: n, key: k }, { name: n, key: l }".to_owned(), "two credentials of this consumer are named `n`"),
        ("{ key: k }, { name: '0', key: l }".to_owned(), "two credentials of this consumer are named `0`"),
        ("{ basic: { username: 'a:b', password: x } }".to_owned(), "no colon"),
        ("{ basic: { username: u } }".to_owned(), "either a `password` or a `password_hash`"),
        ("{ basic: { username: u, password: '' } }".to_owned(), "the password is empty"),
        (
            "{ basic: { username: u, password: a } }, { basic: { username: u, password: b } }".to_owned(),
            "this user name",
        ),
        (hash("secret"), "not a password hash"),
        (hash(&HASH.replace("argon2id", "argon2i")), "not an argon2id hash"),
        (hash(&HASH.replace("m=8", "m=4194304")), "more than 256 MiB"),
        (hash(&HASH.replace("t=1", "t=99")), "or 32 rounds"),
        (hash("$argon2id$v=19$m=8,t=1,p=1"), "lacks its parameters"),
        ("{ hmac: { id: k, secret: short } }".to_owned(), "fewer than 16 bytes"),
        ("{ hmac: { id: '', secret: 0123456789abcdef } }".to_owned(), "an id has"),
        ("{ public_key: { id: k, pem: nonsense } }".to_owned(), "not a public key"),
        ("{ certificate: {} }".to_owned(), "a certificate is told by one of"),
        ("{ certificate: { subject: CN=a, san: a } }".to_owned(), "a certificate is told by one of"),
        ("{ certificate: { spiffe: 'https://a/b' } }".to_owned(), "not a SPIFFE id"),
        ("{ certificate: { fingerprint: 'ab:cd' } }".to_owned(), "not a SHA-256"),
        ("{ certificate: { san: a } }, { certificate: { san: a } }".to_owned(), "this certificate already"),
        ("{ key: k, expires: tomorrow }".to_owned(), "expected a moment"),
        ("{ key: k, scopes: ['a b'] }".to_owned(), "`a b` is not a scope"),
        (format!("{{ key: k, scopes: [{}] }}", "a, ".repeat(101)), "more than 100 scopes"),
    ] {
        let yaml = format!(
            "{BEGIN}\nconsumers:\n  - {{ name: first, credentials: [{{ key: other }}] }}\n  - {{ name: a, credentials: [{credentials}] }}\n"
        );
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{credentials}: {problems}");
    }
    let good = format!(
        "{BEGIN}\nconsumers: [{{ name: a, credentials: [{}, {{ certificate: {{ fingerprint: '{}' }} }}] }}]",
        hash(HASH),
        "AB:".repeat(32).trim_end_matches(':')
    );
    program_in(&good, &environment());
    let twice = format!(
        "{BEGIN}\nconsumers: [{{ name: a }}]\nsubscriptions: [{{ consumer: a, api: open }}, {{ consumer: a, api: open }}]"
    );
    assert!(try_program(&twice, &environment()).err().unwrap_or_default().contains("twice"));
}

/// What has ended is a mistake more often than not, but one can run with it.
#[test]
fn what_is_over_is_a_warning() {
    let (env, _) = by_hand();
    let yaml = format!(
        r#"{BEGIN}
consumers:
  - {{ name: a, expires: "2025-01-01T00:00:00Z", credentials: [{{ key: k, expires: "2025-12-31T23:59:59Z" }}] }}
  - {{ name: b, expires: "2026-01-02T00:00:00Z" }}
"#
    );
    let mut loaded = model::load::read_text("test.yaml", &yaml, &model::load::Options::sealed());
    let snapshot = model::resolve::resolve(loaded.root.as_ref().unwrap(), &mut loaded.problems).unwrap();
    assert!(crate::program::compile(Arc::new(snapshot), String::new(), &env, &mut loaded.problems).is_some());
    let said: Vec<_> = loaded.problems.iter().map(|problem| (problem.code, problem.path.as_str())).collect();
    let expected =
        [("config.expired", "consumers[0].expires"), ("config.expired", "consumers[0].credentials[0].expires")];
    assert_eq!(said, expected);
}

/// A configuration that reads consumers from a file with these lines.
fn from_file(lines: &str, more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consumers.csv");
    std::fs::write(&path, lines).unwrap();
    let yaml = format!("{BEGIN}\nconsumers_file: {}\n{more}", path.display());
    (folder, yaml)
}

fn hash(key: &str) -> String {
    crate::gate_key::sha256_of(key)
}

#[test]
fn consumers_come_from_a_file_too() {
    let (env, _) = by_hand();
    let lines = format!(
        "name,plan,sha256,apis\n# made today\n\nann, gold, {}\nann,gold,{}\nbob,,{},closed\n eve ,free,{},open closed\r\nall,gold,{},*",
        hash("ann-1"),
        hash("ann-2"),
        hash("bob"),
        hash("eve").to_uppercase(),
        hash("all")
    );
    let (_folder, yaml) = from_file(&lines, "consumers: [{ name: own, credentials: [{ key: own }] }]");
    let program = program_in(&yaml, &env);
    for (path, key, expected) in [
        ("/open", "ann-1", (200, "gold")),
        ("/open", "ann-2", (200, "gold")),
        ("/closed", "ann-1", (403, "auth.not_subscribed")),
        ("/open", "bob", (200, "")),
        ("/closed", "bob", (200, "")),
        ("/closed", "eve", (200, "free")),
        ("/closed", "all", (200, "gold")),
        ("/open", "own", (200, "")),
        ("/open", "bo", (401, "key_auth.invalid")),
    ] {
        let (status, what) = ask(&program, path, key);
        assert_eq!((status, &*what), expected, "{path} {key}");
    }
    let status = program.consumer_status("", 10);
    let told: Vec<_> = status.iter().map(|one| (one.name, one.credentials.len(), one.subscriptions.len())).collect();
    assert_eq!(told, [("all", 1, 2), ("ann", 2, 0), ("bob", 1, 1), ("eve", 1, 2), ("own", 1, 0)]);
    assert!(status[1].credentials.iter().all(|credential| credential.last_used.is_some()));
    // Read anew, the use is known still.
    let again = program_in(&yaml, &env);
    assert!(again.consumer_status("", 10)[1].credentials[1].last_used.is_some());
}

#[test]
fn each_line_that_is_wrong_is_told() {
    let (good, other) = (hash("a"), hash("b"));
    for (lines, says) in [
        (format!("a,gold,{good}\nb,gold"), "line 2: it has fewer than three parts"),
        (format!("a,gold,{good},open,x"), "line 1: it has more than four parts"),
        (format!("a b,gold,{good}"), "`a b` is not a name"),
        (format!("a,silver,{good}"), "unknown plan `silver`"),
        (format!("a,gold,{good},opn"), "unknown api `opn`"),
        ("a,gold,the-key-itself".to_owned(), "its third part is no SHA-256"),
        (format!("a,,{good}\nb,,{good}"), "line 2: consumer `a` has this key already"),
        (format!("a,,{good}\na,,{good}"), "line 2: consumer `a` has this key already"),
        (format!("a,,{good}\na,gold,{other}"), "line 2: the lines of a consumer differ"),
        (format!("a,,{good}\nb,,{other}\na,,{}", hash("c")), "line 3: there is a consumer `a` already"),
        (format!("own,,{good}"), "line 1: there is a consumer `own` already"),
        (format!("a,,{}", hash("own-key")), "consumer `own` has this key already"),
        ("x\n".repeat(20), "has more problems"),
    ] {
        let (_folder, yaml) = from_file(&lines, "consumers: [{ name: own, credentials: [{ key: own-key }] }]");
        let problems = try_program(&yaml, &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{lines}: {problems}");
        assert!(!problems.contains("the-key-itself"), "{problems}");
    }
    let absent = format!("{BEGIN}\nconsumers_file: /nowhere/consumers.csv");
    let strict = Environment { offline: false, ..environment() };
    assert!(try_program(&absent, &strict).err().unwrap_or_default().contains("cannot be read"));
    program_in(&absent, &Environment { offline: true, ..environment() });
}
