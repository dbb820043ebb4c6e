//! Logins as they are meant to be.

use e2e::{Gate, Upstream, until};

use crate::browser::{Browser, PAGE, SCRIPT, parameter};
use crate::provider::Provider;
use crate::{APP, KEYED, client, code, configuration};

#[test]
fn a_login_ends_where_it_began_and_the_upstream_knows_who_it_is() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for who in [
        client("basic"),
        "{ id: post, secret: \"the secret: of 100% & more\", method: post }".to_owned(),
        "{ id: public }".to_owned(),
    ] {
        for store in [KEYED, "session: { store: server }"] {
            let gate = Gate::start(&configuration(&upstream, &provider, &who, store));
            let mut browser = Browser::new(gate.address("public"));
            let page = format!("{APP}/reports?year=2026&q=%2F%2Fevil.test");
            let arrived = browser.open(&page);
            assert_eq!(
                (arrived.answer.status, arrived.url.as_str()),
                (200, page.as_str()),
                "{}",
                arrived.answer.text()
            );
            let seen = upstream.seen().pop().unwrap();
            assert!(seen.line.starts_with("GET /app/reports?year=2026&q=%2F%2Fevil.test "), "{}", seen.line);
            assert_eq!(seen.header("x-user"), Some("alice"));
            assert_eq!(seen.header("x-email"), Some("alice@example.com"));
            assert_eq!(seen.header("x-groups"), Some("staff,admins"));
            assert_eq!(seen.header("cookie"), None, "{who} {store}");
            assert_eq!(seen.header("authorization"), None);
            // The login is done once.
            let before = provider.granted("authorization_code");
            assert_eq!(browser.open(&format!("{APP}/again")).answer.status, 200);
            assert_eq!(browser.send("POST", &format!("{APP}/form"), &SCRIPT, "x").status, 200);
            assert_eq!(provider.granted("authorization_code"), before);
            // Nothing is left of it in the browser but the session.
            let (logins, counts) = (browser.named(".l."), browser.named(".n"));
            assert!(logins.is_empty() && counts.is_empty(), "{logins:?} {counts:?}");
        }
    }
}

#[test]
fn what_a_client_says_of_itself_is_taken_out() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), "bearer: access_token"));
    let mut browser = Browser::new(gate.address("public"));
    browser.cookies("app.test").insert("theme".to_owned(), "dark".to_owned());
    assert_eq!(browser.open(&format!("{APP}/")).answer.status, 200);
    let forged = ["x-user: admin", "x-groups: root", "authorization: Bearer forged", "x-other: kept"];
    assert_eq!(browser.send("GET", &format!("{APP}/a"), &forged, "").status, 200);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(seen.header("x-user"), Some("alice"));
    assert_eq!(seen.header("x-groups"), Some("staff,admins"));
    assert_eq!((seen.header("x-other"), seen.header("cookie")), (Some("kept"), Some("theme=dark")));
    let bearer = seen.header("authorization").unwrap();
    assert!(bearer.starts_with("Bearer ") && bearer.len() > 30 && !bearer.contains("forged"));
    // Where no session is needed nobody is known, and nobody may say that he is.
    assert_eq!(browser.send("GET", &format!("{APP}/public/x"), &["x-user: admin"], "").status, 200);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!((seen.header("x-user"), seen.header("cookie")), (None, Some("theme=dark")));
}

#[test]
fn only_pages_are_redirected() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), ""));
    let mut browser = Browser::new(gate.address("public"));
    let url = format!("{APP}/x");
    let html = "accept: text/html";
    for (method, headers, redirected) in [
        ("GET", &PAGE[..], true),
        ("GET", &[html], true),
        ("GET", &SCRIPT, false),
        ("GET", &[], false),
        ("GET", &["accept: */*"], false),
        ("GET", &["accept: text/html;q=0"], false),
        ("GET", &[html, "x-requested-with: XMLHttpRequest"], false),
        ("GET", &[html, "sec-fetch-mode: cors"], false),
        ("GET", &[html, "sec-fetch-mode: navigate", "sec-purpose: prefetch"], false),
        ("POST", &PAGE, false),
        ("OPTIONS", &SCRIPT, false),
    ] {
        let answer = browser.send(method, &url, headers, "");
        if redirected {
            assert_eq!(answer.status, 302, "{method} {headers:?}");
            assert!(answer.header("location").unwrap().starts_with(&format!("{}/auth?", provider.url())));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        } else {
            assert_eq!(code(&answer), (401, "auth.missing".to_owned()), "{method} {headers:?}");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("OpenIDConnect realm=\"app\""), "{challenge}");
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn a_login_asks_as_the_rfcs_say() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let more = "parameters: { acr_values: mfa, prompt: login }";
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), more));
    let mut browser = Browser::new(gate.address("public"));
    let (first, second) = (browser.begin(&format!("{APP}/1")), browser.begin(&format!("{APP}/2")));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "basic"),
        ("redirect_uri", "http%3A%2F%2Fapp.test%2Fapp%2Fcallback"),
        ("scope", "openid%20profile%20email%20groups"),
        ("code_challenge_method", "S256"),
        ("acr_values", "mfa"),
        ("prompt", "login"),
    ] {
        assert_eq!(parameter(&first, name), Some(value), "{first}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        let (one, other) = (parameter(&first, name).unwrap(), parameter(&second, name).unwrap());
        assert!(one.len() == 43 && other.len() == 43 && one != other, "{name}: {one} {other}");
    }
}

