//! The terminal `ai`: a call of a model, from whatever format a caller speaks to whatever dialect a provider speaks.
//!
//! The way of a call: the end of the path says the format, the body says the model; the model's targets are asked in turn
//! until one answers; the answer goes back as it comes. Failures, those of policies before it too, are told in the
//! caller's format.

mod ask;
mod failure;
mod give;
mod models;
mod stream;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode, response};
use proxy::exchange::{Body, Code, Error, Exchange, ModelCall, buffer};
use proxy::policies::{Outcome, Reply as GatewayReply, Verdict};
use proxy::program::Compile;
use proxy::terminals::{Answer, TerminalKind};
use schemars::JsonSchema;
use serde::Deserialize;

use self::ask::{Asking, Unanswered};
use self::failure::codes;
use crate::call::{AiCall, Asked, Head, Listing, Turn, asked, format};
use crate::fleet::Fleet;
use crate::translate::Reply;

#[cfg(test)]
mod tests;

/// A call of a model.
pub struct Ai;

/// Answers calls of models in the formats that SDKs speak: OpenAI's Chat Completions and Responses
/// (`…/chat/completions`, `…/responses`), Anthropic's Messages (`…/messages`), Gemini's (`…/models/NAME:generateContent`), and
/// the list of models (`…/models`). Which models there are, and who serves them, stands in
/// `ai:`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiTerminal")]
pub struct Spec {
    /// The most bytes of a request, up to `256MiB`.
    #[schemars(extend("default" = "32MiB"))]
    max_bytes: model::value::ByteSize,
}

impl Default for Spec {
    fn default() -> Self {
        Self { max_bytes: model::value::ByteSize::mib(32) }
    }
}

static MODEL: HeaderName = HeaderName::from_static("x-tollgate-model");
static PROVIDER: HeaderName = HeaderName::from_static("x-tollgate-provider");
static ATTEMPTS: HeaderName = HeaderName::from_static("x-tollgate-attempts");

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
        Some(Arc::new(Door { fleet, most: spec.max_bytes.get() }))
    }
}

/// The terminal.
struct Door {
    fleet: Arc<Fleet>,
    /// The most bytes of a request.
    most: u64,
}

