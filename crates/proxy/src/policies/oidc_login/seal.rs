//! What a browser keeps for the gateway and can neither read nor make: AES-256-GCM under a key of the gateway.
//!
//! What is sealed is bound to what it is for (the cookie's name and the policy), so that one cookie never passes for
//! another. The first key seals, every key opens: a new key is put first, the old one goes when nothing of it is left.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;

use crate::tokens::{base64, unbase64};

/// Bytes of an AES-256 key.
const KEY: usize = 32;
/// What a sealed text begins with, so that another form can be told from this one.
const FORM: u8 = 1;

/// The keys of one policy.
pub(super) struct Seal {
    keys: Vec<LessSafeKey>,
    /// What all that it seals is bound to.
    bound: Box<[u8]>,
    /// Held, so that the next program finds it.
    _own: Arc<Option<OwnKey>>,
}

/// A key of the gateway's own, for where none is written. It ends with the process.
pub(super) struct OwnKey(pub(super) [u8; KEY]);

impl OwnKey {
    /// A new one; nothing only where the system has no randomness.
    pub(super) fn make() -> Option<Self> {
        let mut key = [0; KEY];
        rand::fill(&mut key).ok()?;
        Some(Self(key))
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY
    }
}

impl Seal {
    /// Keys made of these secrets, for this policy; nothing where one cannot be used.
    pub(super) fn new(secrets: &[&[u8]], own: &Arc<Option<OwnKey>>, policy: &str) -> Option<Self> {
        let bound: Box<[u8]> = policy.as_bytes().into();
        let keys: Option<Vec<_>> = secrets.iter().map(|secret| key(secret)).collect();
        keys.filter(|keys| !keys.is_empty()).map(|keys| Self { keys, bound, _own: own.clone() })
    }

    /// Seals a text for this end, as base64url.
    pub(super) fn seal(&self, end: &str, plain: &[u8]) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.push(FORM);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.keys.first()?.seal_in_place_append_tag(nonce, Aad::from(self.aad(end)), &mut body).ok()?;
        sealed.extend_from_slice(&body);
        Some(base64(sealed))
    }

    /// What was sealed for this end; nothing for anything else.
    pub(super) fn open(&self, end: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let sealed = unbase64(sealed)?;
        let (form, rest) = sealed.split_first()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *form != FORM {
            return None;
        }
        let aad = self.aad(end);
        self.keys.iter().find_map(|key| {
            let mut body = body.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = key.open_in_place(nonce, Aad::from(&aad), &mut body).ok()?.len();
            body.truncate(length);
            Some(body)
        })
    }

    fn aad(&self, end: &str) -> Vec<u8> {
        [b"tollgate oidc_login\0", end.as_bytes(), b"\0", &*self.bound].concat()
    }
}

/// A key of a secret (HKDF, RFC 5869): whatever the secret looks like, the key is even.
fn key(secret: &[u8]) -> Option<LessSafeKey> {
    let derived = Salt::new(HKDF_SHA256, b"tollgate").extract(secret);
    let mut key = [0; KEY];
    derived.expand(&[b"oidc_login session"], Length).ok()?.fill(&mut key).ok()?;
    UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new)
}

/// So many random bytes, as base64url.
pub(super) fn random<const N: usize>() -> Option<String> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).ok()?;
    Some(base64(bytes))
}
