//! What is known of a living connection: by the service that begins exchanges, the bodies that end them, and the driver
//! that waits.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use super::door::Door;
use crate::exchange::Connection;

/// A living connection.
pub(super) struct Life {
    /// The door it came by.
    pub(super) door: Arc<Door>,
    /// What exchanges know of it.
    pub(super) connection: Arc<Connection>,
    /// Exchanges that are open.
    open: AtomicU32,
    /// Exchanges that were begun.
    begun: AtomicU32,
}

impl Life {
    /// A connection before its first exchange.
    pub(super) fn new(door: Arc<Door>, connection: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self { door, connection, open: AtomicU32::new(0), begun: AtomicU32::new(0) })
    }

    /// Counts an exchange in, until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        self.door.load.begin();
        Open { life: self.clone() }
    }
}

/// An exchange that is open; over when dropped.
pub(super) struct Open {
    life: Arc<Life>,
}

impl Open {}

impl Drop for Open {
    fn drop(&mut self) {
        self.life.open.fetch_sub(1, Relaxed);
        self.life.door.load.end();
    }
}
