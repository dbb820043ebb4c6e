//! An HTTP/2 connection to a target: one task drives it, many exchanges share it, a stream each.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;

use super::answer::Received;
use super::deadline::{Deadline, Patience};
use super::failure::{Broke, Failure};
use super::fields;
use super::forward::Outbound;
use super::gate::Permit;
use super::pool::{Shard, Terms};
use super::spare::Spare;
use super::stream::Stream;
use crate::clock::Time;
use crate::exchange::Outgoing;

/// Bytes that a target may send ahead of a slow client, a stream. Twice what most networks hold in flight.
const STREAM_WINDOW: u32 = 512 << 10;
/// The same for a whole connection: so many stalled streams do not stop the others.
const CONNECTION_WINDOW: u32 = 32 * STREAM_WINDOW;

/// A connection that carries several exchanges.
pub(super) struct H2 {
    send: http2::SendRequest<Outgoing>,
    /// The other end.
    pub(super) address: SocketAddr,
    opened: Time,
    /// Its task polls it; others only ask it for what the target allows.
    driven: Arc<Mutex<http2::Connection<TokioIo<Stream>, Outgoing, TokioExecutor>>>,
    streams: AtomicU32,
    requests: AtomicU32,
    idle_since: AtomicU64,
}

/// A place on a connection for one exchange.
pub(super) struct H2Stream {
    pub(super) connection: Arc<H2>,
    shard: Arc<Shard>,
    send: http2::SendRequest<Outgoing>,
    /// When what is awaited must have come.
    pub(super) deadline: Deadline,
    /// Whether the connection had carried others before.
    pub(super) reused: bool,
    /// The head that is being sent, should the connection prove dead.
    spare: Spare,
    /// The response body, once there is one.
    body: Option<Incoming>,
}

impl H2 {
    /// Begins HTTP/2 on a new stream of bytes.
    pub(super) async fn begin(
        stream: Stream,
        address: SocketAddr,
        terms: &Terms,
        permit: Permit,
        now: Time,
    ) -> hyper::Result<Arc<Self>> {
        let (send, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(terms.streams.min(100) as usize)
            .max_header_list_size(u32::try_from(terms.header_bytes).unwrap_or(u32::MAX))
            .handshake(TokioIo::new(stream))
            .await?;
        let driven = Arc::new(Mutex::new(connection));
        let driver = driven.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let ended = std::future::poll_fn(|cx| Pin::new(&mut *driver.lock()).poll(cx));
            if let Err(error) = ended.await {
                tracing::debug!(target: "tollgate::upstream", %address, %error, "an HTTP/2 connection broke");
            }
        });
        let (zero, since) = (|| AtomicU32::new(0), AtomicU64::new(now.0));
        Ok(Arc::new(Self { send, driven, address, opened: now, streams: zero(), requests: zero(), idle_since: since }))
    }

    /// Streams that it takes at a time, as the target said last.
    fn most(&self) -> u32 {
        u32::try_from(self.driven.lock().current_max_send_streams()).unwrap_or(u32::MAX)
    }

    /// A place on this connection, unless it is full, too old or closed.
    pub(super) fn enter(self: &Arc<Self>, shard: &Arc<Shard>, terms: &Terms) -> Option<H2Stream> {
        let most = terms.streams.min(self.most());
        if self.streams.load(Relaxed) >= most {
            return None;
        }
        self.streams.fetch_add(1, Relaxed);
        let reused = self.requests.fetch_add(1, Relaxed) > 0;
        let (shard, send) = (shard.clone(), self.send.clone());
        Some(H2Stream {
            connection: self.clone(),
            shard,
            send,
            deadline: Deadline::default(),
            reused,
            spare: Spare::default(),
            body: None,
        })
    }

    /// Whether it may serve more exchanges; those that it serves already go on all the same.
    pub(super) fn is_good(&self, terms: &Terms, now: Time) -> bool {
        let idle = self.streams.load(Relaxed) == 0;
        !self.send.is_closed()
            && self.requests.load(Relaxed) < terms.max_requests
            && terms.max_age.is_none_or(|age| now.since(self.opened) < age)
            && !(idle && now.since(Time(self.idle_since.load(Relaxed))) >= terms.idle_timeout)
    }

    /// Whether no exchange is on it.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.load(Relaxed) == 0
    }
}

impl H2Stream {
    /// Sends a request and waits for the response head. It is put back if it was not sent; its head, if `repeatable`, where
    /// the connection broke.
    pub(super) fn send<'a>(
        &'a mut self,
        outbound: &'a mut Outbound,
        repeatable: bool,
        patience: &'a mut Patience,
    ) -> impl Future<Output = Result<Received, Failure>> + use<'a> {
        let Outbound { request, added, .. } = outbound;
        for (name, value) in added.drain(..) {
            request.headers_mut().append(name, value);
        }
        if repeatable {
            self.spare.write(request);
        }
        let sent = std::mem::replace(request, Request::new(Outgoing::default()));
        let answer = self.send.try_send_request(sent);
        self.deadline.set(patience.until());
        async move {
            let mut answer = pin!(answer);
            let (deadline, spare) = (&mut self.deadline, &self.spare);
            let answered = std::future::poll_fn(|cx| {
                if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
                    return Poll::Ready(Some(answered));
                }
                patience.poll(deadline, cx).map(|()| None)
            });
            match answered.await {
                None => Err(Failure::Late),
                Some(Ok(response)) => {
                    let (head, body) = response.into_parts();
                    self.body = Some(body);
                    Ok(Received { found: fields::scan(&head.headers), head })
                }
                Some(Err(mut failed)) => {
                    if let Some(back) = failed.take_message() {
                        *request = back;
                        return Err(Failure::Unsent);
                    }
                    if repeatable {
                        *request = spare.read().map(|()| Outgoing::default());
                    }
                    Err(Failure::Broken(Broke::H2(failed.into_error())))
                }
            }
        }
    }

    /// The head that was sent, where it was copied.
    pub(super) fn head_again(&self) -> Request<Outgoing> {
        self.spare.read().map(|()| Outgoing::default())
    }

    /// The next frame of the response body.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx))
    }

    /// Whether the response body is over.
    pub(super) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    /// How much of the response body is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        if self.connection.streams.fetch_sub(1, Relaxed) == 1 {
            self.connection.idle_since.store(self.shard.clock.now().0, Relaxed);
        }
        self.shard.freed();
    }
}
