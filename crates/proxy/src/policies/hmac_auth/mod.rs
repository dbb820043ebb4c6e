//! Identifies a consumer by its signature of the request: HTTP Message Signatures (RFC 9421), and AWS Signature Version 4.
//!
//! What is signed is what the client sent, so it is checked against the target as it came. The body is read only after the
//! signature was right, where it can be: nobody unknown makes the gateway hold one.

mod aws4;
mod digest;
mod fault;
mod message;
pub(super) mod replay;
mod structured;

use std::sync::Arc;

use aws_lc_rs::{hmac, signature};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue};
use model::load::Spanned;
use model::value::{ByteSize, Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::digest::Promise;
use self::fault::{CODES, Fault};
use self::replay::{Nonce as Known, Replay};
use super::key_auth::Towards;
use crate::exchange::{Body, Code, Error, Exchange};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, CredentialId, SigningKey, sha256};
use crate::sigv4::{UNSIGNED, hex};

#[cfg(test)]
mod tests;

/// Identifies a consumer by its signature of the request.
pub(crate) struct HmacAuth;

/// Identifies the consumer by its signature of the request, as its `hmac` and `public_key` credentials say: HTTP Message
/// Signatures (RFC 9421: `hmac-sha256`, `ecdsa-p256-sha256`, `ed25519`), or AWS Signature Version 4 by header.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// The schemes that are taken.
    schemes: Vec<Scheme>,
    /// Components that a signature must cover, at most 64: `@method`, `@target-uri`, `@authority`, `@scheme`,
    /// `@request-target`, `@path`, `@query`, and names of header fields. `@target-uri` covers scheme, authority, path and
    /// query too. Of AWS signatures, which cover method, path and query always, the header fields must be covered.
    required: Vec<Spanned<String>>,
    /// How far the moment of signing may be from now, at most a day; a signature must say it.
    window: Spanned<Duration>,
    /// Whether a signature must have a nonce, which is good once. AWS signatures have none: with `required` each is good
    /// once itself, so that a client must not send the same request twice within a second.
    nonce: Nonce,
    /// Whether the body is checked against the digest that is signed (`Content-Digest`, RFC 9530; `x-amz-content-sha256`).
    digest: Digest,
    /// The largest body that is read for its digest.
    body: ByteSize,
    /// Whether the upstream sees the signature.
    upstream: Towards,
    /// The realm of the challenge that a request without a signature is answered with; the name of the api (or listener)
    /// when not given.
    realm: Option<Spanned<String>>,
}

/// A way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SignatureScheme")]
pub(crate) enum Scheme {
    /// HTTP Message Signatures (RFC 9421).
    Signature,
    /// AWS Signature Version 4, by header.
    Aws4,
}

/// Whether a signature has a nonce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SignatureNonce")]
pub(crate) enum Nonce {
    /// One that is there is good once.
    #[default]
    Checked,
    /// One must be there.
    Required,
}

/// Whether the body is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SignatureDigest")]
pub(crate) enum Digest {
    /// It is not read.
    Off,
    /// It must be that whose digest is signed, where one is.
    #[default]
    Checked,
    /// The digest of a body must be signed.
    Required,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            schemes: vec![Scheme::Signature, Scheme::Aws4],
            required: ["@method", "@path", "@query"].map(|name| Spanned::from(name.to_owned())).into(),
            window: Spanned::from(Duration::from_secs(300)),
            nonce: Nonce::default(),
            digest: Digest::default(),
            body: ByteSize::bytes(1 << 20),
            upstream: Towards::default(),
            realm: None,
        }
    }
}

const MOST_REQUIRED: usize = 64;
const DERIVED: [&str; 7] = ["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"];
static SIGNATURE: HeaderName = HeaderName::from_static("signature");
static SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const AMZ_SHA256: &str = "x-amz-content-sha256";

impl Policy for HmacAuth {
    type Spec = Spec;
    const KIND: &'static str = "hmac_auth";
    const ORDER: (Stage, u8) = (Stage::Identify, 30);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = CODES;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let window = i64::try_from(spec.window.as_millis() / 1000).unwrap_or(0);
        if !(1..=86_400).contains(&window) {
            cx.problem(spec.window.span, "the window is from 1s to 1d", "write `5m`");
            return None;
        }
        if spec.schemes.is_empty() {
            cx.problem(cx.span, "no scheme is taken", "leave `schemes` out for both");
            return None;
        }
        if spec.required.len() > MOST_REQUIRED {
            cx.problem(cx.span, format!("more than {MOST_REQUIRED} components"), "require fewer");
            return None;
        }
        let compiled: Vec<_> = spec.required.iter().map(|name| required(name, cx)).collect();
        let required = compiled.into_iter().collect::<Option<_>>()?;
        let mut challenges = Vec::new();
        for scheme in &spec.schemes {
            let name = if *scheme == Scheme::Signature { "Signature" } else { "AWS4-HMAC-SHA256" };
            challenges.push(cx.challenge(name, spec.realm.as_ref(), "")?);
        }
        // By the window: what is remembered for a short one is forgotten too soon for a long one.
        let replay = cx.keep.get(&format!("{}|{window}", HmacAuth::KIND), Replay::default);
        Some(Arc::new(CheckSignature {
            schemes: spec.schemes.into(),
            required,
            window,
            nonce: spec.nonce,
            digest: spec.digest,
            most: spec.body.get(),
            upstream: spec.upstream,
            challenges: challenges.into(),
            replay,
        }))
    }
}

