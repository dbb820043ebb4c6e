//! What a route ends in: the upstream, or one folder each for the others. The upstream is an unboxed arm, as it is what
//! nearly every request meets; the others are behind [`Answer`].

mod echo;
mod issuer_keys;
mod jwks;
pub(crate) mod oauth_server;
mod redirect;
mod respond;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Method, StatusCode, response};
use model::load::{Node, Span, Spanned, from_node};
use model::problem::did_you_mean;
use model::resource::{Arm, To};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::exchange::{Body, Cached, Code, Error, Exchange, codes};
use crate::expr::{Expr, Scope, Value};
use crate::policies::{Outcome, Stage, Step, Verdict};
use crate::program::{Compile, Local, RoutePlan, UpstreamId};

/// What a terminal made of the request before the steps that need it. Its terminal downcasts it in one place.
pub trait Call: Any + Send + Sync {
    /// What a cache of answers had for it, where one was asked.
    fn cached(&self) -> Option<Cached> {
        None
    }

    /// What expressions may know of it.
    fn fact(&self, _fact: CallFact) -> Value<'_> {
        Value::Absent
    }

    /// Who is to hear what comes from the upstream after a change of protocol.
    fn ear(&mut self) -> Option<Ear> {
        None
    }
}

/// Hears the bytes of a tunnel, as they come and before they go on.
pub type Ear = Box<dyn FnMut(&[u8]) + Send>;

/// What expressions may know of a call of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFact {
    /// The model, by the name that the caller used.
    Model,
    /// Whether the answer is to come as a stream.
    Stream,
    /// About how many tokens its text has.
    InputTokens,
    /// How many images it has.
    Images,
    /// How many pieces of sound it has.
    Audio,
    /// How many documents it has.
    Files,
    /// How many tools the model may call.
    Tools,
}

/// A terminal other than the upstream.
pub trait Answer: Send + Sync {
    /// Its kind, as configuration says it.
    fn kind(&self) -> &'static str;

    /// Whether it makes something of the request for steps that act on that.
    fn makes_calls(&self) -> bool {
        false
    }

    /// What it asks of callers itself, whatever policies say: a step of routes that identify callers.
    fn own_step(&self) -> Option<OwnStep> {
        None
    }

    /// Fills `x.call` for the steps that act on it, just before the first of them.
    fn prepare<'a>(&'a self, _x: &'a mut Exchange) -> Verdict<'a> {
        Verdict::NEXT
    }

    /// An error as its callers read it, whoever made it; none for the usual problem document.
    fn render(&self, _x: &Exchange, _error: &Error) -> Option<(response::Parts, Bytes)> {
        None
    }

    /// Answers: fills `x.response` and `x.response_body`, then `Next`, or fails.
    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a>;
}

/// A step that a terminal brings along.
pub struct OwnStep {
    /// What it is called where steps are listed.
    pub kind: &'static str,
    /// Its place in the running order.
    pub order: (Stage, u8),
    /// The step.
    pub step: Arc<dyn Step>,
}

/// What a route ends in.
#[derive(Clone)]
pub enum Terminal {
    /// One upstream.
    Upstream(UpstreamId),
    /// One of several upstreams.
    Split(Arc<Split>),
    /// The gateway itself.
    Answer(Arc<dyn Answer>),
    /// Nothing matched: 404 or 405.
    NoRoute,
}

/// Several upstreams: the first whose condition holds, else by weight.
pub struct Split {
    /// Arms with a condition, in order.
    pub conditions: Vec<(Expr, UpstreamId)>,
    /// Arms without, by the running sum of their weights.
    pub weights: Vec<(u32, UpstreamId)>,
}

/// A terminal other than the upstream, at compile time.
pub trait TerminalKind: 'static {
    /// What a user writes. Doc comments become schema, reference docs and help.
    type Spec: DeserializeOwned + JsonSchema;
    /// The key in `to:`.
    const KIND: &'static str;
    /// The error codes it may answer with.
    const CODES: &'static [&'static Code] = &[];

    /// Compiles what was written. Problems go to `cx`; `None` only with a problem.
    fn compile(spec: Self::Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>>;
}

/// A terminal as the rest of the gateway sees it.
pub struct Registered {
    /// Its key in `to:`.
    pub kind: &'static str,
    /// The JSON Schema of its value.
    pub schema: fn(&mut SchemaGenerator) -> schemars::Schema,
    /// Compiles its value.
    pub compile: fn(&Node, &mut Compile<'_>) -> Option<Arc<dyn Answer>>,
    /// The error codes it may answer with.
    pub codes: &'static [&'static Code],
    /// A configuration that uses it; a test loads and checks it.
    pub example: &'static str,
}

/// The entry of a terminal, with its example.
pub const fn entry<T: TerminalKind>(example: &'static str) -> Registered {
    Registered {
        kind: T::KIND,
        schema: |generator| T::Spec::json_schema(generator),
        compile: |value, cx| {
            let path = cx.path().to_owned();
            let spec = from_node::<T::Spec>(value, &path, cx.problems())?;
            T::compile(spec, cx)
        },
        codes: T::CODES,
        example,
    }
}

/// Every terminal but the upstream.
pub static TERMINALS: &[Registered] = &[
    entry::<respond::Respond>(include_str!("respond/example.yaml")),
    entry::<redirect::Redirect>(include_str!("redirect/example.yaml")),
    entry::<echo::Echo>(include_str!("echo/example.yaml")),
    entry::<oauth_server::OAuthServer>(include_str!("oauth_server/example.yaml")),
    entry::<jwks::Jwks>(include_str!("jwks/example.yaml")),
];

