//! The schema, and how an older one becomes it. Forward only: a step that has shipped is never changed, and what a newer
//! Tollgate wrote is refused.

use rusqlite::{Connection, TransactionBehavior};

use super::{APPLICATION, number};
use crate::Result;
use crate::error::{Error, Kind};

/// The steps; the schema's number is how many have been taken.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/0001_ledger.sql"),
    include_str!("schema/0002_secret.sql"),
    include_str!("schema/0003_revoked.sql"),
    include_str!("schema/0004_usage.sql"),
    include_str!("schema/0005_key.sql"),
];

/// From which schema to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Migrated {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Brings the database to this program's schema. Each step is one transaction: a crash leaves the one before or after.
pub(crate) fn migrate(connection: &mut Connection) -> Result<Migrated> {
    let from = check(connection)?;
    for (at, step) in STEPS.iter().enumerate().skip(from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        transaction.execute_batch(step)?;
        transaction
            .execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}", at + 1))?;
        transaction.commit()?;
    }
    Ok(Migrated { from, to: STEPS.len() })
}

/// The number of the schema that there is, if this program knows it; 0 in an empty database.
pub(crate) fn check(connection: &Connection) -> Result<usize> {
    let schema = number(connection, "user_version")?;
    let mark = number(connection, "application_id")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let empty = tables == 0 && schema == 0;
    if !empty && mark != i64::from(APPLICATION) {
        return Err(Error::new(Kind::Foreign, "the database is none of Tollgate's; give it a directory of its own"));
    }
    let known = STEPS.len();
    match usize::try_from(schema) {
        Ok(schema) if schema <= known => Ok(schema),
        _ => {
            let message = format!(
                "the database was written by a newer Tollgate (its schema is {schema}, this one knows up to {known}); \
                 run that one, or restore a backup from before it"
            );
            Err(Error::new(Kind::Newer, message))
        }
    }
}
