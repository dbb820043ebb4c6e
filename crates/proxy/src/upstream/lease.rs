//! A response body with the connection it comes by. At the body's end the connection goes back to its pool; dropped
//! before that, the connection is closed, so a client that leaves cancels the work.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::endpoint::InFlight;
use super::failure;
use super::h1::H1;
use super::pool::Terms;
use crate::exchange::{BodyError, Error, codes};

/// A response body with the connection it comes by.
pub struct Leased {
    body: Incoming,
    held: Option<Held>,
    idle: Duration,
    total: Option<Instant>,
}

/// What is held until the body ends.
pub(super) struct Held {
    pub(super) connection: Box<H1>,
    pub(super) in_flight: InFlight,
    pub(super) terms: Terms,
}

impl Held {
    /// The exchange is over on the wire.
    pub(super) fn give_back(self) {
        self.in_flight.give_back(self.connection, &self.terms);
    }
}

impl Leased {
    /// The body of a response that came by this connection.
    pub(super) fn new(body: Incoming, mut held: Held, idle: Duration, total: Option<Instant>) -> Self {
        held.connection.deadline.clear();
        Self { body, held: Some(held), idle, total }
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(held) = &mut self.held else { return Poll::Ready(None) };
        match held.connection.poll_frame(&mut self.body, cx) {
            Poll::Ready(Some(Ok(frame))) => {
                held.connection.deadline.clear();
                if self.body.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                held.in_flight.failed();
                self.held = None;
                Poll::Ready(Some(Err(Box::new(failure::of_body(error)))))
            }
            Poll::Pending => self.pause(cx),
        }
    }

    /// Nothing comes: how long may that last?
    fn pause(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(held) = &mut self.held else { return Poll::Ready(None) };
        let deadline = &mut held.connection.deadline;
        if !deadline.is_set() {
            let idle = Instant::now() + self.idle;
            deadline.set(self.total.map_or(idle, |total| total.min(idle)));
        }
        std::task::ready!(held.connection.late(cx));
        held.in_flight.failed();
        self.held = None;
        let error = if self.total.is_some_and(|total| total <= Instant::now()) {
            Error::new(&codes::TOTAL_TIMEOUT, "The exchange took longer than it may.")
        } else {
            Error::new(&codes::RESPONSE_IDLE, "The upstream stopped sending.")
        };
        Poll::Ready(Some(Err(Box::new(error))))
    }

    fn end(&mut self) {
        if let Some(held) = self.held.take() {
            held.give_back();
        }
    }

    /// Whether there is no more.
    pub fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// How much is to come.
    pub fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        // The client's connection stops asking once it has the promised length.
        if self.body.is_end_stream() {
            self.end();
        }
    }
}
