//! Identifies the caller by a signed token (JWT).
//!
//! The way of a token: it is found in the request; if its very bytes were verified before and nothing has changed since,
//! that is all. Else it is taken apart, its issuer found by `iss`, its signature checked with that issuer's keys, and its
//! claims with the issuer's rules ([`crate::tokens`]). Only where keys have to be asked for does the request wait.

mod issuer;
mod nonce;
mod proof;
mod refusal;
pub(super) mod source;
mod spec;

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderValue;
use model::load::Spanned;

use self::issuer::Issuer;
use self::proof::{Proofs, Shown};
use self::refusal::{Refused, codes};
use self::spec::{Binding, Spec, Unknown};
pub(crate) use self::spec::{CacheSpec, Towards, authorization, document_url, places, scopes, subject};
use crate::exchange::{Code, Error, Exchange, Finding};
use crate::policies::claims::{Mapping, Meaning};
use crate::policies::key_auth::places::Place;
use crate::policies::{FieldNames, Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, Consumers};
use crate::tokens::cache::Cache;
use crate::tokens::token::{Token, Unreadable};
use crate::tokens::verify::{Refusal, verify};

#[cfg(test)]
mod tests;

/// Identifies the caller by a signed token.
pub(crate) struct Jwt;

impl Policy for Jwt {
    type Spec = Spec;
    const KIND: &'static str = "jwt";
    const ORDER: (Stage, u8) = (Stage::Identify, 50);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = codes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// A token that was verified, and what has to stay as it is for that to hold.
struct Known {
    /// The second from which it is good no more.
    until: u64,
    /// Its issuer, and the issuer's keys at that time.
    issuer: usize,
    generation: u64,
    /// Whose it has to be.
    binding: proof::Bound,
    meaning: Meaning,
}

/// The step.
struct Verify {
    places: Box<[Place]>,
    issuers: Box<[Issuer]>,
    mapping: Mapping,
    upstream: Towards,
    unknown: Unknown,
    binding: Binding,
    most_bytes: usize,
    cache: Cache<Known>,
    proofs: Proofs,
    consumers: Arc<Consumers>,
    challenges: Challenges,
}

/// `WWW-Authenticate` values (RFC 6750 section 3, RFC 9449 section 7.1).
struct Challenges {
    missing: Box<[HeaderValue]>,
    realm: Box<str>,
}

/// What is to be done about a token that is not in the cache.
enum Judged {
    Known(Arc<Known>),
    Refused(Refused),
    /// It is for another policy.
    Foreign,
    /// Its issuer's keys have to be asked for first.
    Ask(usize),
}

impl Step for Verify {
    fn owns(&self) -> FieldNames {
        self.mapping.owns()
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let shown = match proof::find(&self.places, &x.request) {
            Ok(Some(shown)) => shown,
            Ok(None) => return self.not_identified(x),
            Err(refused) => return Verdict::fail(self.refuse(refused)),
        };
        if shown.token.len() > self.most_bytes {
            return Verdict::fail(self.refuse(Refused::TooLarge));
        }
        let now = self.now(x);
        if let Some(known) = self.remembered(x.local.worker, &shown.token, now) {
            let checked = self.proofs.check(&known.binding, &shown, x, now);
            let accepted = checked.and_then(|nonce| self.accept(x, &known, nonce));
            return decided(accepted.map_err(|refused| self.refuse(refused)));
        }
        let shown = shown.into_owned();
        match self.judge(&shown.token, now) {
            Judged::Known(known) => decided(self.finish(x, &shown, &known, now)),
            Judged::Refused(refused) => Verdict::fail(self.refuse(refused)),
            Judged::Foreign => self.not_identified(x),
            Judged::Ask(issuer) => Verdict::Await(Box::pin(self.ask(x, shown, issuer))),
        }
    }
}

fn decided<'a>(outcome: Result<(), Error>) -> Verdict<'a> {
    match outcome {
        Ok(()) => Verdict::NEXT,
        Err(error) => Verdict::fail(error),
    }
}

impl Verify {
    fn now(&self, x: &Exchange) -> u64 {
        x.local.program.clock.wall().as_secs()
    }

    fn not_identified<'a>(&self, x: &mut Exchange) -> Verdict<'a> {
        x.not_identified(&self.challenges.missing);
        Verdict::NEXT
    }

    /// The token if it was verified before, is still good, and its issuer still has the same keys.
    fn remembered(&self, worker: usize, token: &[u8], now: u64) -> Option<Arc<Known>> {
        let known = self.cache.get(token)?;
        let issuer = self.issuers.get(known.issuer)?;
        (now < known.until && issuer.source.generation(worker) == Some(known.generation)).then_some(known)
    }

