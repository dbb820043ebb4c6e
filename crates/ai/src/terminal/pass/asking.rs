//! Asking the targets of a model, one after the other, until one answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, Uri};
use proxy::exchange::{Body, Error, Exchange, ModelCall};
use proxy::policies::Reply;
use proxy::upstream::CallLimits;
use tokio::time::Instant;

use super::super::ask::{
    Chain, Frame, Going, MOST_ATTEMPTS, Unanswered, failed, outcome_of_error, resting_keys, whole,
};
use super::super::failure::{Missed, codes};
use super::super::{row, told, unanswered_error};
use super::how::{How, Ready, how};
use super::{count, give, words};
use crate::call::{AiCall, Other, Says};
use crate::fleet::{Key, Provider, Seat, Target};
use crate::meter::{Served, weigh};
use crate::providers::Capability;
use crate::translate::ErrorKind;

/// The most bytes of a failure that are read.
const MOST_FAILURE: usize = 64 << 10;

/// An answer that began.
pub(super) struct Answered {
    pub(super) going: Going,
    pub(super) response: Response<Body>,
    pub(super) how: How,
}

/// What is asked of all targets alike.
struct Passing<'a> {
    call: &'a AiCall,
    other: &'a Other,
    fields: HeaderMap,
    frame: Frame,
}

/// Asks for the answer and gives it back.
pub(super) async fn answer(
    x: &mut Exchange,
    call: &mut AiCall,
    other: &Other,
    chain: &Chain,
    frame: Frame,
) -> Result<Reply, Error> {
    if other.call == Capability::Completions && call.stream() && call.alters() {
        return Err(give::unseen());
    }
    call.meter.asks(row(x, call));
    let passing = Passing { call: &*call, other, fields: fields(&x.request.headers), frame: frame.clone() };
    let answered = passing.ask(chain).await;
    x.record.answered = Some(x.local.program.clock.now());
    x.record.attempts = u16::try_from(frame.attempts.begun()).unwrap_or(u16::MAX);
    let answered = match answered {
        Ok(answered) => answered,
        Err(Some(unanswered)) => return Err(unanswered_error(x, unanswered)),
        Err(None) if other.call == Capability::CountTokens => {
            return count::estimated(call);
        }
        Err(None) => {
            let detail = format!("Nobody who serves the model `{}` serves {}.", call.model.name, other.call.as_str());
            return Err(Error::new(&codes::UNSUPPORTED, detail));
        }
    };
    let target = &answered.going.target;
    let served = Arc::new(ModelCall::new(call.model.name.clone(), target.provider.name.clone(), target.model.clone()));
    let mut of = Served::of(call, target, served.clone());
    if !call.head.is_json() {
        // Sound and pictures: nothing of it is text.
        of.body = Bytes::new();
    }
    call.meter.served(of);
    x.record.model_call = Some(served.clone());
    let now = x.local.program.clock.wall().as_secs();
    let mut reply = give::give(call, other, answered, now).await?;
    let is_whole = matches!(reply.body, Body::Full(_));
    told(x, call, &served, (&mut reply.head.headers, is_whole));
    Ok(reply)
}

/// Asks for the answer in the gateway's own name.
pub(super) async fn ask(call: &AiCall, other: &Other, chain: &Chain, frame: Frame) -> Option<Answered> {
    let passing = Passing { call, other, fields: fields(&HeaderMap::new()), frame };
    passing.ask(chain).await.ok()
}

