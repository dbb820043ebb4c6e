//! The request as it goes out (RFC 9112): its head, then its body by length or in chunks. Small parts are gathered, so
//! that a head and a short body are one write; large ones are not copied.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use super::fault::Fault;
use crate::exchange::Outgoing;
use crate::upstream::fields::may_trail;
use crate::upstream::forward::Added;

/// Up to so many bytes are gathered before they are written.
const GATHERED: usize = 4096;

/// A request on its way out.
#[derive(Default)]
pub(super) struct Sender {
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
    body: Outgoing,
    framing: Framing,
}

/// How the body is told from what comes after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    /// There is no more of it.
    #[default]
    Done,
    /// So many bytes are to come.
    Length(u64),
    /// It comes in chunks.
    Chunked,
}

impl Sender {
    /// Takes a request: its head is copied, with the fields that are added to it, and its body taken.
    pub(super) fn begin(&mut self, request: &mut Request<Outgoing>, added: &Added) {
        head(&mut self.gathered, request, added);
        let body = std::mem::take(request.body_mut());
        self.framing = match body.size_hint().exact() {
            _ if body.is_end_stream() => Framing::Done,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        if self.framing != Framing::Done {
            self.body = body;
        }
    }

    /// Whether the whole request is out.
    pub(super) fn is_done(&self) -> bool {
        self.framing == Framing::Done && self.is_written() && !self.unflushed
    }

    /// Writes what there is; ready once the whole request is out.
    pub(super) fn poll<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), Fault>>
    where
        S: AsyncWrite + Unpin,
    {
        loop {
            let waits = self.gather(cx)?.is_pending();
            ready!(self.write(stream, cx))?;
            if waits {
                return Poll::Pending;
            }
            if self.is_done() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Gives buffers back that one large head has made large.
    pub(super) fn shrink(&mut self) {
        if self.gathered.capacity() > GATHERED * 2 {
            self.gathered = Vec::new();
        }
    }

    /// Takes from the body until enough is gathered; pending where the body has no more for now.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Fault> {
        while self.framing != Framing::Done && self.large.is_empty() && self.gathered.len() < GATHERED {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Some(Ok(frame))) => self.push(frame)?,
                Poll::Ready(Some(Err(error))) => return Err(Fault::Request(Some(error))),
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
            Framing::Done => b"",
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Fault::Request(None))?;
                if *left == 0 {
                    self.over();
                }
                b""
            }
            Framing::Chunked => {
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
    fn finish(&mut self, trailers: Option<HeaderMap>) -> Result<(), Fault> {
        match self.framing {
            // What was promised did not come, so the target would wait for it.
            Framing::Length(_) => return Err(Fault::Request(None)),
            Framing::Chunked => {
                self.gathered.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.iter().flatten().filter(|(name, _)| may_trail(name)) {
                    field(&mut self.gathered, name, value);
                }
                self.gathered.extend_from_slice(b"\r\n");
            }
            Framing::Done => {}
        }
        self.over();
        Ok(())
    }

    fn over(&mut self) {
        self.framing = Framing::Done;
        self.body = Outgoing::default();
    }

    fn is_written(&self) -> bool {
        self.gathered.is_empty() && self.large.is_empty() && self.end.is_empty()
    }

    fn write<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>
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

fn head(to: &mut Vec<u8>, request: &Request<Outgoing>, added: &Added) {
    to.extend_from_slice(request.method().as_str().as_bytes());
    to.push(b' ');
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    to.extend_from_slice(path.as_bytes());
    to.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        field(to, name, value);
    }
    for (name, value) in added {
        field(to, name, value);
    }
    to.extend_from_slice(b"\r\n");
}

fn field(to: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    to.reserve(name.len() + value.len() + 4);
    to.extend_from_slice(name);
    to.extend_from_slice(b": ");
    to.extend_from_slice(value);
    to.extend_from_slice(b"\r\n");
}
