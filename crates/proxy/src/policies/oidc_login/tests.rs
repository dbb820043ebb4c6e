use std::sync::Arc;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use http::{Request, Uri};
use serde_json::json;

use super::cookies::Names;
use super::ended::{Ended, MOST, Whose, Word};
use super::memory::{Memory, Room};
use super::request;
use super::seal::{OwnKey, Seal};
use super::session::{Life, Session, Tokens};
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program, try_program};

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, path: /app, policies: {{ oidc_login: {policy} }}, to: {{ echo: {{}} }} }}]
"#
    )
}

fn session(id: &str, started: u64) -> Session {
    let claims = json!({ "sub": "alice", "sid": format!("at-{id}") });
    let claims = claims.as_object().cloned().unwrap();
    Session { id: id.to_owned(), started, used: started, claims, tokens: Tokens::default() }
}

fn seal(secrets: &[&str], policy: &str) -> Seal {
    let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_bytes()).collect();
    Seal::new(&secrets, &Arc::new(None), policy).unwrap()
}

#[test]
fn a_place_to_return_to_is_of_the_same_host() {
    for good in ["/", "/a", "/a//b", "/a?x=//evil", "/a?next=https://evil.test/", "/%5C%5Cevil", "/a;b@c"] {
        assert_eq!(request::safe(good), Some(good), "{good}");
    }
    let long = format!("/{}", "a".repeat(3000));
    for bad in [
        "",
        "a",
        "//",
        "//evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "\\\\evil.test",
        "http://evil.test",
        "javascript:x",
        "/a\\b",
        "/\t/evil.test",
        "/\n/evil.test",
        "/a\r\nset-cookie:x",
        " /a",
        "/a b",
        "/ü",
        "/\u{7f}",
        &long,
    ] {
        assert_eq!(request::safe(bad), None, "{bad}");
    }
    for (uri, wanted) in [("/a?b", "/a?b"), ("//evil.test/a", "/"), ("http://gate.test/x?y", "/x?y"), ("*", "/")] {
        assert_eq!(request::wanted(&uri.parse::<Uri>().unwrap()), wanted, "{uri}");
    }
}

#[test]
fn what_is_sealed_opens_for_its_end_alone() {
    let one = seal(&["a"], "api:app");
    let sealed = one.seal("session", b"text").unwrap();
    assert_eq!(one.open("session", sealed.as_bytes()).as_deref(), Some(&b"text"[..]));
    assert_ne!(one.seal("session", b"text").unwrap(), sealed, "each has a nonce of its own");
    assert_eq!(one.open("session.l", sealed.as_bytes()), None);
    assert_eq!(seal(&["a"], "api:other").open("session", sealed.as_bytes()), None);
    assert_eq!(seal(&["b"], "api:app").open("session", sealed.as_bytes()), None);
    for keys in [&["a"][..], &["b", "a"], &["b", "c", "a"]] {
        assert!(seal(keys, "api:app").open("session", sealed.as_bytes()).is_some(), "{keys:?}");
    }
    for at in 0..sealed.len() {
        let mut wrong = sealed.clone().into_bytes();
        wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(one.open("session", &wrong), None, "{at}");
        assert_eq!(one.open("session", &sealed.as_bytes()[..at]), None, "{at}");
    }
    assert_ne!(OwnKey::make().unwrap().0, OwnKey::make().unwrap().0);
}

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
    }
    headers
}

#[test]
fn cookies_are_told_apart() {
    let names = Names::plain("s");
    for (lines, session) in [
        (&[][..], None),
        (&["s=1abc"], Some("abc")),
        (&["s=2abc; s.1=def"], Some("abcdef")),
        (&["s.1=def", "x=y; s=2abc"], Some("abcdef")),
        (&["s=3a; s.2=c; s.1=b"], Some("abc")),
        (&["s=2abc"], None),
        (&["s=2abc; s.2=def"], None),
        (&["s=0abc"], None),
        (&["s=9abc; s.1=d"], None),
        (&["s=1"], None),
        (&["s="], None),
        (&["s=1abc; s=1def"], Some("abc")),
        (&["ss=1abc; s-x=1abc; x.s=1abc; s.9=1; s.01=1"], None),
    ] {
        let shown = names.shown(&headers(lines));
        assert_eq!(shown.session.as_deref(), session.map(str::as_bytes), "{lines:?}");
    }
    let shown = names.shown(&headers(&["s.l.one=1; s.l.two=2; s.n=3; s.n=4"]));
    let logins: Vec<_> = shown.logins.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    assert_eq!(logins, [("one", &b"1"[..]), ("two", b"2")]);
    assert_eq!(shown.count.as_deref(), Some(&b"3"[..]));
    let many: Vec<String> = (0..100).map(|number| format!("s.l.{number}=x")).collect();
    assert!(names.shown(&headers(&[&many.join("; ")])).logins.len() < 50);

    for (lines, left) in [
        (&["s=1a; s.1=b; s.l.x=c; s.n=d"][..], None),
        (&["a=b; s=1; c=d;"], Some("a=b; c=d")),
        (&["s=1", "a=b", "s.l.x=1; c"], Some("a=b; c")),
        (&["a=b;c=d"], Some("a=b;c=d")),
        (&["ss=1; s-x=2"], Some("ss=1; s-x=2")),
    ] {
        let mut headers = headers(lines);
        names.hide(&mut headers);
        assert_eq!(headers.get(COOKIE).map(|value| value.to_str().unwrap()), left, "{lines:?}");
    }
}