/// A component that must be covered.
fn required(name: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Box<str>> {
    if DERIVED.contains(&name.as_str()) {
        return Some(name.as_str().into());
    }
    if name.starts_with('@') {
        let message = format!("`{}` is no component of a request", **name);
        cx.problem(name.span, message, format!("there are {}", DERIVED.join(", ")));
        return None;
    }
    cx.header_name(name).map(|name| name.as_str().into())
}

struct CheckSignature {
    schemes: Box<[Scheme]>,
    required: Box<[Box<str>]>,
    /// Seconds.
    window: i64,
    nonce: Nonce,
    digest: Digest,
    most: u64,
    upstream: Towards,
    challenges: Box<[HeaderValue]>,
    replay: Arc<Replay>,
}

/// What a request shows.
enum Shown {
    Nothing,
    /// A right signature, and what it promises of the body.
    Right(CredentialId, Option<Promise>),
    /// One that cannot be checked without the body.
    NeedsBody(aws4::Signed),
}

impl Step for CheckSignature {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        match self.check(x) {
            Ok(Shown::Nothing) => {
                x.not_identified(&self.challenges);
                Verdict::NEXT
            }
            Ok(Shown::Right(credential, None)) => Verdict::Done(self.outcome(x, Ok(credential))),
            Ok(Shown::Right(credential, Some(promise))) => Verdict::Await(Box::pin(async move {
                let kept = promise.keep(x, self.most).await.map(|()| credential);
                self.outcome(x, kept)
            })),
            Ok(Shown::NeedsBody(signed)) => Verdict::Await(Box::pin(async move {
                let whole = digest::body(x, self.most).await;
                let credential = whole.and_then(|body| {
                    let payload = hex(&sha256(&body));
                    self.check_aws4(x, &signed, &payload)
                });
                self.outcome(x, credential)
            })),
            Err(fault) => Verdict::Done(self.outcome(x, Err(fault))),
        }
    }
}

impl CheckSignature {
    fn check(&self, x: &Exchange) -> Result<Shown, Fault> {
        let headers = &x.request.headers;
        let consumers = &x.local.program.consumers;
        if self.schemes.contains(&Scheme::Signature)
            && let Some(found) = message::find(headers, |key| consumers.signer(key).is_some())?
        {
            return self.check_message(x, &found);
        }
        if !self.schemes.contains(&Scheme::Aws4) {
            return Ok(Shown::Nothing);
        }
        let Some(signed) = aws4::find(headers)? else { return Ok(Shown::Nothing) };
        let payload = headers.get(AMZ_SHA256).map(|value| value.to_str().unwrap_or_default());
        let has_body = !matches!(x.request_body, Body::Empty);
        match payload {
            None if has_body && consumers.signer(&signed.key).is_some() => Ok(Shown::NeedsBody(signed)),
            None => self.check_aws4(x, &signed, &hex(&sha256(b""))).map(|id| Shown::Right(id, None)),
            Some(UNSIGNED) if has_body && self.digest == Digest::Required => {
                Err(Fault::Uncovered("the body".to_owned()))
            }
            Some(UNSIGNED) => self.check_aws4(x, &signed, UNSIGNED).map(|id| Shown::Right(id, None)),
            Some(payload) => {
                let promise = Promise::sha256_hex(payload).ok_or(Fault::Malformed)?;
                let id = self.check_aws4(x, &signed, payload)?;
                Ok(Shown::Right(id, Some(promise).filter(|_| self.digest != Digest::Off)))
            }
        }
    }

