//! Asking the targets of a model, one after the other, until one answers.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use proxy::exchange::{Body, Error, codes};
use proxy::upstream::CallLimits;
use tokio::time::Instant;

use super::failure::Missed;
use crate::call::AiCall;
use crate::fleet::{Model, Provider, Resting, Target, Way};
use crate::translate::{Ask, ErrorKind, Format, Framing, Refused, StreamUsage};

/// The most targets that are asked for one call.
const MOST_ATTEMPTS: u32 = 8;
/// The most bytes of a failure that are read.
const MOST_FAILURE: usize = 64 << 10;
/// What to ask for where the caller set no limit, the format must have one, and the catalog does not know the model.
const MAX_TOKENS: u64 = 4096;
/// How long a key rests that was refused, and one that is used up where the provider does not say how long.
const REFUSED: Duration = Duration::from_secs(60);
const USED_UP: Duration = Duration::from_secs(10);

/// Asks for the answer to a call.
pub(super) struct Asking<'a> {
    pub(super) call: &'a mut AiCall,
    /// Its header fields, for those that vendors define.
    pub(super) fields: &'a HeaderMap,
    pub(super) worker: usize,
    /// The gateway's clock, in nanoseconds.
    pub(super) now: u64,
    pub(super) draw: u64,
}

/// An answer that began.
pub(super) struct Answered<'m> {
    pub(super) target: &'m Target,
    pub(super) response: Response<Body>,
    /// In which format it comes.
    pub(super) format: Format,
    /// Whether the bytes pass as they are.
    pub(super) same: bool,
    pub(super) attempts: u32,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The request cannot be made of what was asked.
    Refused(Refused),
    /// Nobody answered, or what was answered is the caller's to know.
    Missed(Missed, u32),
}

