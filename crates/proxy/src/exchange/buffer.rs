//! Reading a body wholly, for the steps that ask for all of it. What never ends, or must not wait, is left to stream:
//! server-sent events, gRPC and upgrades.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body as _, Frame};

use super::body::BodyError;
use super::outgoing::too_large;
use super::{Body, Error, Exchange, Outgoing, Upgraded, codes};

/// Reads the whole request body, at most so many bytes, with the transforms that stand before it applied. Afterwards
/// the body is [`Body::Empty`], [`Body::Full`], or [`Body::Parts`] of one part where trailers followed.
pub async fn buffer(x: &mut Exchange, most: u64) -> Result<(), Error> {
    let nothing = matches!(x.request_body, Body::Empty) && x.request_transforms.is_empty();
    let tunnel = x.request.method == Method::CONNECT || x.request.headers.contains_key(UPGRADE);
    if nothing || tunnel || is_stream(&x.request.headers) {
        return Ok(());
    }
    let most = most.min(x.body_limit);
    let plain = x.request_transforms.is_empty();
    // It counts what the client sends, and bounds that and the pauses.
    let mut body = Outgoing::of(x)?;
    let promised = if plain { body.size_hint().lower() } else { 0 };
    let read = whole(|cx| Pin::new(&mut body).poll_frame(cx), promised, most).await;
    if let Some(meter) = x.meter.take() {
        // What is handed on is counted anew.
        x.record.bytes_in = meter.bytes();
        if let Some(failure) = meter.failure() {
            return Err(*failure);
        }
    }
    match read {
        Ok(whole) => x.request_body = whole.into_body(&mut x.request.headers),
        Err(Refused::TooLarge) => return Err(too_large(most)),
        Err(Refused::Broken(error)) => return Err(*error),
    }
    Ok(())
}

/// Reads the whole response body, at most so many bytes, with the transforms so far applied. Afterwards the body is as
/// after [`buffer`].
pub async fn buffer_response(x: &mut Exchange, most: u64) -> Result<(), Error> {
    let Some(head) = &x.response else { return Ok(()) };
    let bodiless = x.request.method == Method::HEAD
        || head.status.is_informational()
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless || x.notes.upgraded == Upgraded::Yes || is_stream(&head.headers) {
        return Ok(());
    }
    let mut transforms = std::mem::take(&mut x.response_transforms);
    let mut body = std::mem::take(&mut x.response_body);
    let promised = if transforms.is_empty() { body.size_hint().lower() } else { 0 };
    let next = |cx: &mut Context<'_>| {
        if transforms.is_empty() { Pin::new(&mut body).poll_frame(cx) } else { transforms.poll_frame(&mut body, cx) }
    };
    let whole = match whole(next, promised, most).await {
        Ok(whole) => whole,
        Err(Refused::TooLarge) => {
            let detail = format!("The response has more than {most} bytes, which were to be read at once.");
            return Err(Error::new(&codes::RESPONSE_TOO_LARGE, detail));
        }
        Err(Refused::Broken(error)) => return Err(*error),
    };
    if let Some(head) = &mut x.response {
        x.response_body = whole.into_body(&mut head.headers);
    }
    Ok(())
}

/// Whether a body of this type is to be handed on as it comes.
fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        [&b"text/event-stream"[..], b"application/grpc"]
            .iter()
            .any(|kind| value.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind)))
    })
}

/// Why a body was not read to its end.
enum Refused {
    TooLarge,
    Broken(BodyError),
}

/// All of a body.
struct Whole {
    data: Bytes,
    trailers: Option<HeaderMap>,
}

impl Whole {
    /// The body again, with the head's framing set right.
    fn into_body(self, headers: &mut HeaderMap) -> Body {
        match self.trailers {
            // Trailers need a framing that has a place for them; it is chosen where the message is sent.
            Some(trailers) => {
                headers.remove(CONTENT_LENGTH);
                Body::Parts([self.data].into(), Some(trailers))
            }
            None => {
                headers.remove(TRANSFER_ENCODING);
                headers.remove(TRAILER);
                headers.insert(CONTENT_LENGTH, HeaderValue::from(self.data.len()));
                Body::from(self.data)
            }
        }
    }
}

/// Reads frames to the end. One chunk is not copied.
async fn whole(
    mut next: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>,
    promised: u64,
    most: u64,
) -> Result<Whole, Refused> {
    if promised > most {
        return Err(Refused::TooLarge);
    }
    let mut whole = Whole { data: Bytes::new(), trailers: None };
    let mut joined = BytesMut::new();
    while let Some(frame) = poll_fn(&mut next).await {
        let chunk = match frame.map_err(Refused::Broken)?.into_data() {
            Ok(chunk) if chunk.is_empty() => continue,
            Ok(chunk) => chunk,
            Err(frame) => {
                whole.trailers = frame.into_trailers().ok();
                continue;
            }
        };
        let length = whole.data.len() + joined.len() + chunk.len();
        if length as u64 > most {
            return Err(Refused::TooLarge);
        }
        if length == chunk.len() {
            whole.data = chunk;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(length.max(usize::try_from(promised).unwrap_or(0)));
            joined.extend_from_slice(&std::mem::take(&mut whole.data));
        }
        joined.extend_from_slice(&chunk);
    }
    if !joined.is_empty() {
        whole.data = joined.freeze();
    }
    Ok(whole)
}

#[cfg(test)]
mod tests;
