//! A request body that may be sent again: what was read of it is kept, up to a bound, and another reader begins with that.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use crate::exchange::{BodyError, Outgoing};

/// A body that is read more than once, by one reader at a time.
#[derive(Clone)]
pub(super) struct Replay(Arc<Mutex<Kept>>);

struct Kept {
    source: Option<Outgoing>,
    parts: Vec<Bytes>,
    trailers: Option<HeaderMap>,
    bytes: usize,
    most: usize,
    /// More was read than is kept.
    lost: bool,
    hint: SizeHint,
}

impl Replay {
    /// A body of which so many bytes are kept.
    pub(super) fn new(source: Outgoing, most: usize) -> Self {
        let hint = source.size_hint();
        let lost = hint.lower() > most as u64;
        let kept = Kept { source: Some(source), parts: Vec::new(), trailers: None, bytes: 0, most, lost, hint };
        Self(Arc::new(Mutex::new(kept)))
    }

    /// Whether it can be read from its beginning.
    pub(super) fn is_whole(&self) -> bool {
        !self.0.lock().lost
    }

    /// The body from its beginning.
    pub(super) fn reader(&self) -> Outgoing {
        Outgoing::replayed(Box::pin(Reader { kept: self.0.clone(), at: 0, over: false }))
    }
}

/// Reads what is kept, then the source.
struct Reader {
    kept: Arc<Mutex<Kept>>,
    /// Parts that were read.
    at: usize,
    over: bool,
}

impl Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut kept = this.kept.lock();
        if let Some(part) = kept.parts.get(this.at) {
            this.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(part.clone()))));
        }
        let Some(source) = &mut kept.source else {
            let trailers = if this.over { None } else { kept.trailers.clone() };
            this.over = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = std::task::ready!(Pin::new(source).poll_frame(cx));
        match frame {
            None => {
                // It is let go of, so that it is known to be over.
                kept.source = None;
                this.over = true;
                Poll::Ready(None)
            }
            Some(Ok(frame)) => {
                kept.keep(&frame);
                this.at = kept.parts.len();
                if kept.source.as_ref().is_some_and(Body::is_end_stream) {
                    kept.source = None;
                }
                this.over |= frame.is_trailers();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                kept.lost = true;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.kept.lock();
        self.at >= kept.parts.len() && kept.source.is_none() && (self.over || kept.trailers.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.kept.lock();
        if self.at == 0 { kept.hint } else { SizeHint::default() }
    }
}

impl Kept {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        let Some(data) = frame.data_ref().filter(|_| !self.lost) else { return };
        self.bytes += data.len();
        if self.bytes > self.most {
            self.lost = true;
            self.parts = Vec::new();
        } else {
            self.parts.push(data.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;

    use super::*;
    use crate::exchange;

    fn body(parts: &[&'static str], trailers: Option<HeaderMap>) -> Outgoing {
        let parts: VecDeque<Bytes> = parts.iter().map(|part| Bytes::from(*part)).collect();
        Outgoing::replayed(Box::pin(exchange::Body::Parts(parts, trailers)))
    }

    async fn all(body: Outgoing) -> (Bytes, Option<HeaderMap>) {
        let whole = body.collect().await.unwrap();
        let trailers = whole.trailers().cloned();
        (whole.to_bytes(), trailers)
    }

    #[tokio::test]
    async fn a_reader_begins_at_the_beginning_wherever_another_left() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        for read in 0..=4 {
            let replay = Replay::new(body(&["one ", "two ", "three"], Some(trailers.clone())), 100);
            let mut first = replay.reader();
            for _ in 0..read {
                drop(first.frame().await);
            }
            drop(first);
            assert!(replay.is_whole());
            assert_eq!(all(replay.reader()).await, (Bytes::from("one two three"), Some(trailers.clone())), "{read}");
            assert_eq!(all(replay.reader()).await, (Bytes::from("one two three"), Some(trailers.clone())), "{read}");
        }
    }

    #[tokio::test]
    async fn what_is_too_large_goes_through_once() {
        let replay = Replay::new(body(&["one ", "two ", "three"], None), 10);
        assert_eq!(all(replay.reader()).await.0, "one two three");
        assert!(!replay.is_whole());
    }
}
