//! Messages as they go out: a head, then a body by length or in chunks. Small parts are gathered, so that a head and a
//! short body are one write; large ones are not copied.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::fault::Fault;
use crate::exchange::BodyError;
use crate::upstream::fields::may_trail;

/// Up to so many bytes are gathered before they are written.
const GATHERED: usize = 4096;

/// What is to be written of a message.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// What is to be written first: heads, framing, small parts.
    gathered: Vec<u8>,
    /// How much of it has been.
    written: usize,
    /// A large part that comes after it.
    large: Bytes,
    /// What ends that part.
    end: &'static [u8],
    /// Whether the stream may hold bytes back.
    unflushed: bool,
    framing: Framing,
}

/// How a body is told from what comes after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no more of it.
    #[default]
    Done,
    /// So many bytes are to come.
    Length(u64),
    /// It comes in chunks. Trailers are sent where the other side takes them.
    Chunked {
        /// Whether it does.
        trailers: bool,
    },
    /// It ends with the connection.
    UntilEnd,
}

impl Writer {
    /// Where a head is written to; its body is framed so.
    pub(crate) fn begin(&mut self, framing: Framing) -> &mut Vec<u8> {
        self.framing = framing;
        &mut self.gathered
    }

    /// Where something is written to that has no body.
    pub(crate) fn gathered(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Whether more of a body is to come.
    pub(crate) fn wants_body(&self) -> bool {
        self.framing != Framing::Done
    }

    /// Whether all is out that was given.
    pub(crate) fn is_clear(&self) -> bool {
        self.is_written() && !self.unflushed
    }

    /// Gives buffers back that one large head has made large.
    pub(crate) fn shrink(&mut self) {
        if self.gathered.capacity() > GATHERED * 2 {
            self.gathered = Vec::new();
        }
    }

    /// Takes from the body until enough is gathered or it is over; pending where it has no more for now.
    pub(crate) fn gather<B>(&mut self, body: &mut B, cx: &mut Context<'_>) -> Result<Poll<()>, Fault>
    where
        B: Body<Data = Bytes, Error = BodyError> + Unpin,
    {
        while self.wants_body() && self.large.is_empty() && self.gathered.len() < GATHERED {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Some(Ok(frame))) => self.push(frame)?,
                Poll::Ready(Some(Err(error))) => return Err(Fault::Body(Some(error))),
                Poll::Ready(None) => self.finish(None)?,
            }
        }
        Ok(Poll::Ready(()))
    }

    fn push(&mut self, frame: Frame<Bytes>) -> Result<(), Fault> {
        let data = match frame.into_data() {
            Ok(data) if data.is_empty() => return Ok(()),
            Ok(data) => data,
            Err(frame) => return self.finish(frame.into_trailers().ok()),
        };
        let end: &'static [u8] = match &mut self.framing {
            Framing::Done | Framing::UntilEnd => b"",
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Fault::Body(None))?;
                if *left == 0 {
                    self.framing = Framing::Done;
                }
                b""
            }
            Framing::Chunked { .. } => {
                let _ = write!(self.gathered, "{:x}\r\n", data.len());
                b"\r\n"
            }
        };
        if self.gathered.len() + data.len() <= GATHERED {
            self.gathered.extend_from_slice(&data);
            self.gathered.extend_from_slice(end);
        } else {
            (self.large, self.end) = (data, end);
        }
        Ok(())
    }

    /// The body ended.
    fn finish(&mut self, fields: Option<HeaderMap>) -> Result<(), Fault> {
        match self.framing {
            // What was promised did not come, so the other side would wait for it.
            Framing::Length(_) => return Err(Fault::Body(None)),
            Framing::Chunked { trailers } => {
                self.gathered.extend_from_slice(b"0\r\n");
                let sent = fields.iter().flatten().filter(|(name, _)| trailers && may_trail(name));
                for (name, value) in sent {
                    field(&mut self.gathered, name, value);
                }
                self.gathered.extend_from_slice(b"\r\n");
            }
            Framing::Done | Framing::UntilEnd => {}
        }
        self.framing = Framing::Done;
        Ok(())
    }

    fn is_written(&self) -> bool {
        self.gathered.is_empty() && self.large.is_empty() && self.end.is_empty()
    }

    /// Writes all that was given, and flushes.
    pub(crate) fn write<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        while !self.is_written() {
            let first = self.gathered.get(self.written..).unwrap_or_default();
            let written = if self.large.is_empty() && self.end.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, first))?
            } else {
                let parts = [IoSlice::new(first), IoSlice::new(&self.large), IoSlice::new(self.end)];
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// So many bytes were written.
    fn advance(&mut self, mut written: usize) {
        let first = (self.gathered.len() - self.written).min(written);
        self.written += first;
        written -= first;
        if self.written == self.gathered.len() {
            self.gathered.clear();
            self.written = 0;
        }
        let large = self.large.len().min(written);
        self.large.advance(large);
        self.end = self.end.get(written - large..).unwrap_or_default();
    }
}

/// Writes a header field.
pub(crate) fn field(to: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    to.reserve(name.len() + value.len() + 4);
    to.extend_from_slice(name);
    to.extend_from_slice(b": ");
    to.extend_from_slice(value);
    to.extend_from_slice(b"\r\n");
}
