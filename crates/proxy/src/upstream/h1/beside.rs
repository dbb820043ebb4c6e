//! An exchange whose request goes on beside its response. A task drives both: a client that reads nothing before it has
//! sent all would else stop its own request.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{Fault, H1};
use crate::upstream::deadline::Deadline;

/// Frames that wait to be taken, beside the one in the task's hands.
const FRAMES: usize = 1;

/// A response whose connection a task drives. It is closed afterwards.
pub(in crate::upstream) struct Beside {
    frames: mpsc::Receiver<Result<Frame<Bytes>, Fault>>,
    task: AbortHandle,
    left: Option<u64>,
    ended: bool,
    pub(in crate::upstream) deadline: Deadline,
    pub(in crate::upstream) address: SocketAddr,
}

impl Beside {
    /// Gives the connection a task.
    pub(in crate::upstream) fn start(mut connection: H1) -> Self {
        let (give, frames) = mpsc::channel(FRAMES);
        let (address, left) = (connection.address, connection.size_hint().exact());
        let deadline = std::mem::take(&mut connection.deadline);
        let task = tokio::spawn(drive(connection, give)).abort_handle();
        Self { frames, task, left, ended: left == Some(0), deadline, address }
    }

    /// The next frame of the response body.
    pub(in crate::upstream) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = std::task::ready!(self.frames.poll_recv(cx));
        match (&frame, &mut self.left) {
            (Some(Ok(frame)), Some(left)) => {
                *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
                self.ended |= *left == 0;
            }
            (Some(Ok(_)), None) => {}
            (Some(Err(_)) | None, _) => self.ended = true,
        }
        Poll::Ready(frame)
    }

    /// Whether the response body is over.
    pub(in crate::upstream) fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// How much of the response body is to come.
    pub(in crate::upstream) fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drive(mut connection: H1, give: mpsc::Sender<Result<Frame<Bytes>, Fault>>) {
    let mut sending = true;
    loop {
        let frame = std::future::poll_fn(|cx| {
            send(&mut connection, &mut sending, cx)?;
            connection.poll_frame(cx)
        })
        .await;
        let Some(frame) = frame else { return };
        let last = frame.is_err();
        let mut room = std::pin::pin!(give.reserve());
        let room = std::future::poll_fn(|cx| match send(&mut connection, &mut sending, cx) {
            Ok(()) => room.as_mut().poll(cx).map(|room| room.map_err(|_| None)),
            Err(fault) => Poll::Ready(Err(Some(fault))),
        });
        match room.await {
            Ok(room) => room.send(frame),
            Err(Some(fault)) => {
                let _ = give.send(frame).await;
                let _ = give.send(Err(fault)).await;
                return;
            }
            Err(None) => return,
        }
        if last {
            return;
        }
    }
}

/// Lets the request go on. A target that takes no more of it may still answer; a body that failed ends the exchange.
fn send(connection: &mut H1, sending: &mut bool, cx: &mut Context<'_>) -> Result<(), Fault> {
    if *sending && let Poll::Ready(sent) = connection.sender.poll(&mut connection.stream, cx) {
        *sending = false;
        return match sent {
            Err(fault @ Fault::Body(_)) => Err(fault),
            _ => Ok(()),
        };
    }
    Ok(())
}
