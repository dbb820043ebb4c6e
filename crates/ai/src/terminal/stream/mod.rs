//! An answer as it comes: each piece is translated and handed on at once, with the back-pressure of the caller's
//! connection. Where a provider breaks off another goes on, if the answer is of a kind that can be gone on with; else the
//! stream ends in the caller's own words. A caller that leaves drops the body, and with it the provider's call.

mod beat;
mod passing;
mod shift;
mod so_far;
mod source;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use proxy::exchange::{AttemptOutcome, BodyError, ModelCall};

pub(super) use self::beat::Beat;
pub(super) use self::passing::Passing;
use self::shift::{Shift, sum};
use self::so_far::SoFar;
pub(super) use self::source::Source;
use super::ask::{Again, Asked, Begun, Prefix, Said, is_said};
use super::give;
use crate::call::{AiCall, Gist, Watches};
use crate::meter::CallMeter;
use crate::translate::{Encode, Error, ErrorKind, Event, Format, Usage};

/// A stream of a provider on its way to a caller.
pub(super) struct Stream {
    source: Source,
    encoder: Box<dyn Encode>,
    course: Course,
    events: Vec<Event>,
    taker: Taker,
    watches: Watches,
    /// What was taken of the provider that speaks, and of those before.
    usage: Usage,
    before: Usage,
    so_far: SoFar,
    /// What it takes to ask another.
    again: Option<Again>,
    /// Another is being asked.
    asked: Option<Asked>,
    /// Fits what another says to what was said.
    shift: Option<Shift>,
    beat: Option<Beat>,
    ended: bool,
}

/// Whose account a call goes on.
pub(super) struct Taker {
    pub(super) call: Arc<ModelCall>,
    pub(super) meter: Arc<CallMeter>,
    /// The request, to see about how many tokens it has, should the provider not say.
    asked: (Format, Bytes),
}

impl Taker {
    /// Of this call.
    pub(super) fn of(asked: &AiCall, call: Arc<ModelCall>) -> Self {
        Self { call, meter: asked.meter.clone(), asked: (asked.turn.format, asked.body().clone()) }
    }
}

/// How a stream goes to its caller.
pub(super) enum Course {
    /// Written anew in the caller's format.
    Anew,
    /// Its bytes as they are.
    Same(Passing),
}

/// Bytes of text that make a token, about.
const BYTES_A_TOKEN: u64 = 4;

impl Stream {
    /// Of what comes from there. The encoder is of the caller's format.
    pub(super) fn new(
        source: Source,
        (course, encoder): (Course, Box<dyn Encode>),
        taker: Taker,
        watches: Watches,
    ) -> Self {
        Self {
            source,
            encoder,
            course,
            events: Vec::new(),
            taker,
            watches,
            usage: Usage::default(),
            before: Usage::default(),
            so_far: SoFar::default(),
            again: None,
            asked: None,
            shift: None,
            beat: None,
            ended: false,
        }
    }

    /// With another to go on, and signs of life.
    pub(super) fn going_on(mut self, again: Option<Again>, beat: Option<Beat>, format: Format) -> Self {
        // The items of the Responses have ids that only who began them knows.
        let same = matches!(self.course, Course::Same(_));
        if same && format == Format::OpenAiResponses {
            self.so_far.ends_with_its_source();
        }
        self.again = again;
        self.beat = beat;
        self
    }

    /// What has come, in the caller's format. `came` is nothing at the end of the provider's bytes.
    fn written(&mut self, came: Option<Bytes>) -> Bytes {
        let is_end = came.is_none();
        match &came {
            Some(came) => self.source.decoder.push(came, &mut self.events),
            None => self.source.decoder.finish(&mut self.events),
        }
        if self.events.iter().any(is_said) {
            self.source.speaks();
        }
        let failed = self.events.iter().position(|event| matches!(event, Event::Error(_)));
        if let Some(failed) = failed
            && let Some((again, prefix)) = self.may_go_on(failed)
        {
            self.events.truncate(failed);
            self.go_anew();
            let out = self.emitted(None);
            self.hang_up(AttemptOutcome::Broken);
            self.asked = Some(again.ask(prefix));
            return out;
        }
        let ends = is_end || failed.is_some();
        let out = self.emitted(came);
        if ends {
            self.end(failed.is_some());
        }
        out
    }

    /// Lets the events go out, and with them the bytes that they came in, where those pass as they are.
    fn emitted(&mut self, came: Option<Bytes>) -> Bytes {
        for event in &self.events {
            if let Event::Usage(usage) = event {
                self.usage.update(usage);
            }
        }
        self.taker.meter.came(&self.events);
        if let Some(shift) = &mut self.shift {
            shift.events(&mut self.events);
        }
        if self.again.is_some() {
            self.events.iter().for_each(|event| self.so_far.take(event));
        }
        let own = self.watched();
        let mut out = Vec::new();
        match &mut self.course {
            Course::Anew => self.events.iter().for_each(|event| self.encoder.push(event, &mut out)),
            Course::Same(passing) => {
                let failed = self.events.iter().any(|event| matches!(event, Event::Error(_)));
                let passed = match came {
                    Some(came) => passing.pass(came),
                    None if failed => Bytes::new(),
                    None => passing.rest(),
                };
                // What the provider says of its failure passes like the rest; what nobody said is added.
                let says = own || (failed && passed.is_empty());
                if !says {
                    self.events.clear();
                    return passed;
                }
                out.extend_from_slice(&passed);
                let error = self.events.iter().filter(|event| matches!(event, Event::Error(_)));
                error.for_each(|event| self.encoder.push(event, &mut out));
            }
        }
        self.events.clear();
        out.into()
    }

