//! Whether who shows a token is who it was made for: by a signature over this very request (DPoP, RFC 9449), or by the
//! certificate of the connection (RFC 8705 section 3).

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::nonce::Nonces;
use super::refusal::Refused;
use super::spec::Binding;
use crate::exchange::Exchange;
use crate::policies::key_auth::places::{self, Found, Place};
use crate::program::{KeyHash, sha256};
use crate::tokens::key::{Key, thumbprint};
use crate::tokens::rules::date;
use crate::tokens::token::Token;
use crate::tokens::{base64, unbase64};

static DPOP: HeaderName = HeaderName::from_static("dpop");
/// The longest proof.
const MOST_PROOF: usize = 4096;
/// The longest `jti`.
const MOST_ID: usize = 256;
/// How old a proof may be, and how far in the future, in seconds: clocks differ.
const WINDOW: u64 = 60;
/// Proofs that are remembered in one window.
const MOST_PROOFS: usize = 200_000;

/// A token as a request shows it.
pub(super) struct Shown<'x> {
    pub(super) token: Cow<'x, [u8]>,
    /// Whether it came as `DPoP TOKEN`.
    dpop: bool,
}

impl Shown<'_> {
    pub(super) fn into_owned(self) -> Shown<'static> {
        Shown { token: Cow::Owned(self.token.into_owned()), dpop: self.dpop }
    }
}

/// The token of a request.
pub(super) fn find<'x>(places: &[Place], request: &'x request::Parts) -> Result<Option<Shown<'x>>, Refused> {
    let by_dpop = if reads_authorization(places) { of_dpop(request) } else { None };
    match (places::find(places, request), by_dpop) {
        (Found::Differing, _) => Err(Refused::Ambiguous),
        (Found::None, None) => Ok(None),
        (Found::One(token), None) => Ok(Some(Shown { token, dpop: false })),
        (Found::None, Some(token)) => Ok(Some(Shown { token: token.into(), dpop: true })),
        (Found::One(_), Some(_)) => Err(Refused::Ambiguous),
    }
}

fn reads_authorization(places: &[Place]) -> bool {
    places.iter().any(|place| matches!(place, Place::Bearer(name) if *name == AUTHORIZATION))
}

fn of_dpop(request: &request::Parts) -> Option<&[u8]> {
    request.headers.get_all(AUTHORIZATION).iter().find_map(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(5)?;
        scheme.eq_ignore_ascii_case(b"dpop ").then(|| token.trim_ascii())
    })
}

/// Takes what only DPoP brings out of what the upstream sees.
pub(super) fn hide(request: &mut request::Parts) {
    if request.headers.contains_key(&DPOP) {
        request.headers.remove(&DPOP);
        if of_dpop(request).is_some() {
            request.headers.remove(AUTHORIZATION);
        }
    }
}

/// Whom a token is bound to (RFC 7800).
#[derive(Default)]
pub(super) struct Bound {
    /// The thumbprint of a key.
    key: Option<Box<str>>,
    /// SHA-256 of a certificate.
    certificate: Option<KeyHash>,
}

impl Bound {
    /// What a token's claims bind it to.
    pub(super) fn of(claims: &Map<String, Value>, binding: Binding) -> Result<Self, Refused> {
        let confirmation = claims.get("cnf");
        let text = |name: &str| confirmation.and_then(|cnf| cnf.get(name)).map(|value| value.as_str());
        // What is there and cannot be read must not pass for what is not there.
        let key = text("jkt").map(|jkt| jkt.ok_or(Refused::Binding)).transpose()?;
        let certificate = match text("x5t#S256") {
            None => None,
            Some(hash) => {
                let hash = hash.and_then(unbase64).and_then(|hash| KeyHash::try_from(hash).ok());
                Some(hash.ok_or(Refused::Binding)?)
            }
        };
        if binding == Binding::Required && key.is_none() && certificate.is_none() {
            return Err(Refused::Binding);
        }
        Ok(Self { key: key.map(Into::into), certificate })
    }
}

/// Proofs that were seen, so that none is taken twice.
#[derive(Default)]
pub(super) struct Seen(Mutex<Windows>);

#[derive(Default)]
struct Windows {
    /// Which window the young ones are of.
    window: u64,
    young: hashbrown::HashSet<KeyHash, foldhash::fast::RandomState>,
    old: hashbrown::HashSet<KeyHash, foldhash::fast::RandomState>,
}

/// Checks that tokens are shown by their holders.
pub(super) struct Proofs {
    seen: Arc<Seen>,
    /// Nonces that they must have, if they must.
    nonces: Option<Nonces>,
}

/// The nonce that a client is to use next, where it is another than it used.
type Next = Option<HeaderValue>;

