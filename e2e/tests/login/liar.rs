//! A provider that gives whatever ID token a test wants, for what a good one never does.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{Gate, Upstream, response};
use serde_json::{Value, json};

use crate::browser::{Browser, PAGE, SCRIPT, parameter};
use crate::{APP, KEYED, code, issued};

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What it makes of the token.
#[derive(Clone, Copy, PartialEq)]
enum Signed {
    Well,
    /// With `none`.
    Not,
    /// By HMAC, with the public key as the secret.
    ByPublicKey,
    /// With a key of somebody else.
    ByOther,
    /// As an access token.
    AsAccess,
}

struct Liar {
    server: Upstream,
    /// The answer of the token endpoint, made for this issuer.
    answer: Arc<Mutex<Value>>,
    pair: EcdsaKeyPair,
}

impl Liar {
    fn start() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "k1", "alg": "ES256" });
        let answer = Arc::new(Mutex::new(Value::Null));
        let shared = answer.clone();
        let server = Upstream::start(move |seen| {
            let issuer = format!("http://{}", seen.header("host").unwrap());
            let told = match seen.line.split(' ').nth(1).unwrap() {
                "/.well-known/openid-configuration" => json!({
                    "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
                    "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
                    "userinfo_endpoint": format!("{issuer}/me")
                }),
                "/keys" => json!({ "keys": [jwk] }),
                "/me" => json!({ "sub": "mallory", "email": "x@example.com" }),
                _ => shared.lock().unwrap().clone(),
            };
            Some(response("200 OK", "content-type: application/json\r\n", &told.to_string()))
        });
        Self { server, answer, pair }
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn token(&self, claims: &Value, signed: Signed) -> String {
        let algorithm = match signed {
            Signed::Not => "none",
            Signed::ByPublicKey => "HS256",
            _ => "ES256",
        };
        let kind = if signed == Signed::AsAccess { "at+jwt" } else { "JWT" };
        let header = json!({ "alg": algorithm, "kid": "k1", "typ": kind });
        let text = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let by = |pair: &EcdsaKeyPair| pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec();
        let signature = match signed {
            Signed::Not => Vec::new(),
            Signed::ByPublicKey => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.pair.public_key().as_ref());
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            Signed::ByOther => by(&other),
            Signed::Well | Signed::AsAccess => by(&self.pair),
        };
        format!("{text}.{}", base64(signature))
    }
}

/// Logs in with an ID token whose usual claims are changed so: the code of the refusal, or none.
fn log_in(liar: &Liar, gate: &Gate, changes: &Value, signed: Signed) -> (u16, String) {
    browser_in(liar, gate, changes, signed).1
}

