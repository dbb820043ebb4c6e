//! What is known of a living connection: told by the service that begins exchanges, the bodies that end them and the
//! transport that moves bytes; asked by [`super::watch`].

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};

use http::Version;

use super::door::Door;
use super::rules::Rules;
use super::tally::Permit;
use crate::exchange::Connection;

/// A living connection. It lasts as long as anything of it: its exchanges, and what it was upgraded to.
pub(super) struct Life {
    /// The door it came by.
    pub(super) door: Arc<Door>,
    /// The listener's rules as it came.
    pub(super) rules: Arc<Rules>,
    /// What exchanges know of it.
    pub(super) connection: Arc<Connection>,
    /// Exchanges that are open.
    open: AtomicU32,
    /// Exchanges that were begun.
    begun: AtomicU32,
    /// Whether bytes came that belong to no exchange yet: a head that is not complete.
    received: AtomicBool,
    /// Whether the client takes nothing of what is sent to it.
    stalled: AtomicBool,
    /// How often it took something again.
    resumed: AtomicU32,
    _permit: Permit,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing, since the so many exchanges before.
    Quiet(u32),
    /// A head is arriving.
    Head(u32),
    /// Exchanges are open.
    Busy,
    /// Something waits to be sent, since the client paused so many times.
    Stalled(u32),
}

impl Life {
    /// A connection before its first exchange.
    pub(super) fn new(door: Arc<Door>, rules: Arc<Rules>, connection: Connection, permit: Permit) -> Arc<Self> {
        Arc::new(Self {
            door,
            rules,
            connection: Arc::new(connection),
            open: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            received: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            resumed: AtomicU32::new(0),
            _permit: permit,
        })
    }

    /// What it is doing.
    pub(super) fn phase(&self) -> Phase {
        if self.stalled.load(Relaxed) {
            Phase::Stalled(self.resumed.load(Relaxed))
        } else if self.open.load(Relaxed) > 0 {
            Phase::Busy
        } else if self.received.load(Relaxed) {
            Phase::Head(self.begun.load(Relaxed))
        } else {
            Phase::Quiet(self.begun.load(Relaxed))
        }
    }

    /// Whether it may carry no further request: it has had its number.
    pub(super) fn is_spent(&self) -> bool {
        self.rules.requests > 0 && self.begun.load(Relaxed) >= self.rules.requests
    }

    /// Counts an exchange in, until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Open {
        self.open.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        self.received.store(false, Relaxed);
        self.door.load.begin();
        Open { life: self.clone(), version }
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        self.received.store(true, Relaxed);
    }

    /// Bytes could not be sent.
    pub(super) fn stall(&self) {
        self.stalled.store(true, Relaxed);
    }

    /// Bytes were sent.
    pub(super) fn resume(&self) {
        if self.stalled.load(Relaxed) {
            self.stalled.store(false, Relaxed);
            self.resumed.fetch_add(1, Relaxed);
        }
    }
}

/// An exchange that is open; over when dropped.
pub(super) struct Open {
    life: Arc<Life>,
    version: Version,
}

impl Open {
    /// Whether its answer has to say that the connection ends. HTTP/2 has GOAWAY for that.
    pub(super) fn is_last(&self) -> bool {
        self.version < Version::HTTP_2 && (self.life.door.is_closing() || self.life.is_spent())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.life.open.fetch_sub(1, Relaxed);
        // What came meanwhile was its body, or is a next head that the connection already knows of.
        self.life.received.store(false, Relaxed);
        self.life.door.load.end();
    }
}
