//! A ledger that lasts: counted in memory, saved behind by the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::Ledger;
use super::account::{Account, Key, Measure, Window};
use super::journal::{Journal, Trouble};
use super::meter::{MOST, Meter, Receipt, Total};
use super::meters::Meters;
use crate::error::{Error, Kind};
use crate::purse::Lenders;
use crate::sqlite::{Writer, open_to_read};
use crate::{Clock, Result};

/// Windows that one question may return.
const MOST_WINDOWS: i64 = 100_000;
/// How long a question waits for the writer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A ledger that lasts.
pub struct SqliteLedger {
    meters: Arc<Meters>,
    journal: Arc<Journal>,
    writer: Arc<Writer>,
    database: PathBuf,
    lenders: Lenders,
}

/// What was found at opening.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// Meters that still count.
    pub(crate) meters: usize,
    /// Reservations' sum that the last run left open, now charged.
    pub(crate) charged: usize,
}

/// What still counts on the disk.
pub(crate) struct Loaded {
    pub(crate) meters: Arc<Meters>,
    pub(crate) found: Found,
}

/// Charges what the last run left reserved, and reads what still counts.
pub(crate) fn load(
    connection: &mut Connection,
    most_meters: usize,
    journal: &Arc<Journal>,
    clock: Clock,
) -> Result<Loaded> {
    let charged = connection.execute(
        &format!("UPDATE total SET used = max(-{MOST}, min({MOST}, used + held)), held = 0 WHERE held <> 0"),
        [],
    )?;
    let meters = Meters::new(most_meters, Some(journal.clone()), clock);
    let mut query = connection.prepare(
        "SELECT measure, book, owner, starts, ends, used FROM total JOIN account ON account.id = total.account
           WHERE ends > ?1",
    )?;
    let mut rows = query.query([meters.ended()])?;
    while let Some(row) = rows.next()? {
        let measure: String = row.get(0)?;
        let Some(measure) = Measure::named(&measure) else {
            return Err(Error::new(Kind::Foreign, format!("the ledger counts `{measure}`, which is not known")));
        };
        let (book, owner): (String, String) = (row.get(1)?, row.get(2)?);
        let window = Window { starts: row.get(3)?, ends: row.get(4)? };
        let key = Key { measure, book: book.into(), owner: owner.into(), window };
        meters.load(key, Total { used: row.get(5)?, held: 0 });
    }
    let found = Found { meters: meters.count(), charged };
    Ok(Loaded { meters: Arc::new(meters), found })
}

impl SqliteLedger {
    pub(crate) fn new(loaded: Loaded, journal: Arc<Journal>, writer: Arc<Writer>, database: &Path) -> Self {
        Self { meters: loaded.meters, journal, writer, database: database.to_owned(), lenders: Lenders::default() }
    }

    /// How many meters are in memory.
    pub(crate) fn meters(&self) -> usize {
        self.meters.count()
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.journal.trouble()
    }

    /// Waits until this count lasts, having it saved at once. False where that takes longer.
    pub(crate) async fn lasts(&self, receipt: Receipt, patience: Duration) -> bool {
        self.journal.lasts(receipt, patience).await
    }

    /// Who drew from it.
    pub(crate) fn lenders(&self) -> &Lenders {
        &self.lenders
    }

    /// Takes back what was drawn ahead and is not spent.
    pub(crate) fn take_back(&self) {
        self.lenders.take().iter().for_each(|purse| purse.bring_back());
    }

    pub(crate) fn unsaved(&self) -> usize {
        self.journal.unsaved()
    }
}

impl Ledger for SqliteLedger {
    fn meter(&self, account: Account<'_>, window: Window) -> Result<Arc<Meter>> {
        self.meters.get(account, window)
    }

    fn history(&self, account: Account<'_>, from: i64, to: i64) -> Result<Vec<(Window, Total)>> {
        self.flush(PATIENCE)?;
        let connection = open_to_read(&self.database)?;
        let mut query = connection.prepare(
            "SELECT starts, ends, used, held FROM total JOIN account ON account.id = total.account
               WHERE measure = ?1 AND book = ?2 AND owner = ?3 AND starts >= ?4 AND ends <= ?5
               ORDER BY starts, ends LIMIT ?6",
        )?;
        let asked = params![account.measure.name(), account.book, account.owner, from, to, MOST_WINDOWS];
        let rows = query.query_map(asked, |row| {
            let window = Window { starts: row.get(0)?, ends: row.get(1)? };
            Ok((window, Total { used: row.get(2)?, held: row.get(3)? }))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn is_durable(&self, receipt: Receipt) -> bool {
        self.journal.is_durable(receipt)
    }

    fn flush(&self, patience: Duration) -> Result<()> {
        self.writer.flush(patience)
    }

    fn forget(&self) {
        self.meters.forget();
    }
}
