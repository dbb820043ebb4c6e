//! One attempt: a target is asked, with the next key where a key is what fails.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, response};
use http_body::Body as _;
use proxy::exchange::{AttemptOutcome, Body, Error, codes};
use proxy::upstream::CallLimits;
use tokio::time::Instant;

use super::{Frame, Going, MOST_ATTEMPTS, beginning, outcome_of, seconds};
use crate::fleet::{Key, Picked, Provider, Resting, Seat, Target, Way};
use crate::meter::weigh;
use crate::terminal::failure::Missed;
use crate::translate::{Answer, ErrorKind, Finish, Format, Refused};

/// The most bytes of a failure that are read.
const MOST_FAILURE: usize = 64 << 10;
/// The most bytes of an answer that comes in one piece.
const MOST_ANSWER: usize = 64 << 20;
/// How long a key rests that was refused, and one that is used up where the provider does not say how long.
const REFUSED: Duration = Duration::from_secs(60);
const USED_UP: Duration = Duration::from_secs(10);

/// What is sent to a target.
pub(super) struct Attempt {
    pub(super) target: Arc<Target>,
    /// In which format it is asked.
    pub(super) format: Format,
    /// In which the caller asked.
    pub(super) asked: Format,
    pub(super) body: Bytes,
    /// Whether the bytes of the answer pass as they are.
    pub(super) same: bool,
    pub(super) stream: bool,
    /// Whether a stream is held back until it says something, as another could be asked in its place.
    pub(super) holds: bool,
    /// Whether an answer that says only that the provider will not treat of this is a failure.
    pub(super) minds_refusals: bool,
    /// Whether nobody looks at a whole answer but to see what it took.
    pub(super) glances: bool,
    /// Whether it goes on with what another began.
    pub(super) continues: bool,
    pub(super) frame: Frame,
}

/// An answer that began.
pub(in crate::terminal) struct Begun {
    pub(in crate::terminal) going: Going,
    /// In which format it comes.
    pub(in crate::terminal) format: Format,
    /// Whether the bytes pass as they are.
    pub(in crate::terminal) same: bool,
    pub(in crate::terminal) said: Said,
}

/// What a target said up to now.
pub(in crate::terminal) enum Said {
    /// All of it, and how it reads.
    Whole(Bytes, Result<Answer, Refused>),
    /// The beginning of a stream, and the rest of it.
    Stream(Vec<Bytes>, Body),
}

impl Attempt {
    /// Asks.
    pub(super) async fn run(self) -> Result<Begun, Missed> {
        let provider = &self.target.provider;
        let mut seat = match &provider.seats {
            None => None,
            Some(seats) => match seats.take(self.frame.urgency, self.patience()).await {
                Some(seat) => Some(seat),
                None => {
                    let message = "All places of the provider are taken.".to_owned();
                    return Err(Missed::of(provider, ErrorKind::Overloaded, message));
                }
            },
        };
        loop {
            match self.with_key(&mut seat).await {
                Err(missed) if missed.of_key && self.may_try_another() => {}
                done => return done,
            }
        }
    }

    fn patience(&self) -> Duration {
        let patience = self.target.provider.patience;
        self.frame.until.map_or(patience, |until| patience.min(until.saturating_duration_since(Instant::now())))
    }

    fn may_try_another(&self) -> bool {
        let target = &self.target;
        let now = self.frame.clock.now().0;
        self.frame.attempts.begun() < MOST_ATTEMPTS && target.provider.keys.has_any(now, &target.rests)
    }

    /// Asks with one key.
    async fn with_key(&self, seat: &mut Option<Seat>) -> Result<Begun, Missed> {
        let target = &self.target;
        let provider = &target.provider;
        let tokens = || target.scale.usual_input(weigh(&self.body));
        let (key, held) = match provider.keys.pick(&self.frame.clock, &target.rests, tokens) {
            Ok(Some(Picked { at, key, held })) => (Some((at, key)), held),
            Ok(None) => (None, None),
            Err(resting) => return Err(resting_keys(provider, &resting, self.frame.clock.now().0)),
        };
        let Some(way) = provider.way(self.asked, &target.model) else { return Err(Missed::nobody(&target.model)) };
        let request = self.request(way)?;
        let shown = key.map(|(_, key)| key);
        let mut going = Going::begin(target, &self.frame, (seat.take(), held), self.continues);
        match self.open(&going, way, (shown, request)).await {
            Ok(response) if response.status().is_success() => {
                let (_, body) = response.into_parts();
                if let Some((at, key)) = key {
                    key.rest.good();
                    target.rests.get(at).into_iter().for_each(|rest| rest.good());
                }
                match self.said(&mut going, body).await {
                    Ok(said) => Ok(Begun { going, format: self.format, same: self.same, said }),
                    Err(missed) => Err(over(going, missed, seat)),
                }
            }
            Ok(response) => {
                let (head, body) = response.into_parts();
                let text = whole(body, MOST_FAILURE).await.unwrap_or_default();
                let missed = failed(target, self.format, self.frame.clock.now().0, (&head, &text), key);
                Err(over(going, missed, seat))
            }
            Err(missed) => Err(over(going, missed, seat)),
        }
    }

