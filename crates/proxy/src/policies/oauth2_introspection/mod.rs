//! Identifies the caller by a token that its issuer explains (RFC 7662).
//!
//! The answer is remembered as long as it may be: a good one until the token ends, a bad one for a moment, so that neither
//! costs a call for every request. Requests with the same token wait for one call. Where nobody can be asked, nobody passes.

mod ask;
mod spec;

use std::sync::Arc;

use http::HeaderValue;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use self::ask::{Answer, Asks};
use self::spec::Spec;
use super::claims::{Mapping, Meaning};
use super::jwt::Towards;
use super::key_auth::places::{self, Found, Place};
use crate::exchange::{Blame, Code, Error, Exchange, Finding};
use crate::policies::{FieldNames, Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, Consumers};
use crate::tokens::cache::Cache;
use crate::tokens::rules::{Broken, Rules};

#[cfg(test)]
mod tests;

/// Identifies the caller by a token that its issuer explains.
pub(crate) struct OAuth2Introspection;

const fn code(name: &'static str, status: u16, title: &'static str, blame: Blame) -> Code {
    Code { name, status, title, blame, proxy_status: None }
}

static INACTIVE: Code = code("oauth2_introspection.inactive", 401, "Invalid token", Blame::Client);
static AUDIENCE: Code = code("oauth2_introspection.audience", 401, "Wrong token audience", Blame::Client);
static AMBIGUOUS: Code = code("oauth2_introspection.ambiguous", 400, "Several tokens", Blame::Client);
static NO_CONSUMER: Code = code("oauth2_introspection.no_consumer", 403, "Token of no consumer", Blame::Client);
static UNAVAILABLE: Code = code("oauth2_introspection.unavailable", 503, "Token issuer unavailable", Blame::Gateway);

impl Policy for OAuth2Introspection {
    type Spec = Spec;
    const KIND: &'static str = "oauth2_introspection";
    const ORDER: (Stage, u8) = (Stage::Identify, 60);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&INACTIVE, &AUDIENCE, &AMBIGUOUS, &NO_CONSUMER, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// What is remembered of a token.
struct Known {
    /// When it has to be asked for again, in seconds since 1970.
    until: u64,
    state: State,
}

enum State {
    Good(Meaning),
    Refused(&'static Code),
}

struct Introspect {
    places: Box<[Place]>,
    asks: Arc<Asks>,
    mapping: Mapping,
    rules: Rules,
    upstream: Towards,
    most_bytes: usize,
    /// The longest that a good answer and a bad one are believed, in seconds.
    good_for: u64,
    bad_for: u64,
    cache: Cache<Known>,
    consumers: Arc<Consumers>,
    missing: [HeaderValue; 1],
    invalid: HeaderValue,
}

impl Step for Introspect {
    fn owns(&self) -> FieldNames {
        self.mapping.owns()
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let token = match places::find(&self.places, &x.request) {
            Found::One(token) => token,
            Found::None => {
                x.not_identified(&self.missing);
                return Verdict::NEXT;
            }
            Found::Differing => {
                return Verdict::fail(Error::new(&AMBIGUOUS, "The request carries several tokens that differ."));
            }
        };
        if token.len() > self.most_bytes {
            return Verdict::fail(self.refused(&INACTIVE));
        }
        let now = x.local.program.clock.wall().as_secs();
        if let Some(known) = self.cache.get(&token).filter(|known| now < known.until) {
            return match self.decide(x, &known) {
                Ok(()) => Verdict::NEXT,
                Err(error) => Verdict::fail(error),
            };
        }
        let token: Arc<[u8]> = token.into_owned().into();
        Verdict::Await(Box::pin(self.ask(x, token)))
    }
}

impl Introspect {
    async fn ask(&self, x: &mut Exchange, token: Arc<[u8]>) -> Outcome {
        let answer = self.asks.ask(x.local.worker, &token).await;
        let known = match answer {
            Some(answer) => Arc::new(self.understand(&answer, x.local.program.clock.wall().as_secs())),
            None => {
                let error = Error::new(&UNAVAILABLE, "The token's issuer cannot be asked at this time.");
                return Outcome::Fail(Box::new(error.header(RETRY_AFTER, HeaderValue::from_static("1"))));
            }
        };
        self.cache.put(&token, known.clone());
        match self.decide(x, &known) {
            Ok(()) => Outcome::Next,
            Err(error) => Outcome::Fail(Box::new(error)),
        }
    }

    /// What the issuer's answer means, and for how long.
    fn understand(&self, answer: &Answer, now: u64) -> Known {
        let bad = |code| Known { until: now + self.bad_for, state: State::Refused(code) };
        let Answer::Active(claims) = answer else { return bad(&INACTIVE) };
        let until = match self.rules.check(None, claims, now) {
            Ok(until) => until.min(now + self.good_for),
            Err(Broken::Audience) => return bad(&AUDIENCE),
            Err(_) => return bad(&INACTIVE),
        };
        match self.mapping.read((**claims).clone(), &self.consumers) {
            Ok(meaning) => Known { until, state: State::Good(meaning) },
            Err(_) => bad(&NO_CONSUMER),
        }
    }

    fn decide(&self, x: &mut Exchange, known: &Known) -> Result<(), Error> {
        let meaning = match &known.state {
            State::Good(meaning) => meaning,
            State::Refused(code) => return Err(self.refused(code)),
        };
        let learnt = Some(meaning.learnt.clone());
        let method = OAuth2Introspection::KIND;
        x.identify(Finding { method, consumer: meaning.consumer, credential: None, learnt })?;
        for place in &self.places {
            place.forget(&mut x.record.target);
            if self.upstream == Towards::Hide {
                place.hide(&mut x.request);
            }
        }
        self.mapping.fill(meaning, &mut x.request.headers);
        Ok(())
    }

    fn refused(&self, code: &'static Code) -> Error {
        let detail = match code.name {
            "oauth2_introspection.audience" => "The token is for another audience.",
            "oauth2_introspection.no_consumer" => "The token stands for no consumer.",
            _ => "The token is not active.",
        };
        let error = Error::new(code, detail);
        if code.status == 401 { error.header(WWW_AUTHENTICATE, self.invalid.clone()) } else { error }
    }
}