impl Answer for Door {
    fn kind(&self) -> &'static str {
        Ai::KIND
    }

    fn makes_calls(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let turn = match asked(&x.request.method, &x.request.uri) {
            Some(Asked::Turn(turn)) => turn,
            Some(Asked::Models) => {
                x.call = Some(Box::new(Listing::default()));
                return Verdict::NEXT;
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
                let anthropic = is_anthropic(x);
                let listing = Listing::of(x);
                let shown = |name: &&str| listing.as_ref().is_none_or(|listing| listing.shows(name));
                let (head, body) = models::list(self.fleet.names().filter(shown), anthropic);
                Verdict::reply(head, body)
            }
            Some(Asked::Turn(turn)) => Verdict::Await(Box::pin(async move {
                match self.turn(x, turn).await {
                    Ok(reply) => Outcome::Reply(Box::new(reply)),
                    Err(error) => Outcome::Fail(Box::new(error)),
                }
            })),
            None => Verdict::fail(Error::new(
                &codes::NOT_SERVED,
                "There is no such call here; there are POST …/chat/completions, …/responses, …/messages and \
                 …/models/NAME:generateContent, and GET …/models.",
            )),
        }
    }

    fn render(&self, x: &Exchange, error: &Error) -> Option<(response::Parts, Bytes)> {
        let format = format(&x.request.method, &x.request.uri, is_anthropic(x));
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

/// Whether the caller is an SDK of Anthropic's, which says so with every call.
fn is_anthropic(x: &Exchange) -> bool {
    x.request.headers.contains_key("anthropic-version")
}

impl Door {
    /// What is asked, of which model.
    async fn read(&self, x: &mut Exchange, turn: Turn) -> Result<Box<AiCall>, Error> {
        buffer(x, self.most).await?;
        let body = match std::mem::take(&mut x.request_body) {
            Body::Full(bytes) => bytes,
            Body::Parts(mut parts, _) => parts.pop_front().unwrap_or_default(),
            _ => Bytes::new(),
        };
        let head = Head::read(body, &turn).map_err(|why| Error::new(&codes::BAD_REQUEST, why))?;
        let model = self.fleet.model(&head.model).cloned().or_else(|| self.fleet.direct(&head.model));
        let model = model.ok_or_else(|| unknown(&head.model))?;
        if let Some(retires) = &model.terms.retires
            && retires.is_gone(|| x.local.program.clock.wall())
        {
            let instead =
                retires.successor.as_ref().map(|successor| format!(" Use `{successor}`.")).unwrap_or_default();
            return Err(Error::new(&codes::MODEL_GONE, format!("The model `{}` is gone.{instead}", model.name)));
        }
        Ok(Box::new(AiCall::new(turn, head, model)))
    }

    /// One turn of a conversation. The call goes back where it was, for those who look at it in the end.
    async fn turn(&self, x: &mut Exchange, turn: Turn) -> Result<GatewayReply, Error> {
        let known = x.call.take().and_then(|call| (call as Box<dyn Any>).downcast::<AiCall>().ok());
        let mut call = match known {
            Some(call) => call,
            None => self.read(x, turn).await?,
        };
        let reply = answer(x, &mut call).await;
        x.call = Some(call);
        reply
    }
}

fn unknown(name: &str) -> Error {
    let named: String = name.chars().take(200).collect();
    Error::new(&codes::UNKNOWN_MODEL, format!("There is no model `{named}` here."))
}

/// Asks for the answer and gives it back.
async fn answer(x: &mut Exchange, call: &mut AiCall) -> Result<GatewayReply, Error> {
    if call.model.direct && !call.granted {
        return Err(unknown(call.named()));
    }
    if let Some(retires) = &call.model.terms.retires {
        x.reply_headers.extend(retires.fields.iter().cloned());
    }
    let now = x.local.program.clock.now();
    x.record.forwarded = Some(now);
    let model = call.model.clone();
    let fields = std::mem::take(&mut x.request.headers);
    let mut asking =
        Asking { call: &mut *call, fields: &fields, worker: x.local.worker, now: now.0, draw: now.0 ^ now.0 >> 17 };
    let answered = asking.ask(&model).await;
    x.request.headers = fields;
    x.record.answered = Some(x.local.program.clock.now());
    let answered = answered.map_err(|unanswered| unanswered_error(x, unanswered))?;
    x.record.attempts = u16::try_from(answered.attempts).unwrap_or(u16::MAX);
    let served = Arc::new(ModelCall::new(
        model.name.clone(),
        answered.target.provider.name.clone(),
        answered.target.model.clone(),
    ));
    x.record.model_call = Some(served.clone());
    let id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let watches = call.take_watches();
    let how = Reply {
        model: &call.head.model,
        id: &id,
        now: x.local.program.clock.wall().as_secs(),
        include_usage: call.head.include_usage,
        framing: call.turn.framing,
    };
    let mut reply = give::give(call, answered, &how, &served, watches).await?;
    for (name, value) in [(&MODEL, &served.target), (&PROVIDER, &served.provider)] {
        if let Ok(value) = HeaderValue::try_from(&**value) {
            reply.head.headers.insert(name, value);
        }
    }
    reply.head.headers.insert(&ATTEMPTS, HeaderValue::from(x.record.attempts));
    Ok(reply)
}

/// Why nobody answered, for the caller.
fn unanswered_error(x: &mut Exchange, unanswered: Unanswered) -> Error {
    match unanswered {
        Unanswered::Refused(refused) => Error::new(&codes::UNSUPPORTED, refused.to_string()),
        Unanswered::Missed(missed, attempts) => {
            x.record.attempts = u16::try_from(attempts).unwrap_or(u16::MAX);
            let provider = missed.provider.clone();
            let mut error = missed.error();
            if let Ok(provider) = HeaderValue::try_from(&*provider) {
                error = error.header(PROVIDER.clone(), provider);
            }
            error.header(ATTEMPTS.clone(), HeaderValue::from(attempts))
        }
    }
}
