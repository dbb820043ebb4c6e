//! An answer as it comes: each piece is translated and handed on at once, with the back-pressure of the caller's
//! connection. A provider that breaks off ends the stream in the caller's own words; a caller that leaves drops the body,
//! and with it the provider's call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use proxy::exchange::{Body, BodyError, ModelCall};

use super::give;
use crate::call::Watches;
use crate::catalog::Entry;
use crate::translate::{Decode, Encode, Event};
use crate::wire::scan::HideUsage;

/// A stream of a provider on its way to a caller.
pub(super) struct Stream {
    inner: Body,
    decoder: Box<dyn Decode>,
    encoder: Box<dyn Encode>,
    course: Course,
    events: Vec<Event>,
    call: Arc<ModelCall>,
    /// What the model costs.
    entry: Option<Arc<Entry>>,
    watches: Watches,
    ended: bool,
}

/// How a stream goes to its caller.
pub(super) enum Course {
    /// Written anew in the caller's format.
    Anew,
    /// Its bytes as they are.
    Same(Passing),
}

/// Bytes that pass as they are.
#[derive(Default)]
pub(super) struct Passing {
    /// Takes out the usage that the gateway asked for and the caller did not.
    hide: Option<HideUsage>,
    /// Whether the last byte did not end an event.
    within: bool,
}

impl Passing {
    /// All of it passes, but for the usage where that is hidden.
    pub(super) fn hiding(hide: Option<HideUsage>) -> Self {
        Self { hide, within: false }
    }

    fn pass(&mut self, came: Bytes) -> Bytes {
        let out = match &mut self.hide {
            None => came,
            Some(hide) => {
                let mut out = Vec::new();
                hide.push(&came, &mut out);
                out.into()
            }
        };
        if !out.is_empty() {
            self.within = !out.ends_with(b"\n\n") && !out.ends_with(b"\r\n\r\n");
        }
        out
    }
}

impl Stream {
    /// Of these bytes. `encoder` is the caller's format.
    pub(super) fn new(
        inner: Body,
        (decoder, encoder): (Box<dyn Decode>, Box<dyn Encode>),
        course: Course,
        (call, entry): (Arc<ModelCall>, Option<Arc<Entry>>),
        watches: Watches,
    ) -> Self {
        Self { inner, decoder, encoder, course, events: Vec::new(), call, entry, watches, ended: false }
    }

    /// What has come, in the caller's format.
    fn written(&mut self, came: Bytes) -> Bytes {
        self.decoder.push(&came, &mut self.events);
        self.watch();
        let mut out = Vec::new();
        for event in self.events.drain(..) {
            if matches!(self.course, Course::Anew) {
                self.encoder.push(&event, &mut out);
            }
        }
        match &mut self.course {
            Course::Anew => out.into(),
            Course::Same(passing) => passing.pass(came),
        }
    }

    /// Notes what was taken up to now, and lets those see it who watch.
    fn watch(&mut self) {
        for event in &self.events {
            if let Event::Usage(usage) = event {
                give::note(&self.call, self.entry.as_deref(), usage);
            }
        }
        if self.watches.is_empty() {
            return;
        }
        let failed = |events: &[Event]| events.iter().any(|event| matches!(event, Event::Error(_)));
        let before = failed(&self.events);
        self.watches.events(&mut self.events);
        // What a watch ends is over: the provider is not read any further.
        if !before && failed(&self.events) {
            self.ended = true;
            if self.events.last() != Some(&Event::End) {
                self.events.push(Event::End);
            }
        }
    }

    /// The end of the provider's bytes: a stream that is not whole ends with a failure in the caller's own words, unless
    /// that would go on in the middle of an event.
    fn finish(&mut self) -> Bytes {
        self.ended = true;
        self.decoder.finish(&mut self.events);
        self.watch();
        let mut out = Vec::new();
        let mut may_add = true;
        if let Course::Same(passing) = &mut self.course {
            if let Some(hide) = &mut passing.hide {
                hide.finish(&mut out);
            }
            may_add = !passing.within && out.is_empty();
        }
        for event in self.events.drain(..) {
            let anew = matches!(self.course, Course::Anew);
            if anew || may_add && matches!(event, Event::Error(_)) {
                self.encoder.push(&event, &mut out);
            }
        }
        out.into()
    }

    /// The provider broke off.
    fn broken(&mut self, error: BodyError) -> Result<Bytes, BodyError> {
        tracing::debug!(target: "tollgate::ai", %error, "a provider broke its stream off");
        let out = self.finish();
        // Bytes that broke off within an event end as they ended.
        if matches!(&self.course, Course::Same(passing) if passing.within) { Err(error) } else { Ok(out) }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while !this.ended {
            let out = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    this.written(data)
                }
                Some(Err(error)) => this.broken(error)?,
                None => this.finish(),
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        Poll::Ready(None)
    }
}
