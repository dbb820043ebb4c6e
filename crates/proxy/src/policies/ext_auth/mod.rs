//! Asks a server of the user's own whether a request may pass: over HTTP, or by Envoy's contract for it over gRPC.
//!
//! What goes there is the head of the request, so far as it is chosen, and where it is asked for the body; what comes back is a decision, fields for the
//! upstream, and (if the user says which) who the caller is. No answer, and one that makes no sense, is a failure, and a
//! failure lets nobody pass unless the user says so.

mod grpc;
mod http;
mod proto;
mod spec;

use std::sync::Arc;

use ::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use ::http::{Response, StatusCode};
use bytes::Bytes;

pub(crate) use self::spec::names;
use self::spec::{OnError, Protocol, Refusal, Spec};
use crate::calls::Remote;
use crate::exchange::{Blame, Body, Code, Error, Exchange, Finding, Learnt};
use crate::policies::{FieldNames, Merge, Need, Needs, Outcome, Policy, Reply, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, Consumers};
use crate::terminals::is_framing;

#[cfg(test)]
mod tests;

/// Asks a server of the user's own whether a request may pass.
pub(crate) struct ExtAuth;

static DENIED: Code = Code {
    name: "ext_auth.denied",
    status: 403,
    title: "Denied by the authorization server",
    blame: Blame::Client,
    proxy_status: None,
};
static UNREADABLE: Code = Code {
    name: "ext_auth.unreadable",
    status: 415,
    title: "Body cannot be checked",
    blame: Blame::Client,
    proxy_status: None,
};
static UNAVAILABLE: Code = Code {
    name: "ext_auth.unavailable",
    status: 503,
    title: "Authorization server unavailable",
    blame: Blame::Gateway,
    proxy_status: None,
};

/// Says that the server sees the whole body.
static PARTIAL: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");

/// Fields that the server has to see although the upstream gets them from it: taken out once it has decided.
static CREDENTIALS: [HeaderName; 2] = [AUTHORIZATION, COOKIE];

impl Policy for ExtAuth {
    type Spec = Spec;
    const KIND: &'static str = "ext_auth";
    const ORDER: (Stage, u8) = (Stage::Identify, 200);
    const MERGE: Merge = Merge::Append;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED, &UNREADABLE, &UNAVAILABLE];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        spec.compile(cx).map(|step| Arc::new(step) as Arc<dyn Step>)
    }
}

/// The step.
struct Ask {
    remote: Remote,
    protocol: Protocol,
    /// Fields of the request that the server sees.
    send: FieldNames,
    /// The most bytes of the body, where the server sees it.
    body: Option<u64>,
    /// Fields of its answer that the upstream gets; what a client sends in them is taken out.
    upstream: FieldNames,
    /// Fields of its answer that the client gets with a refusal.
    client: FieldNames,
    refusal: Refusal,
    on_error: OnError,
    identity: Option<Naming>,
    consumers: Arc<Consumers>,
}

/// Fields of an answer that say who the caller is.
struct Naming {
    consumer: Option<HeaderName>,
    subject: Option<HeaderName>,
    groups: Option<HeaderName>,
    challenge: HeaderValue,
}

/// What the server decided.
enum Decision {
    Allow(Allowed),
    Deny { status: StatusCode, headers: HeaderMap, body: Bytes },
}

/// A request that may pass, and what becomes of it.
#[derive(Default)]
struct Allowed {
    /// Everything the answer says, to learn who calls.
    told: HeaderMap,
    set: Vec<(HeaderName, HeaderValue)>,
    append: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
    /// For the answer to the client.
    reply: Vec<(HeaderName, HeaderValue)>,
}

impl Step for Ask {
    fn needs(&self) -> Needs {
        Needs { request: self.body.map_or(Need::None, Need::Buffer), ..Needs::NONE }
    }

    fn owns(&self) -> FieldNames {
        let whole = self.upstream.whole.iter().filter(|name| !CREDENTIALS.contains(name));
        FieldNames { whole: whole.cloned().collect(), starts: self.upstream.starts.clone() }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        Verdict::Await(Box::pin(self.decide(x)))
    }
}

