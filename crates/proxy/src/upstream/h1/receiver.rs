//! The response as it comes in: its head, then its body as the head frames it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::response;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::chunked::{Chunked, Step};
use super::fault::Fault;
use super::head::{self, Framing};

/// Room for a head and a short body.
const SMALL: usize = 4096;
/// The most that is read at once.
const LARGE: usize = 64 << 10;
/// The most informational responses before a response.
const INFORMATIONAL: usize = 32;

/// A response on its way in.
pub(super) struct Receiver {
    /// What was read and not used.
    read: BytesMut,
    /// How much of it has been searched for the end of a head.
    searched: usize,
    informational: usize,
    rest: Rest,
    /// Whether the connection may carry another exchange after this one.
    persists: bool,
}

/// What is to come of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    Ended,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All until the connection ends.
    UntilEnd,
}

impl Receiver {
    /// Before the first response.
    pub(super) fn new() -> Self {
        Self { read: BytesMut::new(), searched: 0, informational: 0, rest: Rest::Ended, persists: true }
    }

    /// The next response head that is not informational. `bodiless` where the request's method has responses without a
    /// body; a head has at most `most` bytes.
    pub(super) fn poll_head<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bodiless: bool,
        most: usize,
    ) -> Poll<Result<response::Parts, Fault>>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            if let Some(end) = head::end(&self.read, self.searched) {
                if end > most {
                    return Poll::Ready(Err(Fault::TooLarge));
                }
                self.searched = 0;
                let head = head::parse(&self.read.split_to(end).freeze(), bodiless)?;
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
                self.rest = match head.framing {
                    Framing::None => Rest::Ended,
                    Framing::Length(length) => Rest::Length(length),
                    Framing::Chunked => Rest::Chunked(Chunked::Size),
                    Framing::UntilEnd => Rest::UntilEnd,
                };
                return Poll::Ready(Ok(head.parts));
            }
            if !head::may_begin(&self.read) {
                return Poll::Ready(Err(Fault::Protocol("the response head is not HTTP")));
            }
            if self.read.len() > most {
                return Poll::Ready(Err(Fault::TooLarge));
            }
            // The last line break may be half of the end.
            self.searched = self.read.len().saturating_sub(2);
            if ready!(self.fill(stream, cx, SMALL))? == 0 {
                return Poll::Ready(Err(Fault::Ended));
            }
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
        loop {
            let coming = match &mut self.rest {
                Rest::Ended => return Poll::Ready(None),
                Rest::Length(left) => {
                    let here = (*left).min(self.read.len() as u64);
                    if here > 0 {
                        let left = *left - here;
                        self.rest = if left == 0 { Rest::Ended } else { Rest::Length(left) };
                        return Poll::Ready(Some(Ok(Frame::data(self.read.split_to(here as usize).freeze()))));
                    }
                    *left
                }
                Rest::Chunked(chunked) => match chunked.step(&mut self.read, most)? {
                    Step::Frame(frame) => return Poll::Ready(Some(Ok(frame))),
                    Step::Ended => {
                        self.rest = Rest::Ended;
                        return Poll::Ready(None);
                    }
                    Step::More(coming) => coming,
                },
                Rest::UntilEnd if !self.read.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(self.read.split().freeze()))));
                }
                Rest::UntilEnd => LARGE as u64,
            };
            let room = usize::try_from(coming).unwrap_or(LARGE).clamp(SMALL, LARGE);
            if ready!(self.fill(stream, cx, room))? == 0 {
                if self.rest == Rest::UntilEnd {
                    self.rest = Rest::Ended;
                    return Poll::Ready(None);
                }
                return Poll::Ready(Some(Err(Fault::Ended)));
            }
        }
    }

    /// Whether the body is over. That of chunks is once its last one was taken, so that the connection is kept.
    pub(super) fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Ended | Rest::Chunked(Chunked::Ended))
    }

    /// How much is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Ended => SizeHint::with_exact(0),
            Rest::Length(left) => SizeHint::with_exact(left),
            Rest::Chunked(_) | Rest::UntilEnd => SizeHint::default(),
        }
    }

    /// Whether the connection may carry another exchange: this one is over, nothing came that was not asked for.
    pub(super) fn may_go_on(&self) -> bool {
        self.persists && self.is_end_stream() && self.read.is_empty()
    }

    /// Whether nothing came since the last exchange, not even the end.
    pub(super) fn is_quiet<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> bool
    where
        S: AsyncRead + Unpin,
    {
        let mut byte = [0];
        self.read.is_empty() && Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// Gives the buffer back.
    pub(super) fn rest(&mut self) {
        self.read = BytesMut::new();
    }

    /// What was read and not used.
    pub(super) fn into_read(self) -> Bytes {
        self.read.freeze()
    }

    /// Reads some bytes; 0 at the end.
    fn fill<S>(&mut self, stream: &mut S, cx: &mut Context<'_>, room: usize) -> Poll<std::io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        self.read.reserve(room);
        poll_read_buf(Pin::new(stream), cx, &mut self.read)
    }
}
