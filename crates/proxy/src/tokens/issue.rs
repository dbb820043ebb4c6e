//! Tokens that this gateway itself issues: the keys that sign them, and those that were taken back.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use parking_lot::Mutex;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};

use super::base64;
use super::key::{Key, Refused, thumbprint};
use super::keys::Keys;

/// Tokens that are remembered as taken back. Above it the one that ends first is forgotten.
const MOST_REVOKED: usize = 100_000;

/// A key that signs by ES256.
pub(crate) struct Signing {
    id: String,
    pair: EcdsaKeyPair,
    /// Its public half.
    jwk: Map<String, Value>,
    /// When it was made, in seconds since 1970.
    made: u64,
}

impl Signing {
    /// A new one.
    pub(crate) fn generate(now: u64) -> Result<Self, Refused> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| "no key could be made")?;
        Self::of(pair, now)
    }

    /// One that was written as PEM.
    pub(crate) fn pem(pem: &[u8]) -> Result<Self, Refused> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "it is not a private key in PEM")?;
        let pair = match &der {
            PrivateKeyDer::Pkcs8(der) => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
            }
            other => EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, other.secret_der()),
        };
        Self::of(pair.map_err(|_| "it is not an EC key on P-256")?, 0)
    }

    fn of(pair: EcdsaKeyPair, made: u64) -> Result<Self, Refused> {
        let point = pair.public_key().as_ref();
        let halves = point.get(1..).and_then(|point| point.split_at_checked(32)).ok_or("the key has no public half")?;
        let (x, y) = (base64(halves.0), base64(halves.1));
        let mut jwk = Map::new();
        for (name, value) in [("kty", "EC"), ("crv", "P-256"), ("x", &*x), ("y", &*y), ("alg", "ES256"), ("use", "sig")]
        {
            jwk.insert(name.to_owned(), value.into());
        }
        let id = thumbprint(&jwk).ok_or("the key has no public half")?;
        jwk.insert("kid".to_owned(), id.as_str().into());
        Ok(Self { id, pair, jwk, made })
    }

    fn sign(&self, kind: &str, claims: &Value) -> Option<String> {
        let header = json!({ "alg": "ES256", "typ": kind, "kid": self.id });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", base64(signature)))
    }
}

/// What this gateway issues tokens with, by one name. It outlives programs.
pub(crate) struct OwnIssuer {
    /// The first one signs.
    signing: Mutex<Vec<Arc<Signing>>>,
    verifying: ArcSwap<Verifying>,
    /// When each is over anyway.
    revoked: Mutex<HashMap<Box<str>, u64>>,
}

/// What its tokens are verified with.
pub(crate) struct Verifying {
    /// The keys.
    pub(crate) keys: Arc<Keys>,
    /// Counts what changed: keys, and tokens that were taken back.
    pub(crate) generation: u64,
}

impl Default for OwnIssuer {
    fn default() -> Self {
        let verifying = Verifying { keys: Arc::default(), generation: 0 };
        Self { signing: Mutex::default(), verifying: ArcSwap::from_pointee(verifying), revoked: Mutex::default() }
    }
}

impl OwnIssuer {
    /// What its tokens are verified with now.
    pub(crate) fn verifying(&self) -> Arc<Verifying> {
        self.verifying.load_full()
    }

    /// Signs with these keys from now on, the first one first.
    pub(crate) fn set(&self, keys: Vec<Signing>) {
        let mut signing = self.signing.lock();
        let same = signing.len() == keys.len() && signing.iter().zip(&keys).all(|(old, new)| old.id == new.id);
        if !same {
            *signing = keys.into_iter().map(Arc::new).collect();
            self.publish(&signing);
        }
    }

    /// Makes a new key where the newest is older than `every`, and forgets those whose tokens are over: `life` is how long
    /// a token lives.
    pub(crate) fn rotate(&self, now: u64, every: u64, life: u64) {
        let mut signing = self.signing.lock();
        if signing.first().is_some_and(|newest| now < newest.made.saturating_add(every)) {
            return;
        }
        if let Ok(made) = Signing::generate(now) {
            signing.retain(|old| now < old.made.saturating_add(every.saturating_add(life)));
            signing.insert(0, Arc::new(made));
            self.publish(&signing);
        }
    }

    fn publish(&self, signing: &[Arc<Signing>]) {
        let keys = signing.iter().filter_map(|key| Key::jwk(&key.jwk).ok()).collect();
        if let Ok(keys) = Keys::new(keys) {
            let generation = self.verifying.load().generation + 1;
            self.verifying.store(Arc::new(Verifying { keys: Arc::new(keys), generation }));
        }
    }

    /// A signed token of this kind (`typ`).
    pub(crate) fn sign(&self, kind: &str, claims: &Value) -> Option<String> {
        let key = self.signing.lock().first().cloned()?;
        key.sign(kind, claims)
    }

    /// The public halves, as a set.
    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<_> = self.signing.lock().iter().map(|key| Value::Object(key.jwk.clone())).collect();
        json!({ "keys": keys })
    }

    /// Takes a token back; `until` is when it would be over. Whether it was good until now.
    pub(crate) fn revoke(&self, id: &str, until: u64, now: u64) -> bool {
        let mut revoked = self.revoked.lock();
        if revoked.len() >= MOST_REVOKED {
            revoked.retain(|_, until| now < *until);
        }
        if revoked.len() >= MOST_REVOKED
            && let Some(first) = revoked.iter().min_by_key(|(_, until)| **until).map(|(id, _)| id.clone())
        {
            revoked.remove(&first);
        }
        let fresh = revoked.insert(id.into(), until).is_none();
        drop(revoked);
        // What was remembered of the token anywhere is not believed any more.
        self.verifying.rcu(|now| Verifying { keys: now.keys.clone(), generation: now.generation + 1 });
        fresh
    }

    /// Whether a token was taken back.
    pub(crate) fn is_revoked(&self, id: &str) -> bool {
        self.revoked.lock().contains_key(id)
    }
}

/// A name for a token that nobody guesses.
pub(crate) fn token_id() -> Option<String> {
    let mut bytes = [0; 16];
    fill(&mut bytes).ok()?;
    Some(base64(bytes))
}
