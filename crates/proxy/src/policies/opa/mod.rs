//! Asks Open Policy Agent whether a request may pass, over its REST API (`POST /v1/data/PATH`).
//!
//! What is asked is what was chosen, as JSON; what was decided is remembered, if that is asked for, under exactly what was
//! sent, and requests that ask the same at the same time wait for one call. No decision is a failure, and a failure lets
//! nobody pass unless the configuration says so.

mod ask;
mod input;
mod spec;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use self::ask::{Asks, Decision};
use self::input::Input;
use self::spec::{OnError, Spec};
use crate::clock::Time;
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::denial::{Denial, Tally};
use crate::policies::{FieldNames, Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;
use crate::tokens::cache::Cache;

#[cfg(test)]
mod tests;

/// Asks Open Policy Agent whether a request may pass.
pub(crate) struct Opa;

const fn code(name: &'static str, status: u16, title: &'static str, blame: Blame) -> Code {
    Code { name, status, title, blame, proxy_status: None }
}

static DENIED: Code = code("opa.denied", 403, "Denied by policy", Blame::Client);
static UNIDENTIFIED: Code = code("opa.unidentified", 401, "Credentials required by policy", Blame::Client);
static HIDDEN: Code = code("opa.hidden", 404, "Hidden by policy", Blame::Client);
static LIMITED: Code = code("opa.limited", 429, "Limited by policy", Blame::Client);
static WITHHELD: Code = code("opa.withheld", 451, "Withheld by policy", Blame::Client);
static UNAVAILABLE: Code = code("opa.unavailable", 503, "Policy server unavailable", Blame::Gateway);

impl Policy for Opa {
    type Spec = Spec;
    const KIND: &'static str = "opa";
    const ORDER: (Stage, u8) = (Stage::Authorize, 60);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED, &UNIDENTIFIED, &HIDDEN, &LIMITED, &WITHHELD, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// A decision, and how long it is believed.
struct Known {
    until: Time,
    decision: Arc<Decision>,
}

/// Decisions that are remembered.
struct Remembered {
    cache: Cache<Known>,
    ttl: std::time::Duration,
}

struct Judge {
    asks: Arc<Asks>,
    input: Input,
    remembered: Option<Remembered>,
    /// Fields of a decision that the upstream gets; what a client sends in these is taken out.
    upstream: Box<[HeaderName]>,
    on_error: OnError,
    denial: Denial,
    tally: Tally,
}

impl Step for Judge {
    fn owns(&self) -> FieldNames {
        // A credential is looked at before, and replaced only after.
        self.upstream.iter().filter(|name| **name != AUTHORIZATION && **name != COOKIE).cloned().collect()
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        for name in &self.upstream {
            x.request.headers.remove(name);
        }
        let question = self.input.of(x);
        if let Some(remembered) = &self.remembered
            && let Some(known) = remembered.cache.get(&question)
            && x.local.program.clock.now() < known.until
        {
            return Verdict::Done(self.decide(x, &known.decision));
        }
        Verdict::Await(Box::pin(self.ask(x, question)))
    }
}

impl Judge {
    async fn ask(&self, x: &mut Exchange, question: Bytes) -> Outcome {
        let Some(decision) = self.asks.ask(x.local.worker, &question).await else {
            return match self.on_error {
                OnError::Allow => Outcome::Next,
                OnError::Deny => self.unavailable(x),
            };
        };
        if let Some(remembered) = &self.remembered {
            let until = x.local.program.clock.now() + remembered.ttl;
            remembered.cache.put(&question, Arc::new(Known { until, decision: decision.clone() }));
        }
        self.decide(x, &decision)
    }

    fn decide(&self, x: &mut Exchange, decision: &Decision) -> Outcome {
        match decision {
            Decision::Allow { headers } => {
                for name in &self.upstream {
                    for value in headers.get_all(name) {
                        x.request.headers.append(name.clone(), value.clone());
                    }
                }
                Outcome::Next
            }
            Decision::Deny { reason, status, headers } => self.deny(x, reason.as_deref(), *status, headers),
        }
    }

    #[cold]
    fn deny(&self, x: &mut Exchange, reason: Option<&str>, status: u16, headers: &HeaderMap) -> Outcome {
        let code = match status {
            401 => &UNIDENTIFIED,
            404 => &HIDDEN,
            429 => &LIMITED,
            451 => &WITHHELD,
            _ => &DENIED,
        };
        let why = reason
            .map_or_else(|| "the policy denies it".to_owned(), |reason| format!("the policy denies it: {reason}"));
        self.denial.finish(x, &self.tally, why, |x, why, denial| {
            let mut error = denial.error(code, why, reason);
            if code.status == 401 && !headers.contains_key(WWW_AUTHENTICATE) {
                error = x.challenges.drain(..).fold(error, |error, value| error.header(WWW_AUTHENTICATE, value));
            }
            headers.iter().fold(error, |error, (name, value)| error.header(name.clone(), value.clone()))
        })
    }

    #[cold]
    fn unavailable(&self, x: &mut Exchange) -> Outcome {
        self.denial.finish(x, &self.tally, "there is no decision".to_owned(), |_, why, _| {
            let error = Error::new(&UNAVAILABLE, "Nobody can say at this time whether this may pass.");
            error.because(why).header(RETRY_AFTER, HeaderValue::from_static("1"))
        })
    }
}
