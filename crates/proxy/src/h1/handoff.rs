//! A request body between its connection and its exchange, which may be in other tasks: a frame is read when it is asked
//! for and not before, so that who does not read holds the client back.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::Fault;

/// A body of so many bytes, or of as many as come: the connection's end and the exchange's.
pub(crate) fn handoff(length: Option<u64>) -> (Giver, ClientBody) {
    let shared = Arc::new(Mutex::new(Shared { left: length, ..Shared::default() }));
    (Giver(shared.clone()), ClientBody(shared))
}

#[derive(Default)]
struct Shared {
    next: Option<Result<Frame<Bytes>, Fault>>,
    /// How many bytes are to come, where that is known.
    left: Option<u64>,
    wanted: bool,
    /// Nothing is to come after `next`.
    ended: bool,
    /// Nobody will ask again.
    gone: bool,
    giver: Option<Waker>,
    taker: Option<Waker>,
}

/// The connection's end.
pub(crate) struct Giver(Arc<Mutex<Shared>>);

/// What the exchange wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing for now; the connection will be woken.
    Nothing,
    /// The next frame.
    Frame,
    /// Nothing ever again.
    Never,
}

impl Giver {
    /// What the exchange wants.
    pub(crate) fn wanted(&self, cx: &Context<'_>) -> Wanted {
        let mut shared = self.0.lock();
        if shared.gone {
            return Wanted::Never;
        }
        if shared.wanted {
            return Wanted::Frame;
        }
        keep(&mut shared.giver, cx);
        Wanted::Nothing
    }

    /// Gives what was wanted; `last` where nothing comes after it.
    pub(crate) fn give(&self, frame: Result<Frame<Bytes>, Fault>, last: bool) {
        let mut shared = self.0.lock();
        shared.ended |= last || frame.is_err();
        shared.next = Some(frame);
        wake(&mut shared);
    }

    /// The body ended.
    pub(crate) fn end(&self) {
        let mut shared = self.0.lock();
        shared.ended = true;
        wake(&mut shared);
    }
}

fn wake(shared: &mut Shared) {
    shared.wanted = false;
    if let Some(taker) = shared.taker.take() {
        taker.wake();
    }
}

fn keep(waker: &mut Option<Waker>, cx: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}

/// A connection that goes before the body was whole cuts it.
impl Drop for Giver {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        if !shared.ended {
            shared.ended = true;
            shared.next = Some(Err(Fault::Ended));
            wake(&mut shared);
        }
    }
}

/// The exchange's end.
pub struct ClientBody(Arc<Mutex<Shared>>);

impl ClientBody {
    /// The next frame.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut shared = self.0.lock();
        if let Some(frame) = shared.next.take() {
            if let (Some(left), Ok(frame)) = (&mut shared.left, &frame) {
                *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            return Poll::Ready(Some(frame));
        }
        if shared.ended {
            return Poll::Ready(None);
        }
        shared.wanted = true;
        keep(&mut shared.taker, cx);
        // In the same task the connection looks for itself.
        if let Some(giver) = shared.giver.take_if(|giver| !giver.will_wake(cx.waker())) {
            giver.wake();
        }
        Poll::Pending
    }

    /// Whether it is over.
    pub(crate) fn is_end_stream(&self) -> bool {
        let shared = self.0.lock();
        shared.ended && shared.next.is_none()
    }

    /// How much is to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.0.lock().left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.gone = true;
        shared.next = None;
        if let Some(giver) = shared.giver.take() {
            giver.wake();
        }
    }
}
