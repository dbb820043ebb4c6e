//! The request as it goes out: its head, then its body by length or in chunks.

use std::task::{Context, Poll, ready};

use http::Request;
use http_body::Body as _;
use tokio::io::AsyncWrite;

use crate::exchange::Outgoing;
use crate::h1::{Fault, Framing, Writer, field};
use crate::upstream::forward::Added;

/// A request on its way out.
#[derive(Default)]
pub(super) struct Sender {
    writer: Writer,
    body: Outgoing,
}

impl Sender {
    /// Takes a request: its head is copied, with the fields that are added to it, and its body taken.
    pub(super) fn begin(&mut self, request: &mut Request<Outgoing>, added: &Added) {
        let body = request.body();
        let framing = match body.size_hint().exact() {
            _ if body.is_end_stream() => Framing::Done,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked { trailers: true },
        };
        head(self.writer.begin(framing), request, added);
        let body = std::mem::take(request.body_mut());
        if framing != Framing::Done {
            self.body = body;
        }
    }

    /// Whether the whole request is out.
    pub(super) fn is_done(&self) -> bool {
        !self.writer.wants_body() && self.writer.is_clear()
    }

    /// Writes what there is; ready once the whole request is out.
    pub(super) fn poll<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), Fault>>
    where
        S: AsyncWrite + Unpin,
    {
        loop {
            let mut waits = false;
            if self.writer.wants_body() {
                waits = self.writer.gather(&mut self.body, cx)?.is_pending();
                if !self.writer.wants_body() {
                    self.body = Outgoing::default();
                }
            }
            ready!(self.writer.write(stream, cx))?;
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
        self.writer.shrink();
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
