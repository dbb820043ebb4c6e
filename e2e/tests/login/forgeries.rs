//! Logins that somebody tampers with.

use e2e::{Gate, Upstream};

use crate::browser::{Browser, PAGE, SCRIPT, parameter};
use crate::provider::Provider;
use crate::{APP, KEYED, client, code, configuration};

fn start(upstream: &Upstream, provider: &Provider, more: &str) -> Gate {
    Gate::start(&configuration(upstream, provider, &client("basic"), more))
}

#[test]
fn a_callback_needs_the_login_that_this_browser_began() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, KEYED);
    let mut mallory = Browser::of(gate.address("public"), "bob");
    let stolen = mallory.until_callback(&format!("{APP}/x"));
    // Login CSRF: a victim is sent to the callback of another's login.
    let mut victim = Browser::new(gate.address("public"));
    assert_eq!(code(&victim.send("GET", &stolen, &PAGE, "")), (400, "oidc_login.state".to_owned()));
    victim.begin(&format!("{APP}/y"));
    assert_eq!(code(&victim.send("GET", &stolen, &PAGE, "")), (400, "oidc_login.state".to_owned()));
    assert!(victim.named("tollgate-api-app").iter().all(|(name, _)| name.contains(".l.")));
    // Nor does another's code go with an own state.
    let own = victim.until_callback(&format!("{APP}/z"));
    let (state, mixed) = (parameter(&own, "state").unwrap(), parameter(&stolen, "code").unwrap());
    let mixed = own.replace(parameter(&own, "code").unwrap(), mixed);
    assert!(mixed.contains(state));
    assert_eq!(code(&victim.send("GET", &mixed, &PAGE, "")), (400, "oidc_login.code".to_owned()));
    assert_eq!(victim.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn a_state_is_good_once_and_as_it_is() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, KEYED);
    let mut browser = Browser::new(gate.address("public"));
    let url = browser.until_callback(&format!("{APP}/x"));
    let before = browser.clone();
    let state = parameter(&url, "state").unwrap();
    // The beginning of the state is right: it names the cookie. The rest of it decides.
    let forged = format!("{}{}", &state[..16], "A".repeat(27));
    let issuer = parameter(&url, "iss").unwrap();
    for (wrong, expected) in [
        (url.replace(state, &forged), "oidc_login.state"),
        (url.replace(state, ""), "oidc_login.request"),
        (format!("{url}&state={state}"), "oidc_login.request"),
        (url.replace(issuer, "http%3A%2F%2Fother.test"), "oidc_login.issuer"),
        (url.replace(&format!("iss={issuer}"), "x=y"), "oidc_login.issuer"),
        (url.replace("code=", "kode="), "oidc_login.request"),
        (url.replace("code=", "error=server_error&kode="), "oidc_login.unavailable"),
        (url.replace("code=", "error=%3Cscript%3E&kode="), "oidc_login.refused"),
    ] {
        let answer = before.clone().send("GET", &wrong, &PAGE, "");
        assert_eq!(code(&answer).1, expected, "{wrong}");
        assert!(!answer.text().contains("script"), "{}", answer.text());
    }
    assert_eq!(code(&before.clone().send("POST", &url, &PAGE, "")), (400, "oidc_login.request".to_owned()));
    assert_eq!(browser.send("GET", &url, &PAGE, "").status, 303);
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    // Again, by the same browser and by one that kept the cookie of the login.
    assert_eq!(code(&browser.send("GET", &url, &PAGE, "")), (400, "oidc_login.state".to_owned()));
    assert_eq!(code(&before.clone().send("GET", &url, &PAGE, "")), (400, "oidc_login.code".to_owned()));
}

#[test]
fn a_denial_of_the_provider_is_a_problem_without_its_words() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, "");
    let mut browser = Browser::new(gate.address("public"));
    browser.always.push("x-deny: 1".to_owned());
    let arrived = browser.open(&format!("{APP}/x"));
    assert_eq!(code(&arrived.answer), (403, "oidc_login.denied".to_owned()));
    assert_eq!(arrived.answer.header("content-type"), Some("application/problem+json"));
    assert!(!arrived.answer.text().contains("script"));
    assert!(browser.named("tollgate").is_empty());
}

#[test]
fn a_login_returns_to_this_host_alone() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, "");
    for (wanted, ends) in [
        ("%2F%2Fevil.test%2F", "/"),
        ("%2F%5Cevil.test", "/"),
        ("%2F%09%2Fevil.test", "/"),
        ("%2F%0D%0Aset-cookie%3Aa%3Db", "/"),
        ("https%3A%2F%2Fevil.test", "/"),
        ("javascript%3Aalert(1)", "/"),
        ("evil.test", "/"),
        ("%5C%5Cevil.test", "/"),
        ("", "/"),
        ("%2Fapp%2Fpage%3Fnext%3Dhttps%3A%2F%2Fevil.test", "/app/page?next=https://evil.test"),
    ] {
        let mut browser = Browser::new(gate.address("public"));
        let url = browser.until_callback(&format!("{APP}/login?return_to={wanted}"));
        let answer = browser.send("GET", &url, &PAGE, "");
        assert_eq!((answer.status, answer.header("location")), (303, Some(ends)), "{wanted}");
    }
    // A path that a browser would read as a host.
    let mut browser = Browser::new(gate.address("public"));
    for path in ["//evil.test/%2e%2e", "/app//evil.test"] {
        let answer = browser.send("GET", &format!("http://app.test{path}"), &PAGE, "");
        if answer.status == 302 {
            let url = browser.until_callback(&format!("http://app.test{path}"));
            let to = browser.send("GET", &url, &PAGE, "").header("location").unwrap().to_owned();
            assert!(to.starts_with("/app") && !to.starts_with("//"), "{path}: {to}");
        }
    }
}

