//! The one thread that writes. What changed in the ledger it saves in batches; other work comes by a bounded queue.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::Result;
use crate::error::{Error, Kind};
use crate::ledger::{Journal, Meters};
use crate::retention::Sweep;
use crate::usage::Book;

/// Work that waits; more is refused. Wakes that do not fit are not needed: whoever works looks again.
const QUEUE: usize = 256;
/// Between tries while the disk refuses, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the thread can be asked for.
pub(crate) enum Job {
    /// Something changed in the ledger or in the usage.
    Wake,
    /// Save at once and say so.
    Save(SyncSender<Result<()>>),
    /// Use the connection.
    Do(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Save and end.
    Stop,
}

/// The thread's handle: dropped, what is unsaved is saved and the thread has ended.
pub(crate) struct Writer {
    jobs: SyncSender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The other end of the queue, before the thread runs.
pub(crate) struct Desk {
    jobs: Receiver<Job>,
}

impl Writer {
    /// The queue's two ends.
    pub(crate) fn queue() -> (SyncSender<Job>, Desk) {
        let (sender, jobs) = sync_channel(QUEUE);
        (sender, Desk { jobs })
    }

    /// Starts the thread.
    pub(crate) fn start(jobs: SyncSender<Job>, desk: Desk, connection: Connection, duty: Duty) -> Result<Self> {
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || duty.run(&desk.jobs, connection));
        let thread = thread.map_err(|cause| Error::new(Kind::Io, "cannot start the store's writer").because(cause))?;
        Ok(Self { jobs, thread: Mutex::new(Some(thread)) })
    }

    /// Saves everything that was charged until now.
    pub(crate) fn flush(&self, patience: Duration) -> Result<()> {
        let (reply, answer) = sync_channel(1);
        self.send(Job::Save(reply))?;
        answered(&answer, patience)?
    }

    /// Does something with the connection, on the thread, and waits for it. Not for threads that carry traffic.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = sync_channel(1);
        self.send(Job::Do(Box::new(move |connection| {
            // Whoever asked may have gone.
            let _ = reply.send(work(connection));
        })))?;
        answered(&answer, patience)?
    }

    /// Saves what is unsaved and ends the thread, whoever still has a handle.
    pub(crate) fn stop(&self) {
        if let Some(thread) = self.thread.lock().take() {
            // Blocks while the queue is full; the thread empties it.
            let _ = self.jobs.send(Job::Stop);
            let _ = thread.join();
        }
    }

    fn send(&self, job: Job) -> Result<()> {
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::new(Kind::Full, "the store has too much to write; try again"),
            TrySendError::Disconnected(_) => Error::closed(),
        })
    }
}

fn answered<T>(answer: &Receiver<T>, patience: Duration) -> Result<T> {
    answer.recv_timeout(patience).map_err(|error| match error {
        RecvTimeoutError::Timeout => Error::new(Kind::Late, "the store did not answer in time"),
        RecvTimeoutError::Disconnected => Error::closed(),
    })
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the thread does unasked.
pub(crate) struct Duty {
    pub(crate) journal: Arc<Journal>,
    pub(crate) usage: Arc<Book>,
    /// How long changes gather before they are saved together.
    pub(crate) gather: Duration,
    pub(crate) sweep: Sweep,
    pub(crate) meters: Arc<Meters>,
}

impl Duty {
    /// What was counted first: usage may be late.
    fn save(&self, connection: &mut Connection) -> Result<()> {
        self.journal.save(connection)?;
        self.usage.save(connection)
    }

    fn run(mut self, jobs: &Receiver<Job>, mut connection: Connection) {
        let mut backoff = BACKOFF.0;
        let mut save_at = None;
        loop {
            let until = save_at.map_or(self.sweep.due(), |at: Instant| at.min(self.sweep.due()));
            match jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Job::Wake) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Job::Do(work)) => work(&mut connection),
                Ok(Job::Save(reply)) => {
                    let _ = reply.send(self.save(&mut connection));
                }
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.journal.is_hurried() && save_at.is_none_or(|at| at <= Instant::now() + self.gather) {
                save_at = Some(Instant::now());
            }
            if save_at.is_some_and(|at| at <= Instant::now()) {
                save_at = None;
                match self.save(&mut connection) {
                    Ok(()) => backoff = BACKOFF.0,
                    Err(_) => {
                        save_at = Some(Instant::now() + backoff);
                        backoff = (backoff * 2).min(BACKOFF.1);
                    }
                }
            }
            if save_at.is_none() && (self.journal.has_unsaved() || self.usage.has_unsaved()) {
                save_at = Some(Instant::now() + self.gather);
            }
            if self.sweep.due() <= Instant::now() {
                self.sweep.run(&mut connection);
                self.meters.forget();
            }
        }
        if self.save(&mut connection).is_err() {
            tracing::error!(target: "tollgate::store", "the last counts could not be saved");
        }
        if let Err((_, error)) = connection.close() {
            tracing::warn!(target: "tollgate::store", %error, "the database was not closed well");
        }
    }
}
