//! The embedded database: one file in write-ahead mode, one thread that writes to it.

mod backup;
mod migrate;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::Result;

pub use backup::{Saved, backup};
pub(crate) use migrate::{check, migrate};
pub(crate) use writer::{Duty, Job, Writer};

/// Marks the file as Tollgate's: `TGAT`.
const APPLICATION: i32 = 0x5447_4154;
/// How long a statement waits for another connection. Only a checkpoint or a backup's start ever takes the lock.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the database to write to it, making it where there is none.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle(&connection)?;
    // Before anything is changed: it may be another program's.
    check(&connection)?;
    // A commit is on the disk when it is told, not only with the operating system.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    Ok(connection)
}

/// Opens the database to read from it, whoever writes to it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection> {
    // The file itself must be writable, as readers of a database in write-ahead mode take part in its shared memory.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON;")?;
    Ok(connection)
}

fn settle(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    // Off, what a file says of itself could run functions of this process.
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;")?;
    Ok(())
}

fn number(connection: &Connection, pragma: &str) -> Result<i64> {
    Ok(connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
}