#[test]
fn a_session_is_new_with_every_login() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for store in [KEYED, "session: { store: server }"] {
        let gate = start(&upstream, &provider, store);
        // Mallory has a session, and puts her cookie into the victim's browser.
        let mut mallory = Browser::of(gate.address("public"), "bob");
        assert_eq!(mallory.open(&format!("{APP}/x")).answer.status, 200);
        let planted = mallory.named("tollgate");
        let mut victim = Browser::new(gate.address("public"));
        victim.cookies("app.test").extend(planted.clone());
        assert_eq!(victim.open(&format!("{APP}/login")).answer.status, 404);
        let own = victim.named("tollgate");
        assert!(!own.is_empty() && own != planted, "{store}");
        assert_eq!(victim.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
        assert_eq!(upstream.seen().pop().unwrap().header("x-user"), Some("alice"));
        // What Mallory put there is no session any more, so she is not who logged in.
        assert_eq!(mallory.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401, "{store}");
    }
}

#[test]
fn cookies_are_flagged_as_they_should_be() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for (more, url, secure) in [
        ("", APP, true),
        ("session: { secure: always }", "http://localhost/app", true),
        ("session: { secure: never }", APP, false),
        ("", "http://localhost/app", false),
    ] {
        let gate = start(&upstream, &provider, more);
        let host = url.split('/').nth(2).unwrap();
        let mut browser = Browser::at(host, gate.address("public"));
        let answer = browser.send("GET", &format!("{url}/x"), &PAGE, "");
        let login = answer.header("set-cookie").unwrap().to_owned();
        let arrived = browser.follow(&format!("{url}/x"), |url| url.contains("/callback?"));
        let answer = browser.send("GET", &arrived.url, &PAGE, "");
        assert_eq!(answer.status, 303, "{}", answer.text());
        let set: Vec<_> =
            answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, line)| line).collect();
        assert!(set.len() >= 2, "{set:?}");
        for line in set.into_iter().chain([&login]) {
            assert!(line.contains("; Path=/; HttpOnly; SameSite=Lax"), "{line}");
            assert!(!line.contains("Domain"), "{line}");
            assert_eq!(line.ends_with("; Secure"), secure, "{line}");
            assert_eq!(line.starts_with("__Host-tollgate-api-app"), secure, "{line}");
        }
        assert_eq!(browser.send("GET", &format!("{url}/x"), &SCRIPT, "").status, 200);
    }
}

#[test]
fn cookies_that_are_not_ours_are_no_session() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = start(&upstream, &provider, KEYED);
    let other = start(&upstream, &provider, "session: { key: another-secret-of-at-least-32-characters }");
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let (name, value) = browser.named("tollgate").pop().unwrap();
    let mut bytes = value.clone().into_bytes();
    let mut forged = Vec::new();
    for at in [0, 1, 2, 20, bytes.len() / 2, bytes.len() - 1] {
        let kept = bytes[at];
        bytes[at] = if kept == b'A' { b'B' } else { b'A' };
        forged.push(String::from_utf8(bytes.clone()).unwrap());
        bytes[at] = kept;
    }
    forged.push(value[..value.len() - 4].to_owned());
    forged.push(format!("{value}AAAA"));
    forged.push(format!("2{}", &value[1..]));
    forged.push(format!("9{}", &value[1..]));
    forged.extend(["", "1", "1.", "\u{1}", "1AAAA"].map(str::to_owned));
    forged.push(format!("1{}", "A".repeat(3900)));
    for forged in forged {
        let lines = [format!("cookie: {name}={forged}"), SCRIPT[0].to_owned()];
        let mut nobody = Browser::new(gate.address("public"));
        let answer = nobody.send("GET", &format!("{APP}/x"), &[&lines[0], &lines[1]], "");
        assert!(matches!(answer.status, 400 | 401), "{forged}: {}", answer.status);
    }
    // A login under way is no session, and a session no login.
    let mut mixed = Browser::new(gate.address("public"));
    let begun = mixed.begin(&format!("{APP}/x"));
    let (login, sealed) = mixed.named(".l.").pop().unwrap();
    mixed.cookies("app.test").insert(name.clone(), format!("1{sealed}"));
    assert_eq!(mixed.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
    mixed.cookies("app.test").insert(login, value[1..].to_owned());
    let back = format!("{APP}/callback?code=x&state={}", parameter(&begun, "state").unwrap());
    assert_eq!(code(&mixed.send("GET", &back, &PAGE, "")), (400, "oidc_login.state".to_owned()));
    // Another key opens nothing.
    let mut elsewhere = Browser::new(other.address("public"));
    elsewhere.cookies("app.test").insert(name, value);
    assert_eq!(elsewhere.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
}