#[test]
fn a_session_is_cut_and_joined_again() {
    for names in [Names::plain("s"), Names::secure("s")] {
        for (length, parts) in [(1, 1), (3800, 1), (3801, 2), (15_200, 4)] {
            let value = "x".repeat(length);
            let shown = names.shown(&HeaderMap::new());
            let fields = names.set_session(&value, &shown).ok().unwrap();
            assert_eq!(fields.len(), parts, "{length}");
            assert!(fields.iter().all(|field| field.len() < 4096 && field.is_sensitive()));
            let pairs: Vec<_> = fields.iter().map(|field| field.to_str().unwrap().split(';').next().unwrap()).collect();
            let shown = names.shown(&headers(&pairs));
            assert_eq!(shown.session, Some(value.into_bytes()));
            // A shorter one ends what is left of the longer, and the end ends all.
            let shorter = names.set_session("y", &shown).ok().unwrap();
            assert_eq!(shorter.len(), parts);
            assert!(shorter[1..].iter().all(|field| field.to_str().unwrap().contains("Max-Age=0")));
            assert_eq!(names.end_session(&shown).len(), parts);
        }
        assert!(names.set_session(&"x".repeat(15_201), &names.shown(&HeaderMap::new())).is_err());
    }
}

#[test]
fn ended_sessions_stay_ended() {
    let (ended, most) = (Ended::default(), 1_000_000);
    let (mine, other) = (session("mine", 1_000), session("other", 1_000));
    ended.end(Whose::Own("mine"), Word::Sure, 2_000, most);
    assert!(ended.has(&mine) && !ended.has(&other));
    ended.end(Whose::Sid("at-other"), Word::Claimed, 2_000, most);
    assert!(ended.has(&other) && !ended.has(&session("other", 3_000)));
    assert!(!ended.has(&session("third", 1_000)));
    ended.end(Whose::Subject("alice"), Word::Sure, 4_000, most);
    assert!(ended.has(&session("third", 4_000)) && !ended.has(&session("third", 4_001)));
}

#[test]
fn a_full_list_of_ended_sessions_lets_none_of_them_in() {
    let (ended, most) = (Ended::default(), 1_000_000_000);
    for number in 0..MOST as u64 + 10 {
        ended.end(Whose::Own(&number.to_string()), Word::Sure, 10_000 + number, most);
    }
    assert!(
        ended.has(&session("0", 10_000)) && ended.has(&session("9", 10_000)),
        "the list forgot them, the floor not"
    );
    assert!(!ended.has(&session("new", 20_000)));
    // What anybody can claim pushes nothing out of it, and nobody to the login.
    let ended = Ended::default();
    for number in 0..MOST as u64 + 10 {
        ended.end(Whose::Sid(&number.to_string()), Word::Claimed, 10_000 + number, most);
    }
    assert!(!ended.has(&session("old", 1)));
    // Entries go when no session of their time is left.
    let ended = Ended::default();
    ended.end(Whose::Own("a"), Word::Sure, 1_000, 500);
    ended.end(Whose::Own("b"), Word::Sure, 9_000, 500);
    assert!(!ended.has(&session("a", 900)) && ended.has(&session("b", 900)));
}

#[test]
fn memory_is_bounded_by_number_and_bytes() {
    let (memory, room) = (Memory::default(), Room { sessions: 3, bytes: 1 << 20 });
    let id = |number: u64| format!("id-{number}").into_bytes();
    for number in 0..3 {
        memory.put(&id(number), Arc::new(session("x", number)), room);
    }
    assert_eq!(memory.get(&id(0)).unwrap().started, 0);
    memory.put(&id(3), Arc::new(session("x", 3)), room);
    assert!(memory.get(&id(1)).is_none(), "it was used longest ago");
    assert!(memory.get(&id(0)).is_some() && memory.get(&id(2)).is_some() && memory.get(&id(3)).is_some());
    memory.put(&id(3), Arc::new(session("x", 7)), room);
    assert_eq!((memory.len(), memory.get(&id(3)).unwrap().started), (3, 7));
    memory.forget(&id(3));
    assert!(memory.get(&id(3)).is_none() && memory.get(b"").is_none());
    let (memory, room) = (Memory::default(), Room { sessions: 1_000, bytes: 10_000 });
    for number in 0..100 {
        memory.put(&id(number), Arc::new(session("x", number)), room);
    }
    assert!((5..25).contains(&memory.len()), "{}", memory.len());
    let mut huge = session("x", 1);
    huge.tokens.access = Some("x".repeat(20_000));
    memory.put(b"huge", Arc::new(huge), room);
    assert_eq!(memory.len(), 0, "what is larger than all of it is not kept");
}

