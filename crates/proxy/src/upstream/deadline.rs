//! A deadline that costs a store to move. The timer behind it is made at the first wait and armed again only when it goes
//! off before the deadline, so a connection that serves many requests keeps one timer for all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::exchange::Meter;

/// A moment by which something must have happened.
#[derive(Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Sets the moment.
    pub fn set(&mut self, at: Instant) {
        self.at = Some(at);
    }

    /// There is none any more.
    pub fn clear(&mut self) {
        self.at = None;
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        self.at.is_some()
    }

    /// Ready once the moment has come.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
    }
}

/// How long a response head is waited for: `first_byte` from the request's last byte, and never past `total`. While the
/// body still goes out, it must go on: `first_byte` without a byte of it is too long too.
pub(super) struct Patience {
    first_byte: Duration,
    /// When the whole exchange must be over.
    pub(super) total: Option<Instant>,
    until: Instant,
    /// The request body, and how much of it had been read at the last look.
    body: Option<(Arc<Meter>, u64)>,
}

impl Patience {
    /// Patience from `now` on.
    pub(super) fn new(now: Instant, first_byte: Duration, total: Option<Instant>, body: Option<Arc<Meter>>) -> Self {
        Self { first_byte, total, until: now + first_byte, body: body.map(|meter| (meter, 0)) }
    }

    /// The moment it ends, so far as is known.
    pub(super) fn until(&self) -> Instant {
        self.total.map_or(self.until, |total| total.min(self.until))
    }

    /// Ready once it has ended.
    pub(super) fn poll(&mut self, deadline: &mut Deadline, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(deadline.poll(cx));
            if !self.goes_on() {
                return Poll::Ready(());
            }
            deadline.set(self.until());
        }
    }

    /// Whether the end of the whole exchange came first.
    pub(super) fn is_total(&self) -> bool {
        self.total.is_some_and(|total| total <= self.until)
    }

    /// Whether the body gave a reason to wait longer.
    fn goes_on(&mut self) -> bool {
        let Some((meter, seen)) = &mut self.body else { return false };
        let read = meter.bytes();
        let since = match meter.ended() {
            Some(ended) => ended,
            None if read > *seen => Instant::now(),
            None => return false,
        };
        *seen = read;
        let before = std::mem::replace(&mut self.until, since + self.first_byte);
        self.until > before && self.total.is_none_or(|total| total > before)
    }
}
