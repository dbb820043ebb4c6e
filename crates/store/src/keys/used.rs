//! When credentials were last shown, in batches: what a crash loses is the last batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::PATIENCE;
use crate::Result;
use crate::sqlite::{Writer, open_to_read};

/// That a credential was shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// Whose it is.
    pub consumer: Arc<str>,
    /// What it is, such as `key`.
    pub kind: &'static str,
    /// Its name within the consumer.
    pub credential: Arc<str>,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// When credentials were last shown. Every call waits for the disk: not for threads that carry traffic.
#[derive(Clone)]
pub struct Uses {
    writer: Arc<Writer>,
    database: PathBuf,
}

impl Uses {
    pub(crate) fn new(writer: Arc<Writer>, database: &Path) -> Self {
        Self { writer, database: database.to_owned() }
    }

    /// Gives each to `take`: consumer, kind, credential, and when.
    pub fn load(&self, mut take: impl FnMut(&str, &str, &str, u64)) -> Result<()> {
        let connection = open_to_read(&self.database)?;
        let mut query = connection.prepare("SELECT consumer, kind, credential, at FROM used")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(3)?;
            let (consumer, kind, credential) = (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?);
            let text = |value: rusqlite::types::ValueRef<'_>| value.as_str().map(str::to_owned).unwrap_or_default();
            take(&text(consumer), &text(kind), &text(credential), u64::try_from(at).unwrap_or(0));
        }
        Ok(())
    }

    /// Remembers these in one transaction; what is known to be later stays.
    pub fn save(&self, batch: Vec<Use>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.writer.ask(PATIENCE, move |connection| {
            let transaction = connection.transaction()?;
            {
                let mut put = transaction.prepare(
                    "INSERT INTO used (consumer, kind, credential, at) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
                )?;
                for Use { consumer, kind, credential, at } in &batch {
                    put.execute(params![consumer, kind, credential, i64::try_from(*at).unwrap_or(i64::MAX)])?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }
}

/// Takes a chunk of what was last shown before this time away. How many.
pub(crate) fn sweep(connection: &Connection, oldest: i64, chunk: i64) -> Result<usize> {
    let swept = connection.execute(
        "DELETE FROM used WHERE (consumer, kind, credential) IN
           (SELECT consumer, kind, credential FROM used WHERE at < ?1 LIMIT ?2)",
        params![oldest, chunk],
    )?;
    Ok(swept)
}