impl Proofs {
    pub(super) fn new(seen: Arc<Seen>, nonces: Option<Nonces>) -> Self {
        Self { seen, nonces }
    }

    /// Checks that the token is shown by whom it is bound to; `now` in seconds since 1970.
    pub(super) fn check(&self, bound: &Bound, shown: &Shown<'_>, x: &Exchange, now: u64) -> Result<Next, Refused> {
        if let Some(hash) = &bound.certificate {
            let client = x.connection.tls.as_ref().and_then(|tls| tls.client.as_ref());
            let same = client.is_some_and(|client| bool::from(sha256(&client.der).ct_eq(hash)));
            if !same {
                return Err(Refused::Binding);
            }
        }
        match (&bound.key, shown.dpop) {
            (None, false) => Ok(None),
            // A bound token must not be taken as a bearer's (RFC 9449 section 7.1), nor one that is not as if it were.
            (Some(_), false) | (None, true) => Err(Refused::Binding),
            (Some(key), true) => self.proof(key, &shown.token, x, now),
        }
    }

    /// RFC 9449 section 4.3, in its order.
    fn proof(&self, jkt: &str, access: &[u8], x: &Exchange, now: u64) -> Result<Next, Refused> {
        let mut proofs = x.request.headers.get_all(&DPOP).iter();
        let (Some(proof), None) = (proofs.next(), proofs.next()) else { return Err(Refused::Proof) };
        if proof.len() > MOST_PROOF {
            return Err(Refused::Proof);
        }
        let proof = Token::parse(proof.as_bytes()).map_err(|_| Refused::Proof)?;
        let header = &proof.header;
        let jwk = header.jwk.as_ref().ok_or(Refused::Proof)?;
        if header.kind.as_deref() != Some("dpop+jwt") || header.algorithm.is_symmetric() {
            return Err(Refused::Proof);
        }
        if thumbprint(jwk).is_none_or(|own| !bool::from(own.as_bytes().ct_eq(jkt.as_bytes()))) {
            return Err(Refused::Binding);
        }
        let key = Key::jwk(jwk).map_err(|_| Refused::Proof)?;
        if !key.verifies(header.algorithm, proof.signed, &proof.signature) {
            return Err(Refused::Proof);
        }
        let issued = date(&proof.claims, "iat").ok().flatten().ok_or(Refused::Proof)?;
        let hash = base64(sha256(access));
        let good = proof.text("htm") == Some(x.record.method.as_str())
            && proof.text("htu").is_some_and(|url| is_this_url(url, x))
            && issued.abs_diff(now) <= WINDOW
            && proof.text("ath") == Some(&*hash);
        let id = proof.text("jti").filter(|id| !id.is_empty() && id.len() <= MOST_ID);
        let Some(id) = id.filter(|_| good) else { return Err(Refused::Proof) };
        let next = match &self.nonces {
            Some(nonces) => nonces.check(proof.text("nonce"), now)?,
            None => None,
        };
        self.once(jkt, id, now)?;
        Ok(next)
    }

    /// Takes a proof once. It is remembered for longer than it is good.
    fn once(&self, jkt: &str, id: &str, now: u64) -> Result<(), Refused> {
        let hash = sha256(format!("{jkt}|{id}").as_bytes());
        // A proof is good for twice `WINDOW`, from its future to its past.
        let window = now / (2 * WINDOW);
        let mut seen = self.seen.0.lock();
        // A clock that is set back forgets nothing.
        if window > seen.window {
            let young = std::mem::take(&mut seen.young);
            seen.old = if window == seen.window + 1 { young } else { Default::default() };
            seen.window = window;
        }
        if seen.young.contains(&hash) || seen.old.contains(&hash) {
            return Err(Refused::Proof);
        }
        if seen.young.len() >= MOST_PROOFS {
            return Err(Refused::TooManyProofs);
        }
        seen.young.insert(hash);
        Ok(())
    }
}

/// Whether this is the URL that was asked for, less query and fragment (RFC 9449 section 4.3, 9).
fn is_this_url(url: &str, x: &Exchange) -> bool {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let asked = x.request.headers.get(HOST).map(HeaderValue::as_bytes);
    let asked = asked.or_else(|| x.record.target.authority().map(|authority| authority.as_str().as_bytes()));
    let Some(asked) = asked.and_then(|host| std::str::from_utf8(host).ok()) else { return false };
    let own = if x.scheme.as_str() == "https" { ":443" } else { ":80" };
    let bare = |authority: &str| authority.strip_suffix(own).unwrap_or(authority).to_ascii_lowercase();
    scheme.eq_ignore_ascii_case(x.scheme.as_str()) && bare(authority) == bare(asked) && path == x.record.target.path()
}