    fn request(&self, way: &Way) -> Result<Request<Bytes>, Missed> {
        let provider = &self.target.provider;
        let Ok(uri) = way.path(&self.target.model, self.stream).parse::<Uri>() else {
            return Err(Missed::of(provider, ErrorKind::Server, "The provider has no such path.".to_owned()));
        };
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.fields(way);
        Ok(request)
    }

    /// The header fields of a call: those of every one, and those of the caller that the provider's vendor defines.
    fn fields(&self, way: &Way) -> HeaderMap {
        let mut fields = way.fields(self.stream).clone();
        if self.format == Format::AnthropicMessages && self.format == self.asked {
            for (name, value) in &self.frame.vendor {
                fields.append(name, value.clone());
            }
        }
        fields
    }

    /// Sends it, and waits for the head of the answer.
    async fn open(
        &self,
        going: &Going,
        way: &Way,
        (key, request): (Option<&Key>, Request<Bytes>),
    ) -> Result<Response<Body>, Missed> {
        let provider = &self.target.provider;
        let timeouts = &provider.timeouts;
        let total = (!timeouts.total.is_zero()).then(|| going.began() + timeouts.total.get());
        let bound = self.first_token();
        let limits = CallLimits {
            first_byte: bound.map_or(timeouts.first_byte.get(), |bound| bound.min(timeouts.first_byte.get())),
            idle: timeouts.idle.get(),
            total: total.into_iter().chain(self.frame.until).min(),
        };
        let opened = provider.open((way, self.stream), key, self.frame.worker, request, &limits).await;
        opened.map_err(|error| {
            let outcome = outcome_of_error(&error, bound.is_some_and(|bound| bound <= timeouts.first_byte.get()));
            let kind = if error.code.status == 504 { ErrorKind::Timeout } else { ErrorKind::Server };
            Missed { outcome, ..Missed::of(provider, kind, error.detail.into_owned()) }
        })
    }

    /// How soon a stream must say something.
    fn first_token(&self) -> Option<Duration> {
        let bound = self.target.provider.timeouts.first_token;
        (self.stream && !bound.is_zero()).then(|| bound.get())
    }

    /// All of an answer, or the beginning of a stream.
    async fn said(&self, going: &mut Going, mut body: Body) -> Result<Said, Missed> {
        let provider = &self.target.provider;
        if self.stream {
            let held = if self.holds {
                let bounds = beginning::Bounds {
                    first: self.first_token().map(|bound| going.began() + bound),
                    hold: self.frame.hold.map(|hold| going.began() + hold),
                    minds_refusals: self.minds_refusals,
                };
                beginning::read(self.format, &mut body, &bounds, going).await?
            } else {
                Vec::new()
            };
            return Ok(Said::Stream(held, body));
        }
        let text = whole(body, MOST_ANSWER).await.map_err(|error| {
            let kind = if error.code.status == 504 { ErrorKind::Timeout } else { ErrorKind::Server };
            Missed { outcome: AttemptOutcome::Broken, ..Missed::of(provider, kind, error.detail.into_owned()) }
        })?;
        let glance = if self.glances { self.format.glance(&text) } else { None };
        let read = glance.map_or_else(|| self.format.read_answer(&text), Ok);
        match &read {
            Ok(answer) if self.minds_refusals && is_refused(answer) => {
                let message = "The provider will not treat of this.".to_owned();
                Err(Missed::of(provider, ErrorKind::ContentPolicy, message))
            }
            // What passes as it is, the caller judges.
            Err(refused) if !self.same => Err(Missed::of(provider, ErrorKind::Server, refused.to_string()).senseless()),
            _ => Ok(Said::Whole(text, read)),
        }
    }
}