fn browser_in(liar: &Liar, gate: &Gate, changes: &Value, signed: Signed) -> (Browser, (u16, String)) {
    let mut browser = Browser::new(gate.address("public"));
    let begun = browser.begin(&format!("{APP}/x"));
    let mut claims = json!({
        "iss": liar.issuer(), "sub": "u1", "aud": "app", "exp": now() + 600, "iat": now(),
        "nonce": parameter(&begun, "nonce").unwrap()
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    *liar.answer.lock().unwrap() =
        json!({ "access_token": "access", "token_type": "Bearer", "id_token": liar.token(&claims, signed) });
    let back = format!("{APP}/callback?code=c&state={}", parameter(&begun, "state").unwrap());
    let answer = browser.send("GET", &back, &PAGE, "");
    let expected = if answer.status == 303 { 200 } else { 401 };
    assert_eq!(browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status, expected);
    let told = code(&answer);
    (browser, told)
}

#[test]
fn an_id_token_is_good_in_all_respects_or_not_at_all() {
    let (upstream, liar) = (Upstream::text("in"), Liar::start());
    let gate = Gate::start(&issued(&upstream, &liar.issuer(), "{ id: app, secret: s }", KEYED));
    for changes in [
        json!({}),
        json!({ "aud": ["app"] }),
        json!({ "aud": ["app", "other"], "azp": "app" }),
        json!({ "at_hash": "nsDTFhAUNwBGhxNwp0rdTA" }),
    ] {
        let good = log_in(&liar, &gate, &changes, Signed::Well);
        if changes.get("at_hash").is_some() {
            // It is not the hash of `access`; the right one is computed below.
            assert_eq!(good, (502, "oidc_login.token".to_owned()));
        } else {
            assert_eq!(good.0, 303, "{changes}");
        }
    }
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"access");
    assert_eq!(log_in(&liar, &gate, &json!({ "at_hash": base64(&hash.as_ref()[..16]) }), Signed::Well).0, 303);
    for changes in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "iss": "https://other.test" }),
        json!({ "iss": null }),
        json!({ "aud": "other" }),
        json!({ "aud": null }),
        json!({ "aud": ["app", "other"] }),
        json!({ "aud": ["app", "other"], "azp": "other" }),
        json!({ "azp": "other" }),
        json!({ "azp": 1 }),
        json!({ "exp": now() - 60 }),
        json!({ "exp": null }),
        json!({ "exp": "soon" }),
        json!({ "iat": now() + 600 }),
        json!({ "iat": null }),
        json!({ "nbf": now() + 600 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 7 }),
        json!({ "sub": "u".repeat(600) }),
        json!({ "pad": "x".repeat(70_000) }),
    ] {
        let refused = log_in(&liar, &gate, &changes, Signed::Well);
        assert_eq!(
            refused,
            (502, "oidc_login.token".to_owned()),
            "{}",
            &changes.to_string()[..20.min(changes.to_string().len())]
        );
    }
    for signed in [Signed::Not, Signed::ByPublicKey, Signed::ByOther, Signed::AsAccess] {
        assert_eq!(log_in(&liar, &gate, &json!({}), signed), (502, "oidc_login.token".to_owned()));
    }
}

