//! What changed since it was last saved: each meter once, however often it changed, so that it needs no more room than
//! the meters themselves and counting can never be refused for want of it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, params};
use tokio::sync::Notify;

use super::meter::{MOST, Meter, Receipt, Total};
use crate::Result;

/// What changed, and how far it is saved.
pub(crate) struct Journal {
    changed: Mutex<Vec<Arc<Meter>>>,
    /// The last number given.
    given: AtomicU64,
    /// All up to this one last.
    durable: AtomicU64,
    /// Tells those who wait for it.
    saved: Notify,
    /// Whether somebody waits for it.
    hurried: AtomicBool,
    /// Tells the writer.
    wake: Box<dyn Fn() + Send + Sync>,
    trouble: Mutex<Option<Trouble>>,
}

/// The disk refuses.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) since: Instant,
    pub(crate) message: String,
}

impl Journal {
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            changed: Mutex::default(),
            given: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            saved: Notify::new(),
            hurried: AtomicBool::new(false),
            wake: Box::new(wake),
            trouble: Mutex::default(),
        }
    }

    pub(super) fn push(&self, meter: Arc<Meter>) {
        let mut changed = self.changed.lock();
        let first = changed.is_empty();
        changed.push(meter);
        drop(changed);
        if first {
            (self.wake)();
        }
    }

    pub(super) fn number(&self) -> Receipt {
        Receipt(self.given.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(super) fn is_durable(&self, receipt: Receipt) -> bool {
        receipt.0 <= self.durable.load(Ordering::SeqCst)
    }

    /// Waits until this count, and all before it, lasts, having it saved at once. False where that takes longer.
    pub(super) async fn lasts(&self, receipt: Receipt, patience: Duration) -> bool {
        let waiting = async {
            loop {
                let saved = self.saved.notified();
                tokio::pin!(saved);
                saved.as_mut().enable();
                if self.is_durable(receipt) {
                    return;
                }
                self.hurried.store(true, Ordering::SeqCst);
                (self.wake)();
                saved.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.is_ok()
    }

    /// Whether somebody waits for what is unsaved; asked once.
    pub(crate) fn is_hurried(&self) -> bool {
        self.hurried.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn has_unsaved(&self) -> bool {
        !self.changed.lock().is_empty()
    }

    pub(crate) fn unsaved(&self) -> usize {
        self.changed.lock().len()
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    /// Saves all that changed in one transaction. Refused, it stays to be saved.
    pub(crate) fn save(&self, connection: &mut Connection) -> Result<()> {
        let upto = self.given.load(Ordering::SeqCst);
        let batch = mem::take(&mut *self.changed.lock());
        let readings: Vec<(Total, Total)> = batch.iter().map(|meter| meter.unsaved()).collect();
        let changes = batch.iter().zip(&readings).map(|(meter, (change, _))| (&**meter, *change));
        match write(connection, changes) {
            Ok(()) => {
                for (meter, (_, reading)) in batch.iter().zip(&readings) {
                    meter.saved(*reading);
                }
                self.durable.fetch_max(upto, Ordering::SeqCst);
                self.saved.notify_waiters();
                if let Some(trouble) = self.trouble.lock().take() {
                    let seconds = trouble.since.elapsed().as_secs();
                    tracing::info!(target: "tollgate::store", seconds, "the ledger is saved again; nothing was lost");
                }
                Ok(())
            }
            Err(error) => {
                // Meters that nobody else has any more are held by this list until they are saved.
                let mut again = Vec::with_capacity(batch.len());
                batch.iter().for_each(|meter| meter.again(&mut again));
                self.changed.lock().append(&mut again);
                let mut trouble = self.trouble.lock();
                if trouble.is_none() {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(target: "tollgate::store", %error, cause,
                        "the ledger cannot be saved; counting goes on in memory");
                    *trouble = Some(Trouble { since: Instant::now(), message: error.to_string() });
                }
                Err(error)
            }
        }
    }
}

/// Adds changes to what is stored. Sums and not readings: a total that is not in memory is never overwritten.
fn write<'a>(connection: &mut Connection, changes: impl Iterator<Item = (&'a Meter, Total)>) -> Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut account = transaction
            .prepare("INSERT INTO account (measure, book, owner) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
        let mut total = transaction.prepare(&format!(
            "INSERT INTO total (account, starts, ends, used, held)
               SELECT id, ?4, ?5, ?6, ?7 FROM account WHERE measure = ?1 AND book = ?2 AND owner = ?3
               ON CONFLICT DO UPDATE SET
                 used = max(-{MOST}, min({MOST}, used + excluded.used)),
                 held = max(-{MOST}, min({MOST}, held + excluded.held))"
        ))?;
        for (meter, change) in changes {
            if change == Total::default() {
                continue;
            }
            let (whose, window) = (meter.account(), meter.window());
            let measure = whose.measure.name();
            account.execute(params![measure, whose.book, whose.owner])?;
            let values =
                params![measure, whose.book, whose.owner, window.starts, window.ends, change.used, change.held];
            total.execute(values)?;
        }
    }
    transaction.commit()?;
    Ok(())
}
