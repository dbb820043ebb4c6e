//! Shows the upstream who the gateway is: a fixed field, a user name and password, a signature (AWS Signature Version
//! 4), or a token that the gateway gets for itself (OAuth 2.0 client credentials) or for the caller in exchange for his own
//! (RFC 8693).
//!
//! Tokens are got once, kept until they are nearly over and then got again beside the traffic; requests wait only where
//! there is none, and then all for one call. An upstream that refuses a token makes the next request get another.

mod aws;
mod spec;

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER};
use http::{StatusCode, request};

use self::aws::Aws;
use self::spec::Spec;
use crate::calls::{Got, Tokens};
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::{Merge, Needs, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Shows the upstream who the gateway is.
pub(crate) struct UpstreamAuth;

static UNAVAILABLE: Code = Code {
    name: "upstream_auth.unavailable",
    status: 503,
    title: "No token for the upstream",
    blame: Blame::Gateway,
    proxy_status: None,
};
static MISSING: Code = Code {
    name: "upstream_auth.missing",
    status: 401,
    title: "No token to exchange",
    blame: Blame::Client,
    proxy_status: None,
};
static UNSIGNED: Code = Code {
    name: "upstream_auth.body",
    status: 400,
    title: "The body cannot be signed",
    blame: Blame::Client,
    proxy_status: None,
};
static REFUSED: Code = Code {
    name: "upstream_auth.refused",
    status: 403,
    title: "Token not exchanged",
    blame: Blame::Client,
    proxy_status: None,
};

impl Policy for UpstreamAuth {
    type Spec = Spec;
    const KIND: &'static str = "upstream_auth";
    const ORDER: (Stage, u8) = (Stage::Shape, 200);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&UNAVAILABLE, &MISSING, &REFUSED, &UNSIGNED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// What is shown.
enum Show {
    /// Always the same.
    Fixed(HeaderName, HeaderValue),
    /// A signature of each request.
    Signed(Box<Aws>),
    /// A token of the gateway's own.
    Own(Arc<Tokens>),
    /// A token in exchange for the caller's.
    Exchanged(Arc<Tokens>),
}

impl Step for Show {
    fn needs(&self) -> Needs {
        match self {
            Show::Signed(aws) => aws.needs(),
            Show::Fixed(..) | Show::Own(_) | Show::Exchanged(_) => Needs::NONE,
        }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let (tokens, subject) = match self {
            Show::Fixed(name, value) => {
                x.request.headers.insert(name.clone(), value.clone());
                return Verdict::NEXT;
            }
            Show::Signed(aws) => {
                return match aws.sign(x) {
                    Ok(()) => Verdict::NEXT,
                    Err(_) => Verdict::fail(Error::new(&UNSIGNED, "A body that streams cannot be signed.")),
                };
            }
            Show::Own(tokens) => (tokens, Arc::default()),
            Show::Exchanged(tokens) => match bearer(&x.request) {
                Some(subject) => (tokens, subject),
                None => {
                    let detail = "The request carries no token that could be exchanged.";
                    return Verdict::fail(
                        Error::new(&MISSING, detail)
                            .header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
                    );
                }
            },
        };
        match tokens.known(x.local.worker, &subject) {
            Some(value) => {
                x.request.headers.insert(AUTHORIZATION, value);
                Verdict::NEXT
            }
            None => Verdict::Await(Box::pin(wait(x, tokens, subject))),
        }
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let refused = x.response.as_ref().is_some_and(|head| head.status == StatusCode::UNAUTHORIZED);
        if let (Show::Own(tokens), true) = (self, refused) {
            tokens.doubt();
        }
        Verdict::NEXT
    }
}

async fn wait(x: &mut Exchange, tokens: &Arc<Tokens>, subject: Arc<[u8]>) -> Outcome {
    match tokens.get(x.local.worker, subject).await {
        Got::Token(value) => {
            x.request.headers.insert(AUTHORIZATION, value);
            Outcome::Next
        }
        Got::Refused => Outcome::Fail(Box::new(Error::new(&REFUSED, "The caller's token was not exchanged."))),
        Got::Nothing => {
            let error = Error::new(&UNAVAILABLE, "There is no token for the upstream at this time.");
            Outcome::Fail(Box::new(error.header(RETRY_AFTER, HeaderValue::from_static("1"))))
        }
    }
}

/// The caller's token.
fn bearer(request: &request::Parts) -> Option<Arc<[u8]>> {
    let (scheme, token) = request.headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then(|| token.into())
}