#[test]
fn a_session_is_over_by_idleness_age_and_a_start_in_the_future() {
    let life = Life { idle: 1_000, most: 5_000 };
    let at = |started, used| Session { used, ..session("x", started) };
    for (session, now, over) in [
        (at(10_000, 10_000), 10_999, false),
        (at(10_000, 10_000), 11_000, true),
        (at(10_000, 14_500), 14_999, false),
        (at(10_000, 14_900), 15_000, true),
        (at(50_000, 50_000), 10_000, false),
        (at(90_000, 90_000), 10_000, true),
    ] {
        assert_eq!(session.is_over(life, now), over, "{} {now}", session.started);
    }
    assert!(!at(10_000, 10_000).is_stale(life, 10_099) && at(10_000, 10_000).is_stale(life, 10_100));
    let text = serde_json::to_string(&session("x", 1)).unwrap();
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap().claims, session("x", 1).claims);
    assert!(serde_json::from_str::<Session>("{}").is_err());
}

#[test]
fn who_has_no_session_is_told_so() {
    let program = program(&configuration(
        "{ issuer: 'https://id.test', client: { id: a }, callback: /app/back, login: /app/login, redirect: never, \
         bypass: [/app/health, /app/public/*, { cel: \"request.method == 'OPTIONS'\" }] }",
    ));
    for (method, path, status) in [
        ("GET", "/app/x", 401),
        ("GET", "/app/health", 200),
        ("GET", "/app/healthy", 401),
        ("GET", "/app/public", 200),
        ("GET", "/app/public/a/b", 200),
        ("GET", "/app/publicly", 401),
        ("GET", "/app/public/../x", 401),
        ("OPTIONS", "/app/x", 200),
        ("GET", "/app/back", 400),
        ("GET", "/app/back?state=a&code=b", 400),
        ("POST", "/app/back?state=a&code=b", 400),
    ] {
        let request = Request::builder().method(method).uri(path).header("accept", "text/html");
        let answer = answer(&program, request.body(Body::Empty).unwrap());
        assert_eq!(answer.status(), status, "{method} {path}");
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    let usual = "issuer: 'https://id.test', client: { id: a, secret: b }, callback: /app/back";
    for (policy, says) in [
        ("{}".to_owned(), "issuer"),
        ("{ issuer: id.test, client: { id: a }, callback: /app/back }".to_owned(), "not an HTTP URL"),
        ("{ issuer: 'https://id.test', client: { id: '' }, callback: /app/back }".to_owned(), "lacks its `id`"),
        ("{ issuer: 'https://id.test?a', client: { id: a }, callback: /app/back }".to_owned(), "no query"),
        ("{ issuer: 'https://id.test', client: { id: a, method: post }, callback: /app/back }".to_owned(), "lacks its"),
        (
            "{ issuer: 'https://id.test', client: { id: a, secret: s3cret, method: none }, callback: /app/back }"
                .to_owned(),
            "shows no secret",
        ),
        ("{ issuer: 'https://id.test', client: { id: a }, callback: /back }".to_owned(), "not below the api's path"),
        ("{ issuer: 'https://id.test', client: { id: a }, callback: back }".to_owned(), "not an HTTP URL"),
        ("{ issuer: 'https://id.test', client: { id: a }, callback: '//evil.test/app' }".to_owned(), "not a path"),
        (format!("{{ {usual}, login: /app/back }}"), "are the same"),
        (format!("{{ {usual}, redirect: never }}"), "no login ever begins"),
        (format!("{{ {usual}, scope: 'a b' }}"), "not a scope"),
        (format!("{{ {usual}, parameters: {{ state: x }} }}"), "set by the login itself"),
        (format!("{{ {usual}, bypass: health }}"), "not a path"),
        (format!("{{ {usual}, bypass: {{ cel: 'request.nothing' }} }}"), "nothing"),
        (format!("{{ {usual}, algorithms: HS256 }}"), "needs a secret"),
        (format!("{{ {usual}, session: {{ key: short-s3cret }} }}"), "at least 32 characters"),
        (format!("{{ {usual}, session: {{ name: 'a b' }} }}"), "not a name"),
        (format!("{{ {usual}, session: {{ idle: 10ms }} }}"), "idle"),
        (format!("{{ {usual}, session: {{ lifetime: 100d }} }}"), "lives"),
        (format!("{{ {usual}, session: {{ sessions: 0 }} }}"), "`sessions`"),
        (format!("{{ {usual}, login_timeout: 1s }}"), "a login takes"),
        (format!("{{ {usual}, leeway: 1h }}"), "clocks"),
        (format!("{{ {usual}, logout: {{ after: '//evil.test' }} }}"), "not a path of this same host"),
        (
            format!("{{ {usual}, bearer: access_token, headers: {{ Authorization: sub }} }}"),
            "fills `authorization` too",
        ),
        (format!("{{ {usual}, headers: {{ content-length: sub }} }}"), "set by the gateway itself"),
    ] {
        let problems = try_program(&configuration(&policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
        assert!(!problems.contains("s3cret"), "{problems}");
    }
}
