//! The response as it comes in: its head, then its body as the head frames it.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::AsyncRead;

use super::head;
use crate::h1::{Fault, Reader};
use crate::upstream::answer::Received;

/// The most informational responses before a response.
const INFORMATIONAL: usize = 32;

/// A response on its way in.
pub(super) struct Receiver {
    reader: Reader,
    informational: usize,
    /// Whether the connection may carry another exchange after this one.
    persists: bool,
}

impl Receiver {
    /// Before the first response.
    pub(super) fn new() -> Self {
        Self { reader: Reader::new(), informational: 0, persists: true }
    }

    /// The next response head that is not informational. `bodiless` where the request's method has responses without a
    /// body; a head has at most `most` bytes.
    pub(super) fn poll_head<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bodiless: bool,
        most: usize,
    ) -> Poll<Result<Received, Fault>>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            let head = ready!(self.reader.poll_head(stream, cx, most, head::begin))?;
            let head = head::parse(&head, bodiless)?;
            let status = head.parts.status.as_u16();
            if (100..200).contains(&status) && status != 101 {
                self.informational += 1;
                if self.informational > INFORMATIONAL {
                    return Poll::Ready(Err(Fault::Protocol("the response never comes")));
                }
                continue;
            }
            self.informational = 0;
            self.persists = head.persists;
            self.reader.begin_body(head.rest);
            return Poll::Ready(Ok(Received { head: head.parts, found: head.found }));
        }
    }

    /// The next frame of the body. Trailers have at most `most` bytes.
    pub(super) fn poll_frame<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>>
    where
        S: AsyncRead + Unpin,
    {
        self.reader.poll_frame(stream, cx, most)
    }

    /// Whether the body is over.
    pub(super) fn is_end_stream(&self) -> bool {
        self.reader.is_end_stream()
    }

    /// How much is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.reader.size_hint()
    }

    /// Whether the connection may carry another exchange: this one is over, nothing came that was not asked for.
    pub(super) fn may_go_on(&self) -> bool {
        self.persists && self.is_end_stream() && self.reader.unused().is_empty()
    }

    /// Whether nothing came since the last exchange, not even the end.
    pub(super) fn is_quiet<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> bool
    where
        S: AsyncRead + Unpin,
    {
        self.reader.unused().is_empty() && self.reader.poll_unasked(stream, cx).is_pending()
    }

    /// Gives the buffer back.
    pub(super) fn rest(&mut self) {
        self.reader.rest();
    }

    /// What was read and not used.
    pub(super) fn into_read(self) -> Bytes {
        self.reader.into_unused()
    }
}
