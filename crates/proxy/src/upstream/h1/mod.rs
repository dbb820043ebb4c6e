//! An HTTP/1.1 connection to a target, written here because every request pays for it: no task and no channel of its own,
//! heads are written from where they are and read into one piece of memory, and a connection that rests keeps no buffer.
//! Who sends a request drives the connection, and so does the response body after that, so a cancelled exchange closes it by
//! dropping it.

mod beside;
mod head;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::Method;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::Received;
use super::deadline::{Deadline, Patience};
use super::failure::Failure;
use super::forward::Outbound;
use super::gate::Permit;
use super::stream::Stream;
use crate::clock::Time;
pub(super) use crate::h1::Fault;
pub(super) use beside::Beside;
use receiver::Receiver;
use sender::Sender;

/// A connection and the right to send on it.
pub(super) struct H1 {
    stream: Stream,
    sender: Sender,
    receiver: Receiver,
    /// The most bytes of a response head.
    header_bytes: usize,
    /// When what is awaited must have come.
    pub(super) deadline: Deadline,
    /// The other end.
    pub(super) address: SocketAddr,
    /// When it was opened.
    pub(super) opened: Time,
    /// Since when it has been idle.
    pub(super) idle_since: Time,
    /// Requests sent on it.
    pub(super) requests: u32,
    /// Counts it against the target's bound.
    permit: Permit,
}

impl H1 {
    /// A connection that speaks HTTP/1.1 on a new stream.
    pub(super) fn new(stream: Stream, address: SocketAddr, header_bytes: usize, permit: Permit, now: Time) -> Self {
        Self {
            stream,
            sender: Sender::default(),
            receiver: Receiver::new(),
            header_bytes,
            deadline: Deadline::default(),
            address,
            opened: now,
            idle_since: now,
            requests: 0,
            permit,
        }
    }

    /// Sends a request and waits for the response head. The request's head stays as it is; its body goes, unless nothing
    /// was sent.
    pub(super) async fn send(&mut self, outbound: &mut Outbound, patience: &mut Patience) -> Result<Received, Failure> {
        // A kept connection that the target has closed meanwhile.
        if self.requests > 0 && !self.is_open() {
            return Err(Failure::Unsent);
        }
        self.requests += 1;
        self.deadline.set(patience.until());
        let bodiless = outbound.request.method() == Method::HEAD;
        self.sender.begin(&mut outbound.request, &outbound.added);
        let mut unsendable = false;
        std::future::poll_fn(|cx| {
            if !unsendable && let Poll::Ready(Err(fault)) = self.sender.poll(&mut self.stream, cx) {
                // A target may answer and close before it has read everything.
                unsendable = matches!(fault, Fault::Io(_));
                if !unsendable {
                    return Poll::Ready(Err(Failure::Broken(fault.into())));
                }
            }
            if let Poll::Ready(head) = self.receiver.poll_head(&mut self.stream, cx, bodiless, self.header_bytes) {
                return Poll::Ready(head.map_err(|fault| Failure::Broken(fault.into())));
            }
            patience.poll(&mut self.deadline, cx).map(|()| Err(Failure::Late))
        })
        .await
    }

    /// The next frame of the response body.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.receiver.poll_frame(&mut self.stream, cx, self.header_bytes)
    }

    /// Whether the response body is over.
    pub(super) fn is_end_stream(&self) -> bool {
        self.receiver.is_end_stream()
    }

    /// How much of the response body is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.receiver.size_hint()
    }

    /// Whether another request may be sent: the last exchange is over on the wire, and the target asked for no end.
    pub(super) fn is_free(&self) -> bool {
        self.sender.is_done() && self.receiver.may_go_on()
    }

    /// Looks whether the target has closed it, or said something unasked. Nobody is woken by it from now on.
    pub(super) fn is_open(&mut self) -> bool {
        self.receiver.is_quiet(&mut self.stream, &mut Context::from_waker(Waker::noop()))
    }

    /// It goes to the pool.
    pub(super) fn rest(&mut self, now: Time) {
        self.deadline.clear();
        self.sender.shrink();
        self.receiver.rest();
        self.idle_since = now;
    }

    /// Its bytes from now on, as the target speaks another protocol.
    pub(super) fn hand_over(self) -> Handed {
        Handed { stream: self.stream, ahead: self.receiver.into_read(), _permit: self.permit }
    }
}

/// The bytes of a connection that changed its protocol.
pub(super) struct Handed {
    stream: Stream,
    /// What came with the response head.
    ahead: Bytes,
    _permit: Permit,
}

impl AsyncRead for Handed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.ahead.len().min(buf.remaining());
        buf.put_slice(self.ahead.get(..length).unwrap_or_default());
        self.ahead.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
