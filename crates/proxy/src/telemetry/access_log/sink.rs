//! Lines from many workers to one destination, without anybody waiting: each worker appends to a bounded buffer of its
//! own; a thread takes full buffers, leaves empty ones, and writes. When it cannot keep up, lines are dropped and counted.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::file::{Destination, Output, Rotation};
use super::stamp::Stamp;

/// How long lines gather before they are written together.
pub(super) const GATHER: Duration = Duration::from_millis(25);
/// Bytes that a worker may have waiting: 50 ms and more of the fastest traffic.
const MOST: usize = 2 << 20;
/// Bytes at which the writer is told not to wait longer.
const MUCH: usize = 256 << 10;
/// What an idle buffer may keep.
pub(super) const SPARE: usize = 64 << 10;

/// A way to a destination.
pub struct Sink {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) destination: Destination,
    pub(super) gather: Duration,
    pub(super) stripes: Box<[Stripe]>,
    writer: OnceLock<Thread>,
    /// The writer waits for a first line.
    pub(super) idle: AtomicBool,
    pub(super) orders: Mutex<Orders>,
    pub(super) answered: Condvar,
    pub(super) records: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// A worker's buffer, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Stripe {
    pub(super) buffer: Mutex<Buffer>,
    full: AtomicU64,
}

/// Lines that wait to be written.
#[derive(Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) stamp: Stamp,
}

/// What the writer is to do beside writing.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) rotation: Option<Option<Rotation>>,
    pub(super) reopen: bool,
    pub(super) close: bool,
    /// Counts the calls for everything so far to be written, and those that were answered.
    pub(super) flush: u64,
    pub(super) flushed: u64,
    /// The writer is gone.
    pub(super) finished: bool,
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines written.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Lines dropped as the buffer was full.
    pub full: u64,
    /// Lines dropped as the destination did not take them.
    pub failed: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.records += more.records;
        self.bytes += more.bytes;
        self.full += more.full;
        self.failed += more.failed;
    }
}

impl Sink {
    /// A way to this destination for so many workers, whose lines gather so long. Nothing is opened yet.
    pub fn new(destination: Destination, workers: usize, gather: Duration) -> Self {
        let shared = Shared {
            destination,
            gather,
            stripes: (0..workers.max(1)).map(|_| Stripe::default()).collect(),
            writer: OnceLock::new(),
            idle: AtomicBool::new(false),
            orders: Mutex::default(),
            answered: Condvar::new(),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Opens the destination and begins to write, unless that has happened.
    pub fn start(&self, rotation: Option<Rotation>) -> io::Result<()> {
        if self.shared.writer.get().is_some() {
            return Ok(());
        }
        let mut output = Output::new(self.shared.destination.clone(), rotation);
        output.open()?;
        self.spawn(output)
    }

    fn spawn(&self, output: Output) -> io::Result<()> {
        // Held, so that of two that start at once one finds the other's thread.
        let _orders = self.shared.orders.lock();
        if self.shared.writer.get().is_none() {
            let shared = self.shared.clone();
            let thread = thread::Builder::new().name("tollgate-log".to_owned()).spawn(move || shared.run(output))?;
            let _ = self.shared.writer.set(thread.thread().clone());
        }
        Ok(())
    }

    /// From now on files are rotated by this.
    pub(super) fn rotate_by(&self, rotation: Option<Rotation>) {
        self.shared.order(|orders| orders.rotation = Some(rotation));
    }

    /// Lets a worker append a line, or counts it as dropped. Never waits for the destination.
    pub(super) fn append(&self, worker: usize, line: impl FnOnce(&mut Buffer)) {
        let shared = &*self.shared;
        let stripe = shared.stripes.get(worker).or_else(|| shared.stripes.get(worker % shared.stripes.len()));
        let Some(stripe) = stripe else { return };
        let mut buffer = stripe.buffer.lock();
        let before = buffer.bytes.len();
        if before >= MOST {
            drop(buffer);
            stripe.full.fetch_add(1, Ordering::Relaxed);
            return;
        }
        line(&mut buffer);
        let after = buffer.bytes.len();
        drop(buffer);
        if before == 0 {
            self.first_line();
        } else if before < MUCH && after >= MUCH {
            shared.wake();
        }
    }

    /// Appends a line that is there already; it ends with a newline.
    pub fn append_line(&self, line: &[u8]) {
        self.append(0, |buffer| buffer.bytes.extend_from_slice(line));
    }

    /// Wakes the writer if it waits for a line. Whether it does is known here: it looked at this buffer, under its
    /// lock, after it had said so.
    fn first_line(&self) {
        if self.shared.idle.swap(false, Ordering::AcqRel) {
            self.shared.wake();
        } else if self.shared.writer.get().is_none() {
            // Without a thread lines pile up to their bound and are counted from there.
            let _ = self.spawn(Output::new(self.shared.destination.clone(), None));
        }
    }

    /// Waits until every line so far is written or counted; false when that takes longer.
    pub fn flush(&self, patience: Duration) -> bool {
        self.shared.flush(Instant::now() + patience)
    }

    /// What became of the lines so far.
    pub fn tally(&self) -> Tally {
        self.shared.tally()
    }
}

impl Drop for Sink {
    /// Never waits: it may be a worker that drops the last program of a log.
    fn drop(&mut self) {
        self.shared.order(|orders| orders.close = true);
    }
}

impl Shared {
    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    pub(super) fn order(&self, give: impl FnOnce(&mut Orders)) {
        let mut orders = self.orders.lock();
        give(&mut orders);
        orders.finished |= self.writer.get().is_none() && orders.close;
        drop(orders);
        self.wake();
    }

    pub(super) fn flush(&self, until: Instant) -> bool {
        if self.writer.get().is_none() {
            return true;
        }
        let mut wanted = 0;
        self.order(|orders| {
            orders.flush += 1;
            wanted = orders.flush;
        });
        let mut orders = self.orders.lock();
        while orders.flushed < wanted && !orders.finished {
            if self.answered.wait_until(&mut orders, until).timed_out() {
                return false;
            }
        }
        true
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            full: self.stripes.iter().map(|stripe| stripe.full.load(Ordering::Relaxed)).sum(),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