    /// Lets those see the events who watch; whether one of them ends the stream.
    fn watched(&mut self) -> bool {
        if self.watches.is_empty() {
            return false;
        }
        let failed = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Error(_)));
        let before = failed(&self.events);
        self.watches.events(&mut self.events);
        let ends = !before && failed(&self.events);
        // What a watch ends is over: the provider is not read any further.
        if ends {
            self.end(false);
            if self.events.last() != Some(&Event::End) {
                self.events.push(Event::End);
            }
        }
        ends
    }

    /// Whether another can go on with what will be out when the events before this one are.
    fn may_go_on(&mut self, failed: usize) -> Option<(Again, Prefix)> {
        let again = self.again.as_ref()?;
        if self.ended || self.source.is_too_late() || !again.may_begin_anew() {
            return None;
        }
        let mut then = self.so_far.clone();
        let mut events = self.events.get(..failed)?.to_vec();
        // What is shifted is shifted for good only when it goes out.
        if let Some(shift) = &self.shift {
            shift.clone().events(&mut events);
        }
        events.iter().for_each(|event| then.take(event));
        let prefix = then.prefix()?;
        if matches!(prefix, Prefix::Text(_)) && !again.may_continue() {
            return None;
        }
        self.again.take().map(|again| (again, prefix))
    }

    /// From here on events are written, where their bytes passed up to now.
    fn go_anew(&mut self) {
        if matches!(self.course, Course::Same(_)) {
            self.so_far.tell(&mut *self.encoder);
            self.course = Course::Anew;
        }
    }

    /// The provider broke off: what it took by then is paid for.
    fn hang_up(&mut self, outcome: AttemptOutcome) {
        let mut took = self.usage;
        let said = (self.so_far.len() as u64).div_ceil(BYTES_A_TOKEN).saturating_sub(self.before.output);
        took.output = took.output.max(said);
        if took.input == 0 {
            took.input = Gist::of(self.taker.asked.0, &self.taker.asked.1).tokens;
        }
        let cost = give::cost(self.source.entry(), &took);
        self.taker.meter.broke(&took, cost);
        self.taker.call.took_beside(took.input, took.output, cost.unwrap_or_default());
        self.taker.call.took(0, 0, cost.map(|_| 0));
        self.before = sum(&self.before, &took);
        self.usage = Usage::default();
        self.source.bad(outcome);
        tracing::debug!(target: "tollgate::ai", "a provider broke its stream off; another is asked to go on");
    }

    /// Another was asked.
    fn answered(&mut self, (again, begun): (Again, Option<Begun>)) -> Bytes {
        match begun {
            Some(Begun { going, format, said: Said::Stream(held, rest), .. }) => {
                let (open, space) = (self.so_far.open(), self.so_far.space());
                self.shift = Some(Shift::new(self.so_far.is_started(), open, space, self.before));
                self.taker.meter.goes_on(&going.target);
                self.source = Source::new(going, format, (held, rest));
                self.again = Some(again);
                Bytes::new()
            }
            _ => {
                let why = "the provider's stream ended too soon, and nobody could go on with it";
                self.events.push(Event::Error(Error::new(ErrorKind::Server, why).code("ai.stream_cut")));
                self.events.push(Event::End);
                self.shift = None;
                let out = self.emitted(None);
                self.ended = true;
                out
            }
        }
    }

    fn end(&mut self, failed: bool) {
        self.ended = true;
        if failed { self.source.bad(AttemptOutcome::Broken) } else { self.source.good(&self.usage) }
    }

    /// What goes out next: nothing where the last thing that came says nothing, none at the end.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(asked) = &mut self.asked {
            let answered = std::task::ready!(asked.as_mut().poll(cx));
            self.asked = None;
            return Poll::Ready(Some(self.answered(answered)));
        }
        let came = match std::task::ready!(self.source.poll(cx)) {
            Some(Ok(came)) => Some(came),
            Some(Err(error)) => {
                tracing::debug!(target: "tollgate::ai", %error, "a provider broke its stream off");
                None
            }
            None => None,
        };
        Poll::Ready(Some(self.written(came)))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            match this.next(cx) {
                Poll::Ready(Some(out)) if out.is_empty() => {}
                Poll::Ready(Some(out)) => {
                    this.beat.iter_mut().for_each(Beat::went);
                    return Poll::Ready(Some(Ok(Frame::data(out))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let Some(beat) = &mut this.beat else { return Poll::Pending };
                    return beat.poll(cx).map(|sign| Some(Ok(Frame::data(sign))));
                }
            }
        }
    }
}
