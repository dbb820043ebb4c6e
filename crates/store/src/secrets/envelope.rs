//! What a sealed secret looks like.
//!
//! ```text
//! "TGS" 1 │ key id 8 │ nonce 12, data key 32, tag 16 │ nonce 12, secret …, tag 16
//!                      └── wrapped by that key ────┘   └── sealed by the data key ┘
//! ```
//!
//! Both are bound to the secret's name, so that one cannot be put in another's place.

use std::fmt;

use aws_lc_rs::aead::{Aad, Nonce, RandomizedNonceKey};
use model::value::Secret;
use zeroize::Zeroizing;

use super::key::{self, Key, KeyId, LENGTH};
use super::{MOST_BYTES, Plain};
use crate::Result;
use crate::error::{Error, Kind};

const MAGIC: [u8; 4] = *b"TGS\x01";
const NONCE: usize = 12;
const TAG: usize = 16;
const WRAPPED: usize = NONCE + LENGTH + TAG;
/// Bytes of an envelope beside the secret's own.
const AROUND: usize = MAGIC.len() + 8 + WRAPPED + NONCE + TAG;

/// A sealed secret: safe to store and to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    key: KeyId,
    wrapped: [u8; WRAPPED],
    sealed: Vec<u8>,
}

impl Envelope {
    /// Seals a secret under a name.
    pub(super) fn seal(key: &Key, name: &str, secret: &[u8]) -> Result<Self> {
        if secret.len() > MOST_BYTES {
            return Err(Error::new(Kind::Full, format!("a secret is at most {MOST_BYTES} bytes long")));
        }
        let data_key = fresh()?;
        let sealed = seal(&key::aead(&data_key)?, &bound("secret", name), secret)?;
        Ok(Self { key: key.id(), wrapped: wrap(key, name, &data_key)?, sealed })
    }

    /// The key that opens it.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Opens it with that key.
    pub(super) fn open(&self, key: &Key, name: &str) -> Result<Plain> {
        let data_key = self.unwrap(key, name)?;
        open(&key::aead(&data_key)?, &bound("secret", name), &self.sealed).map(Secret::new)
    }

    /// The same secret under another key; the secret itself is not touched.
    pub(super) fn rewrap(&self, from: &Key, to: &Key, name: &str) -> Result<Self> {
        let data_key = self.unwrap(from, name)?;
        Ok(Self { key: to.id(), wrapped: wrap(to, name, &data_key)?, sealed: self.sealed.clone() })
    }

    fn unwrap(&self, key: &Key, name: &str) -> Result<Zeroizing<[u8; LENGTH]>> {
        let opened = open(&key.aead, &bound("key", name), &self.wrapped)?;
        let mut data_key = Zeroizing::new([0; LENGTH]);
        match opened.get(..LENGTH) {
            Some(bytes) => data_key.copy_from_slice(bytes),
            None => return Err(spoilt()),
        }
        Ok(data_key)
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&MAGIC[..], &self.key.0, &self.wrapped, &self.sealed].concat()
    }

    /// Reads what is stored. Whether it is genuine shows when it is opened.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < AROUND || bytes.len() > AROUND + MOST_BYTES {
            return Err(spoilt());
        }
        let (magic, rest) = bytes.split_first_chunk().ok_or_else(spoilt)?;
        if *magic != MAGIC {
            return Err(spoilt());
        }
        let (key, rest) = rest.split_first_chunk().ok_or_else(spoilt)?;
        let (wrapped, sealed) = rest.split_first_chunk().ok_or_else(spoilt)?;
        Ok(Self { key: KeyId(*key), wrapped: *wrapped, sealed: sealed.to_vec() })
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({}, {} bytes)", self.key, self.sealed.len())
    }
}

fn fresh() -> Result<Zeroizing<[u8; LENGTH]>> {
    let mut key = Zeroizing::new([0; LENGTH]);
    aws_lc_rs::rand::fill(&mut *key).map_err(|_| Error::new(Kind::Key, "there are no random numbers to be had"))?;
    Ok(key)
}

fn wrap(key: &Key, name: &str, data_key: &[u8; LENGTH]) -> Result<[u8; WRAPPED]> {
    let wrapped = seal(&key.aead, &bound("key", name), data_key)?;
    <[u8; WRAPPED]>::try_from(wrapped).map_err(|_| spoilt())
}

fn bound(part: &str, name: &str) -> Aad<Vec<u8>> {
    Aad::from([b"tollgate 1 ", part.as_bytes(), b"\0", name.as_bytes()].concat())
}

/// The nonce, what was sealed, the tag.
fn seal(key: &RandomizedNonceKey, aad: &Aad<Vec<u8>>, plain: &[u8]) -> Result<Vec<u8>> {
    // With room for the tag, so that growing leaves no copy of what is secret behind.
    let mut body = Vec::with_capacity(plain.len() + TAG);
    body.extend_from_slice(plain);
    let aad = Aad::from(aad.as_ref());
    let nonce =
        key.seal_in_place_append_tag(aad, &mut body).map_err(|_| Error::new(Kind::Key, "it cannot be sealed"))?;
    Ok([&nonce.as_ref()[..], &body].concat())
}

fn open(key: &RandomizedNonceKey, aad: &Aad<Vec<u8>>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or_else(spoilt)?;
    let mut body = Zeroizing::new(body.to_vec());
    let aad = Aad::from(aad.as_ref());
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut body).map_err(|_| spoilt())?.len();
    body.truncate(length);
    Ok(body)
}

fn spoilt() -> Error {
    Error::new(Kind::Sealed, "the sealed secret cannot be opened: it was changed, or is another's")
}
