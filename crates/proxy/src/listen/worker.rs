//! A worker: one thread with one event loop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

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
pub(super) struct Load {
    open: AtomicUsize,
    ended: AtomicUsize,
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
}

impl Worker {
    /// Starts a worker and waits until it runs.
    pub(super) fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready): (SyncSender<()>, _) = sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("tollgate-worker-{number}")).spawn(move || {
            runtime.block_on(async move {
                let _ = ready.send(());
                let _ = stopped.await;
            });
        })?;
        is_ready.recv().map_err(|_| io::Error::other("the worker ended before it ran"))?;
        Ok(Self { handle, load: Arc::default(), stop, thread })
    }

    /// Ends the worker, whatever it is doing, and waits until it has.
    pub(super) fn stop(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!(target: "tollgate::listen", "a worker had died");
        }
    }
}
