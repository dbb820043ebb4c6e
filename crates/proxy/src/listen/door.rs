//! A listener on one worker: accepts its connections, and closes without losing any.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::worker::Load;
use super::{connection, socket};
use crate::program::{ListenerSlot, Local};

/// How long handshakes under way get to complete once no new ones begin.
const LAST_CALL: Duration = Duration::from_millis(100);

/// A listener on one worker.
pub(super) struct Door {
    /// The listener.
    pub(super) slot: ListenerSlot,
    /// What new exchanges run by. A door that is being closed keeps its last, so that the listener is still in it.
    pub(super) local: ArcSwap<Local>,
    /// What the worker has to do.
    pub(super) load: Arc<Load>,
    /// What is open of the listener, on all workers.
    pub(super) tally: Arc<Tally>,
    closing: AtomicBool,
    closed: Notify,
}

/// What is open of a listener, on all workers.
#[derive(Default)]
pub(super) struct Tally {
    connections: AtomicUsize,
    accepting: AtomicUsize,
}

impl Tally {
    /// Connections that are open.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Acquire)
    }

    /// Whether nothing is open and nothing will be.
    pub(super) fn is_over(&self) -> bool {
        self.accepting.load(Acquire) == 0 && self.connections() == 0
    }
}

/// A connection's place in its listener's tally, given back when dropped.
pub(super) struct Permit {
    tally: Arc<Tally>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.tally.connections.fetch_sub(1, AcqRel);
    }
}

impl Door {
    /// A door that does not accept yet.
    pub(super) fn new(slot: ListenerSlot, local: Arc<Local>, load: Arc<Load>, tally: Arc<Tally>) -> Arc<Self> {
        tally.accepting.fetch_add(1, AcqRel);
        Arc::new(Self {
            slot,
            local: ArcSwap::new(local),
            load,
            tally,
            closing: AtomicBool::new(false),
            closed: Notify::new(),
        })
    }

    /// Stops accepting once the backlog is empty, and lets connections go.
    pub(super) fn close(&self) {
        self.closing.store(true, Relaxed);
        self.closed.notify_waiters();
    }

    /// Waits until it is being closed.
    pub(super) async fn closing(&self) {
        loop {
            let closed = self.closed.notified();
            if self.closing.load(Relaxed) {
                return;
            }
            closed.await;
        }
    }

    /// Accepts connections until the door is closed and its backlog empty.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            tokio::select! {
                accepted = listener.accept() => self.take(accepted).await,
                () = self.closing() => break,
            }
        }
        if let Err(error) = socket::stop_new(&listener) {
            tracing::debug!(target: "tollgate::listen", %error, "the backlog may be cut");
        }
        let last_call = tokio::time::Instant::now() + LAST_CALL;
        while let Ok(accepted) = tokio::time::timeout_at(last_call, listener.accept()).await {
            self.take(accepted).await;
        }
        drop(listener);
        self.tally.accepting.fetch_sub(1, AcqRel);
    }

    async fn take(self: &Arc<Self>, accepted: io::Result<(tokio::net::TcpStream, std::net::SocketAddr)>) {
        match accepted {
            Ok((stream, peer)) => {
                self.tally.connections.fetch_add(1, AcqRel);
                let permit = Permit { tally: self.tally.clone() };
                tokio::spawn(connection::serve(self.clone(), stream, peer, permit));
            }
            Err(error) => {
                tracing::warn!(target: "tollgate::listen", %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