/// Tells the gateway of a logout by a token whose usual claims are changed so.
fn tell(liar: &Liar, gate: &Gate, changes: &Value, signed: Signed) -> (u16, String) {
    let mut claims = json!({
        "iss": liar.issuer(), "aud": "app", "iat": now(), "exp": now() + 60, "jti": format!("{:?}", std::time::Instant::now()),
        "sub": "u1", "events": { "http://schemas.openid.net/event/backchannel-logout": {} }
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    let form = ["content-type: application/x-www-form-urlencoded"];
    let body = format!("logout_token={}", liar.token(&claims, signed));
    let answer = Browser::new(gate.address("public")).send("POST", &format!("{APP}/ended"), &form, &body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    code(&answer)
}

#[test]
fn a_logout_token_is_good_in_all_respects_or_ends_nothing() {
    let (upstream, liar) = (Upstream::text("in"), Liar::start());
    let more = format!("logout: {{ back_channel: /app/ended }}\n        {KEYED}");
    let gate = Gate::start(&issued(&upstream, &liar.issuer(), "{ id: app, secret: s }", &more));
    let (mut browser, status) = browser_in(&liar, &gate, &json!({ "sid": "s1" }), Signed::Well);
    assert_eq!(status.0, 303);
    let refused = (400, "oidc_login.logout".to_owned());
    for changes in [
        json!({ "events": null }),
        json!({ "events": {} }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": 1 } }),
        json!({ "events": ["http://schemas.openid.net/event/backchannel-logout"] }),
        json!({ "nonce": "n" }),
        json!({ "sub": null }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "iat": null }),
        json!({ "iat": now() - 600 }),
        json!({ "iat": now() + 600 }),
        json!({ "exp": now() - 60 }),
        json!({ "aud": "other" }),
        json!({ "iss": "https://other.test" }),
        json!({ "sid": "s".repeat(600) }),
    ] {
        assert_eq!(tell(&liar, &gate, &changes, Signed::Well), refused, "{changes}");
    }
    for signed in [Signed::Not, Signed::ByPublicKey, Signed::ByOther] {
        assert_eq!(tell(&liar, &gate, &json!({}), signed), refused);
    }
    for other in [json!({ "sub": "u2" }), json!({ "sid": "s2" })] {
        assert_eq!(tell(&liar, &gate, &other, Signed::Well).0, 200);
    }
    let mut page = || browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status;
    assert_eq!(page(), 200);
    assert_eq!(tell(&liar, &gate, &json!({ "sub": null, "sid": "s1" }), Signed::Well).0, 200);
    assert_eq!(page(), 401);
    // By the user, and said once.
    let (mut browser, _) = browser_in(&liar, &gate, &json!({ "sid": "s3" }), Signed::Well);
    let mut page = || browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status;
    assert_eq!((page(), tell(&liar, &gate, &json!({ "jti": "once" }), Signed::Well).0, page()), (200, 200, 401));
    assert_eq!(tell(&liar, &gate, &json!({ "jti": "once" }), Signed::Well), refused);
}

#[test]
fn a_frame_names_the_session_that_ends() {
    let (upstream, liar) = (Upstream::text("in"), Liar::start());
    let more = "logout: { front_channel: /app/frame }";
    let gate = Gate::start(&issued(&upstream, &liar.issuer(), "{ id: app, secret: s }", more));
    let (mut one, _) = browser_in(&liar, &gate, &json!({ "sid": "s1" }), Signed::Well);
    let (mut two, _) = browser_in(&liar, &gate, &json!({ "sid": "s2" }), Signed::Well);
    // Without cookies, as in a frame of another site.
    let mut frame = Browser::new(gate.address("public"));
    let issuer = format!("http%3A%2F%2F{}", liar.server.address);
    let told = frame.send("GET", &format!("{APP}/frame?iss={issuer}&sid=s1"), &["sec-fetch-dest: iframe"], "");
    assert_eq!((told.status, told.header("cache-control")), (200, Some("no-store")));
    let status = |browser: &mut Browser| browser.send("GET", &format!("{APP}/x"), &SCRIPT, "").status;
    assert_eq!((status(&mut one), status(&mut two)), (401, 200));
    assert_eq!(frame.send("GET", &format!("{APP}/frame?sid=s2&sid=s3"), &[], "").status, 400);
    assert_eq!(frame.send("POST", &format!("{APP}/frame?sid=s2"), &[], "").status, 400);
    assert_eq!(status(&mut two), 200);
}

#[test]
fn what_is_said_of_another_user_is_not_believed() {
    let (upstream, liar) = (Upstream::text("in"), Liar::start());
    let text = issued(&upstream, &liar.issuer(), "{ id: app, secret: s }", "userinfo: ask");
    let gate = Gate::start(&text);
    assert_eq!(log_in(&liar, &gate, &json!({}), Signed::Well), (502, "oidc_login.provider".to_owned()));
    assert_eq!(log_in(&liar, &gate, &json!({ "sub": "mallory" }), Signed::Well).0, 303);
}

#[test]
fn a_token_answer_that_is_none_is_no_login() {
    let (upstream, liar) = (Upstream::text("in"), Liar::start());
    let gate = Gate::start(&issued(&upstream, &liar.issuer(), "{ id: app, secret: s }", ""));
    for answer in [
        json!({}),
        json!([]),
        json!({ "access_token": "a", "token_type": "Bearer" }),
        json!({ "id_token": "a.b.c", "token_type": "mac" }),
        json!({ "id_token": 1 }),
        json!({ "pad": "x".repeat(300_000) }),
    ] {
        let mut browser = Browser::new(gate.address("public"));
        let begun = browser.begin(&format!("{APP}/x"));
        *liar.answer.lock().unwrap() = answer.clone();
        let back = format!("{APP}/callback?code=c&state={}", parameter(&begun, "state").unwrap());
        let refused = code(&browser.send("GET", &back, &PAGE, ""));
        assert_eq!(refused, (502, "oidc_login.provider".to_owned()));
    }
}