#[test]
fn tabs_log_in_beside_each_other() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), ""));
    let mut browser = Browser::new(gate.address("public"));
    let pages: Vec<_> = (0..3).map(|tab| format!("{APP}/tab/{tab}")).collect();
    let begun: Vec<_> = pages.iter().map(|page| browser.begin(page)).collect();
    assert_eq!(browser.named(".l.").len(), 3);
    // They end in another order than they began in.
    for (page, url) in pages.iter().zip(&begun).rev() {
        let arrived = browser.open(url);
        assert_eq!((arrived.answer.status, &arrived.url), (200, page), "{}", arrived.answer.text());
    }
    // However many are begun, the browser keeps a few.
    let mut fresh = Browser::new(gate.address("public"));
    for tab in 0..30 {
        fresh.begin(&format!("{APP}/many/{tab}"));
        assert!(fresh.named(".l.").len() <= 8, "{tab}");
    }
    let last = format!("{APP}/many/last");
    assert_eq!(fresh.open(&last).url, last);
}

#[test]
fn a_script_begins_a_login_at_the_path_for_it() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), "redirect: never"));
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &PAGE, "").status, 401);
    let arrived = browser.open(&format!("{APP}/login?return_to=%2Fapp%2Fpage%3Fa%3D1"));
    assert_eq!((arrived.answer.status, arrived.url), (200, format!("{APP}/page?a=1")));
}

#[test]
fn tokens_are_renewed_once_for_all_requests_of_a_session() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    for store in [KEYED, "session: { store: server }"] {
        let more = format!("bearer: access_token\n        {store}");
        let gate = Gate::start(&configuration(&upstream, &provider, &client("brief"), &more));
        let mut browser = Browser::new(gate.address("public"));
        assert_eq!(browser.open(&format!("{APP}/")).answer.status, 200);
        let (first, before) = (upstream.seen().pop().unwrap(), provider.granted("refresh_token"));
        let refused = provider.refused("refresh_token");
        until("the token is nearly over, and renewed", || {
            let many: Vec<_> = std::thread::scope(|scope| {
                // With the same cookies, as a browser that has not seen an answer yet.
                let one = |mut tab: Browser| move || (tab.send("GET", &format!("{APP}/many"), &SCRIPT, "").status, tab);
                let all: Vec<_> = (0..5).map(|_| scope.spawn(one(browser.clone()))).collect();
                all.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(many.iter().all(|(status, _)| *status == 200));
            browser = many.into_iter().next().unwrap().1;
            provider.granted("refresh_token") > before
        });
        assert_eq!(provider.granted("refresh_token"), before + 1, "{store}");
        assert_eq!(provider.refused("refresh_token"), refused);
        assert_eq!(browser.send("GET", &format!("{APP}/now"), &SCRIPT, "").status, 200);
        let now = upstream.seen().pop().unwrap();
        assert_ne!(now.header("authorization"), first.header("authorization"), "{store}");
        assert_eq!(now.header("x-user"), Some("alice"));
        // The provider takes them back: pages go to the login, calls are told.
        provider.revoke();
        until("the next renewal fails", || browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status == 401);
        assert_eq!(browser.send("GET", &format!("{APP}/x"), &PAGE, "").status, 302);
    }
}

#[test]
fn the_example_does_what_it_says() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let text = include_str!("../../../examples/login.yaml")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:3000", &upstream.address.to_string())
        .replace("https://id.example.com/realms/staff", &provider.url())
        .replace("id: app, secret", "id: brief, secret");
    let secrets =
        [("CLIENT_SECRET", "the secret: of 100% & more"), ("SESSION_KEY", "a-secret-of-at-least-32-characters")];
    let gate = Gate::start_with(&text, &[], &secrets);
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.send("GET", &format!("{APP}/health"), &SCRIPT, "").status, 200);
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
    // A token that is not good is refused, and nobody is sent to the login for it.
    let forged = ["authorization: Bearer a.b.c", PAGE[0]];
    let refused = browser.send("GET", &format!("{APP}/data/x"), &forged, "");
    assert_eq!(code(&refused), (401, "jwt.malformed".to_owned()));
    assert_eq!(browser.open(&format!("{APP}/data/x")).answer.status, 200);
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(seen.header("x-user"), Some("alice"));
    assert!(seen.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
    let arrived = browser.follow(&format!("{APP}/logout"), |url| url.contains("/session/end"));
    assert!(parameter(&arrived.url, "id_token_hint").is_some(), "{}", arrived.url);
}

#[test]
fn no_upstream_of_the_host_gets_the_session() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let text = configuration(&upstream, &provider, &client("basic"), KEYED);
    let other = "  - { name: other, path: /other, to: u }\n";
    let keyed = "  - { name: keyed, path: /keyed, policies: { request_id: {} }, to: u }\n";
    let gate = Gate::start(&format!("{text}{other}{keyed}"));
    let mut browser = Browser::of(gate.address("public"), "long");
    browser.cookies("app.test").insert("theme".to_owned(), "dark".to_owned());
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    assert!(browser.named("tollgate").len() > 1);
    for path in ["/app/x", "/app/public/x", "/other/x", "/keyed/x"] {
        assert_eq!(browser.send("GET", &format!("http://app.test{path}"), &SCRIPT, "").status, 200, "{path}");
        assert_eq!(upstream.seen().pop().unwrap().header("cookie"), Some("theme=dark"), "{path}");
    }
}
