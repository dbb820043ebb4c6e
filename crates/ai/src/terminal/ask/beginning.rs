//! The beginning of a stream, up to the first thing that it says. Until then nobody has seen anything of it, so another may
//! take its place.

use std::pin::Pin;

use bytes::Bytes;
use http_body::Body as _;
use proxy::exchange::{AttemptOutcome, Body};
use tokio::time::Instant;

use super::{Going, outcome_of};
use crate::terminal::failure::Missed;
use crate::translate::canonical::Opens;
use crate::translate::{ErrorKind, Event, Finish, Format};

/// The most bytes that come before the first thing that is said.
const MOST: usize = 1 << 20;

/// How long it is waited for.
pub(super) struct Bounds {
    /// When it is late.
    pub(super) first: Option<Instant>,
    /// When it is handed on as it is.
    pub(super) hold: Option<Instant>,
    /// Whether a stream that says only that the provider will not treat of this is a failure.
    pub(super) minds_refusals: bool,
}

/// Reads it.
pub(super) async fn read(
    format: Format,
    body: &mut Body,
    bounds: &Bounds,
    going: &mut Going,
) -> Result<Vec<Bytes>, Missed> {
    let mut decoder = format.decoder();
    let (mut events, mut held, mut size) = (Vec::new(), Vec::new(), 0);
    loop {
        let frame = match until(body, bounds).await {
            Some(frame) => frame,
            None if bounds.first.is_some_and(|first| first <= Instant::now()) => {
                let message = "The provider said nothing in time.".to_owned();
                let missed = Missed::of(&going.target.provider, ErrorKind::Timeout, message);
                return Err(Missed { outcome: AttemptOutcome::FirstToken, ..missed });
            }
            None => return Ok(held),
        };
        let mut broken = None;
        match frame {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                decoder.push(&data, &mut events);
                size += data.len();
                held.push(data);
            }
            ended => {
                broken = ended.and_then(Result::err).map(|error| *error);
                decoder.finish(&mut events);
            }
        }
        for event in events.drain(..) {
            match event {
                Event::Error(error) => {
                    let late = broken.as_ref().is_some_and(|error| error.code.status == 504);
                    let kind = if late { ErrorKind::Timeout } else { error.kind };
                    let outcome = outcome_of(kind);
                    return Err(Missed { outcome, ..Missed::of(&going.target.provider, kind, error.message) });
                }
                Event::Finish { finish: Finish::ContentFilter | Finish::Refusal, .. } if bounds.minds_refusals => {
                    let message = "The provider will not treat of this.".to_owned();
                    return Err(Missed::of(&going.target.provider, ErrorKind::ContentPolicy, message));
                }
                event if is_said(&event) => {
                    going.speaks();
                    return Ok(held);
                }
                _ => {}
            }
        }
        if size > MOST {
            return Ok(held);
        }
    }
}

type Frame = Option<Result<http_body::Frame<Bytes>, proxy::exchange::BodyError>>;

/// The next frame; none where the time is over before.
async fn until(body: &mut Body, bounds: &Bounds) -> Option<Frame> {
    let next = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    match bounds.first.into_iter().chain(bounds.hold).min() {
        Some(until) => tokio::time::timeout_at(until, next).await.ok(),
        None => Some(next.await),
    }
}

/// Whether a caller has something of it.
pub(in crate::terminal) fn is_said(event: &Event) -> bool {
    match event {
        Event::Text(_, text) | Event::Reasoning(_, text) | Event::Args(_, text) => !text.is_empty(),
        Event::Open(_, opens) => matches!(opens, Opens::ToolCall { .. }),
        Event::Finish { .. } | Event::End => true,
        _ => false,
    }
}