impl Asking<'_> {
    /// Asks until somebody answers.
    pub(super) async fn ask<'m>(&mut self, model: &'m Model) -> Result<Answered<'m>, Unanswered> {
        let (mut attempts, mut last) = (0, None);
        for target in model.order(self.draw) {
            if attempts == MOST_ATTEMPTS {
                break;
            }
            let Some(way) = target.provider.way(self.call.turn.format, &target.model) else { continue };
            let same = self.is_same(way.format);
            let body = match self.body_for(target, way, same) {
                Ok(body) => body,
                // Another provider may be able to.
                Err(refused) => {
                    last = last.or(Some(Unanswered::Refused(refused)));
                    continue;
                }
            };
            match self.target(target, way, &body, &mut attempts).await {
                Ok(response) => return Ok(Answered { target, response, format: way.format, same, attempts }),
                Err(missed) if missed.may_go_on() => last = Some(Unanswered::Missed(missed, attempts)),
                Err(missed) => return Err(Unanswered::Missed(missed, attempts)),
            }
        }
        Err(last.unwrap_or_else(|| {
            let provider = model.name.clone();
            let message = "The model has nobody who serves it.".to_owned();
            let missed = Missed { kind: ErrorKind::Server, message, retry_after: None, of_key: false, provider };
            Unanswered::Missed(missed, attempts)
        }))
    }

    /// Whether the bytes may pass as they are. Providers frame streams in the usual way.
    fn is_same(&self, format: Format) -> bool {
        format == self.call.turn.format
            && !self.call.alters()
            && (!self.call.head.stream || self.call.turn.framing == Framing::Usual)
    }

    fn body_for(&mut self, target: &Target, way: &Way, same: bool) -> Result<Bytes, Refused> {
        if same {
            // OpenAI tells the usage of a stream only to those who ask; some hosts tell it always and take no such field.
            let unasked = way.format == Format::OpenAiChat && self.call.head.stream && !self.call.head.include_usage;
            let ask_usage = unasked && target.provider.quirks.stream_usage == StreamUsage::Asked;
            let shaped = self.call.shaped_body(target.provider.quirks.max_tokens)?;
            return self.call.head.with_model(shaped, &target.model, ask_usage);
        }
        let ask = Ask {
            model: &target.model,
            max_tokens: target.entry.as_ref().and_then(|entry| entry.max_output).unwrap_or(MAX_TOKENS),
            losses: self.call.model.terms.losses,
            quirks: target.provider.quirks,
        };
        Ok(way.format.write_request(&*self.call.shaped()?, &ask)?.bytes.into())
    }

    /// Asks one target, again with the next key where a key is what fails.
    async fn target(
        &self,
        target: &Target,
        way: &Way,
        body: &Bytes,
        attempts: &mut u32,
    ) -> Result<Response<Body>, Missed> {
        loop {
            *attempts += 1;
            match self.one(target, way, body.clone()).await {
                Err(missed) if missed.of_key && *attempts < MOST_ATTEMPTS && target.provider.has_key(self.now) => {}
                done => return done,
            }
        }
    }

    /// Asks one target once.
    async fn one(&self, target: &Target, way: &Way, body: Bytes) -> Result<Response<Body>, Missed> {
        let provider = &target.provider;
        let missed = |kind, message: String, retry_after| Missed {
            kind,
            message,
            retry_after,
            of_key: false,
            provider: provider.name.clone(),
        };
        let key = match provider.key(self.now) {
            Ok(key) => key,
            Err(Resting { refused: true, .. }) => {
                return Err(missed(ErrorKind::Authentication, "The provider refused its keys.".to_owned(), None));
            }
            Err(Resting { until, .. }) => {
                let seconds = until.saturating_sub(self.now).div_ceil(1_000_000_000);
                let message = "The keys of the provider are used up for now.".to_owned();
                return Err(missed(ErrorKind::RateLimit, message, Some(HeaderValue::from(seconds))));
            }
        };
        let Ok(uri) = way.path(&target.model, self.call.head.stream).parse::<Uri>() else {
            return Err(missed(ErrorKind::Server, "The provider has no such path.".to_owned(), None));
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.fields(provider, way);
        let total = provider.timeouts.total;
        let limits = CallLimits {
            first_byte: provider.timeouts.first_byte.get(),
            idle: provider.timeouts.idle.get(),
            total: (!total.is_zero()).then(|| Instant::now() + total.get()),
        };
        let response = match provider.open((way, self.call.head.stream), key, self.worker, request, &limits).await {
            Ok(response) => response,
            Err(error) => return Err(missed(kind_of(&error), error.detail.into_owned(), None)),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let text = whole(body, MOST_FAILURE).await.unwrap_or_default();
        let told = way.format.read_error(head.status.as_u16(), &text);
        let after = head.headers.get(RETRY_AFTER).cloned();
        let rest = key.and_then(|key| Some((key, rest(head.status, after.as_ref())?)));
        if let Some((key, rest)) = rest {
            let until = self.now.saturating_add(u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX));
            key.rest(until, head.status != StatusCode::TOO_MANY_REQUESTS);
        }
        tracing::debug!(target: "tollgate::ai", provider = &*provider.name, status = head.status.as_u16(),
            kind = ?told.kind, "a provider did not answer");
        Err(Missed { of_key: rest.is_some(), ..missed(told.kind, told.message, after) })
    }

    /// The header fields of a call: the provider's own, and those of the caller that its vendor defines.
    fn fields(&self, provider: &Provider, way: &Way) -> HeaderMap {
        static BETA: HeaderName = HeaderName::from_static("anthropic-beta");
        let mut fields = provider.fields.clone();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(ACCEPT, way.accept(self.call.head.stream));
        fields.insert(USER_AGENT, HeaderValue::from_static("tollgate"));
        if way.format == Format::AnthropicMessages && self.call.turn.format == way.format {
            for value in self.fields.get_all(&BETA) {
                fields.append(&BETA, value.clone());
            }
        }
        fields
    }
}

/// How long the key rests that got this answer.
fn rest(status: StatusCode, after: Option<&HeaderValue>) -> Option<Duration> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let said = after.and_then(|after| after.to_str().ok()?.trim().parse::<u32>().ok());
            Some(said.map_or(USED_UP, |seconds| Duration::from_secs(u64::from(seconds).clamp(1, 3600))))
        }
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => Some(REFUSED),
        _ => None,
    }
}

fn kind_of(error: &Error) -> ErrorKind {
    match error.code.name {
        name if name == codes::TOTAL_TIMEOUT.name => ErrorKind::Timeout,
        _ if error.code.status == 504 => ErrorKind::Timeout,
        _ => ErrorKind::Server,
    }
}

/// All of a body, unless it has more than `most` bytes or breaks off.
pub(super) async fn whole(mut body: Body, most: usize) -> Result<Bytes, Error> {
    let mut all = BytesMut::new();
    let mut first = None;
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|error| *error)?.into_data() else { continue };
        if all.len() + data.len() > most {
            return Err(Error::new(&codes::RESPONSE_TOO_LARGE, format!("The answer has more than {most} bytes.")));
        }
        if first.is_none() && all.is_empty() && body.is_end_stream() {
            first = Some(data);
            break;
        }
        all.extend_from_slice(&data);
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}
