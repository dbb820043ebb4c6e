//! The thread that writes: it takes full buffers, leaves empty ones, and does what it is told beside.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::SystemTime;

use super::file::{Destination, Output};
use super::sink::{SPARE, Shared, Stripe};

impl Shared {
    /// The writer: orders, lines, rest.
    pub(super) fn run(&self, output: Output) {
        let mut writer = Writer { shared: self, output, spare: Vec::new(), failing: None };
        loop {
            let (reopen, close, flush) = self.take_orders(&mut writer.output);
            let wrote = writer.write_all();
            if reopen {
                writer.reopen();
            }
            self.answer(flush, close);
            if close {
                return;
            }
            if !wrote {
                self.rest();
            }
            if !self.gather.is_zero() && !self.has_orders() {
                thread::park_timeout(self.gather);
            }
        }
    }

    fn take_orders(&self, output: &mut Output) -> (bool, bool, u64) {
        let mut orders = self.orders.lock();
        if let Some(rotation) = orders.rotation.take() {
            output.rotation = rotation;
        }
        (std::mem::take(&mut orders.reopen), orders.close, orders.flush)
    }

    fn has_orders(&self) -> bool {
        let orders = self.orders.lock();
        orders.reopen || orders.close || orders.rotation.is_some() || orders.flush > orders.flushed
    }

    fn answer(&self, flush: u64, close: bool) {
        let mut orders = self.orders.lock();
        orders.flushed = flush;
        orders.finished = close;
        drop(orders);
        self.answered.notify_all();
    }

    /// Waits for a first line or an order.
    fn rest(&self) {
        self.idle.store(true, Ordering::Release);
        let is_empty = |stripe: &Stripe| {
            let mut buffer = stripe.buffer.lock();
            let empty = buffer.bytes.is_empty();
            if empty && buffer.bytes.capacity() > SPARE {
                buffer.bytes.shrink_to(SPARE);
            }
            empty
        };
        // All of them are looked at, as each one may be large.
        let empty = self.stripes.iter().map(is_empty).fold(true, |all, empty| all & empty);
        if empty && !self.has_orders() {
            thread::park();
        }
        self.idle.store(false, Ordering::Release);
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    output: Output,
    /// Changes places with a worker's buffer.
    spare: Vec<u8>,
    /// Lines lost since the destination began to refuse them.
    failing: Option<u64>,
}

impl Writer<'_> {
    /// Writes what every worker has; false when none had anything.
    fn write_all(&mut self) -> bool {
        let mut any = false;
        for stripe in &self.shared.stripes {
            {
                let mut buffer = stripe.buffer.lock();
                if buffer.bytes.is_empty() {
                    continue;
                }
                std::mem::swap(&mut buffer.bytes, &mut self.spare);
            }
            any = true;
            self.write();
            self.spare.clear();
        }
        if !any {
            self.spare.shrink_to(SPARE);
        }
        any
    }

    fn write(&mut self) {
        let result = self.output.write(&self.spare, SystemTime::now());
        let written = result.as_ref().map_or_else(|failed| failed.written, |()| self.spare.len());
        let (written, lost) = self.spare.split_at(written.min(self.spare.len()));
        let records = memchr::memchr_iter(b'\n', written).count() as u64;
        self.shared.records.fetch_add(records, Ordering::Relaxed);
        self.shared.bytes.fetch_add(written.len() as u64, Ordering::Relaxed);
        match (result, self.failing) {
            (Ok(()), None) => {}
            (Ok(()), Some(lost)) => {
                self.failing = None;
                self.say(|to| tracing::warn!(target: "tollgate::access_log", to, lost, "the log is written again"));
            }
            (Err(failed), failing) => {
                let lost = memchr::memchr_iter(b'\n', lost).count() as u64;
                self.shared.failed.fetch_add(lost, Ordering::Relaxed);
                self.failing = Some(failing.unwrap_or(0) + lost);
                if failing.is_none() {
                    let error = failed.error;
                    self.say(|to| {
                        tracing::warn!(target: "tollgate::access_log", to, %error, "the log cannot be written; its lines are dropped and counted");
                    });
                }
            }
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.output.open() {
            self.say(|to| {
                tracing::warn!(target: "tollgate::access_log", to, %error, "the log cannot be opened anew; the old file stays");
            });
        }
    }

    /// Says something of the destination, unless it is where that would go.
    fn say(&self, how: impl FnOnce(&str)) {
        match &self.shared.destination {
            Destination::Standard => how("standard output"),
            Destination::File(path) => how(&path.display().to_string()),
            Destination::StandardError | Destination::Nowhere => {}
        }
    }
}