impl Ask {
    async fn decide(&self, x: &mut Exchange) -> Outcome {
        let body = match self.body(x) {
            Ok(body) => body,
            Err(error) => return Outcome::Fail(Box::new(error)),
        };
        let decision = match self.protocol {
            Protocol::Http => self.by_http(x, body).await,
            Protocol::Grpc => self.by_grpc(x, body).await,
        };
        match decision {
            Ok(Decision::Allow(allowed)) => match self.allow(x, allowed) {
                Ok(()) => Outcome::Next,
                Err(error) => Outcome::Fail(Box::new(error)),
            },
            Ok(Decision::Deny { status, headers, body }) => self.deny(status, headers, body),
            Err(why) => {
                tracing::warn!(target: "tollgate::ext_auth", url = self.remote.url(), error = %why, "no decision");
                match self.on_error {
                    OnError::Allow => Outcome::Next,
                    OnError::Refuse => {
                        let error = Error::new(&UNAVAILABLE, "Nobody can say at this time whether this may pass.");
                        Outcome::Fail(Box::new(error.header(RETRY_AFTER, HeaderValue::from_static("1"))))
                    }
                }
            }
        }
    }

    /// The body that the server sees, which stays where it is. One that is not here whole must not pass unseen.
    fn body(&self, x: &Exchange) -> Result<Option<Bytes>, Error> {
        if self.body.is_none() {
            return Ok(None);
        }
        match &x.request_body {
            Body::Empty => Ok(Some(Bytes::new())),
            Body::Full(bytes) => Ok(Some(bytes.clone())),
            Body::Parts(parts, _) => Ok(Some(parts.iter().flatten().copied().collect())),
            Body::Client(_) | Body::Incoming(_) | Body::Upstream(_) | Body::Stream(_) => {
                Err(Error::new(&UNREADABLE, "The body is a stream, and is to be checked as a whole."))
            }
        }
    }

    fn allow(&self, x: &mut Exchange, allowed: Allowed) -> Result<(), Error> {
        if let Some(naming) = &self.identity {
            naming.identify(x, &allowed.told, &self.consumers)?;
        }
        let headers = &mut x.request.headers;
        for name in CREDENTIALS.iter().filter(|name| self.upstream.whole.contains(name)) {
            headers.remove(name);
        }
        for name in allowed.remove.iter().filter(|name| may_change(name)) {
            headers.remove(name);
        }
        for (name, value) in allowed.set.into_iter().filter(|(name, _)| may_change(name)) {
            headers.insert(name, value);
        }
        for (name, value) in allowed.append.into_iter().filter(|(name, _)| may_change(name)) {
            headers.append(name, value);
        }
        for (name, value) in allowed.reply.into_iter().filter(|(name, _)| may_change(name)) {
            x.reply_header(name, value);
        }
        Ok(())
    }

    fn deny(&self, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Outcome {
        if self.refusal == Refusal::Forbid {
            return Outcome::Fail(Box::new(Error::new(&DENIED, "The request was denied.")));
        }
        let unwanted: Vec<HeaderName> = headers.keys().filter(|name| !may_change(name)).cloned().collect();
        for name in unwanted {
            headers.remove(name);
        }
        let mut head = Response::new(()).into_parts().0;
        head.status = status;
        head.headers = headers;
        head.headers.insert(::http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        Outcome::Reply(Box::new(Reply { head, body: Body::from(body) }))
    }
}

/// Whether the server may set a field: framing and host are the gateway's own.
fn may_change(name: &HeaderName) -> bool {
    !is_framing(name) && *name != HOST
}

impl Naming {
    /// Makes whom the answer names the caller.
    fn identify(&self, x: &mut Exchange, told: &HeaderMap, consumers: &Consumers) -> Result<(), Error> {
        let text = |name: &Option<HeaderName>| {
            let value = told.get(name.as_ref()?)?.to_str().ok()?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let (consumer, subject) = (text(&self.consumer), text(&self.subject));
        if consumer.is_none() && subject.is_none() {
            x.not_identified([&self.challenge]);
            return Ok(());
        }
        let slot = match &consumer {
            None => None,
            Some(name) => match consumers.by_name(name) {
                Some(known) => Some(known.slot),
                None => return Err(Error::new(&DENIED, "The caller is no consumer here.")),
            },
        };
        let groups = text(&self.groups).unwrap_or_default();
        let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty()).map(Into::into).collect();
        let learnt = Learnt { subject: subject.map(Into::into), groups, ..Learnt::default() };
        let learnt = Some(Arc::new(learnt));
        x.identify(Finding { method: ExtAuth::KIND, consumer: slot, credential: None, learnt })
    }
}
