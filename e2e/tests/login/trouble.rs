//! Providers that are ill, hang, or are none.

use std::net::TcpListener;

use e2e::{Gate, Held, Upstream};

use crate::browser::{Browser, PAGE, SCRIPT, parameter};
use crate::provider::Provider;
use crate::{APP, KEYED, client, code, configuration, issued};

#[test]
fn a_provider_that_was_never_there_is_a_clear_answer() {
    let upstream = Upstream::text("in");
    let hanging = Held::start();
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).unwrap();
    let (odd, sorry) = (Upstream::text("<html>"), Upstream::start(|_| None));
    for (address, expected) in [
        (hanging.address, (504, "oidc_login.timeout")),
        (nobody, (503, "oidc_login.unavailable")),
        (odd.address, (502, "oidc_login.provider")),
        (sorry.address, (503, "oidc_login.unavailable")),
    ] {
        let text = issued(&upstream, &format!("http://{address}"), &client("basic"), "");
        let gate = Gate::start(&text.replace("timeout: 2s", "timeout: 300ms"));
        let mut browser = Browser::new(gate.address("public"));
        let answer = browser.send("GET", &format!("{APP}/x"), &PAGE, "");
        assert_eq!(code(&answer), (expected.0, expected.1.to_owned()), "{address}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(!answer.text().contains(&address.to_string()), "{}", answer.text());
        // What needs no login works on, and a call is told at once.
        assert_eq!(browser.send("GET", &format!("{APP}/public/x"), &PAGE, "").status, 200);
        assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 401);
    }
}

#[test]
fn a_document_of_another_issuer_is_not_believed() {
    let upstream = Upstream::text("in");
    let liar = Upstream::start(|_| {
        let document = r#"{"issuer":"https://id.example.com","authorization_endpoint":"https://evil.test/",
            "token_endpoint":"https://evil.test/token","jwks_uri":"https://evil.test/keys"}"#;
        Some(e2e::response("200 OK", "content-type: application/json\r\n", document))
    });
    let gate = Gate::start(&issued(&upstream, &format!("http://{}", liar.address), &client("basic"), ""));
    let mut browser = Browser::new(gate.address("public"));
    let answer = browser.send("GET", &format!("{APP}/x"), &PAGE, "");
    assert_eq!(code(&answer), (502, "oidc_login.provider".to_owned()));
}

#[test]
fn sessions_live_on_while_the_provider_is_down() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, &client("basic"), KEYED));
    let mut browser = Browser::new(gate.address("public"));
    assert_eq!(browser.open(&format!("{APP}/x")).answer.status, 200);
    let mut other = Browser::new(gate.address("public"));
    let back = other.until_callback(&format!("{APP}/y"));
    for (mood, expected) in [("ill", (503, "oidc_login.unavailable")), ("hanging", (504, "oidc_login.timeout"))] {
        provider.is(mood);
        assert_eq!(browser.send("GET", &format!("{APP}/x"), &PAGE, "").status, 200, "{mood}");
        let answer = other.clone().send("GET", &back, &PAGE, "");
        assert_eq!(code(&answer), (expected.0, expected.1.to_owned()));
        assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200, "{mood}");
    }
    provider.is("well");
    // The code was spent by what came late; a new login works.
    assert_eq!(other.open(&format!("{APP}/y")).answer.status, 200);
}

#[test]
fn a_wrong_secret_is_the_gateways_fault_and_no_login() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let gate = Gate::start(&configuration(&upstream, &provider, "{ id: basic, secret: wrong }", ""));
    let mut browser = Browser::new(gate.address("public"));
    let arrived = browser.open(&format!("{APP}/x"));
    assert_eq!(code(&arrived.answer), (502, "oidc_login.provider".to_owned()));
    let said = gate.until_said("invalid_client");
    assert!(!said.contains("wrong"), "{said}");
    assert!(browser.named("tollgate").is_empty());
}

#[test]
fn no_log_holds_what_a_login_passes_on() {
    let (upstream, provider) = (Upstream::text("in"), Provider::start());
    let more = "logout: { path: /app/logout }\n        bearer: access_token";
    let text = configuration(&upstream, &provider, &client("basic"), more);
    let gate = Gate::start(&format!("{text}log: {{ level: debug }}\n"));
    let mut browser = Browser::new(gate.address("public"));
    let back = browser.until_callback(&format!("{APP}/x"));
    assert_eq!(browser.send("GET", &back, &PAGE, "").status, 303);
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, 200);
    // The same again is refused, which is logged.
    assert_eq!(browser.send("GET", &back, &PAGE, "").status, 400);
    let bearer = upstream.seen().pop().unwrap().header("authorization").unwrap()["Bearer ".len()..].to_owned();
    let session = browser.named("tollgate-api-app")[0].1.clone();
    let left = browser.follow(&format!("{APP}/logout"), |url| url.contains("/session/end"));
    let hint = parameter(&left.url, "id_token_hint").unwrap().to_owned();
    let left = gate.leave();
    assert!(left.output.contains("/app/callback"), "{}", left.output);
    for secret in [parameter(&back, "code").unwrap(), parameter(&back, "state").unwrap(), &bearer, &session, &hint] {
        assert!(secret.len() > 20);
        assert!(!left.output.contains(secret) && !left.said.contains(secret), "{secret}");
    }
}
