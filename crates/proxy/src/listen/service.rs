//! From a request to an exchange in the pipeline, and back. A panic costs one exchange.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode, request};
use http_body::{Body as _, Frame, SizeHint};

use super::life::{Life, Open};
use super::streams;
use crate::clock::Time;
use crate::exchange::{Body, BodyError, Error, Exchange, Served, Switched, codes};
use crate::pipeline;
use crate::upstream::fields::Fields;

/// Begins the exchange of a request.
pub(super) fn begin(
    life: &Arc<Life>,
    parts: request::Parts,
    found: Option<Fields>,
    body: Body,
    switched: Option<Switched>,
) -> (Box<Exchange>, Open) {
    let open = life.begin(parts.version);
    let local = life.door.current.load().local.clone();
    let mut x = Exchange::new(local, life.connection.clone(), parts, body);
    x.found = found;
    x.switched = switched;
    (x, open)
}

/// Serves an exchange. What is returned is kept for every open one, so it is as small as can be.
pub(super) async fn serve((x, open): (Box<Exchange>, Open)) -> Response<Answer> {
    match AssertUnwindSafe(pipeline::serve(x)).catch_unwind().await {
        Ok(response) => response.map(|served| Answer { body: AnswerBody::Served(served), open }),
        Err(_) => panicked(open),
    }
}

/// The answer where the exchange is lost. It has settled as it was dropped.
fn panicked(open: Open) -> Response<Answer> {
    const PROBLEM: &str = r#"{"type":"about:blank","title":"Internal error","status":500,"detail":"The gateway failed to handle this request.","code":"gateway.internal"}"#;
    let body = AnswerBody::Full(Bytes::from_static(PROBLEM.as_bytes()));
    let mut response = Response::new(Answer { body, open });
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(PROBLEM.len()));
    response
}

/// A response body that tells its connection when it is over.
pub(super) struct Answer {
    body: AnswerBody,
    open: Open,
}

impl Answer {
    /// Whether the connection ends after it.
    pub(super) fn is_last(&self) -> bool {
        self.open.is_last()
    }

    /// When its head was ready, if its exchange came that far.
    pub(super) fn responded(&self) -> Option<Time> {
        match &self.body {
            AnswerBody::Served(served) => served.responded(),
            AnswerBody::Full(_) => None,
        }
    }
}

enum AnswerBody {
    Served(Served),
    Full(Bytes),
}

impl AnswerBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            AnswerBody::Served(served) => {
                match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *served).poll_frame(cx))) {
                    Ok(polled) => polled,
                    Err(_) => {
                        served.panicked();
                        let error = Error::new(&codes::INTERNAL, "The response could not be completed.");
                        Poll::Ready(Some(Err(Box::new(error))))
                    }
                }
            }
            AnswerBody::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            AnswerBody::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.body.poll(cx);
        streams::asked(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            AnswerBody::Served(served) => served.is_end_stream(),
            AnswerBody::Full(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            AnswerBody::Served(served) => served.size_hint(),
            AnswerBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    /// The size of what a function of one returns.
    fn size<A, F>(_: fn(A) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    /// Every open exchange has one of these, so it has a budget: what it measures, rounded up.
    #[test]
    fn the_future_of_an_exchange_is_small() {
        let size = size(super::serve);
        assert!(size <= 1_800, "{size} bytes");
    }
}
