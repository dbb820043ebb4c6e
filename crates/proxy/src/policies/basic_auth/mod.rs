//! Identifies a consumer by user name and password (RFC 7617).
//!
//! A hash that is slow to check is what protects passwords, and what could be used against the gateway: see
//! [`verifier`] for how that is bounded. Who has no such user is told so no sooner than who has the wrong password.

mod verifier;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use model::load::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

use self::verifier::{Attempt, Checked, Verifier};
use super::key_auth::Towards;
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, CredentialId, Hashed, Password};

#[cfg(test)]
mod tests;

/// Identifies a consumer by user name and password.
pub(crate) struct BasicAuth;

/// Identifies the consumer by user name and password (`Authorization: Basic`), as its `basic` credentials say. Passwords
/// kept as argon2id hashes are checked beside the traffic, few at a time; one that was right is remembered.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Whether the upstream sees the credentials.
    upstream: Towards,
    /// The realm of the challenge that a request without credentials is answered with; the name of the api (or listener)
    /// when not given.
    realm: Option<Spanned<String>>,
}

static INVALID: Code = Code {
    name: "basic_auth.invalid",
    status: 401,
    title: "Invalid user name or password",
    blame: Blame::Client,
    proxy_status: None,
};
static AMBIGUOUS: Code = Code {
    name: "basic_auth.ambiguous",
    status: 400,
    title: "Several user names",
    blame: Blame::Client,
    proxy_status: None,
};
static BUSY: Code = Code {
    name: "basic_auth.busy",
    status: 503,
    title: "Too many passwords to check",
    blame: Blame::Gateway,
    proxy_status: None,
};

/// The most bytes of user name and password.
const MOST_BYTES: usize = 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Policy for BasicAuth {
    type Spec = Spec;
    const KIND: &'static str = "basic_auth";
    const ORDER: (Stage, u8) = (Stage::Identify, 20);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&INVALID, &AMBIGUOUS, &BUSY];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let challenge = cx.challenge("Basic", spec.realm.as_ref(), ", charset=\"UTF-8\"")?;
        let hashed = cx.consumers.passwords().filter_map(|password| match password {
            Password::Hashed(hash) => Some(hash),
            Password::Plain(_) => None,
        });
        // Where nothing is slow, nothing has to be as slow as that.
        let decoy = hashed.max_by_key(|hash| hash.cost()).map(|dearest| Arc::new(dearest.decoy()));
        // One for all routes: what is bounded is the gateway's time.
        let verifier = cx.keep.get(BasicAuth::KIND, Verifier::default);
        Some(Arc::new(FindUser { challenge, decoy, verifier, upstream: spec.upstream }))
    }
}

struct FindUser {
    challenge: HeaderValue,
    /// What the password of a user that is not there is checked against.
    decoy: Option<Arc<Hashed>>,
    verifier: Arc<Verifier>,
    upstream: Towards,
}

/// The credentials of a request.
pub(super) enum Found {
    None,
    One(Vec<u8>),
    Malformed,
    Several,
}

impl Step for FindUser {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let shown = match find(&x.request.headers) {
            Found::One(shown) => shown,
            Found::None => {
                x.not_identified([&self.challenge]);
                return Verdict::NEXT;
            }
            Found::Malformed => return Verdict::fail(self.invalid()),
            Found::Several => {
                return Verdict::fail(Error::new(&AMBIGUOUS, "The request carries several user names."));
            }
        };
        let Some((user, password)) = split(&shown) else { return Verdict::fail(self.invalid()) };
        let known = std::str::from_utf8(user).ok().and_then(|user| x.local.program.consumers.password(user));
        let (attempt, credential) = match known {
            Some((Password::Plain(known), id)) if is_same(known.expose(), password) => return self.decide(x, Some(id)),
            Some((Password::Hashed(hash), id)) => {
                let attempt = Attempt::new(hash.clone(), user, password);
                if self.verifier.knows(&attempt) {
                    return self.decide(x, Some(id));
                }
                (attempt, Some(id))
            }
            _ => match &self.decoy {
                Some(decoy) => (Attempt::new(decoy.clone(), user, password), None),
                None => return self.decide(x, None),
            },
        };
        Verdict::Await(Box::pin(async move {
            match self.verifier.verify(attempt, x.client).await {
                Checked::Right => self.outcome(x, credential),
                Checked::Wrong => self.outcome(x, None),
                Checked::Busy => {
                    let error = Error::new(&BUSY, "There are too many passwords to check; try again in a moment.");
                    Outcome::Fail(Box::new(error.header(RETRY_AFTER, HeaderValue::from_static("1"))))
                }
            }
        }))
    }
}

impl FindUser {
    fn decide<'a>(&self, x: &mut Exchange, credential: Option<CredentialId>) -> Verdict<'a> {
        Verdict::Done(self.outcome(x, credential))
    }

    fn outcome(&self, x: &mut Exchange, credential: Option<CredentialId>) -> Outcome {
        let identified = match credential {
            Some(credential) => x.identify_by(BasicAuth::KIND, credential),
            None => return Outcome::Fail(Box::new(self.invalid())),
        };
        match identified {
            Ok(()) => {
                if self.upstream == Towards::Hide {
                    x.request.headers.remove(AUTHORIZATION);
                }
                Outcome::Next
            }
            Err(error) if error.code.status == 401 => Outcome::Fail(Box::new(self.challenged(error))),
            Err(error) => Outcome::Fail(Box::new(error)),
        }
    }

    fn invalid(&self) -> Error {
        self.challenged(Error::new(&INVALID, "User name or password are not valid."))
    }

    fn challenged(&self, error: Error) -> Error {
        error.header(WWW_AUTHENTICATE, self.challenge.clone())
    }
}

/// The credentials of `Authorization: Basic`, decoded; other schemes are for others.
pub(super) fn find(headers: &HeaderMap) -> Found {
    let mut basic = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(6)?;
        scheme.eq_ignore_ascii_case(b"basic ").then(|| token.trim_ascii())
    });
    match (basic.next(), basic.next()) {
        (None, _) => Found::None,
        (Some(_), Some(_)) => Found::Several,
        (Some(token), None) if token.len() > MOST_BYTES * 2 => Found::Malformed,
        (Some(token), None) => match BASE64.decode(token) {
            Ok(shown) if shown.len() <= MOST_BYTES => Found::One(shown),
            Ok(_) | Err(_) => Found::Malformed,
        },
    }
}

/// User name and password: all before the first colon, all behind it.
pub(super) fn split(shown: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = shown.iter().position(|byte| *byte == b':')?;
    let (user, rest) = shown.split_at_checked(at)?;
    Some((user, rest.get(1..)?))
}

/// Compared as hashes, so that the time does not even tell the length.
fn is_same(known: &[u8], shown: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    crate::program::sha256(known).ct_eq(&crate::program::sha256(shown)).into()
}
