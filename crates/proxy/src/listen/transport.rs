//! A connection's bytes, with those that were read ahead given back, and with word to its [`Life`] of what moves.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::life::Life;

/// What carries a connection's bytes: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A connection's bytes.
pub(super) struct Transport<S> {
    stream: S,
    /// Read ahead and given back.
    ahead: Bytes,
    /// Whether the client has ended its side.
    ended: bool,
    life: Arc<Life>,
}

impl<S> Transport<S> {
    /// The bytes of this connection.
    pub(super) fn new(stream: S, life: Arc<Life>) -> Self {
        Self { stream, ahead: Bytes::new(), ended: false, life }
    }

    /// The connection.
    pub(super) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// Whether the client has ended its side.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// What was read ahead.
    pub(super) fn ahead(&self) -> &Bytes {
        &self.ahead
    }

    /// Takes what was read ahead.
    pub(super) fn take_ahead(&mut self) -> Bytes {
        std::mem::take(&mut self.ahead)
    }

    /// Gives bytes back, to be read again first.
    pub(super) fn give_back(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.life.received();
        }
        self.ahead = bytes;
    }
}

impl<S: Stream> AsyncRead for Transport<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buf.remaining());
            let bytes = self.ahead.split_to(length);
            buf.put_slice(&bytes);
            if !self.ahead.has_remaining() {
                self.ahead = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        let room = buf.remaining();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.remaining() < room {
            self.life.received();
        } else if room > 0 {
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Transport<S> {
    fn moved<T>(&self, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &sent {
            Poll::Pending => self.life.stall(),
            Poll::Ready(_) => self.life.resume(),
        }
        sent
    }
}

impl<S: Stream> AsyncWrite for Transport<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.moved(sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.moved(sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(cx);
        self.moved(sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
