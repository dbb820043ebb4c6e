//! Messages as they come in: a head, then a body as the head frames it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::chunked::{Chunked, Step};
use super::fault::Fault;
use super::head;

/// Room for a head and a short body.
const SMALL: usize = 4096;
/// The most that is read at once.
const LARGE: usize = 64 << 10;

/// What was read of a connection, and what is to come of a message.
#[derive(Debug)]
pub(crate) struct Reader {
    /// What was read and not used.
    read: BytesMut,
    /// How much of it has been searched for the end of a head.
    searched: usize,
    rest: Rest,
}

/// What is to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    Ended,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All until the connection ends.
    UntilEnd,
}

impl Rest {
    /// A body in chunks.
    pub(crate) const CHUNKS: Rest = Rest::Chunked(Chunked::Size);
}

impl Reader {
    /// Before the first message.
    pub(crate) fn new() -> Self {
        Self { read: BytesMut::new(), searched: 0, rest: Rest::Ended }
    }

    /// The bytes of the next head, of at most `most`; `Ended` where the connection ended first. `begin` says how many
    /// of the bytes that came so far stand before a head and are nothing, and none where they cannot become one.
    pub(crate) fn poll_head<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        most: usize,
        begin: impl Fn(&[u8]) -> Option<usize>,
    ) -> Poll<Result<Bytes, Fault>>
    where
        S: AsyncRead + Unpin,
    {
        loop {
            match begin(&self.read) {
                Some(0) => {}
                Some(nothing) => {
                    self.read.advance(nothing);
                    self.searched = 0;
                }
                None => return Poll::Ready(Err(Fault::Protocol("the head is not HTTP"))),
            }
            if let Some(end) = head::end(&self.read, self.searched) {
                if end > most {
                    return Poll::Ready(Err(Fault::TooLarge));
                }
                self.searched = 0;
                return Poll::Ready(Ok(self.read.split_to(end).freeze()));
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

    /// A body follows that is framed so.
    pub(crate) fn begin_body(&mut self, rest: Rest) {
        self.rest = rest;
    }

    /// The next frame of the body. Trailers have at most `most` bytes.
    pub(crate) fn poll_frame<S>(
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
    pub(crate) fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Ended | Rest::Chunked(Chunked::Ended))
    }

    /// How much is to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Ended => SizeHint::with_exact(0),
            Rest::Length(left) => SizeHint::with_exact(left),
            Rest::Chunked(_) | Rest::UntilEnd => SizeHint::default(),
        }
    }

    /// What was read and not used.
    pub(crate) fn unused(&self) -> &[u8] {
        &self.read
    }

    /// Ready once something comes that nobody asked for yet, or the end: 0 bytes. It takes a few bytes at most, and none
    /// while some wait, so that nothing piles up.
    pub(crate) fn poll_unasked<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        let mut room = [0; 64];
        let mut buf = ReadBuf::new(&mut room);
        ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        self.read.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Gives the buffer back, if nothing is in it.
    pub(crate) fn rest(&mut self) {
        self.read = BytesMut::new();
    }

    /// What was read and not used.
    pub(crate) fn into_unused(self) -> Bytes {
        self.read.freeze()
    }

    /// Reads some bytes; 0 at the end.
    fn fill<S>(&mut self, stream: &mut S, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        self.read.reserve(room);
        poll_read_buf(Pin::new(stream), cx, &mut self.read)
    }
}
