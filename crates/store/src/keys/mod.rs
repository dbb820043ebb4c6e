//! Keys that callers were given at run time, as they are kept: the SHA-256 of each, and what it is good for. The decision is
//! made in memory; this is what a process begins with, and where changes go first.

#[cfg(test)]
mod tests;
mod used;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::Result;
use crate::error::{Error, Kind};
use crate::sqlite::{Writer, open_to_read};

pub(crate) use used::sweep;
pub use used::{Use, Uses};

const PATIENCE: Duration = Duration::from_secs(10);
/// Keys that there may be.
pub const MOST_KEYS: usize = 200_000;

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What it is known by outside, the same for good.
    pub id: String,
    /// Whose it is.
    pub consumer: String,
    /// Its name, unique within the consumer.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// How the key begins, so that people know which it is.
    pub begins: String,
    /// SHA-256 of the key that this one replaced, and up to when that is good too.
    pub before: Option<([u8; 32], i64)>,
    /// What it is good for, as JSON.
    pub terms: String,
    /// Whether it is good.
    pub enabled: bool,
    /// When it ends to be good.
    pub expires: Option<i64>,
    /// When it was made.
    pub created: i64,
    /// When it was last replaced by another one.
    pub rotated: Option<i64>,
}

/// The keys of a data directory. Every call waits for the disk: not for threads that carry traffic.
#[derive(Clone)]
pub struct Keys {
    writer: Arc<Writer>,
    database: PathBuf,
}

impl Keys {
    pub(crate) fn new(writer: Arc<Writer>, database: &Path) -> Self {
        Self { writer, database: database.to_owned() }
    }

    /// All of them.
    pub fn load(&self) -> Result<Vec<StoredKey>> {
        let connection = open_to_read(&self.database)?;
        let mut query = connection.prepare(
            "SELECT id, consumer, name, hash, begins, before, before_until, terms, enabled, expires, created, rotated FROM key",
        )?;
        let rows = query.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Adds one. It is on the disk when this returns. [`Kind::Exists`] where the consumer has a key of this name.
    pub fn add(&self, key: StoredKey) -> Result<()> {
        self.writer.ask(PATIENCE, move |connection| {
            let known: i64 = connection.query_row("SELECT count(*) FROM key", [], |row| row.get(0))?;
            if usize::try_from(known).is_ok_and(|known| known >= MOST_KEYS) {
                return Err(Error::new(Kind::Full, format!("there are {known} keys, as many as may be")));
            }
            named(connection, &key)?;
            write(connection, "INSERT INTO key", &key)
        })
    }

    /// Puts a key in the place of the one of the same id. Whether there was one.
    pub fn replace(&self, key: StoredKey) -> Result<bool> {
        self.writer.ask(PATIENCE, move |connection| {
            let known: i64 =
                connection.query_row("SELECT count(*) FROM key WHERE id = ?1", [&key.id], |row| row.get(0))?;
            if known == 0 {
                return Ok(false);
            }
            named(connection, &key)?;
            write(connection, "REPLACE INTO key", &key)?;
            Ok(true)
        })
    }

    /// Takes one away for good. Whether there was one.
    pub fn remove(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.writer.ask(PATIENCE, move |connection| Ok(connection.execute("DELETE FROM key WHERE id = ?1", [id])? > 0))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    let before: Option<[u8; 32]> = row.get(5)?;
    let until: Option<i64> = row.get(6)?;
    Ok(StoredKey {
        id: row.get(0)?,
        consumer: row.get(1)?,
        name: row.get(2)?,
        hash: row.get(3)?,
        begins: row.get(4)?,
        before: before.zip(until),
        terms: row.get(7)?,
        enabled: row.get(8)?,
        expires: row.get(9)?,
        created: row.get(10)?,
        rotated: row.get(11)?,
    })
}

/// Refuses a name that another key of the consumer has: to replace that one would be to revoke it.
fn named(connection: &Connection, key: &StoredKey) -> Result<()> {
    let same = "SELECT count(*) FROM key WHERE consumer = ?1 AND name = ?2 AND id <> ?3";
    let same: i64 = connection.query_row(same, [&key.consumer, &key.name, &key.id], |row| row.get(0))?;
    if same > 0 {
        let message = format!("consumer `{}` has a key named `{}` already", key.consumer, key.name);
        return Err(Error::new(Kind::Exists, message));
    }
    Ok(())
}

fn write(connection: &Connection, how: &str, key: &StoredKey) -> Result<()> {
    let (before, until) = key.before.unzip();
    let statement = format!(
        "{how} (id, consumer, name, hash, begins, before, before_until, terms, enabled, expires, created, rotated)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    );
    let StoredKey { id, consumer, name, hash, begins, terms, enabled, expires, created, rotated, .. } = key;
    connection.execute(
        &statement,
        params![id, consumer, name, hash, begins, before, until, terms, enabled, expires, created, rotated],
    )?;
    Ok(())
}
