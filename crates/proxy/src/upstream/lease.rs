//! What an exchange holds of a target: a connection or a place on one, counted in flight. As a response body it goes with
//! the bytes: at the body's end the connection goes back to its pool; dropped before that, the connection is closed or
//! the stream reset, so a client that leaves cancels the work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::answer::Received;
use super::deadline::{Deadline, Patience};
use super::endpoint::InFlight;
use super::failure::{self, Broke, Failure};
use super::forward::Outbound;
use super::h1::{Beside, H1};
use super::h2::H2Stream;
use super::pool::Terms;
use crate::exchange::{BodyError, Error, Meter, codes};

/// So much of a response that nobody wants is read, for so long.
const UNWANTED: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(1);

/// What carries an exchange.
pub(super) enum Carrier {
    /// A connection of its own.
    H1(Box<H1>),
    /// The same, driven by a task.
    Beside(Box<Beside>),
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
            Carrier::Beside(connection) => connection.address,
            Carrier::H2(stream) => stream.connection.address,
        }
    }

    /// Whether the connection had carried an exchange before.
    pub(super) fn is_reused(&self) -> bool {
        match &self.carrier {
            Carrier::H1(connection) => connection.requests > 0,
            Carrier::Beside(_) => false,
            Carrier::H2(stream) => stream.reused,
        }
    }

    /// Sends a request and waits for the response head. Afterwards `outbound` is what may be sent again: all of it where
    /// nothing was sent, else its head, if `repeatable`.
    pub(super) fn send<'a>(
        &'a mut self,
        outbound: &'a mut Outbound,
        repeatable: bool,
        patience: &'a mut Patience,
    ) -> impl Future<Output = Result<Received, Failure>> + use<'a> {
        match &mut self.carrier {
            Carrier::H1(connection) => Either::Left(connection.send(outbound, patience)),
            Carrier::H2(stream) => Either::Right(Either::Left(stream.send(outbound, repeatable, patience))),
            Carrier::Beside(_) => Either::Right(Either::Right(std::future::ready(Err(Failure::Unsent)))),
        }
    }

    /// Puts the head of the request back that was sent, for another try.
    pub(super) fn head_again(&self, outbound: &mut Outbound) {
        if let Carrier::H2(stream) = &self.carrier {
            outbound.request = stream.head_again();
        }
    }

    /// Reads the rest of a response that nobody wants, so that its connection can be kept.
    pub(super) fn empty(self) {
        if self.is_end_stream() {
            return self.give_back();
        }
        let short = self.size_hint().upper().is_some_and(|length| length <= UNWANTED);
        if !short {
            return;
        }
        let mut rest = Leased::new(self, None, PATIENCE, Some(Instant::now() + PATIENCE));
        tokio::spawn(async move { while let Some(Ok(_)) = std::future::poll_fn(|cx| rest.poll_frame(cx)).await {} });
    }

    /// The request body goes on beside the response.
    pub(super) fn beside(self) -> Self {
        match self.carrier {
            Carrier::H1(connection) => Self { carrier: Carrier::Beside(Box::new(Beside::start(*connection))), ..self },
            _ => self,
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
            Carrier::Beside(connection) => &mut connection.deadline,
            Carrier::H2(stream) => &mut stream.deadline,
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broke>>> {
        match &mut self.carrier {
            Carrier::H1(connection) => connection.poll_frame(cx).map_err(Broke::H1),
            Carrier::Beside(connection) => connection.poll_frame(cx).map_err(Broke::H1),
            Carrier::H2(stream) => stream.poll_frame(cx).map_err(Broke::H2),
        }
    }

    /// Whether the response body is over.
    pub(super) fn is_end_stream(&self) -> bool {
        match &self.carrier {
            Carrier::H1(connection) => connection.is_end_stream(),
            Carrier::Beside(connection) => connection.is_end_stream(),
            Carrier::H2(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.carrier {
            Carrier::H1(connection) => connection.size_hint(),
            Carrier::Beside(connection) => connection.size_hint(),
            Carrier::H2(stream) => stream.size_hint(),
        }
    }
}

/// A response body with the connection it comes by.
pub struct Leased {
    held: Option<Held>,
    /// The body of its request, where that still goes out.
    request: Option<Arc<Meter>>,
    idle: Duration,
    total: Option<Instant>,
}

impl Leased {
    /// The body of a response that comes by this connection. `request` is the body of its request while that still goes
    /// out: should it fail, so does the connection, and the target is not to blame.
    pub(super) fn new(mut held: Held, request: Option<Arc<Meter>>, idle: Duration, total: Option<Instant>) -> Self {
        held.deadline().clear();
        Self { held: Some(held), request, idle, total }
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(held) = &mut self.held else { return Poll::Ready(None) };
        match held.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                held.deadline().clear();
                if held.is_end_stream() {
                    self.end();
                } else if self.total.is_some_and(|total| total <= Instant::now()) {
                    // A stream that never pauses has an end too.
                    return Poll::Ready(Some(Err(self.cut())));
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
        std::task::ready!(held.deadline().poll(cx));
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
        self.held.as_ref().is_none_or(Held::is_end_stream)
    }

    /// How much is to come.
    pub fn size_hint(&self) -> SizeHint {
        self.held.as_ref().map_or_else(|| SizeHint::with_exact(0), Held::size_hint)
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        // The client's connection stops asking once it has the promised length.
        if self.is_end_stream() {
            self.end();
        }
    }
}
