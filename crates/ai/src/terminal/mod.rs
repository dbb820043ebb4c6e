//! The terminal `ai`: a call of a model, from whatever format a caller speaks to whatever dialect a provider speaks.
//!
//! The way of a call: the end of the path says the format, the body says the model; the model's targets are asked in turn
//! until one answers; the answer goes back as it comes. Failures, those of policies before it too, are told in the
//! caller's format.

mod ask;
mod failure;
mod give;
mod models;
mod pass;
mod prompt;
mod spec;
mod stream;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode, response};
use proxy::exchange::{Attempts, Body, Code, Error, Exchange, ModelCall, buffer};
use proxy::expr::{Expr, Scope};
use proxy::policies::{Outcome, Reply as GatewayReply, Verdict};
use proxy::program::Compile;
use proxy::terminals::{Answer, OwnStep, TerminalKind};

use self::ask::{Asking, Chain, Frame, Unanswered, vendor_fields};
pub(crate) use self::failure::codes;
pub(crate) use self::pass::Embedder;
pub(crate) use self::prompt::Prompt;
use self::spec::CallersMay;
pub use self::spec::{Spec, Unseen};
use self::stream::Taker;
use crate::call::{AiCall, Asked, Head, Listing, Turn, asked, format, sdk};
use crate::catalog::Money;
use crate::fleet::{Chooser, Fleet, Model, Urgency};
use crate::meter::{Row, Served, whose};
use crate::policies::CallerKeys;
use crate::translate::Reply;

#[cfg(test)]
mod tests;

/// A call of a model.
pub struct Ai;

static MODEL: HeaderName = HeaderName::from_static("x-tollgate-model");
static PROMPT: HeaderName = HeaderName::from_static("x-tollgate-prompt");
static PROVIDER: HeaderName = HeaderName::from_static("x-tollgate-provider");
static COST: HeaderName = HeaderName::from_static("x-tollgate-cost");
static ATTEMPTS: HeaderName = HeaderName::from_static("x-tollgate-attempts");
static CALLERS_TIMEOUT: HeaderName = HeaderName::from_static("x-tollgate-timeout");
static CALLERS_FALLBACKS: HeaderName = HeaderName::from_static("x-tollgate-fallbacks");

impl TerminalKind for Ai {
    type Spec = Spec;
    const KIND: &'static str = "ai";
    const CODES: &'static [&'static Code] = codes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Answer>> {
        let fleet = Fleet::of(cx);
        if fleet.is_empty() {
            cx.problem(cx.span, "there are no models", "add `ai: { providers: […], models: […] }`");
            return None;
        }
        if spec.max_bytes.get() == 0 || spec.max_bytes.get() > 256 << 20 {
            cx.problem(cx.span, "`max_bytes` is not from 1 byte to 256 MiB", "mend it");
            return None;
        }
        Some(Arc::new(Door::new(fleet, &spec, cx)?))
    }
}

/// The terminal.
struct Door {
    fleet: Arc<Fleet>,
    /// The most bytes of a request.
    most: u64,
    /// How long a stream may be still.
    heartbeat: Option<Duration>,
    callers_may: Vec<CallersMay>,
    /// How urgent a call is.
    priority: Option<Expr>,
    unseen: Option<Unseen>,
    /// What keys that were given while it runs are good for.
    keys: Arc<CallerKeys>,
}

