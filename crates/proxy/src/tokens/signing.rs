//! Keys that sign tokens, and which of them does when.
//!
//! ```text
//!  key 1 ───── signs ─────────────────────────┤ stays published until its last token is over ┤
//!                        key 2 published ─────├──── signs ──────────────────── …
//!                        └── a tenth of `every` ahead: who keeps the set of keys has seen it by then
//! ```

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::key::{Refused, thumbprint};
use super::{base64, unbase64};

/// A key that signs by ES256.
pub(crate) struct Signing {
    pub(super) id: String,
    pair: EcdsaKeyPair,
    /// Its public half.
    pub(super) jwk: Map<String, Value>,
    /// From when on it signs, in seconds since 1970.
    from: u64,
}

impl Signing {
    /// A new one that signs from then on.
    pub(crate) fn generate(from: u64) -> Result<Self, Refused> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| "no key could be made")?;
        Self::of(pair, from)
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

    fn of(pair: EcdsaKeyPair, from: u64) -> Result<Self, Refused> {
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
        Ok(Self { id, pair, jwk, from })
    }

    /// A signed token of this kind (`typ`).
    pub(crate) fn sign(&self, kind: &str, claims: &[u8]) -> Option<String> {
        let header = json!({ "alg": "ES256", "typ": kind, "kid": self.id });
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", base64(signature)))
    }
}

/// When keys change: how long one signs, and how long what it signed lives, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) every: u64,
    pub(crate) life: u64,
}

impl Schedule {
    /// How long before it signs a key is published: longer than the five minutes for which the set may be kept.
    fn ahead(self) -> u64 {
        (self.every / 10).clamp(360, 86_400)
    }
}

/// The keys of one issuer that the gateway makes itself, the oldest first.
#[derive(Clone, Default)]
pub(crate) struct Ring(Vec<Arc<Signing>>);

impl Ring {
    /// All of them.
    pub(crate) fn keys(&self) -> &[Arc<Signing>] {
        &self.0
    }

    /// The one that signs now.
    pub(crate) fn signing(&self, now: u64) -> Option<&Arc<Signing>> {
        self.0.iter().rev().find(|key| key.from <= now).or(self.0.first())
    }

    /// When something is to be done next: a key to be made, or one to be forgotten.
    pub(crate) fn due(&self, schedule: Schedule) -> u64 {
        let Some(newest) = self.0.last() else { return 0 };
        let make = newest.from.saturating_add(schedule.every).saturating_sub(schedule.ahead());
        let next = self.0.get(1);
        next.map_or(make, |next| make.min(next.from.saturating_add(schedule.life)))
    }

    /// The ring as it is to be from now on.
    pub(crate) fn turned(&self, now: u64, schedule: Schedule) -> Result<Self, Refused> {
        let mut keys = self.0.clone();
        // What a key signed is over so long after the next one took its place.
        while keys.get(1).is_some_and(|next| now >= next.from.saturating_add(schedule.life)) {
            keys.remove(0);
        }
        let from = match keys.last() {
            None => Some(now),
            Some(newest) => {
                let end = newest.from.saturating_add(schedule.every);
                (now >= end.saturating_sub(schedule.ahead())).then(|| end.max(now.saturating_add(schedule.ahead())))
            }
        };
        if let Some(from) = from {
            keys.push(Arc::new(Signing::generate(from)?));
        }
        Ok(Self(keys))
    }

    /// As it is sealed.
    pub(crate) fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut lines = Zeroizing::new(Vec::with_capacity(self.0.len() * 256));
        for key in &self.0 {
            let private = Zeroizing::new(base64(key.pair.to_pkcs8v1().ok()?));
            lines.extend_from_slice(format!("{} ", key.from).as_bytes());
            lines.extend_from_slice(private.as_bytes());
            lines.push(b'\n');
        }
        Some(lines)
    }

    /// Reads what was sealed.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let keys = text.lines().map(|line| {
            let (from, private) = line.split_once(' ')?;
            let private = Zeroizing::new(unbase64(private)?);
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).ok()?;
            Signing::of(pair, from.parse().ok()?).ok().map(Arc::new)
        });
        keys.collect::<Option<Vec<_>>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    const WEEKLY: Schedule = Schedule { every: 7 * DAY, life: 30 * DAY };

    #[test]
    fn keys_are_published_before_they_sign_and_stay_until_their_tokens_are_over() {
        let start = 1_800_000_000;
        let mut ring = Ring::default();
        let mut seen: Vec<(String, u64)> = Vec::new();
        let mut signed: Vec<(String, u64)> = Vec::new();
        // Every hour of half a year.
        for hour in 0..24 * 180 {
            let now = start + hour * 3600;
            if now >= ring.due(WEEKLY) {
                ring = ring.turned(now, WEEKLY).unwrap();
                assert!(ring.due(WEEKLY) > now, "nothing is left to be done");
            }
            for key in ring.keys().iter().filter(|key| !seen.iter().any(|(id, _)| *id == key.id)).collect::<Vec<_>>() {
                seen.push((key.id.clone(), now));
            }
            let by = ring.signing(now).unwrap().id.clone();
            if signed.last().is_none_or(|(id, _)| *id != by) {
                signed.push((by.clone(), now));
                let published = seen.iter().find(|(id, _)| *id == by).unwrap().1;
                assert!(hour == 0 || now - published >= WEEKLY.ahead() - 3600, "{}", now - published);
            }
            // Whatever signed within a token's life can still be verified.
            for (at, (id, _)) in signed.iter().enumerate() {
                let until = signed.get(at + 1).map_or(u64::MAX, |(_, next)| next + WEEKLY.life);
                assert!(now + 3600 >= until || ring.keys().iter().any(|key| key.id == *id), "{id} at {hour}");
            }
            assert!(ring.keys().len() <= 7);
        }
        assert!((24..=27).contains(&signed.len()), "a key a week: {}", signed.len());
    }

    #[test]
    fn a_ring_that_slept_goes_on_with_its_old_key_until_the_next_was_seen() {
        let ring = Ring::default().turned(0, WEEKLY).unwrap();
        let old = ring.signing(0).unwrap().id.clone();
        let now = 100 * DAY;
        let woken = ring.turned(now, WEEKLY).unwrap();
        assert_eq!((woken.keys().len(), &woken.signing(now).unwrap().id), (2, &old));
        assert_ne!(woken.signing(now + WEEKLY.ahead()).unwrap().id, old);
    }

    #[test]
    fn a_ring_is_read_as_it_was_written() {
        let ring = Ring::default().turned(5, WEEKLY).unwrap().turned(7 * DAY, WEEKLY).unwrap();
        let read = Ring::from_bytes(&ring.to_bytes().unwrap()).unwrap();
        let told = |ring: &Ring| ring.keys().iter().map(|key| (key.id.clone(), key.from)).collect::<Vec<_>>();
        assert_eq!((told(&read).len(), told(&read)), (2, told(&ring)));
        for broken in ["x", "1 x\n", "x AAAA\n", "1\n"] {
            assert!(Ring::from_bytes(broken.as_bytes()).is_none(), "{broken}");
        }
        assert!(Ring::from_bytes(b"").is_some_and(|ring| ring.keys().is_empty()));
    }
}
