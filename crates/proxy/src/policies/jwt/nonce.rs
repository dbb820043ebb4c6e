//! Nonces for proofs (RFC 9449 section 8): a client has to put one of the gateway's into each proof, so that none is made in
//! advance. A nonce is a MAC over the window of time that it is of: nothing is stored, and gateways with one key take each
//! other's.

use std::sync::Arc;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::rand;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use model::load::{STAND_IN, Spanned};
use model::value::{Duration, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::refusal::Refused;
use crate::program::Compile;
use crate::tokens::base64;

static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Bytes of a MAC that a nonce has.
const BYTES: usize = 16;
/// The shortest key, in characters.
const LEAST_KEY: usize = 32;

/// Nonces that DPoP proofs must have.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DpopNonce")]
pub(super) struct NonceSpec {
    /// How long a nonce is the one that is given out, from `10s` to `1h`; it is good for as long again.
    #[serde(default = "lifetime")]
    lifetime: Spanned<Duration>,
    /// What nonces are made with, at least 32 characters, the same for all gateways that answer for one another. Best
    /// `${env:NAME}`. Not given, it is the gateway's own and ends with it.
    key: Option<Spanned<Secret<String>>>,
}

fn lifetime() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(60))
}

/// A key for where none is written. It ends with the process.
struct OwnKey([u8; 32]);

impl OwnKey {
    /// A new one; nothing only where the system has no randomness.
    fn make() -> Option<Self> {
        let mut key = [0; 32];
        rand::fill(&mut key).ok()?;
        Some(Self(key))
    }
}

/// Nonces by windows of time.
pub(super) struct Nonces {
    key: Key,
    /// Seconds of a window.
    seconds: u64,
    /// Held, so that the next program finds it.
    _own: Arc<Option<OwnKey>>,
}

impl NonceSpec {
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> Option<Nonces> {
        let seconds = self.lifetime.get().as_secs();
        if !(10..=3600).contains(&seconds) {
            cx.problem(self.lifetime.span, "a nonce lives from `10s` to `1h`", "mend `lifetime`");
        }
        if let Some(key) = &self.key
            && key.expose().len() < LEAST_KEY
            && !key.expose().contains(STAND_IN)
        {
            let message = format!("a key of nonces has at least {LEAST_KEY} characters");
            cx.problem(key.span, message, "make one with `openssl rand -base64 32`");
        }
        let own = cx.keep("dpop nonces", OwnKey::make);
        let secret = match (&self.key, &*own) {
            (Some(key), _) => key.expose().as_bytes(),
            (None, Some(own)) => &own.0,
            (None, None) => {
                cx.problem(cx.span, "there is no key for nonces", "give `dpop_nonce.key`");
                return None;
            }
        };
        Some(Nonces { key: Key::new(HMAC_SHA256, secret), seconds: seconds.max(1), _own: own })
    }
}

impl Nonces {
    /// Checks the nonce of a proof; `now` in seconds since 1970. Gives the one to use from now on where it is another.
    pub(super) fn check(&self, shown: Option<&str>, now: u64) -> Result<Option<HeaderValue>, Refused> {
        let window = now / self.seconds;
        let current = self.of(window);
        let is = |nonce: &str| shown.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(nonce.as_bytes())));
        if is(&current) {
            return Ok(None);
        }
        let before = window.checked_sub(1).is_some_and(|before| is(&self.of(before)));
        let next = HeaderValue::try_from(current).map_err(|_| Refused::Proof)?;
        if before { Ok(Some(next)) } else { Err(Refused::Nonce(next)) }
    }

    /// The nonce of a window.
    fn of(&self, window: u64) -> String {
        let tag = sign(&self.key, format!("dpop nonce|{window}").as_bytes());
        base64(tag.as_ref().get(..BYTES).unwrap_or_default())
    }
}

/// What tells a client its next nonce: such an answer is not for a cache (RFC 9449 section 8.2).
pub(super) fn fields(nonce: HeaderValue) -> [(HeaderName, HeaderValue); 2] {
    [(DPOP_NONCE.clone(), nonce), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}
