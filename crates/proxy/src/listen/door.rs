//! A listener on one worker: accepts its connections, and closes without losing any.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::rules::Rules;
use super::tally::Tally;
use super::worker::Load;
use super::{connection, socket};
use crate::program::{ListenerSlot, Local};
use crate::telemetry::Refusal;

/// How long handshakes under way get to complete once no new ones begin.
const LAST_CALL: Duration = Duration::from_millis(100);
/// How long accepting pauses where the system has no more files or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// A listener on one worker.
pub(super) struct Door {
    /// The listener.
    pub(super) slot: ListenerSlot,
    /// What new connections and exchanges run by. A door that is being closed keeps its last, so that its listener is
    /// still in it.
    pub(super) current: ArcSwap<Current>,
    /// What the worker has to do.
    pub(super) load: Arc<Load>,
    /// What is open of the listener, on all workers.
    pub(super) tally: Arc<Tally>,
    state: AtomicU8,
    news: Arc<Notify>,
}

/// What new connections and exchanges run by.
pub(super) struct Current {
    /// The worker's program.
    pub(super) local: Arc<Local>,
    /// What it says of this listener's connections.
    pub(super) rules: Arc<Rules>,
}

/// What a door is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It accepts.
    Open,
    /// It accepts what is in its backlog, and connections end after what they have begun.
    Closing,
    /// Its time is up.
    Cut,
}

impl Door {
    /// A door that will accept.
    pub(super) fn new(slot: ListenerSlot, current: Current, load: Arc<Load>, tally: Arc<Tally>) -> Arc<Self> {
        tally.open();
        Arc::new(Self {
            slot,
            current: ArcSwap::from_pointee(current),
            load,
            tally,
            state: AtomicU8::new(State::Open as u8),
            news: Arc::default(),
        })
    }

    /// What it is doing.
    pub(super) fn state(&self) -> State {
        match self.state.load(Acquire) {
            0 => State::Open,
            1 => State::Closing,
            _ => State::Cut,
        }
    }

    /// Whether its connections end after what they have begun.
    pub(super) fn is_closing(&self) -> bool {
        self.state() != State::Open
    }

    /// Stops accepting once the backlog is empty, and lets connections end.
    pub(super) fn close(&self) {
        self.tell(State::Closing);
    }

    /// Ends what is still open.
    pub(super) fn cut(&self) {
        self.tell(State::Cut);
    }

    fn tell(&self, state: State) {
        self.state.fetch_max(state as u8, Release);
        self.news.notify_waiters();
    }

    /// Completes when the state changes after this call.
    pub(super) fn news(&self) -> OwnedNotified {
        self.news.clone().notified_owned()
    }

    /// Accepts connections until the door closes and its backlog is empty.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let tally = Shut(self.tally.clone());
        while let Some(accepted) = self.next(&listener).await {
            self.take(accepted).await;
        }
        if let Err(error) = socket::stop_new(&listener) {
            tracing::debug!(target: "tollgate::listen", %error, "connections may come until the last moment");
        }
        let last_call = tokio::time::Instant::now() + LAST_CALL;
        while let Ok(accepted) = tokio::time::timeout_at(last_call, listener.accept()).await {
            self.take(accepted).await;
        }
        drop(listener);
        drop(tally);
    }

    /// The next connection, unless the door closes.
    async fn next(&self, listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
        let news = self.news();
        if self.is_closing() {
            return None;
        }
        tokio::select! {
            biased;
            accepted = listener.accept() => Some(accepted),
            () = news => None,
        }
    }

    async fn take(self: &Arc<Self>, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let current = self.current.load_full();
        let worker = current.local.worker;
        match accepted {
            Ok((stream, peer)) => match self.tally.admit(peer.ip(), worker, &current.rules) {
                Ok(permit) => connection::begin(self, &current.rules, stream, peer, permit),
                Err(refusal) => {
                    tracing::debug!(target: "tollgate::listen", %peer, reason = refusal.as_str(), "connection refused");
                    current.rules.metrics.refused(worker, refusal);
                }
            },
            // The client left while it waited.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                self.load.troubled(&error);
                current.rules.metrics.refused(worker, Refusal::Resources);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Tells the tally that a door accepts no more, however its task ends.
struct Shut(Arc<Tally>);

impl Drop for Shut {
    fn drop(&mut self) {
        self.0.shut();
    }
}
