//! A worker: one thread with one event loop.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::panics;
use crate::telemetry::Telemetry;

/// How often a worker says that its event loop turns.
const BEAT: Duration = Duration::from_secs(1);

/// A running worker.
pub(super) struct Worker {
    /// Where tasks are put on it.
    pub(super) handle: Handle,
    /// What it has to do.
    pub(super) load: Arc<Load>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What a worker has to do.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Load {
    open: AtomicUsize,
    ended: AtomicUsize,
    /// When it last said that it cannot accept, in seconds since 1970.
    complained: AtomicU64,
}

impl Load {
    /// An exchange began.
    pub(super) fn begin(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    /// An exchange ended.
    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Relaxed);
        self.open.fetch_sub(1, AcqRel);
    }

    /// Exchanges that are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Acquire)
    }

    /// Exchanges that ended.
    pub(super) fn ended(&self) -> usize {
        self.ended.load(Relaxed)
    }

    /// Connections cannot be accepted: said at most once a second.
    pub(super) fn troubled(&self, error: &io::Error) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.complained.swap(now, Relaxed) != now {
            tracing::error!(target: "tollgate::listen", %error, "connections cannot be accepted");
        }
    }
}

impl Worker {
    /// Starts a worker and waits until it runs.
    pub(super) fn start(number: usize, telemetry: Arc<Telemetry>) -> io::Result<Self> {
        panics::log();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = sync_channel(1);
        let name = format!("{}{number}", panics::WORKER);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let work = async {
                let _ = ready.send(());
                tokio::select! {
                    _ = stopped => {}
                    () = beat(number, &telemetry) => {}
                }
            };
            if std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(work))).is_err() {
                telemetry.panicked();
                tracing::error!(target: "tollgate::listen", worker = number, "a worker died: its connections are lost");
            }
        })?;
        is_ready.recv().map_err(|_| io::Error::other("the worker ended before it ran"))?;
        Ok(Self { handle, load: Arc::default(), stop, thread })
    }

    /// Puts a task on it that is to run for long. Its panic is logged loudly and counted.
    pub(super) fn spawn(
        &self,
        what: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
        telemetry: Arc<Telemetry>,
    ) {
        self.handle.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                telemetry.panicked();
                tracing::error!(target: "tollgate::listen", what, "a task of a worker died");
            }
        });
    }

    /// Whether it runs.
    pub(super) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the worker, whatever it is doing, and waits until it has.
    pub(super) fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// Says every second that the event loop turns.
async fn beat(number: usize, telemetry: &Telemetry) {
    loop {
        telemetry.beat(number);
        tokio::time::sleep(BEAT).await;
    }
}