/// All keys of a provider rest.
pub(in crate::terminal) fn resting_keys(provider: &Provider, resting: &Resting, now: u64) -> Missed {
    if resting.refused {
        let message = "The keys of the provider were refused, or have expired.".to_owned();
        return Missed::of(provider, ErrorKind::Authentication, message);
    }
    let seconds = resting.until.saturating_sub(now).div_ceil(1_000_000_000);
    let message = "The keys of the provider are used up for now.".to_owned();
    Missed { retry_after: Some(HeaderValue::from(seconds)), ..Missed::of(provider, ErrorKind::RateLimit, message) }
}

/// What the provider's failure is, and who rests for it.
pub(in crate::terminal) fn failed(
    target: &Target,
    format: Format,
    now: u64,
    (head, text): (&response::Parts, &[u8]),
    key: Option<(usize, &Key)>,
) -> Missed {
    let told = format.read_error(head.status.as_u16(), text);
    let after = head.headers.get(RETRY_AFTER).cloned();
    let longest = target.provider.cooldown.longest.get();
    let used_up = seconds(after.as_ref()).unwrap_or(USED_UP).clamp(Duration::from_secs(1), longest);
    let of_key = match key {
        Some((at, key)) => {
            let here = target.rests.get(at).unwrap_or(&key.rest);
            match (head.status, told.kind) {
                (StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED, _) | (_, ErrorKind::Quota) => {
                    key.rest.refused(now, REFUSED);
                    true
                }
                // A key may be good for one model and not for another, and limits are often a model's own.
                (StatusCode::FORBIDDEN, _) => {
                    here.refused(now, REFUSED);
                    true
                }
                (StatusCode::TOO_MANY_REQUESTS, _) => {
                    here.used_up(now, used_up);
                    true
                }
                _ => false,
            }
        }
        None => {
            if head.status == StatusCode::TOO_MANY_REQUESTS && after.is_some() {
                target.pulse.rest.used_up(now, used_up);
            }
            false
        }
    };
    tracing::debug!(target: "tollgate::ai", provider = &*target.provider.name, status = head.status.as_u16(),
        key = key.map_or("", |(_, key)| &*key.name), kind = ?told.kind, "a provider did not answer");
    Missed { of_key, retry_after: after, ..Missed::of(&target.provider, told.kind, told.message) }
}

impl Missed {
    /// Of this provider.
    pub(in crate::terminal) fn of(provider: &Provider, kind: ErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            retry_after: None,
            of_key: false,
            provider: provider.name.clone(),
            outcome: outcome_of(kind),
            senseless: false,
        }
    }
}

/// An attempt came to nothing; its place is there for the next.
fn over(going: Going, missed: Missed, seat: &mut Option<Seat>) -> Missed {
    let outcome = if going.is_too_late() { AttemptOutcome::Cancelled } else { missed.outcome };
    *seat = going.bad(outcome);
    Missed { outcome, of_key: missed.of_key && outcome != AttemptOutcome::Cancelled, ..missed }
}

/// Whether an answer says nothing but that the provider will not treat of this.
fn is_refused(answer: &Answer) -> bool {
    let refused = |finish: Option<Finish>| matches!(finish, Some(Finish::ContentFilter | Finish::Refusal));
    !answer.choices.is_empty() && answer.choices.iter().all(|choice| refused(choice.finish))
}

pub(in crate::terminal) fn outcome_of_error(error: &Error, is_first_token: bool) -> AttemptOutcome {
    let name = error.code.name;
    let connect = [&codes::CONNECT, &codes::CONNECT_TIMEOUT, &codes::DNS, &codes::UPSTREAM_TLS];
    if connect.iter().any(|code| code.name == name) || name == codes::UPSTREAM_CERTIFICATE.name {
        AttemptOutcome::Connect
    } else if is_first_token && name == codes::FIRST_BYTE_TIMEOUT.name {
        AttemptOutcome::FirstToken
    } else if error.code.status == 504 {
        AttemptOutcome::Timeout
    } else {
        AttemptOutcome::Server
    }
}

/// All of a body, unless it has more than `most` bytes or breaks off.
pub(in crate::terminal) async fn whole(mut body: Body, most: usize) -> Result<Bytes, Error> {
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

/// The caller's header fields that vendors define.
pub(in crate::terminal) fn vendor_fields(fields: &HeaderMap) -> HeaderMap {
    static BETA: HeaderName = HeaderName::from_static("anthropic-beta");
    let mut vendor = HeaderMap::new();
    for value in fields.get_all(&BETA) {
        vendor.append(&BETA, value.clone());
    }
    vendor
}
