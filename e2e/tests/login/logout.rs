//! The ends of sessions, here and at the provider.

use e2e::{Gate, Upstream, until};

use crate::browser::{Browser, PAGE, SCRIPT, location, parameter};
use crate::provider::Provider;
use crate::{APP, KEYED, client, code, configuration};

const LOGOUT: &str = "logout: { path: /app/logout, after: /app/public/bye, front_channel: /app/logout/frame, \
                      back_channel: /app/logout/provider }";

fn start(upstream: &Upstream, provider: &Provider, store: &str) -> Gate {
    let more = format!("{LOGOUT}\n        {store}");
    let gate = Gate::start(&configuration(upstream, provider, &client("basic"), &more));
    provider.knows(gate.address("public"));
    gate
}

fn status(browser: &mut Browser) -> u16 {
    browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status
}

/// Ends the session at the provider, from its own page: what the person confirms there.
fn confirm(browser: &mut Browser, page: &str, text: &str) -> e2e::client::Answer {
    let secret = text.split("name=\"xsrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let origin = page.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let form = ["content-type: application/x-www-form-urlencoded", PAGE[0]];
    browser.send("POST", &format!("{origin}/session/end/confirm"), &form, &format!("xsrf={secret}&logout=yes"))
}

#[test]
fn who_leaves_here_leaves_the_provider_too() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for store in [KEYED, "session: { store: server }"] {
        let gate = start(&upstream, &provider, store);
        let mut browser = Browser::new(gate.address("public"));
        assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
        let mut thief = browser.clone();
        let arrived = browser.follow(&format!("{APP}/logout"), |url| url.contains("/session/end"));
        assert!(arrived.url.starts_with(&format!("{}/session/end?", provider.url())), "{}", arrived.url);
        assert!(parameter(&arrived.url, "id_token_hint").is_some_and(|token| token.len() > 100));
        let after = parameter(&arrived.url, "post_logout_redirect_uri");
        assert_eq!(after, Some("http%3A%2F%2Fapp.test%2Fapp%2Fpublic%2Fbye"));
        assert!(browser.named("tollgate").is_empty());
        let page = browser.open(&arrived.url);
        assert_eq!(page.answer.status, 200);
        let answer = confirm(&mut browser, &page.url, &page.answer.text());
        let back = location(&page.url, &answer).unwrap();
        assert!(back.starts_with("http://app.test/app/public/bye"), "{back}");
        assert_eq!(browser.open(&back).answer.status, 200);
        // Whoever kept the cookie has nothing in it.
        assert_eq!((status(&mut browser), status(&mut thief)), (401, 401), "{store}");
        // The provider asks anew who it is.
        browser.always = vec!["x-user: bob".to_owned()];
        assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
        assert_eq!(upstream.seen().pop().unwrap().header("x-user"), Some("bob"));
    }
}

#[test]
fn a_logout_works_while_the_provider_does_not() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, KEYED);
    let mut browser = Browser::new(gate.address("public"));
    // Nobody is logged in: there is nothing to end.
    let answer = browser.send("GET", &format!("{APP}/logout"), &PAGE, "");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/app/public/bye")));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    provider.is("ill");
    assert_eq!(browser.send("POST", &format!("{APP}/logout"), &PAGE, "").status, 303);
    assert_eq!(status(&mut browser), 401);
}

#[test]
fn the_provider_ends_sessions() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for store in [KEYED, "session: { store: server }"] {
        let gate = start(&upstream, &provider, store);
        let (mut browser, mut other) = (Browser::new(gate.address("public")), Browser::new(gate.address("public")));
        assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
        assert_eq!(other.open(&format!("{APP}/x")).answer.status, 200);
        // The person leaves at the provider; this gateway is told by the provider alone.
        let page = browser.open(&format!("{}/session/end", provider.url()));
        confirm(&mut browser, &page.url, &page.answer.text());
        until("the gateway is told", || status(&mut browser) == 401);
        // It was that session, and no other of the same user.
        assert_eq!(status(&mut other), 200, "{store}");
        // What it said it said once.
        let form = ["content-type: application/x-www-form-urlencoded"];
        let again = other.send("POST", &format!("{APP}/logout/provider"), &form, &provider.told());
        assert_eq!(code(&again), (400, "oidc_login.logout".to_owned()));
        assert!(again.text().contains("used before"), "{}", again.text());
        assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200, "{store}");
    }
}

#[test]
fn what_the_provider_did_not_sign_ends_nothing() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, KEYED);
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    // An ID token is signed by the provider and yet no logout token.
    let left = browser.clone().follow(&format!("{APP}/logout"), |url| url.contains("/session/end"));
    let id_token = parameter(&left.url, "id_token_hint").unwrap().to_owned();
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let mut nobody = Browser::new(gate.address("public"));
    let form = ["content-type: application/x-www-form-urlencoded"];
    let large = "x".repeat(100_000);
    for body in [
        format!("logout_token={id_token}"),
        format!("logout_token={id_token}&logout_token={id_token}"),
        "logout_token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.".to_owned(),
        "logout_token=a.b.c".to_owned(),
        "logout_token=".to_owned(),
        "token=x".to_owned(),
        String::new(),
        format!("logout_token={large}"),
    ] {
        let answer = nobody.send("POST", &format!("{APP}/logout/provider"), &form, &body);
        assert_eq!(code(&answer), (400, "oidc_login.logout".to_owned()), "{}", &body[..body.len().min(60)]);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(nobody.send("GET", &format!("{APP}/logout/provider"), &[], "").status, 400);
    assert_eq!(status(&mut browser), 200);
}

#[test]
fn a_frame_of_the_provider_ends_the_session_that_it_names() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, KEYED);
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let mut frame = Browser::new(gate.address("public"));
    let issuer = format!("http%3A%2F%2F{}", provider.address);
    let ask = |frame: &mut Browser, query: &str| {
        frame.send("GET", &format!("{APP}/logout/frame?{query}"), &["sec-fetch-dest: iframe"], "").status
    };
    assert_eq!(ask(&mut frame, "iss=http%3A%2F%2Fother.test&sid=1"), 400);
    assert_eq!(ask(&mut frame, &format!("iss={issuer}&sid=another")), 200);
    assert_eq!(status(&mut browser), 200);
    // The frame of the browser's own carries its cookies where these are not third party.
    assert_eq!(ask(&mut browser.clone(), &format!("iss={issuer}")), 200);
    assert_eq!(status(&mut browser), 401);
}
