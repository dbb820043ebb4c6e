//! The tasks of HTTP/2 streams, with an end for clients that take nothing of an answer. A window that stays shut holds up
//! one stream alone, so neither [`super::watch`] nor the connection's pings see it, and hyper waits for ever: with it would
//! the upstream's connection and a drain.

use std::cell::Cell;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::Deadline;

thread_local! {
    /// What came of asking a response body, since the task of its stream was polled.
    static ASKED: Cell<Asked> = const { Cell::new(Asked::Not) };
}

#[derive(Clone, Copy)]
enum Asked {
    /// It was not asked: things are as they were.
    Not,
    /// There was nothing yet: it is the upstream that is waited for.
    Nothing,
    /// There was something, or the end: the client has to take it before it is asked again.
    Something,
}

/// Notes what a response body gave when it was asked.
pub(super) fn asked<T>(gave: &Poll<T>) {
    ASKED.set(if gave.is_ready() { Asked::Something } else { Asked::Nothing });
}

/// Spawns the tasks of HTTP/2 streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    /// How long a client may take nothing.
    pub(super) stall: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        tokio::spawn(bounded(task, self.stall));
    }
}

/// Polls the task of a stream; dropped when the client takes too long, which resets the stream.
async fn bounded<F: Future>(task: F, stall: Duration) {
    let mut task = pin!(task);
    let mut deadline = Deadline::default();
    std::future::poll_fn(|cx| {
        ASKED.set(Asked::Not);
        if task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match ASKED.get() {
            Asked::Not => {}
            Asked::Nothing => deadline.clear(),
            Asked::Something => deadline.set(Instant::now() + stall),
        }
        deadline.poll(cx)
    })
    .await;
}
