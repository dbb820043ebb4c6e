//! After an upgrade (RFC 9110 section 7.8): bytes go both ways until both sides are done or nothing has moved for as long
//! as a response body may pause. The exchange lives as long as its tunnel: limits on concurrency hold, and the record says
//! how much went through and for how long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::oneshot;

use super::lease::{Carrier, Held};
use crate::exchange::{Exchange, Finish, Switched, Upgraded};
use crate::terminals::Ear;

/// In how many steps an idle tunnel is found out.
const STEPS: u32 = 4;

/// Opens the tunnel once both sides have changed their protocol. The exchange follows by `x.tunnel` as soon as the
/// client's connection has the 101.
pub(super) fn open(x: &mut Exchange, held: Held, client: Switched, idle: Duration) {
    let (park, parked) = oneshot::channel();
    x.tunnel = Some(park);
    x.notes.upgraded = Upgraded::Yes;
    let ear = x.call.as_mut().and_then(|call| call.ear());
    tokio::spawn(async move {
        let moved = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
        let [up, down] = &moved;
        let mut exchange = Parked { moved: moved.clone(), exchange: None };
        let finished = run((held, ear), client, idle, (up.clone(), down.clone()), async {
            exchange.exchange = parked.await.ok();
        })
        .await;
        exchange.finish(finished);
    });
}

/// An exchange whose response head is out. However its tunnel ends, it is settled with what went through.
struct Parked {
    moved: [Arc<AtomicU64>; 2],
    exchange: Option<Box<Exchange>>,
}

impl Parked {
    fn finish(&mut self, finish: Finish) {
        if let Some(x) = &mut self.exchange {
            x.record.finish = finish;
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let [up, down] = &self.moved;
        if let Some(x) = &mut self.exchange {
            x.record.bytes_in += up.load(Relaxed);
            x.record.bytes_out += down.load(Relaxed);
        }
    }
}

async fn run(
    (held, ear): (Held, Option<Ear>),
    client: Switched,
    idle: Duration,
    (up, down): (Arc<AtomicU64>, Arc<AtomicU64>),
    parked: impl Future<Output = ()>,
) -> Finish {
    // It counts as in flight for as long as its tunnel is.
    let Held { carrier: Carrier::H1(connection), in_flight: _in_flight, .. } = held else { return Finish::Truncated };
    let target = connection.hand_over();
    parked.await;
    let Some(client) = client.wait().await else { return Finish::Aborted };
    let mut client = Counted { io: client, read: up.clone(), ear: None };
    let mut target = Counted { io: target, read: down.clone(), ear };
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut target) => match copied {
            Ok(_) => Finish::Complete,
            Err(_) => Finish::Aborted,
        },
        () = silence(&up, &down, idle) => Finish::Truncated,
    }
}

/// Ends once nothing has moved for `idle`, give or take a step.
async fn silence(up: &AtomicU64, down: &AtomicU64, idle: Duration) {
    let mut seen = None;
    let mut silent = 0;
    while silent < STEPS {
        let moved = Some(up.load(Relaxed) + down.load(Relaxed));
        silent = if moved == seen { silent + 1 } else { 0 };
        seen = moved;
        tokio::time::sleep(idle / STEPS).await;
    }
}

/// Counts what is read.
struct Counted<T> {
    io: T,
    read: Arc<AtomicU64>,
    /// Who hears it.
    ear: Option<Ear>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        self.read.fetch_add(came.len() as u64, Relaxed);
        if let Some(ear) = &mut self.ear {
            ear(came);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
