//! How long sessions last, how large they are, and who takes them.

use e2e::{Gate, Upstream, until};

use crate::browser::{Browser, PAGE, SCRIPT};
use crate::provider::Provider;
use crate::{APP, KEYED, client, code, configuration};

#[test]
fn gateways_with_one_key_take_each_others_sessions() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let text = |session: &str| configuration(&upstream, &provider, &client("basic"), session);
    let (one, two) = (Gate::start(&text(KEYED)), Gate::start(&text(KEYED)));
    let mut browser = Browser::new(one.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let mut there = Browser::new(two.address("public"));
    there.cookies("app.test").extend(browser.named("tollgate"));
    assert_eq!(there.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    // A login may begin at one and end at the other.
    let mut third = Browser::new(one.address("public"));
    let back = third.until_callback(&format!("{APP}/y"));
    let mut fourth = Browser::new(two.address("public"));
    fourth.cookies("app.test").extend(third.named("tollgate"));
    assert_eq!(fourth.send("GET", &back, &PAGE, "").status, 303);
    // A new key seals, the old one opens for as long as it stands.
    let both = "session: { key: [a-new-secret-of-at-least-32-characters, a-secret-of-at-least-32-characters] }";
    let new = "session: { key: a-new-secret-of-at-least-32-characters }";
    one.reload(&text(both));
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    let mut late = Browser::new(one.address("public"));
    assert_eq!(late.open(&format!("{APP}/x")).answer.status, 200);
    one.reload(&text(new));
    assert_eq!(late.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
}

#[test]
fn a_gateways_own_sessions_outlive_a_reload() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for store in ["", "session: { store: server }"] {
        let text =
            |more: &str| configuration(&upstream, &provider, &client("basic"), &format!("{store}\n        {more}"));
        let gate = Gate::start(&text(""));
        let mut browser = Browser::new(gate.address("public"));
        assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
        gate.reload(&text("realm: other"));
        assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200, "{store}");
    }
}

#[test]
fn a_session_ends_by_time() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for store in ["cookie", "server"] {
        for (life, kept_alive) in [("idle: 2s", true), ("lifetime: 2s", false)] {
            let more = format!("session: {{ store: {store}, {life} }}");
            let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), &more));
            let mut browser = Browser::new(gate.address("public"));
            assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
            // A copy that nobody uses, and whose cookie is never written anew.
            let mut copy = browser.clone();
            let began = std::time::Instant::now();
            until("three seconds of use", || {
                let status = browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status;
                if kept_alive {
                    assert_eq!(status, 200, "{store} {life}");
                }
                began.elapsed().as_secs() >= 3
            });
            if !kept_alive {
                assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401, "{store} {life}");
            }
            if store == "cookie" {
                assert_eq!(copy.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401, "{store} {life}");
                assert_eq!(copy.send("GET", &format!("{APP}/x"), &PAGE, "").status, 302);
            }
        }
    }
}

#[test]
fn long_sessions_are_in_several_cookies_and_endless_ones_refused() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let text = |store: &str| configuration(&upstream, &provider, &client("basic"), store);
    let gate = Gate::start(&text(KEYED));
    let mut browser = Browser::of(gate.address("public"), "long");
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let parts = browser.named("tollgate");
    assert!((2..=4).contains(&parts.len()), "{}", parts.len());
    assert!(parts.iter().all(|(name, value)| name.len() + value.len() < 4000));
    assert_eq!(upstream.seen().pop().unwrap().header("cookie"), None);
    // One part less is no session.
    let mut part = browser.clone();
    part.cookies("app.test").retain(|name, _| !name.ends_with(".1"));
    assert_eq!(part.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
    // A shorter session of another user leaves nothing behind.
    browser.always = vec!["x-user: bob".to_owned()];
    browser.cookies(&provider.address.to_string()).clear();
    browser.open(&format!("{APP}/login"));
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    assert_eq!(browser.named("tollgate").len(), 1);

    let mut endless = Browser::of(gate.address("public"), "endless");
    let arrived = endless.open(&format!("{APP}/x"));
    assert_eq!(code(&arrived.answer), (500, "oidc_login.session_too_large".to_owned()));
    let gate = Gate::start(&text("session: { store: server }"));
    let mut endless = Browser::of(gate.address("public"), "endless");
    assert_eq!(endless.open(&format!("{APP}/x")).answer.status, 200);
    let [(_, id)] = &endless.named("tollgate")[..] else { panic!("one cookie") };
    assert_eq!(id.len(), 44);
}

#[test]
fn sessions_in_memory_are_bounded_and_the_unused_go() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let more = "session: { store: server, sessions: 2 }";
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), more));
    let mut browsers: Vec<_> = (0..3).map(|_| Browser::new(gate.address("public"))).collect();
    for at in 0..3 {
        assert_eq!(browsers[at].open(&format!("{APP}/x")).answer.status, 200);
        // The first one is always in use.
        assert_eq!(browsers[0].send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    }
    let statuses: Vec<_> =
        browsers.iter_mut().map(|browser| browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status).collect();
    assert_eq!(statuses, [200, 401, 200]);
}

#[test]
fn a_login_that_does_not_hold_ends_with_a_reason() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), KEYED));
    let mut browser = Browser::new(gate.address("public"));
    let mut last = None;
    for _ in 0..10 {
        // This browser loses its session each time.
        browser.cookies("app.test").retain(|name, _| name.contains(".n") || name.contains(".l."));
        let arrived = browser.follow(&format!("{APP}/x"), |url| url.contains("/callback?"));
        if !arrived.url.contains("/callback?") {
            last = Some(arrived.answer);
            break;
        }
        assert_eq!(browser.send("GET", &arrived.url, &PAGE, "").status, 303);
    }
    assert_eq!(code(&last.expect("it ends")), (400, "oidc_login.loop".to_owned()));
    // Who tries once more may.
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
}

#[test]
fn a_user_is_a_consumer_by_a_claim() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let text = configuration(&upstream, &provider, &client("basic"), "consumer: { claim: email }");
    let text = text.replace("    path: /app\n", "    path: /app\n    access: identified\n");
    let gate = Gate::start(&format!("{text}consumers: [{{ name: staff, metadata: {{ email: x }} }}]\n"));
    let mut browser = Browser::new(gate.address("public"));
    let arrived = browser.open(&format!("{APP}/x"));
    assert_eq!(code(&arrived.answer), (403, "oidc_login.no_consumer".to_owned()));
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);

    let by_key = text.replace("{ claim: email }", "{ claim: email, metadata: email }");
    let gate =
        Gate::start(&format!("{by_key}consumers: [{{ name: staff, metadata: {{ email: alice@example.com }} }}]\n"));
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
}
