//! Where a stream comes from: a provider that is being heard.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body as _;
use proxy::exchange::{AttemptOutcome, Body, BodyError, Error};
use tokio::time::Sleep;

use crate::catalog::Entry;
use crate::terminal::ask::Going;
use crate::terminal::failure::codes;
use crate::translate::{Decode, Format, Usage};

/// A provider that is being heard.
pub(in crate::terminal) struct Source {
    pub(super) decoder: Box<dyn Decode>,
    /// None once it is over.
    going: Option<Going>,
    /// What was read of it before.
    held: VecDeque<Bytes>,
    rest: Body,
    /// When it is to have said something, where it has not.
    late: Option<Pin<Box<Sleep>>>,
}

impl Source {
    pub(in crate::terminal) fn new(going: Going, format: Format, (held, rest): (Vec<Bytes>, Body)) -> Self {
        let late = going.late().map(|late| Box::pin(tokio::time::sleep_until(late)));
        Self { decoder: format.decoder(), going: Some(going), held: held.into(), rest, late }
    }

    /// What the model costs.
    pub(super) fn entry(&self) -> Option<&Entry> {
        self.going.as_ref()?.target.entry.as_deref()
    }

    /// It says something.
    pub(super) fn speaks(&mut self) {
        self.late = None;
        self.going.iter_mut().for_each(Going::speaks);
    }

    /// Whether the caller's patience is over.
    pub(super) fn is_too_late(&self) -> bool {
        self.going.as_ref().is_some_and(Going::is_too_late)
    }

    /// It ended as it should, having taken this.
    pub(super) fn good(&mut self, usage: &Usage) {
        if let Some(going) = self.going.take() {
            going.good(usage);
        }
        self.rest = Body::Empty;
    }

    /// It broke off.
    pub(super) fn bad(&mut self, outcome: AttemptOutcome) {
        if let Some(going) = self.going.take() {
            drop(going.bad(outcome));
        }
        self.rest = Body::Empty;
    }

    /// The next bytes.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(held) = self.held.pop_front() {
            return Poll::Ready(Some(Ok(held)));
        }
        loop {
            if let Poll::Ready(frame) = Pin::new(&mut self.rest).poll_frame(cx) {
                match frame {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => return Poll::Ready(Some(Ok(data))),
                        Err(_) => continue,
                    },
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                }
            }
            let Some(late) = &mut self.late else { return Poll::Pending };
            ready!(late.as_mut().poll(cx));
            self.late = None;
            let error = Error::new(&codes::TIMEOUT, "The provider said nothing in time.");
            return Poll::Ready(Some(Err(Box::new(error))));
        }
    }
}
