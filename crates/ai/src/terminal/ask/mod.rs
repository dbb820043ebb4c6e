//! Asking those who serve a model until one answers: target after target, model after model, again where that may help.

mod again;
mod attempt;
mod beginning;
mod chain;
mod going;
mod race;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use model::resource::FailureCause;
use proxy::clock::Clock;
use proxy::exchange::{AttemptOutcome, Attempts};
use tokio::time::Instant;

pub(super) use self::again::{Again, Asked, Prefix};
use self::attempt::Attempt;
pub(super) use self::attempt::{Begun, Said, failed, outcome_of_error, resting_keys, vendor_fields, whole};
pub(super) use self::beginning::is_said;
pub(super) use self::chain::{Chain, Link};
pub(super) use self::going::Going;
use super::failure::Missed;
use crate::call::{AiCall, To};
use crate::fleet::{Target, Urgency, Way};
use crate::translate::{Ask, ErrorKind, Format, Framing, Losses, Refused, StreamUsage};

/// The most attempts that are made for one call before it is answered.
pub(super) const MOST_ATTEMPTS: u32 = 16;
/// What to ask for where the caller set no limit, the format must have one, and the catalog does not know the model.
const MAX_TOKENS: u64 = 4096;

/// What all attempts of a call have in common.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) worker: usize,
    pub(super) clock: Clock,
    pub(super) attempts: Arc<Attempts>,
    pub(super) urgency: Urgency,
    /// When the caller's patience is over.
    pub(super) until: Option<Instant>,
    /// How long a stream that says nothing is held back: so long another may be asked in its place unseen.
    pub(super) hold: Option<Duration>,
    /// The caller's header fields that vendors define.
    pub(super) vendor: HeaderMap,
}

/// Who is still to be asked.
type Line = VecDeque<(Arc<Target>, Turn)>;

/// Whether a target is asked for the first time, or has been passed over as it rests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Last,
}

/// Asks for the answer to a call.
pub(super) struct Asking<'a> {
    pub(super) call: &'a mut AiCall,
    pub(super) chain: &'a Chain,
    pub(super) frame: Frame,
}

/// An answer that began.
pub(super) struct Answered {
    pub(super) begun: Begun,
    /// Who else may be asked, should it break off.
    pub(super) others: Vec<Arc<Target>>,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The request cannot be made of what was asked.
    Refused(Refused),
    /// Nobody answered, or what was answered is the caller's to know.
    Missed(Missed),
}

impl Unanswered {
    pub(super) fn cause(&self) -> Option<FailureCause> {
        match self {
            Self::Refused(_) => None,
            Self::Missed(missed) => missed.cause(),
        }
    }

    pub(super) fn may_go_on(&self) -> bool {
        matches!(self, Self::Missed(missed) if missed.may_go_on())
    }
}

