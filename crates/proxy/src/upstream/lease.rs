//! What an exchange holds of a target: a connection or a place on one, counted in flight. As a response body it goes with
//! the bytes: at the body's end the connection goes back to its pool; dropped before that, the connection is closed or
//! the stream reset, so a client that leaves cancels the work.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::deadline::{Deadline, Patience};
use super::endpoint::InFlight;
use super::failure;
use super::h1::{Failure, H1};
use super::h2::H2Stream;
use super::pool::Terms;
use super::spare::Spare;
use crate::exchange::{BodyError, Error, Meter, Outgoing, codes};

/// What carries an exchange.
pub(super) enum Carrier {
    /// A connection of its own.
    H1(Box<H1>),
    /// A place on a shared one.
    H2(Box<H2Stream>),
}

/// What an exchange holds until the response body ends.
pub(super) struct Held {
    pub(super) carrier: Carrier,
    pub(super) in_flight: InFlight,
    pub(super) terms: Terms,
}

impl Held {
    /// The other end.
    pub(super) fn address(&self) -> SocketAddr {
        match &self.carrier {
            Carrier::H1(connection) => connection.address,
            Carrier::H2(stream) => stream.connection.address,
        }
    }

    /// Whether the connection had carried an exchange before.
    pub(super) fn is_reused(&self) -> bool {
        match &self.carrier {
            Carrier::H1(connection) => connection.requests > 0,
            Carrier::H2(stream) => stream.reused,
        }
    }

    /// Where the head is copied, should the connection prove dead.
    pub(super) fn spare(&mut self) -> &mut Spare {
        match &mut self.carrier {
            Carrier::H1(connection) => &mut connection.spare,
            Carrier::H2(stream) => &mut stream.spare,
        }
    }

    /// Sends a request and waits for the response head.
    pub(super) fn send<'a>(
        &'a mut self,
        request: Request<Outgoing>,
        patience: &'a mut Patience,
    ) -> impl Future<Output = Result<Response<Incoming>, Failure>> + use<'a> {
        match &mut self.carrier {
            Carrier::H1(connection) => Either::Left(connection.send(request, patience)),
            Carrier::H2(stream) => Either::Right(stream.send(request, patience)),
        }
    }

    /// The request body goes on beside the response.
    pub(super) fn detach(&mut self) {
        if let Carrier::H1(connection) = &mut self.carrier {
            connection.detach();
        }
    }

    /// The exchange is over on the wire.
    pub(super) fn give_back(self) {
        if let Carrier::H1(connection) = self.carrier {
            self.in_flight.lane().shard.put(connection, &self.terms);
        }
    }

    fn deadline(&mut self) -> &mut Deadline {
        match &mut self.carrier {
            Carrier::H1(connection) => &mut connection.deadline,
            Carrier::H2(stream) => &mut stream.deadline,
        }
    }

    fn late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.carrier {
            Carrier::H1(connection) => connection.late(cx),
            Carrier::H2(stream) => stream.late(cx),
        }
    }

    fn poll_frame(&mut self, body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut self.carrier {
            Carrier::H1(connection) => connection.poll_frame(body, cx),
            Carrier::H2(_) => Pin::new(body).poll_frame(cx),
        }
    }
}

/// A response body with the connection it comes by.
pub struct Leased {
    body: Incoming,
    held: Option<Held>,
    /// The body of its request, where that still goes out.
    request: Option<Arc<Meter>>,
    idle: Duration,
    total: Option<Instant>,
}

impl Leased {
    /// The body of a response that comes by this connection. `request` is the body of its request while that still goes
    /// out: should it fail, so does the connection, and the target is not to blame.
    pub(super) fn new(
        body: Incoming,
        mut held: Held,
        request: Option<Arc<Meter>>,
        idle: Duration,
        total: Option<Instant>,
    ) -> Self {
        held.deadline().clear();
        Self { body, held: Some(held), request, idle, total }
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(held) = &mut self.held else { return Poll::Ready(None) };
        match held.poll_frame(&mut self.body, cx) {
            Poll::Ready(Some(Ok(frame))) => {
                // A stream that never pauses has an end too.
                if self.total.is_some_and(|total| total <= Instant::now()) {
                    return Poll::Ready(Some(Err(self.cut())));
                }
                held.deadline().clear();
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
                let failure = self.request.as_deref().and_then(Meter::failure).unwrap_or_else(|| {
                    held.in_flight.failed();
                    Box::new(failure::of_body(error))
                });
                self.held = None;
                Poll::Ready(Some(Err(failure)))
            }
            Poll::Pending => self.pause(cx),
        }
    }

    /// Nothing comes: how long may that last?
    fn pause(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(held) = &mut self.held else { return Poll::Ready(None) };
        if !held.deadline().is_set() {
            let idle = Instant::now() + self.idle;
            held.deadline().set(self.total.map_or(idle, |total| total.min(idle)));
        }
        std::task::ready!(held.late(cx));
        Poll::Ready(Some(Err(self.cut())))
    }

    /// Cuts the response, as it took too long.
    fn cut(&mut self) -> BodyError {
        if let Some(held) = self.held.take() {
            held.in_flight.failed();
        }
        let error = if self.total.is_some_and(|total| total <= Instant::now()) {
            Error::new(&codes::TOTAL_TIMEOUT, "The exchange took longer than it may.")
        } else {
            Error::new(&codes::RESPONSE_IDLE, "The upstream stopped sending.")
        };
        Box::new(error)
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