    fn check_message(&self, x: &Exchange, found: &message::Signature) -> Result<Shown, Fault> {
        let now = now(x);
        let Some(created) = found.created else { return Err(Fault::Uncovered("the moment (`created`)".to_owned())) };
        if (now - created).abs() > self.window || found.expires.is_some_and(|expires| expires <= now) {
            return Err(Fault::Expired);
        }
        if let Some(lacking) = self.required.iter().find(|name| !found.covers(name)) {
            return Err(Fault::Uncovered(format!("`{lacking}`")));
        }
        let signed_digest = found.covers("content-digest");
        if self.digest == Digest::Required && !signed_digest && !matches!(x.request_body, Body::Empty) {
            return Err(Fault::Uncovered("`content-digest`".to_owned()));
        }
        let (key, credential) = x.local.program.consumers.signer(&found.key).ok_or(Fault::UnknownKey)?;
        if !is_right(key, found.algorithm.as_deref(), &found.base(x)?, &found.value) {
            return Err(Fault::Wrong);
        }
        match &found.nonce {
            None if self.nonce == Nonce::Required => return Err(Fault::Uncovered("a nonce".to_owned())),
            None => {}
            Some(nonce) => self.use_up(&found.key, nonce, now)?,
        }
        let promise = match signed_digest && self.digest != Digest::Off {
            true => Some(Promise::content_digest(&x.request.headers).ok_or(Fault::Malformed)?),
            false => None,
        };
        Ok(Shown::Right(credential, promise))
    }

    fn check_aws4(&self, x: &Exchange, signed: &aws4::Signed, payload: &str) -> Result<CredentialId, Fault> {
        let (created, date) = signed.created(&x.request.headers)?;
        if (now(x) - created).abs() > self.window {
            return Err(Fault::Expired);
        }
        let fields = self.required.iter().filter(|name| !name.starts_with('@'));
        let lacking = signed.lacks().or_else(|| fields.map(|name| &**name).find(|name| !signed.covers(name)));
        if let Some(lacking) = lacking {
            return Err(Fault::Uncovered(format!("`{lacking}`")));
        }
        let Some((SigningKey::Secret(secret), credential)) = x.local.program.consumers.signer(&signed.key) else {
            return Err(Fault::UnknownKey);
        };
        if !signed.is_by(secret.expose(), x, &date, payload)? {
            return Err(Fault::Wrong);
        }
        if self.nonce == Nonce::Required {
            // There is no nonce in it: the signature itself is good once.
            self.use_up(&signed.key, &format!("aws4 {}", signed.signature), now(x))?;
        }
        Ok(credential)
    }

    /// Uses a nonce. It is good from one window before the moment of signing to one behind it.
    fn use_up(&self, key: &str, nonce: &str, now: i64) -> Result<(), Fault> {
        match self.replay.use_up(key, nonce, now, 2 * self.window + 1) {
            Known::New => Ok(()),
            Known::Used => Err(Fault::Replayed),
            Known::Full => Err(Fault::Full),
        }
    }

    fn outcome(&self, x: &mut Exchange, checked: Result<CredentialId, Fault>) -> Outcome {
        let error = match checked.map(|credential| x.identify_by(HmacAuth::KIND, credential)) {
            Ok(Ok(())) => {
                if self.upstream == Towards::Hide {
                    x.request.headers.remove(&SIGNATURE);
                    x.request.headers.remove(&SIGNATURE_INPUT);
                    if aws4::find(&x.request.headers).is_ok_and(|found| found.is_some()) {
                        x.request.headers.remove(AUTHORIZATION);
                    }
                }
                return Outcome::Next;
            }
            Ok(Err(error)) => error,
            Err(fault) => fault.into_error(),
        };
        let challenged = match error.code.status {
            401 => {
                let challenges = self.challenges.iter().cloned();
                challenges.fold(error, |error: Error, challenge| error.header(WWW_AUTHENTICATE, challenge))
            }
            _ => error,
        };
        Outcome::Fail(Box::new(challenged))
    }
}

fn now(x: &Exchange) -> i64 {
    i64::try_from(x.local.program.clock.wall().as_secs()).unwrap_or(i64::MAX)
}

/// Whether a signature is right. The key says the algorithm; one that the signature names must be the same.
fn is_right(key: &SigningKey, named: Option<&str>, base: &[u8], value: &[u8]) -> bool {
    let (algorithm, right) = match key {
        SigningKey::Secret(secret) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
            ("hmac-sha256", hmac::verify(&key, base, value).is_ok())
        }
        SigningKey::P256(point) => {
            let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
            ("ecdsa-p256-sha256", key.verify(base, value).is_ok())
        }
        SigningKey::Ed25519(point) => {
            let key = signature::UnparsedPublicKey::new(&signature::ED25519, point);
            ("ed25519", key.verify(base, value).is_ok())
        }
    };
    right && named.is_none_or(|named| named == algorithm)
}

/// The inner lists of a dictionary, written canonically.
pub(crate) fn inner_lists(text: &[u8]) -> Option<Vec<String>> {
    let lists = structured::dictionary(text)?.into_iter().filter_map(|(_, member)| match member {
        structured::Member::List(items, parameters) => Some(structured::write_list(&items, &parameters)),
        structured::Member::Bare(_) => None,
    });
    Some(lists.collect())
}