impl Asking<'_> {
    /// Asks until somebody answers: the model, then what else is asked where it fails in this way, each model once.
    pub(super) async fn ask(&mut self) -> Result<Answered, Unanswered> {
        let model = self.call.model.clone();
        let answered = self.chain().await;
        self.call.model = model;
        answered
    }

    async fn chain(&mut self) -> Result<Answered, Unanswered> {
        let chain = self.chain;
        let mut walk = chain.walk();
        let mut last = None;
        while let Some(link) = walk.next() {
            // On its own terms.
            self.call.model = link.model.clone();
            match self.link(link).await {
                Ok(mut begun) => {
                    begun.going.choose();
                    let others = if self.call.head.stream { chain.others(walk.at, &begun.going) } else { Vec::new() };
                    return Ok(Answered { begun, others });
                }
                Err(unanswered) => {
                    walk.failed(unanswered.cause());
                    last = Some(unanswered);
                }
            }
        }
        Err(last.unwrap_or_else(|| Unanswered::Missed(Missed::nobody(chain.name()))))
    }

    /// Asks one model, again where that may help.
    async fn link(&mut self, link: &Link) -> Result<Begun, Unanswered> {
        link.earn();
        let mut round = 0;
        loop {
            let unanswered = match self.round(link).await {
                Ok(begun) => return Ok(begun),
                Err(unanswered) => unanswered,
            };
            let wait = match &unanswered {
                Unanswered::Missed(missed) => link.wait(missed, round, &self.frame),
                Unanswered::Refused(_) => None,
            };
            let Some(wait) = wait else { return Err(unanswered) };
            tokio::time::sleep(wait).await;
            round += 1;
        }
    }

    /// Asks each target of a model once.
    async fn round(&mut self, link: &Link) -> Result<Begun, Unanswered> {
        let mut line: Line = link.order.iter().map(|target| (target.clone(), Turn::First)).collect();
        let mut last = None;
        if let Some((hedge, budget)) = &link.model.hedge
            && line.len() > 1
        {
            budget.earn(hedge.budget);
            return self.race(link, &mut line, (hedge.after.get(), budget)).await;
        }
        while let Some(attempt) = self.next(link, &mut line, &mut last) {
            match attempt.run().await {
                Ok(begun) => return Ok(begun),
                Err(missed) => {
                    let unanswered = Unanswered::Missed(missed);
                    if !unanswered.may_go_on() {
                        return Err(unanswered);
                    }
                    last = Some(unanswered);
                }
            }
        }
        Err(last.unwrap_or_else(|| Unanswered::Missed(Missed::nobody(&link.model.name))))
    }

    /// The next attempt that can be made of the call; why one cannot is `last`, if nothing else was.
    fn next(&mut self, link: &Link, line: &mut Line, last: &mut Option<Unanswered>) -> Option<Attempt> {
        while let Some((target, turn)) = line.pop_front() {
            if self.frame.attempts.begun() >= MOST_ATTEMPTS {
                return None;
            }
            let rest = &target.pulse.rest;
            if turn == Turn::First && !rest.admits(self.frame.clock.now().0, target.provider.cooldown.rest.get()) {
                // Better who rests than nobody, but after all others.
                line.push_back((target, Turn::Last));
                continue;
            }
            let Some(way) = target.provider.way(self.call.turn.format, &target.model) else { continue };
            let same = self.is_same(way.format);
            // What stands on the way back leaves the request as it is.
            let passes = way.format == self.call.turn.format;
            let body = match body(self.call, &target, way, passes) {
                Ok(body) => body,
                // Another provider may be able to.
                Err(refused) => {
                    if last.is_none() {
                        *last = Some(Unanswered::Refused(refused));
                    }
                    continue;
                }
            };
            let bound = !target.provider.timeouts.first_token.is_zero();
            return Some(Attempt {
                format: way.format,
                asked: self.call.turn.format,
                body,
                same,
                stream: self.call.head.stream,
                holds: bound || !line.is_empty() || link.is_held(),
                minds_refusals: link.minds_refusals(),
                glances: same && !link.minds_refusals() && !self.call.is_watched(),
                continues: false,
                frame: self.frame.clone(),
                target,
            });
        }
        None
    }

    /// Whether the bytes may pass as they are. Providers frame streams in the usual way.
    fn is_same(&self, format: Format) -> bool {
        format == self.call.turn.format
            && !self.call.alters()
            && self.call.plain.is_none()
            && (!self.call.head.stream || self.call.turn.framing == Framing::Usual)
    }
}

/// The request as this target takes it.
fn body(call: &mut AiCall, target: &Target, way: &Way, same: bool) -> Result<Bytes, Refused> {
    if same {
        // OpenAI tells the usage of a stream only to those who ask; some hosts tell it always and take no such field.
        let unasked = way.format == Format::OpenAiChat && call.head.stream && !call.head.include_usage;
        let ask_usage = unasked && target.provider.quirks.stream_usage == StreamUsage::Asked;
        let shaped = call.shaped_body(&to(target, way.format))?;
        return call.head.with_model(shaped, &target.model, ask_usage);
    }
    let ask = ask(call.model.terms.losses, target);
    Ok(way.format.write_request(&*call.shaped(&to(target, way.format))?, &ask)?.bytes.into())
}

fn to(target: &Target, format: Format) -> To<'_> {
    To { format, model: &target.model, quirks: target.provider.quirks }
}

fn ask(losses: Losses, target: &Target) -> Ask<'_> {
    Ask {
        model: &target.model,
        max_tokens: target.entry.as_ref().and_then(|entry| entry.max_output).unwrap_or(MAX_TOKENS),
        losses,
        quirks: target.provider.quirks,
    }
}

/// The seconds that `Retry-After` says; dates are not taken.
pub(super) fn seconds(after: Option<&HeaderValue>) -> Option<Duration> {
    let seconds = after?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(u64::from(seconds)))
}

/// How a failure of this kind is counted.
fn outcome_of(kind: ErrorKind) -> AttemptOutcome {
    match kind {
        ErrorKind::BadRequest | ErrorKind::TooLarge => AttemptOutcome::BadRequest,
        ErrorKind::ContextWindow => AttemptOutcome::ContextWindow,
        ErrorKind::ContentPolicy => AttemptOutcome::ContentPolicy,
        ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::Quota => AttemptOutcome::Refused,
        ErrorKind::NotFound => AttemptOutcome::NotFound,
        ErrorKind::RateLimit => AttemptOutcome::RateLimit,
        ErrorKind::Timeout => AttemptOutcome::Timeout,
        ErrorKind::Overloaded => AttemptOutcome::Overloaded,
        ErrorKind::Server => AttemptOutcome::Server,
    }
}