impl Passing<'_> {
    /// Asks the model, then what else is asked where it fails in this way. Nothing is said of why where nobody serves such
    /// calls.
    async fn ask(&self, chain: &Chain) -> Result<Answered, Option<Unanswered>> {
        let mut walk = chain.walk();
        let mut last = None;
        while let Some(link) = walk.next() {
            link.earn();
            let mut round = 0;
            loop {
                let unanswered = match self.round(&link.order).await {
                    Ok(answered) => return Ok(answered),
                    Err(unanswered) => unanswered,
                };
                let wait = match &unanswered {
                    Some(Unanswered::Missed(missed)) => link.wait(missed, round, &self.frame),
                    _ => None,
                };
                let cause = unanswered.as_ref().and_then(Unanswered::cause);
                last = unanswered.or(last);
                let Some(wait) = wait else {
                    walk.failed(cause);
                    break;
                };
                tokio::time::sleep(wait).await;
                round += 1;
            }
        }
        Err(last)
    }

    /// Asks one target after the other; those that rest last.
    async fn round(&self, targets: &[Arc<Target>]) -> Result<Answered, Option<Unanswered>> {
        let now = self.frame.clock.now().0;
        let admits = |target: &&Arc<Target>| target.pulse.rest.admits(now, target.provider.cooldown.rest.get());
        let (ready, resting): (Vec<_>, Vec<_>) = targets.iter().partition(admits);
        let mut last = None;
        for target in ready.into_iter().chain(resting) {
            if self.frame.attempts.begun() >= MOST_ATTEMPTS {
                break;
            }
            let ready = match how(self.call, self.other, target) {
                None => continue,
                Some(Ok(ready)) => ready,
                // Another provider may be able to.
                Some(Err(refused)) => {
                    last = last.or(Some(Unanswered::Refused(refused)));
                    continue;
                }
            };
            match self.target(target, &ready).await {
                Ok((mut going, response)) => {
                    going.choose();
                    return Ok(Answered { going, response, how: ready.how });
                }
                Err(missed) => {
                    let unanswered = Unanswered::Missed(missed);
                    let goes_on = unanswered.may_go_on();
                    last = Some(unanswered);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    /// Asks one target, again with the next key where a key is what fails.
    async fn target(&self, target: &Arc<Target>, ready: &Ready<'_>) -> Result<(Going, Response<Body>), Missed> {
        let provider = &target.provider;
        let mut seat = match &provider.seats {
            None => None,
            Some(seats) => {
                let taken = || {
                    let message = "All places of the provider are taken.".to_owned();
                    Missed::of(provider, ErrorKind::Overloaded, message)
                };
                Some(seats.take(self.frame.urgency, provider.patience).await.ok_or_else(taken)?)
            }
        };
        loop {
            let now = self.frame.clock.now().0;
            let more = || self.frame.attempts.begun() < MOST_ATTEMPTS && provider.keys.has_any(now, &target.rests);
            match self.one(target, ready, &mut seat).await {
                Err(missed) if missed.of_key && more() => {}
                done => return done,
            }
        }
    }

    /// Asks one target once.
    async fn one(
        &self,
        target: &Arc<Target>,
        ready: &Ready<'_>,
        seat: &mut Option<Seat>,
    ) -> Result<(Going, Response<Body>), Missed> {
        let (provider, now) = (&target.provider, self.frame.clock.now().0);
        let tokens = || target.scale.usual_input(weigh(&ready.body));
        let picked = provider.keys.pick(&self.frame.clock, &target.rests, tokens);
        let picked = picked.map_err(|resting| resting_keys(provider, &resting, now))?;
        let (key, held) = picked.map_or((None, None), |picked| (Some((picked.at, picked.key)), picked.held));
        let request = self.request(provider, ready)?;
        let going = Going::begin(target, &self.frame, (seat.take(), held), false);
        let missed = match self.open(provider, ready, key.map(|(_, key)| key), request).await {
            Ok(response) if response.status().is_success() => {
                if let Some((at, key)) = key {
                    key.rest.good();
                    target.rests.get(at).into_iter().for_each(|rest| rest.good());
                }
                return Ok((going, response));
            }
            Ok(response) => {
                let (head, body) = response.into_parts();
                let text = whole(body, MOST_FAILURE).await.unwrap_or_default();
                failed(target, words(provider.dialect(), self.other.call), now, (&head, &text), key)
            }
            Err(missed) => missed,
        };
        *seat = going.bad(missed.outcome);
        Err(missed)
    }

    fn request(&self, provider: &Provider, ready: &Ready<'_>) -> Result<Request<Bytes>, Missed> {
        let Ok(uri) = ready.path.parse::<Uri>() else {
            return Err(Missed::of(provider, ErrorKind::Server, "The provider has no such path.".to_owned()));
        };
        let mut request = Request::new(ready.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.clone_from(&provider.fields);
        headers.extend(self.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        if !matches!(self.other.says, Says::Form) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    async fn open(
        &self,
        provider: &Provider,
        ready: &Ready<'_>,
        key: Option<&Key>,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, Missed> {
        let total = provider.timeouts.total;
        let total = (!total.is_zero()).then(|| Instant::now() + total.get());
        let limits = CallLimits {
            first_byte: provider.timeouts.first_byte.get(),
            idle: provider.timeouts.idle.get(),
            total: total.into_iter().chain(self.frame.until).min(),
        };
        provider.call(ready.place, key, self.frame.worker, request, &limits).await.map_err(|error| {
            let outcome = outcome_of_error(&error, false);
            let kind = if error.code.status == 504 { ErrorKind::Timeout } else { ErrorKind::Server };
            Missed { outcome, ..Missed::of(provider, kind, error.detail.into_owned()) }
        })
    }
}

/// The caller's header fields that a provider is to see: what the body is, and what vendors define.
pub(super) fn fields(from: &HeaderMap) -> HeaderMap {
    static VENDORS: [HeaderName; 3] = [
        HeaderName::from_static("anthropic-beta"),
        HeaderName::from_static("openai-beta"),
        HeaderName::from_static("idempotency-key"),
    ];
    let mut fields = HeaderMap::new();
    for name in [&CONTENT_TYPE, &ACCEPT].into_iter().chain(&VENDORS) {
        for value in from.get_all(name) {
            fields.append(name.clone(), value.clone());
        }
    }
    fields.insert(USER_AGENT, HeaderValue::from_static("tollgate"));
    fields
}