    /// Verifies a token with what is at hand.
    fn judge(&self, bytes: &[u8], now: u64) -> Judged {
        let token = match Token::parse(bytes) {
            Ok(token) => token,
            Err(Unreadable::NoJwt) if self.unknown == Unknown::Skip => return Judged::Foreign,
            Err(why) => return Judged::Refused(Refused::Token(why.into())),
        };
        let named = token.text("iss");
        let Some((at, issuer)) = self.issuer_of(named) else {
            return match self.unknown {
                Unknown::Skip => Judged::Foreign,
                Unknown::Refuse => Judged::Refused(Refused::Issuer),
            };
        };
        let Some(loaded) = issuer.source.keys() else { return Judged::Ask(at) };
        match verify(&token, &loaded.keys, &issuer.rules, now) {
            Ok(_) if issuer.source.is_revoked(&token) => Judged::Refused(Refused::Revoked),
            Ok(until) => match self.known(token, until, at, loaded.generation) {
                Ok(known) => {
                    self.cache.put(bytes, known.clone());
                    Judged::Known(known)
                }
                Err(refused) => Judged::Refused(refused),
            },
            Err(Refusal::UnknownKey) if issuer.source.may_have_more() => Judged::Ask(at),
            Err(why) => Judged::Refused(Refused::Token(why)),
        }
    }

    /// The issuer of this name; the one without a name takes what no other does.
    fn issuer_of(&self, name: Option<&str>) -> Option<(usize, &Issuer)> {
        let exact = |issuer: &Issuer| issuer.rules.issuer.is_some() && issuer.rules.issuer.as_deref() == name;
        let all = || self.issuers.iter().enumerate();
        all().find(|(_, issuer)| exact(issuer)).or_else(|| all().find(|(_, issuer)| issuer.rules.issuer.is_none()))
    }

    fn known(&self, token: Token<'_>, until: u64, issuer: usize, generation: u64) -> Result<Arc<Known>, Refused> {
        let binding = proof::Bound::of(&token.claims, self.binding)?;
        let meaning = self.mapping.read(token.claims, &self.consumers).map_err(|_| Refused::NoConsumer)?;
        Ok(Arc::new(Known { until, issuer, generation, binding, meaning }))
    }

    /// Asks for the issuer's keys, then decides.
    async fn ask(&self, x: &mut Exchange, shown: Shown<'static>, issuer: usize) -> Outcome {
        if let Some(issuer) = self.issuers.get(issuer) {
            issuer.source.ask(x.local.worker).await;
        }
        let now = self.now(x);
        let outcome = match self.judge(&shown.token, now) {
            Judged::Known(known) => self.finish(x, &shown, &known, now),
            Judged::Refused(refused) => Err(self.refuse(refused)),
            Judged::Foreign => {
                x.not_identified(&self.challenges.missing);
                Ok(())
            }
            // Asked, and still not there: without any keys nobody can say whether the token is good.
            Judged::Ask(issuer) => Err(self.refuse(match self.issuers.get(issuer).and_then(|it| it.source.keys()) {
                Some(_) => Refused::Token(Refusal::UnknownKey),
                None => Refused::NoKeys,
            })),
        };
        match outcome {
            Ok(()) => Outcome::Next,
            Err(error) => Outcome::Fail(Box::new(error)),
        }
    }

    fn finish(&self, x: &mut Exchange, shown: &Shown<'_>, known: &Known, now: u64) -> Result<(), Error> {
        let checked = self.proofs.check(&known.binding, shown, x, now);
        checked.and_then(|nonce| self.accept(x, known, nonce)).map_err(|refused| self.refuse(refused))
    }

    /// Makes what the token says the caller, who is told the nonce to use next where there is another.
    fn accept(&self, x: &mut Exchange, known: &Known, nonce: Option<HeaderValue>) -> Result<(), Refused> {
        if let Some(nonce) = nonce {
            nonce::fields(nonce).into_iter().for_each(|(name, value)| x.reply_header(name, value));
        }
        let meaning = &known.meaning;
        let learnt = Some(meaning.learnt.clone());
        let found = Finding { method: Jwt::KIND, consumer: meaning.consumer, credential: None, learnt };
        x.identify(found).map_err(|error| Refused::Identity(Box::new(error)))?;
        for place in &self.places {
            place.forget(&mut x.record.target);
            if self.upstream == Towards::Hide {
                place.hide(&mut x.request);
            }
        }
        if self.upstream == Towards::Hide {
            proof::hide(&mut x.request);
        }
        self.mapping.fill(meaning, &mut x.request.headers);
        Ok(())
    }

    fn refuse(&self, refused: Refused) -> Error {
        refused.into_error(&self.challenges.realm, &self.challenges.missing)
    }
}

/// The challenge of a request without a token, as the places ask for one.
fn challenges(realm: &Spanned<String>, binding: Binding, cx: &mut Compile<'_>) -> Option<Challenges> {
    let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
    let mut schemes: Vec<Cow<'static, str>> = Vec::new();
    if binding != Binding::Required {
        schemes.push("Bearer realm=\"".into());
    }
    schemes.push("DPoP algs=\"ES256 ES384 ES512 EdDSA PS256 RS256\", realm=\"".into());
    if binding == Binding::AsIssued {
        // Bearer is what nearly everybody has; those who have more know it.
        schemes.truncate(1);
    }
    let mut missing = Vec::with_capacity(schemes.len());
    for scheme in schemes {
        missing.push(cx.header_value(&realm.clone().map(|_| format!("{scheme}{quoted}\"")))?);
    }
    Some(Challenges { missing: missing.into(), realm: quoted.into() })
}
