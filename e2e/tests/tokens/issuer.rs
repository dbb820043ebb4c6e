//! An issuer of tokens under a test's control: it signs, and it serves its keys as the test wants.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{Upstream, response};
use serde_json::{Value, json};

/// Base64url without padding.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A key that signs by ES256.
pub struct Signer {
    /// Its name.
    pub id: String,
    pair: EcdsaKeyPair,
}

impl Signer {
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    /// Its public half.
    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.id, "alg": "ES256", "use": "sig" })
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": self.id, "typ": "at+jwt" });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64(signature))
    }
}

/// How an issuer answers.
#[derive(Clone)]
pub enum Mood {
    /// With its keys.
    Keys(Vec<Value>),
    /// With this status.
    Status(&'static str),
    /// With 10 MB.
    Large,
    /// With a redirect.
    Redirect,
    /// Not at all, until it is of another mood.
    Hanging,
}

/// An issuer that serves a discovery document and its keys.
pub struct Issuer {
    pub server: Upstream,
    mood: Arc<(Mutex<Mood>, Condvar)>,
}

impl Issuer {
    pub fn start(mood: Mood) -> Self {
        let mood = Arc::new((Mutex::new(mood), Condvar::new()));
        let shared = mood.clone();
        let server = Upstream::start(move |seen| {
            let host = seen.header("host").unwrap().to_owned();
            if seen.line.starts_with("GET /.well-known/openid-configuration ") {
                let document = json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/keys") });
                return Some(response("200 OK", "content-type: application/json\r\n", &document.to_string()));
            }
            let (lock, changed) = &*shared;
            let mut mood = lock.lock().unwrap();
            while matches!(*mood, Mood::Hanging) {
                mood = changed.wait(mood).unwrap();
            }
            let json = "content-type: application/json\r\n";
            Some(match &*mood {
                Mood::Keys(keys) => response("200 OK", json, &json!({ "keys": keys }).to_string()),
                Mood::Status(status) => response(status, json, "{}"),
                Mood::Large => response("200 OK", json, &" ".repeat(10 << 20)),
                Mood::Redirect => response("302 Found", "location: http://127.0.0.1:1/keys\r\n", ""),
                Mood::Hanging => unreachable!("waited for"),
            })
        });
        Self { server, mood }
    }

    pub fn become_(&self, mood: Mood) {
        *self.mood.0.lock().unwrap() = mood;
        self.mood.1.notify_all();
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.server.seen().iter().filter(|seen| seen.line.starts_with("GET /keys ")).count()
    }

    /// A usual token of it.
    pub fn token(&self, signer: &Signer, more: &Value) -> String {
        let mut claims = json!({ "iss": self.url(), "aud": "users", "sub": "u1", "exp": now() + 600, "iat": now() });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        signer.token(&claims)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.become_(Mood::Status("503 Service Unavailable"));
    }
}
