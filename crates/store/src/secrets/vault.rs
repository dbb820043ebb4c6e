//! Sealed secrets in the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Envelope, Keyring, Plain};
use crate::error::{Error, Kind};
use crate::sqlite::{Writer, open_to_read};
use crate::{Clock, Result};

const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the longest name.
const MOST_NAME: usize = 256;
/// Secrets that there may be.
const MOST_SECRETS: i64 = 100_000;

/// What is known of a secret without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// The key that opens it.
    pub key: String,
    /// When it was first put there, in seconds since 1970.
    pub created: i64,
    /// When it was last replaced.
    pub replaced: i64,
}

/// Sealed secrets by name. Every call waits for the disk: not for threads that carry traffic.
pub struct Vault {
    keyring: Arc<Keyring>,
    writer: Arc<Writer>,
    database: PathBuf,
    clock: Clock,
}

impl Vault {
    pub(crate) fn new(keyring: Arc<Keyring>, writer: Arc<Writer>, database: &Path, clock: Clock) -> Self {
        Self { keyring, writer, database: database.to_owned(), clock }
    }

    /// Puts a secret there, or another in its place.
    pub fn put(&self, name: &str, secret: &[u8]) -> Result<()> {
        if name.is_empty() || name.len() > MOST_NAME {
            return Err(Error::new(Kind::Full, format!("a secret's name is from 1 to {MOST_NAME} bytes long")));
        }
        let envelope = self.keyring.seal(name, secret)?;
        let (name, now) = (name.to_owned(), self.clock.now());
        self.writer.ask(PATIENCE, move |connection| {
            let count: i64 = connection.query_row("SELECT count(*) FROM secret", [], |row| row.get(0))?;
            if count >= MOST_SECRETS {
                return Err(Error::new(Kind::Full, format!("there are {count} secrets, as many as may be")));
            }
            let stored = params![name, envelope.to_bytes(), envelope.key().to_string(), now];
            connection.execute(
                "INSERT INTO secret (name, envelope, key, created, replaced) VALUES (?1, ?2, ?3, ?4, ?4)
                   ON CONFLICT DO UPDATE SET envelope = ?2, key = ?3, replaced = ?4",
                stored,
            )?;
            Ok(())
        })
    }

    /// Opens a secret, if there is one of this name.
    pub fn get(&self, name: &str) -> Result<Option<Plain>> {
        let connection = open_to_read(&self.database)?;
        let query = connection.query_row("SELECT envelope FROM secret WHERE name = ?1", [name], |row| row.get(0));
        let Some(bytes): Option<Vec<u8>> = query.optional()? else { return Ok(None) };
        self.keyring.open(name, &Envelope::from_bytes(&bytes)?).map(Some)
    }

    /// Takes a secret away. Whether there was one.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.writer
            .ask(PATIENCE, move |connection| Ok(connection.execute("DELETE FROM secret WHERE name = ?1", [name])? > 0))
    }

    /// What there is, by name.
    pub fn list(&self) -> Result<Vec<Stored>> {
        let connection = open_to_read(&self.database)?;
        let mut query = connection.prepare("SELECT name, key, created, replaced FROM secret ORDER BY name")?;
        let rows = query.query_map([], |row| {
            Ok(Stored { name: row.get(0)?, key: row.get(1)?, created: row.get(2)?, replaced: row.get(3)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Puts every secret under the current key, all or none. How many were under another.
    pub fn rewrap(&self) -> Result<usize> {
        let keyring = self.keyring.clone();
        self.writer.ask(PATIENCE, move |connection| rewrap(connection, &keyring))
    }
}

fn rewrap(connection: &mut Connection, keyring: &Keyring) -> Result<usize> {
    let transaction = connection.transaction()?;
    let mut changed = Vec::new();
    {
        let mut query = transaction.prepare("SELECT name, envelope FROM secret")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (name, bytes): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let envelope = Envelope::from_bytes(&bytes)?;
            if let Some(envelope) = keyring.rewrap(&name, &envelope)? {
                changed.push((name, envelope));
            }
        }
    }
    for (name, envelope) in &changed {
        let values = params![name, envelope.to_bytes(), envelope.key().to_string()];
        transaction.execute("UPDATE secret SET envelope = ?2, key = ?3 WHERE name = ?1", values)?;
    }
    transaction.commit()?;
    Ok(changed.len())
}
