//! An HTTP/1.1 connection to a target. It has no task of its own: who sends a request on it drives it, and so does the
//! response body after that. That saves two task switches a request, and a cancelled exchange closes its connection by
//! dropping it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::wire::Wire;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use super::deadline::{Deadline, Patience};
use super::gate::Permit;
use super::relay::Relay;
use super::spare::Spare;
use super::stream::Stream;
use crate::clock::Time;
use crate::exchange::Outgoing;

/// How often a connection is driven before its user yields to others.
const TURNS: usize = 4;

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection and the right to send on it.
pub(super) struct H1 {
    send: http1::SendRequest<Outgoing>,
    driver: Driver,
    relay: Arc<Relay>,
    waker: Waker,
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
    /// The head that is being sent, should the connection prove dead.
    pub(super) spare: Spare,
    /// Counts it against the target's bound.
    _permit: Permit,
}

enum Driver {
    /// Who uses the connection polls it.
    User(Connection),
    /// A task does, as the request body goes on beside the response.
    Task(AbortHandle),
    /// It is closed.
    Closed,
}

/// Why a request got no response.
pub(super) enum Failure {
    /// The connection was closed before anything of the request was written: here it is again.
    Unsent(Box<Request<Outgoing>>),
    /// It failed after that.
    Broken(hyper::Error),
    /// The deadline came first.
    Late,
}

impl Failure {
    /// What hyper says of a request that failed.
    pub(super) fn of(mut failed: TrySendError<Request<Outgoing>>) -> Self {
        match failed.take_message() {
            Some(request) => Failure::Unsent(Box::new(request)),
            None => Failure::Broken(failed.into_error()),
        }
    }
}

impl H1 {
    /// Begins HTTP/1.1 on a new stream.
    pub(super) async fn begin(
        stream: Stream,
        address: SocketAddr,
        header_bytes: usize,
        permit: Permit,
        now: Time,
    ) -> hyper::Result<Self> {
        let (send, connection) = http1::Builder::new()
            .max_header_size(header_bytes)
            .max_headers(256)
            .handshake(TokioIo::new(Wire(stream)))
            .await?;
        let relay = Relay::new();
        Ok(Self {
            send,
            driver: Driver::User(Box::pin(connection.with_upgrades())),
            waker: Waker::from(relay.clone()),
            relay,
            deadline: Deadline::default(),
            address,
            opened: now,
            idle_since: now,
            requests: 0,
            spare: Spare::default(),
            _permit: permit,
        })
    }

    /// Sends a request and waits for the response head.
    pub(super) fn send<'a>(
        &'a mut self,
        request: Request<Outgoing>,
        patience: &'a mut Patience,
    ) -> impl Future<Output = Result<Response<Incoming>, Failure>> + use<'a> {
        self.requests += 1;
        self.deadline.set(patience.until());
        // Not within the future, where there would be room for the request twice.
        let answer = self.send.try_send_request(request);
        async move {
            let mut answer = pin!(answer);
            std::future::poll_fn(|cx| {
                if let Poll::Ready(answered) = self.drive(cx, |cx| answer.as_mut().poll(cx)) {
                    return Poll::Ready(answered.map_err(Failure::of));
                }
                let mut cx = timer(&self.driver, &self.waker, cx);
                patience.poll(&mut self.deadline, &mut cx).map(|()| Err(Failure::Late))
            })
            .await
        }
    }

    /// The next frame of a response body that comes by this connection.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.drive(cx, |cx| Pin::new(&mut *body).poll_frame(cx))
    }

    /// Whether the deadline has come.
    pub(super) fn late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut cx = timer(&self.driver, &self.waker, cx);
        self.deadline.poll(&mut cx)
    }

    /// Polls `what`, which waits for the connection, and the connection with it.
    fn drive<T>(&mut self, cx: &mut Context<'_>, mut what: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        for _ in 0..TURNS {
            self.turn();
            if !matches!(self.driver, Driver::User(_)) {
                return what(cx);
            }
            // Only the connection makes `what` ready, and the connection is polled here: nobody else need be woken.
            if let Poll::Ready(ready) = what(&mut Context::from_waker(Waker::noop())) {
                return Poll::Ready(ready);
            }
            self.relay.wait(cx.waker());
            if !self.relay.happened() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Polls the connection if something happened on it.
    fn turn(&mut self) {
        if let Driver::User(connection) = &mut self.driver
            && self.relay.take()
            && connection.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            self.driver = Driver::Closed;
        }
    }

    /// Gives the connection a task, so that the request body goes on while nobody reads the response.
    pub(super) fn detach(&mut self) {
        if let Driver::User(connection) = std::mem::replace(&mut self.driver, Driver::Closed) {
            self.relay.leave();
            self.driver = Driver::Task(tokio::spawn(async move { drop(connection.await) }).abort_handle());
        }
    }

    /// Whether another request may be sent: the last exchange is over on the wire, and so far as is known the target has
    /// not closed.
    pub(super) fn is_free(&mut self) -> bool {
        if !self.send.is_ready() {
            self.turn();
        }
        self.send.is_ready()
    }

    /// Looks whether the target has closed it.
    pub(super) fn is_open(&mut self) -> bool {
        self.turn();
        self.send.is_ready()
    }

    /// Drives the connection until it hands itself over to another protocol.
    pub(super) async fn hand_over(&mut self, upgrade: OnUpgrade) -> hyper::Result<Upgraded> {
        let mut upgrade = pin!(upgrade);
        std::future::poll_fn(|cx| self.drive(cx, |cx| upgrade.as_mut().poll(cx))).await
    }

    /// It goes to the pool: what happens on it wakes nobody now.
    pub(super) fn rest(&mut self, now: Time) {
        self.relay.leave();
        self.deadline.clear();
        self.spare.shrink();
        self.idle_since = now;
    }
}

/// Whom a timer wakes: by the relay, which is the same for every request, or the task that waits.
fn timer<'a>(driver: &Driver, relay: &'a Waker, cx: &'a Context<'_>) -> Context<'a> {
    Context::from_waker(match driver {
        Driver::User(_) => relay,
        Driver::Task(_) | Driver::Closed => cx.waker(),
    })
}

impl Drop for H1 {
    fn drop(&mut self) {
        if let Driver::Task(task) = &self.driver {
            task.abort();
        }
    }
}