impl Answer for Door {
    fn kind(&self) -> &'static str {
        Ai::KIND
    }

    fn makes_calls(&self) -> bool {
        true
    }

    fn own_step(&self) -> Option<OwnStep> {
        Some(self.keys.own_step())
    }

    fn prepare<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let turn = match asked(&x.request.method, &x.request.uri) {
            Some(Asked::Turn(turn)) => turn,
            Some(Asked::Models | Asked::Model(_)) => {
                x.call = Some(Box::new(Listing::default()));
                return Verdict::NEXT;
            }
            Some(Asked::Other(other)) => {
                return Verdict::Await(Box::pin(async move {
                    match pass::read(self, x, &other).await {
                        Ok(call) => {
                            x.call = call.map(|call| call as Box<dyn proxy::terminals::Call>);
                            Outcome::Next
                        }
                        Err(error) => Outcome::Fail(Box::new(error)),
                    }
                }));
            }
            None => return Verdict::NEXT,
        };
        Verdict::Await(Box::pin(async move {
            match self.read(x, turn).await {
                Ok(call) => {
                    x.call = Some(call);
                    Outcome::Next
                }
                Err(error) => Outcome::Fail(Box::new(error)),
            }
        }))
    }

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        match asked(&x.request.method, &x.request.uri) {
            Some(Asked::Models) => {
                let format = sdk(&x.request.uri, &x.request.headers);
                let listing = Listing::of(x);
                let shown = |name: &&str| listing.as_ref().is_none_or(|listing| listing.shows(name));
                let (head, body) = models::list(self.fleet.names().filter(shown), format);
                Verdict::reply(head, body)
            }
            Some(Asked::Model(name)) => {
                let format = sdk(&x.request.uri, &x.request.headers);
                let listing = Listing::of(x);
                let known = self.fleet.model(&name).map(|model| &*model.name);
                let shown = known.filter(|known| listing.as_ref().is_none_or(|listing| listing.shows(known)));
                match shown {
                    Some(_) => {
                        let (head, body) = models::one(&name, format);
                        Verdict::reply(head, body)
                    }
                    None => Verdict::fail(unknown(&name)),
                }
            }
            Some(Asked::Turn(turn)) => Verdict::Await(Box::pin(async move {
                match self.turn(x, turn).await {
                    Ok(reply) => Outcome::Reply(Box::new(reply)),
                    Err(error) => Outcome::Fail(Box::new(error)),
                }
            })),
            Some(Asked::Other(other)) => Verdict::Await(Box::pin(pass::serve(self, x, other))),
            None => Verdict::fail(Error::new(
                &codes::NOT_SERVED,
                "There is no such call here; there are POST …/chat/completions, …/responses, …/messages and \
                 …/models/NAME:generateContent, GET …/models, and the calls of docs/ai.md.",
            )),
        }
    }

    fn render(&self, x: &Exchange, error: &Error) -> Option<(response::Parts, Bytes)> {
        let format = format(&x.request.method, &x.request.uri, &x.request.headers);
        let told = failure::told(error);
        let id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
        let text = Bytes::from(format.write_error(&told, id));
        let mut parts = Response::new(()).into_parts().0;
        parts.status = StatusCode::from_u16(error.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        Some((parts, text))
    }
}

impl Door {
    fn new(fleet: Arc<Fleet>, spec: &Spec, cx: &mut Compile<'_>) -> Option<Self> {
        let priority = match &spec.priority {
            Some(text) => Some(cx.expr(text, Scope::Request)?),
            None => None,
        };
        let heartbeat = (!spec.heartbeat.is_zero()).then(|| spec.heartbeat.get());
        let callers_may = spec.callers_may.clone();
        let keys = CallerKeys::of(cx);
        Some(Self { fleet, most: spec.max_bytes.get(), heartbeat, callers_may, priority, unseen: spec.unseen, keys })
    }

    /// What is asked, of which model.
    async fn read(&self, x: &mut Exchange, turn: Turn) -> Result<Box<AiCall>, Error> {
        let body = body_of(x, self.most).await?;
        let head = Head::read(body, &turn).map_err(|why| Error::new(&codes::BAD_REQUEST, why))?;
        let model = self.model(x, &head)?;
        Ok(Box::new(AiCall::new(turn, head, model)))
    }

    /// The model that a request asks for.
    fn model(&self, x: &Exchange, head: &Head) -> Result<Arc<Model>, Error> {
        let model = self.fleet.model(&head.model).cloned().or_else(|| self.fleet.direct(&head.model));
        let model = model.ok_or_else(|| unknown(&head.model))?;
        if let Some(retires) = &model.terms.retires
            && retires.is_gone(|| x.local.program.clock.wall())
        {
            let instead =
                retires.successor.as_ref().map(|successor| format!(" Use `{successor}`.")).unwrap_or_default();
            return Err(Error::new(&codes::MODEL_GONE, format!("The model `{}` is gone.{instead}", model.name)));
        }
        Ok(model)
    }

