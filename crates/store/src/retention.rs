//! How long what is stored is kept. What still counts is never swept.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::Result;
use crate::clock::Clock;
use crate::ledger::GRACE;

/// Bounds of what is kept once it no longer counts: the totals of windows that have ended, and what calls of models took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long after their windows' end, or after the call.
    pub age: Duration,
    /// How many of either; the oldest go first.
    pub rows: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(400 * 86_400), rows: 5_000_000 }
    }
}

/// Between sweeps.
const EVERY: Duration = Duration::from_secs(600);
/// Rows that one transaction takes away, so that saving never waits for long.
const CHUNK: i64 = 2_000;

/// Sweeps from time to time, a chunk at a time.
pub(crate) struct Sweep {
    retention: Retention,
    clock: Clock,
    due: Instant,
}

impl Sweep {
    /// The first is due at once.
    pub(crate) fn new(retention: Retention, clock: Clock) -> Self {
        Self { retention, clock, due: Instant::now() }
    }

    /// When the next chunk is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Takes one chunk away.
    pub(crate) fn run(&mut self, connection: &mut Connection) {
        let swept = sweep(connection, self.retention, self.clock.now());
        let more = match &swept {
            Ok(rows) => *rows > 0,
            Err(error) => {
                tracing::warn!(target: "tollgate::store", %error, "old totals could not be swept");
                false
            }
        };
        self.due = if more { Instant::now() } else { Instant::now() + EVERY };
    }
}

/// Takes one chunk of what is too old or too much away. How many rows went.
pub(crate) fn sweep(connection: &mut Connection, retention: Retention, now: i64) -> Result<usize> {
    let counts = now.saturating_sub(GRACE);
    let age = i64::try_from(retention.age.as_secs()).unwrap_or(i64::MAX);
    let oldest = now.saturating_sub(age).min(counts);
    let transaction = connection.transaction()?;
    let aged = delete(&transaction, oldest, CHUNK)?;
    let rows: i64 = transaction.query_row("SELECT count(*) FROM total WHERE ends <= ?1", [counts], |row| row.get(0))?;
    let over = rows.saturating_sub(i64::try_from(retention.rows).unwrap_or(i64::MAX));
    let crowded = if over > 0 { delete(&transaction, counts, over.min(CHUNK))? } else { 0 };
    let unused = transaction.execute(
        "DELETE FROM account WHERE id IN (SELECT id FROM account
           WHERE NOT EXISTS (SELECT 1 FROM total WHERE total.account = account.id) LIMIT ?1)",
        [CHUNK],
    )?;
    let over = crate::revoked::sweep(&transaction, now, CHUNK)?;
    let usage = crate::usage::sweep(&transaction, now.saturating_sub(age), retention.rows, CHUNK)?;
    let shown = crate::keys::sweep(&transaction, now.saturating_sub(age), CHUNK)?;
    transaction.commit()?;
    Ok(aged + crowded + unused + over + usage + shown)
}

/// Totals of windows that ended until then, the oldest first.
fn delete(connection: &Connection, until: i64, most: i64) -> Result<usize> {
    let deleted = connection.execute(
        "DELETE FROM total WHERE (account, starts, ends) IN
           (SELECT account, starts, ends FROM total WHERE ends <= ?1 ORDER BY ends LIMIT ?2)",
        params![until, most],
    )?;
    Ok(deleted)
}
