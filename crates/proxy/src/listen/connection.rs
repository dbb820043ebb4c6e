//! Drives one connection from its first byte to its last. A connection that waits holds a timer and little else: HTTP's
//! state and buffers are made when bytes come and given back when it was quiet for a while.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::door::Door;
use super::life::Life;
use super::rules::{Rules, Security, Speaks};
use super::tally::Permit;
use super::transport::{Stream, Transport};
use super::watch::{Due, Holder, Watch};
use super::{h1, h2, tls};
use crate::exchange::{Connection, Error, Tls, codes};
use crate::telemetry::Refusal;

/// What every HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long the end of a connection may take to be told.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves a connection in a task of its own.
pub(super) fn begin(door: &Arc<Door>, rules: &Arc<Rules>, stream: TcpStream, peer: SocketAddr, permit: Permit) {
    let Ok(local) = stream.local_addr() else { return };
    let arrived = Arrived { door: door.clone(), rules: rules.clone(), peer, local, permit };
    match &rules.security {
        Security::Plain => {
            let life = arrived.life(None);
            let speaks = rules.speaks;
            spawn(rules, drive(Transport::new(crate::wire::Wire(stream), life), speaks));
        }
        Security::Tls(acceptor) => spawn(rules, secure(arrived, stream, acceptor.clone())),
        Security::Missing => rules.metrics.refused(door.current.load().local.worker, Refusal::Handshake),
    }
}

/// A task whose panic costs one connection. It is logged by the panic hook, and counted.
fn spawn(rules: &Rules, task: impl Future<Output = ()> + Send + 'static) {
    let telemetry = rules.telemetry.clone();
    tokio::spawn(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            telemetry.panicked();
        }
    });
}

/// A connection before it is known what it speaks.
struct Arrived {
    door: Arc<Door>,
    rules: Arc<Rules>,
    peer: SocketAddr,
    local: SocketAddr,
    permit: Permit,
}

impl Arrived {
    fn life(self, tls: Option<Box<Tls>>) -> Arc<Life> {
        let connection = Connection::new(self.door.slot, self.peer, self.local, tls);
        Life::new(self.door, self.rules, connection, self.permit)
    }
}

/// Shakes hands, then serves.
async fn secure(arrived: Arrived, stream: TcpStream, acceptor: TlsAcceptor) {
    let until = tokio::time::Instant::now() + arrived.rules.handshake_timeout;
    let mut first = [0];
    if let Ok(Ok(1)) = tokio::time::timeout_at(until, stream.peek(&mut first)).await
        && first[0].is_ascii_uppercase()
    {
        // No handshake begins with a letter, and every HTTP method does.
        let transport = Transport::new(crate::wire::Wire(stream), arrived.life(None));
        let error = Error::new(&codes::BAD_REQUEST, "This port speaks TLS: ask for https://, not http://.");
        return Box::pin(h1::refuse(transport, &error)).await;
    }
    let handshake = Box::pin(tokio::time::timeout_at(until, acceptor.accept(stream)));
    let failed = match handshake.await {
        Ok(Ok(stream)) => {
            let session = stream.get_ref().1;
            let speaks = tls::speaks(session, arrived.rules.speaks);
            let life = arrived.life(Some(Box::new(tls::agreed(session))));
            let transport = Transport::new(Box::new(stream), life);
            return Box::pin(drive(transport, speaks)).await;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "too slow".to_owned(),
    };
    tracing::debug!(target: "tollgate::listen", peer = %arrived.peer, error = failed, "TLS handshake failed");
    let worker = arrived.door.current.load().local.worker;
    arrived.rules.metrics.refused(worker, Refusal::Handshake);
}

/// Serves a connection until it is over.
async fn drive<S: Stream>(mut transport: Transport<S>, speaks: Speaks) {
    let life = transport.life().clone();
    let mut watch = Watch::new(&life);
    while let Some(spoken) = park(&mut transport, &mut watch, &life, speaks).await {
        match spoken {
            Spoken::H2 => return Box::pin(h2::serve(transport, watch)).await,
            Spoken::H1 => match Box::pin(h1::serve(transport, &mut watch)).await {
                Some(quiet) => transport = quiet,
                None => return,
            },
        }
    }
    goodbye(&mut transport).await;
}

/// What a client speaks.
enum Spoken {
    H1,
    H2,
}

/// Waits for the first bytes, and for as many as tell what they are. `None` when the connection is to end.
async fn park<S: Stream>(
    transport: &mut Transport<S>,
    watch: &mut Watch,
    life: &Life,
    speaks: Speaks,
) -> Option<Spoken> {
    loop {
        if let Some(spoken) = spoken(transport.ahead(), speaks) {
            return Some(spoken);
        }
        let before = transport.take_ahead();
        let more = poll_fn(|cx| match read_some(Pin::new(&mut *transport), cx) {
            Poll::Ready(bytes) => Poll::Ready(bytes),
            Poll::Pending => match watch.poll(cx, life, Holder::Parked) {
                Poll::Ready(Due::Leave) => watch.poll(cx, life, Holder::Parked).map(|_| None),
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
        });
        let more = more.await?;
        transport.give_back(if before.is_empty() { more } else { [before, more].concat().into() });
    }
}

/// What these first bytes speak; `None` while it cannot be told.
fn spoken(first: &[u8], speaks: Speaks) -> Option<Spoken> {
    if first.is_empty() {
        return None;
    }
    match speaks {
        Speaks::H1 => Some(Spoken::H1),
        Speaks::H2 => Some(Spoken::H2),
        Speaks::Either if first.starts_with(PREFACE) => Some(Spoken::H2),
        Speaks::Either if PREFACE.starts_with(first) => None,
        Speaks::Either => Some(Spoken::H1),
    }
}

/// Some bytes, by way of the stack, so that a connection that waits holds no buffer. `None` at the end.
fn read_some<S: Stream>(transport: Pin<&mut Transport<S>>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
    let mut room = [0; 2048];
    let mut buf = ReadBuf::new(&mut room);
    match transport.poll_read(cx, &mut buf) {
        Poll::Ready(Ok(())) if !buf.filled().is_empty() => Poll::Ready(Some(Bytes::copy_from_slice(buf.filled()))),
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    }
}

/// Ends the gateway's side, as TLS asks to be told.
pub(super) async fn goodbye<S: Stream>(transport: &mut Transport<S>) {
    let _ = tokio::time::timeout(GOODBYE, transport.shutdown()).await;
}

/// Reads on for a while after the last answer: closing with bytes unread resets the connection, and the client might
/// never see that answer (RFC 9112 section 9.6).
pub(super) async fn linger<S: Stream>(transport: &mut Transport<S>) {
    /// How much is read, and for how long.
    const MOST: usize = 4 << 20;
    const LONGEST: Duration = Duration::from_secs(3);
    if transport.is_ended() {
        return;
    }
    let mut read = 0;
    let rest = poll_fn(|cx| {
        loop {
            match read_some(Pin::new(&mut *transport), cx) {
                Poll::Ready(Some(bytes)) if read < MOST => read += bytes.len(),
                Poll::Ready(_) => return Poll::Ready(()),
                // Nothing was on its way, so nothing is reset.
                Poll::Pending if read == 0 => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let _ = tokio::time::timeout(LONGEST, rest).await;
}