    /// One turn of a conversation.
    async fn turn(&self, x: &mut Exchange, turn: Turn) -> Result<GatewayReply, Error> {
        if AiCall::of(x).is_none() {
            x.call = Some(self.read(x, turn).await?);
        }
        self.go(x).await
    }

    /// Asks for the answer to the call that was read. The call goes back where it was, for those who look at it in the end.
    async fn go(&self, x: &mut Exchange) -> Result<GatewayReply, Error> {
        let (mut call, chain, frame) = self.choose(x)?;
        let mut reply = answer(x, &mut call, &chain, frame.clone()).await;
        // A watch may want another answer in the place of one that it refused.
        while reply.is_err() && call.ask_again() {
            reply = answer(x, &mut call, &chain, frame.clone()).await;
        }
        x.call = Some(call);
        reply
    }

    /// Who may be asked, while the call is still where expressions find it; then takes it.
    fn choose(&self, x: &mut Exchange) -> Result<(Box<AiCall>, Chain, Frame), Error> {
        let gone = || Error::new(&codes::NOT_SERVED, "There is no call.");
        let now = x.local.program.clock.now();
        x.record.forwarded = Some(now);
        let frame = self.frame(x);
        let model = AiCall::past(x).map(|call| call.model.clone()).ok_or_else(gone)?;
        let alone = self.callers_may.contains(&CallersMay::Fallbacks)
            && x.request.headers.get(&CALLERS_FALLBACKS).is_some_and(|said| said == "none");
        let chooser = Chooser { x, now: now.0, draw: proxy::random::next() };
        let chain = Chain::of(&self.fleet, &model, &chooser, alone);
        let call = x.call.take().and_then(|call| (call as Box<dyn Any>).downcast::<AiCall>().ok());
        Ok((call.ok_or_else(gone)?, chain, frame))
    }

    /// What all attempts at it have in common.
    fn frame(&self, x: &mut Exchange) -> Frame {
        let attempts = Arc::new(Attempts::default());
        x.record.model_attempts = Some(attempts.clone());
        let said = x.request.headers.get(&CALLERS_TIMEOUT).filter(|_| self.callers_may.contains(&CallersMay::Timeout));
        let seconds = said.and_then(|said| said.to_str().ok()?.trim().parse::<f64>().ok());
        let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        let urgency = self.priority.as_ref().and_then(|priority| Some(Urgency::of(&priority.text(x)?)));
        Frame {
            worker: x.local.worker,
            clock: x.local.program.clock.clone(),
            attempts,
            urgency: urgency.unwrap_or_default(),
            until: timeout.and_then(|timeout| tokio::time::Instant::now().checked_add(timeout)),
            hold: self.heartbeat,
            vendor: vendor_fields(&x.request.headers),
        }
    }
}

/// All of the request's body, which is then taken.
async fn body_of(x: &mut Exchange, most: u64) -> Result<Bytes, Error> {
    buffer(x, most).await?;
    Ok(match std::mem::take(&mut x.request_body) {
        Body::Full(bytes) => bytes,
        Body::Parts(mut parts, _) => parts.pop_front().unwrap_or_default(),
        _ => Bytes::new(),
    })
}

fn unknown(name: &str) -> Error {
    let named: String = name.chars().take(200).collect();
    Error::new(&codes::UNKNOWN_MODEL, format!("There is no model `{named}` here."))
}

