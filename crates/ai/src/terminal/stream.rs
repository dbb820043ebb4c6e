//! An answer as it comes: each piece is translated and handed on at once, with the back-pressure of the caller's
//! connection. A provider that breaks off ends the stream in the caller's own words; a caller that leaves drops the body,
//! and with it the provider's call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use proxy::exchange::{Body, BodyError, ModelCall};

use crate::catalog::Entry;
use crate::translate::{Decode, Encode, Error, ErrorKind, Event};

/// A stream of a provider on its way to a caller.
pub(super) struct Stream {
    inner: Body,
    decoder: Box<dyn Decode>,
    /// None where the bytes pass as they are.
    encoder: Option<Box<dyn Encode>>,
    events: Vec<Event>,
    call: Arc<ModelCall>,
    /// What the model costs.
    entry: Option<Arc<Entry>>,
    ended: bool,
}

impl Stream {
    /// Of these bytes.
    pub(super) fn new(
        inner: Body,
        decoder: Box<dyn Decode>,
        encoder: Option<Box<dyn Encode>>,
        call: Arc<ModelCall>,
        entry: Option<Arc<Entry>>,
    ) -> Self {
        Self { inner, decoder, encoder, events: Vec::new(), call, entry, ended: false }
    }

    /// What has come, in the caller's format.
    fn written(&mut self, came: Bytes) -> Bytes {
        let mut out = Vec::new();
        for event in self.events.drain(..) {
            if let Event::Usage(usage) = &event {
                super::note(&self.call, self.entry.as_deref(), usage);
            }
            if let Some(encoder) = &mut self.encoder {
                encoder.push(&event, &mut out);
            }
        }
        if self.encoder.is_some() { out.into() } else { came }
    }

    /// The end of the provider's bytes.
    fn finish(&mut self) -> Bytes {
        self.ended = true;
        self.decoder.finish(&mut self.events);
        self.written(Bytes::new())
    }

    /// The provider broke off.
    fn broken(&mut self, error: &BodyError) -> Result<Bytes, BodyError> {
        self.ended = true;
        tracing::debug!(target: "tollgate::ai", %error, "a provider broke its stream off");
        let told = Error::new(ErrorKind::Server, "The provider broke the stream off.").code("ai.provider_failed");
        self.events.push(Event::Error(told));
        self.events.push(Event::End);
        Ok(self.written(Bytes::new()))
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
                    this.decoder.push(&data, &mut this.events);
                    this.written(data)
                }
                // Bytes that pass as they are end as they ended.
                Some(Err(error)) if this.encoder.is_none() => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Err(error)) => this.broken(&error)?,
                None => this.finish(),
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
        Poll::Ready(None)
    }
}
