//! The terminal `ai`: a call of a model, from whatever format a caller speaks to whatever dialect a provider speaks.
//!
//! The way of a call: the end of the path says the format, the body says the model; the model's targets are asked in turn
//! until one answers; the answer goes back as it comes. Failures, those of policies before it too, are told in the
//! caller's format.

mod ask;
mod door;
mod failure;
mod fleet;
mod head;
mod models;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode, Uri, response};
use proxy::exchange::{Body, Code, Error, Exchange, ModelCall, buffer};
use proxy::policies::{Outcome, Reply as GatewayReply, Verdict};
use proxy::program::Compile;
use proxy::terminals::{Answer, TerminalKind};
use schemars::JsonSchema;
use serde::Deserialize;

use self::ask::{Answered, Call, Unanswered};
use self::door::Asked;
use self::failure::codes;
use self::fleet::Fleet;
use self::head::Head;
use self::stream::{Course, Passing, Stream};
use crate::catalog::{Charged, Entry};
use crate::translate::{Format, Framing, Reply, Usage};
use crate::wire::scan::HideUsage;

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

/// The most bytes of an answer that comes in one piece.
const MOST_ANSWER: usize = 64 << 20;

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

    fn serve<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let uri = x.request.uri.clone();
        match door::asked(&x.request.method, &uri) {
            Some(Asked::Models) => {
                let (head, body) = models::list(self.fleet.names(), is_anthropic(x));
                Verdict::reply(head, body)
            }
            Some(Asked::Turn(_)) => Verdict::Await(Box::pin(async move {
                match self.turn(x, &uri).await {
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
        let format = door::format(&x.request.method, &x.request.uri, is_anthropic(x));
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
    /// One turn of a conversation.
    async fn turn(&self, x: &mut Exchange, uri: &Uri) -> Result<GatewayReply, Error> {
        let Some(Asked::Turn(turn)) = door::asked(&x.request.method, uri) else {
            return Err(Error::new(&codes::NOT_SERVED, "There is no such call here."));
        };
        buffer(x, self.most).await?;
        let body = match std::mem::take(&mut x.request_body) {
            Body::Full(bytes) => bytes,
            Body::Parts(mut parts, _) => parts.pop_front().unwrap_or_default(),
            _ => Bytes::new(),
        };
        let head = Head::read(body, &turn).map_err(|why| Error::new(&codes::BAD_REQUEST, why))?;
        let Some(model) = self.fleet.model(&head.model) else {
            let named: String = head.model.chars().take(200).collect();
            return Err(Error::new(&codes::UNKNOWN_MODEL, format!("There is no model `{named}` here.")));
        };
        let now = x.local.program.clock.now();
        x.record.forwarded = Some(now);
        let fields = std::mem::take(&mut x.request.headers);
        let call =
            Call { turn: &turn, head, fields: &fields, worker: x.local.worker, now: now.0, draw: now.0 ^ now.0 >> 17 };
        let answered = call.ask(model).await;
        let head = call.head;
        x.request.headers = fields;
        x.record.answered = Some(x.local.program.clock.now());
        let answered = match answered {
            Ok(answered) => answered,
            Err(Unanswered::Refused(refused)) => {
                let detail = refused.to_string();
                return Err(Error::new(&codes::UNSUPPORTED, detail));
            }
            Err(Unanswered::Missed(missed, attempts)) => {
                x.record.attempts = u16::try_from(attempts).unwrap_or(u16::MAX);
                let provider = missed.provider.clone();
                let mut error = missed.error();
                if let Ok(provider) = HeaderValue::try_from(&*provider) {
                    error = error.header(PROVIDER.clone(), provider);
                }
                return Err(error.header(ATTEMPTS.clone(), HeaderValue::from(attempts)));
            }
        };
        x.record.attempts = u16::try_from(answered.attempts).unwrap_or(u16::MAX);
        let call = Arc::new(ModelCall::new(
            model.name.clone(),
            answered.target.provider.name.clone(),
            answered.target.model.clone(),
        ));
        x.record.model_call = Some(call.clone());
        let id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let how = Reply {
            model: &head.model,
            id: &id,
            now: x.local.program.clock.wall().as_secs(),
            include_usage: head.include_usage,
            framing: turn.framing,
        };
        let mut reply = give(turn.format, &head, answered, &how, &call).await?;
        for (name, value) in [(&MODEL, &call.target), (&PROVIDER, &call.provider)] {
            if let Ok(value) = HeaderValue::try_from(&**value) {
                reply.head.headers.insert(name, value);
            }
        }
        reply.head.headers.insert(&ATTEMPTS, HeaderValue::from(x.record.attempts));
        Ok(reply)
    }
}

/// The answer in the caller's format.
async fn give(
    format: Format,
    asked: &Head,
    answered: Answered<'_>,
    reply: &Reply<'_>,
    call: &Arc<ModelCall>,
) -> Result<GatewayReply, Error> {
    let mut head = Response::new(()).into_parts().0;
    let (_, body) = answered.response.into_parts();
    if asked.stream {
        let course = if answered.same {
            let hides = format == Format::OpenAiChat && !asked.include_usage;
            Course::Same(Passing::hiding(hides.then(HideUsage::default)))
        } else {
            Course::Anew
        };
        let codecs = (answered.format.decoder(), format.encoder(reply));
        let stream = Stream::new(body, codecs, course, call.clone(), answered.target.entry.clone());
        head.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(match reply.framing {
                Framing::Usual => format.stream_type(),
                Framing::Array => "application/json",
            }),
        );
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(GatewayReply { head, body: Body::Stream(Box::pin(stream)) });
    }
    let text = ask::whole(body, MOST_ANSWER).await?;
    let read = answered.format.read_answer(&text);
    if let Ok(answer) = &read {
        note(call, answered.target.entry.as_deref(), &answer.usage);
    }
    let text = if answered.same {
        text
    } else {
        let made = read.and_then(|answer| format.write_answer(&answer, reply));
        made.map_err(|refused| Error::new(&codes::BAD_ANSWER, refused.to_string()))?.into()
    };
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Ok(GatewayReply { head, body: Body::from(text) })
}

/// Remembers what a call took.
fn note(call: &ModelCall, entry: Option<&Entry>, usage: &Usage) {
    let cost = entry.and_then(|entry| entry.cost(&Charged::from(usage)));
    call.took(usage.input, usage.output, cost.map(|cost| u64::try_from(cost.nanos_up()).unwrap_or_default()));
}