/// Compiles a route's `to`.
pub fn compile(to: &Spanned<To>, cx: &mut Compile<'_>) -> Option<Terminal> {
    match &to.value {
        To::Upstream(name) => cx.upstream(&Spanned { value: name.clone(), span: to.span }).map(Terminal::Upstream),
        To::Split(arms) => split(arms, cx),
        To::Terminal { kind, value } => {
            let registry = cx.env.registry;
            let Some(known) = registry.terminal(kind) else {
                let near = did_you_mean(kind, registry.terminals().map(|known| known.kind));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                let kinds: Vec<_> = registry.terminals().map(|known| known.kind).collect();
                let help = format!("name an upstream, or one of {}", kinds.join(", "));
                cx.problem(kind.span, format!("unknown terminal `{}`{hint}", **kind), help);
                return None;
            };
            (known.compile)(value, cx).map(Terminal::Answer)
        }
    }
}

fn split(arms: &[Arm], cx: &mut Compile<'_>) -> Option<Terminal> {
    let mut split = Split { conditions: Vec::new(), weights: Vec::new() };
    let mut sum = 0;
    for arm in arms {
        let upstream = cx.upstream(&arm.upstream);
        match (&arm.when, arm.weight) {
            (Some(when), None) => {
                let when = cx.condition(when, Scope::Request);
                split.conditions.extend(when.zip(upstream));
            }
            (Some(when), Some(_)) => {
                cx.problem(when.span, "an arm has either `when` or `weight`", "take one of them out");
            }
            (None, weight) => {
                sum += u32::from(weight.unwrap_or(1));
                split.weights.extend(upstream.map(|upstream| (sum, upstream)));
            }
        }
    }
    if sum == 0 {
        let (message, help) = if arms.iter().all(|arm| arm.when.is_some()) {
            ("every arm has a condition, so a request may find none", "add a last arm without `when`")
        } else {
            ("the weights are all 0, so no request goes anywhere", "give an arm a weight above 0")
        };
        cx.problem(cx.span, message, help);
    }
    Some(Terminal::Split(Arc::new(split)))
}

impl Terminal {
    /// Whether it makes something of the request for steps that act on that.
    pub fn makes_calls(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.makes_calls())
    }

    /// What it asks of callers itself.
    pub(crate) fn own_step(&self) -> Option<OwnStep> {
        match self {
            Self::Answer(answer) => answer.own_step(),
            _ => None,
        }
    }
}

/// Lets the route's terminal read the request, for the steps that act on what it makes of it.
pub async fn prepare(x: &mut Exchange, plan: &RoutePlan) -> Outcome {
    let Terminal::Answer(answer) = &plan.terminal else { return Outcome::Next };
    match answer.prepare(x) {
        Verdict::Done(outcome) => outcome,
        Verdict::Await(later) => later.await,
    }
}

/// Lets the route's terminal answer.
pub async fn serve(x: &mut Exchange, local: &Local, plan: &RoutePlan) -> Outcome {
    let upstream = match &plan.terminal {
        Terminal::Upstream(id) => *id,
        Terminal::Split(split) => split.choose(x),
        Terminal::Answer(answer) => {
            return match answer.serve(x) {
                Verdict::Done(outcome) => outcome,
                Verdict::Await(later) => later.await,
            };
        }
        Terminal::NoRoute => return Outcome::Fail(Box::new(no_route(x.notes.allow.take()))),
    };
    let Some(upstream) = local.program.upstream(upstream) else {
        return Outcome::Fail(Box::new(Error::new(&codes::INTERNAL, "The upstream is gone.")));
    };
    match upstream.serve(x, plan).await {
        Ok(()) => Outcome::Next,
        Err(error) => Outcome::Fail(Box::new(error)),
    }
}

/// Whether a header field frames a message or concerns one connection, so that it is the gateway's own (RFC 9110
/// section 7.6.1).
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    let own = [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    own.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "date")
}

/// Whether a user may set this header field; otherwise there is a problem.
pub(crate) fn may_set(name: &HeaderName, at: Span, cx: &mut Compile<'_>) -> bool {
    if is_framing(name) {
        cx.problem(at, format!("`{name}` is set by the gateway itself"), "take it out");
    }
    !is_framing(name)
}

/// An answer with its length. `HEAD` gets the head alone, and a status that has no body none.
fn framed(x: &Exchange, mut head: response::Parts, body: Bytes) -> (response::Parts, Body) {
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return (head, Body::Empty);
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let body = if x.request.method == Method::HEAD { Body::Empty } else { Body::from(body) };
    (head, body)
}

/// Answers with this head and body.
fn reply<'a>(x: &Exchange, head: response::Parts, body: Bytes) -> Verdict<'a> {
    let (head, body) = framed(x, head, body);
    Verdict::reply(head, body)
}

/// The answer to a request that no route takes; `allow` where one would, but for the method.
pub(crate) fn no_route(allow: Option<HeaderValue>) -> Error {
    match allow {
        Some(allow) => Error::new(&codes::METHOD_NOT_ALLOWED, "No route takes this method here.").header(ALLOW, allow),
        None => Error::new(&codes::NO_ROUTE, "No route matches this request."),
    }
}

impl Split {
    /// The arm of this exchange.
    fn choose(&self, x: &Exchange) -> UpstreamId {
        if let Some((_, upstream)) = self.conditions.iter().find(|(when, _)| when.test(x)) {
            return *upstream;
        }
        let all = self.weights.last().map_or(1, |(sum, _)| (*sum).max(1));
        let drawn = crate::random::below(all);
        self.weights.iter().find(|(sum, _)| drawn < *sum).map_or(UpstreamId(0), |(_, upstream)| *upstream)
    }
}
