//! The request body on its way to an upstream: what the client sends, counted and bounded, then changed by the request's
//! transforms. Why it failed is left in the [`Meter`], because the connection that carries it only knows that it did.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Instant;

use super::{Body, BodyError, Error, Exchange, Meter, Transforms, codes};
use crate::program::{Local, RouteId};
use crate::upstream::Deadline;

/// A request body as an upstream's connection takes it. Where there is none it costs nothing, not even to be moved.
#[derive(Default)]
pub struct Outgoing(Option<Box<Sending>>);

struct Sending {
    source: Source,
    transforms: Transforms,
}

/// The body as the client sends it, counted and bounded.
struct Source {
    body: Body,
    meter: Arc<Meter>,
    limit: u64,
    pause: Duration,
    deadline: Deadline,
    /// Whose fields trailers may not hold, where there are some.
    owner: Option<(Arc<Local>, RouteId)>,
}

impl Outgoing {
    /// Takes the request body out of an exchange and leaves its meter there. Refused with 413 where the body says that it
    /// is longer than it may be.
    pub fn of(x: &mut Exchange) -> Result<Self, Error> {
        if matches!(x.request_body, Body::Empty) && x.request_transforms.is_empty() {
            return Ok(Self::default());
        }
        let body = std::mem::take(&mut x.request_body);
        if body.size_hint().lower() > x.body_limit {
            return Err(too_large(x.body_limit));
        }
        let meter = x.meter.get_or_insert_default().clone();
        let program = &x.local.program;
        let pause = program
            .listener(x.connection.listener)
            .map_or(Duration::from_secs(60), |listener| listener.listener.limits.body_timeout.get());
        let owner = (!x.plan().owned.is_empty()).then(|| (x.local.clone(), x.route));
        let source = Source { body, meter, limit: x.body_limit, pause, deadline: Deadline::default(), owner };
        Ok(Self(Some(Box::new(Sending { source, transforms: std::mem::take(&mut x.request_transforms) }))))
    }
}

impl Outgoing {
    /// A body of the gateway's own.
    pub fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let source = Source {
            body: Body::Full(bytes),
            meter: Arc::default(),
            limit: u64::MAX,
            pause: Duration::MAX,
            deadline: Deadline::default(),
            owner: None,
        };
        Self(Some(Box::new(Sending { source, transforms: Transforms::default() })))
    }
}

/// How long a body may pause that keeps its own time.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

impl Outgoing {
    /// A body that was counted and bounded before.
    pub(crate) fn replayed(body: Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>) -> Self {
        let source = Source {
            body: Body::Stream(body),
            meter: Arc::default(),
            limit: u64::MAX,
            pause: NEVER,
            deadline: Deadline::default(),
            owner: None,
        };
        Self(Some(Box::new(Sending { source, transforms: Transforms::default() })))
    }
}

/// The refusal of a request body over its bound.
pub(super) fn too_large(limit: u64) -> Error {
    Error::new(&codes::BODY_TOO_LARGE, format!("The request body is larger than {limit} bytes."))
}

impl Source {
    /// Notes why the body failed and gives what the connection is told.
    fn fail(&self, error: BodyError) -> BodyError {
        let told = Box::new(Error::new(error.code, error.detail.clone()));
        self.meter.fail(error);
        told
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.meter.end();
    }
}

impl http_body::Body for Source {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(mut frame))) => {
                self.deadline.clear();
                // An upstream may take trailers for headers (RFC 9110 section 6.5.2).
                if let (Some((local, route)), Some(trailers)) = (&self.owner, frame.trailers_mut()) {
                    local.program.plan(*route).owned.strip(trailers);
                }
                let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.meter.add(read) > self.limit {
                    let error = Box::new(too_large(self.limit));
                    return Poll::Ready(Some(Err(self.fail(error))));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.fail(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if !self.deadline.is_set() {
                    let until = Instant::now() + self.pause;
                    self.deadline.set(until);
                }
                std::task::ready!(self.deadline.poll(cx));
                let error = Box::new(Error::new(&codes::BODY_TIMEOUT, "The request body stopped arriving."));
                Poll::Ready(Some(Err(self.fail(error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.0.as_deref_mut() {
            None => Poll::Ready(None),
            Some(sending) => match sending.transforms.poll_frame(&mut sending.source, cx) {
                // A transform that refuses is the reason too; where the source failed, that stays.
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(sending.source.fail(error)))),
                polled => polled,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            None => true,
            Some(sending) => sending.transforms.is_empty() && sending.source.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(sending) if sending.transforms.is_empty() => sending.source.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}