/// Asks for the answer and gives it back.
async fn answer(x: &mut Exchange, call: &mut AiCall, chain: &Chain, frame: Frame) -> Result<GatewayReply, Error> {
    if call.model.direct && !call.granted {
        return Err(unknown(call.named()));
    }
    if let Some(retires) = &call.model.terms.retires
        && x.record.model_call.is_none()
    {
        x.reply_headers.extend(retires.fields.iter().cloned());
    }
    call.meter.asks(row(x, call));
    let answered = Asking { call: &mut *call, chain, frame: frame.clone() }.ask().await;
    x.record.answered = Some(x.local.program.clock.now());
    x.record.attempts = u16::try_from(frame.attempts.begun()).unwrap_or(u16::MAX);
    let answered = answered.map_err(|unanswered| unanswered_error(x, unanswered))?;
    let target = &answered.begun.going.target;
    let served = Arc::new(ModelCall::new(call.model.name.clone(), target.provider.name.clone(), target.model.clone()));
    let (lost, cost) = frame.attempts.lost();
    let before = taken_before(x, &frame);
    served.took_beside(lost.saturating_add(before[0]), before[1], cost.saturating_add(before[2]));
    call.meter.served(Served::of(call, target, served.clone()));
    call.meter.lost(lost, cost);
    x.record.model_call = Some(served.clone());
    let id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    if let Some(prompt) = &call.plain
        && let Ok(told) = HeaderValue::try_from(&*prompt.0.told)
        && !x.reply_headers.iter().any(|(name, _)| *name == PROMPT)
    {
        x.reply_headers.push((PROMPT.clone(), told));
    }
    let mut watches = call.take_watches();
    let how = Reply {
        model: &call.head.model,
        id: &id,
        now: x.local.program.clock.wall().as_secs(),
        include_usage: call.head.include_usage,
        framing: call.turn.framing,
    };
    let given = give::give(call, answered, &how, Taker::of(call, served.clone()), &mut watches, frame);
    if given.is_err() {
        call.put_watches(watches);
    }
    let mut reply = given?;
    told(x, call, &served, (&mut reply.head.headers, !call.stream()));
    Ok(reply)
}

/// Where usage of this call is written down, and as whose.
fn row(x: &Exchange, call: &AiCall) -> Row {
    let wall = x.local.program.clock.wall().as_secs();
    Row {
        book: x.local.program.stores.usage(),
        whose: whose(x, call),
        at: i64::try_from(wall).unwrap_or(i64::MAX),
        telemetry: x.local.program.telemetry.clone(),
    }
}

/// Tells in header fields who answers, after how many attempts, and what it costs: of a stream that is known when it is over.
fn told(x: &Exchange, call: &AiCall, served: &ModelCall, (fields, is_whole): (&mut HeaderMap, bool)) {
    for (name, value) in [(&MODEL, &served.target), (&PROVIDER, &served.provider)] {
        if let Ok(value) = HeaderValue::try_from(&**value) {
            fields.insert(name, value);
        }
    }
    fields.insert(&ATTEMPTS, HeaderValue::from(x.record.attempts));
    if let Some(cost) = call.meter.cost().filter(|_| is_whole)
        && let Ok(cost) = HeaderValue::try_from(Money::from_picos(i128::from(cost) * 1000).to_string())
    {
        fields.insert(&COST, cost);
    }
}

/// What an answer took that was refused by a watch, without what was lost beside it: tokens in, out, and their cost.
fn taken_before(x: &Exchange, frame: &Frame) -> [u64; 3] {
    let Some(before) = &x.record.model_call else { return [0; 3] };
    let (lost, cost) = frame.attempts.lost();
    let (input, output) = before.tokens().unwrap_or_default();
    [input.saturating_sub(lost), output, before.cost().unwrap_or_default().saturating_sub(cost)]
}

/// Why nobody answered, for the caller.
fn unanswered_error(x: &mut Exchange, unanswered: Unanswered) -> Error {
    match unanswered {
        Unanswered::Refused(refused) => Error::new(&codes::UNSUPPORTED, refused.to_string()),
        Unanswered::Missed(missed) => {
            let provider = missed.provider.clone();
            let mut error = missed.error();
            if let Ok(provider) = HeaderValue::try_from(&*provider) {
                error = error.header(PROVIDER.clone(), provider);
            }
            error.header(ATTEMPTS.clone(), HeaderValue::from(x.record.attempts))
        }
    }
}
