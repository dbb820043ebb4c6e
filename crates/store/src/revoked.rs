//! Tokens that were taken back, or are good once and were used: until when that has to be known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::Result;
use crate::error::{Error, Kind};
use crate::sqlite::{Writer, open_to_read};

const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the longest id and issuer.
const MOST_NAME: usize = 2048;
/// Of one issuer; more are refused, as to forget one would make its token good again.
pub const MOST_REVOKED: usize = 100_000;

/// The list of such tokens. Every call waits for the disk: not for threads that carry traffic.
#[derive(Clone)]
pub struct Revoked {
    writer: Arc<Writer>,
    database: PathBuf,
}

impl Revoked {
    pub(crate) fn new(writer: Arc<Writer>, database: &Path) -> Self {
        Self { writer, database: database.to_owned() }
    }

    /// Remembers a token of this issuer until then, in seconds since 1970. It is on the disk when this returns.
    pub fn add(&self, issuer: &str, id: &str, until: u64) -> Result<()> {
        if id.len() > MOST_NAME || issuer.len() > MOST_NAME {
            return Err(Error::new(Kind::Full, format!("a token's id has at most {MOST_NAME} bytes")));
        }
        let (issuer, id, until) = (issuer.to_owned(), id.to_owned(), i64::try_from(until).unwrap_or(i64::MAX));
        self.writer.ask(PATIENCE, move |connection| {
            let known = "SELECT count(*) FROM revoked WHERE issuer = ?1";
            let known: i64 = connection.query_row(known, [&issuer], |row| row.get(0))?;
            if usize::try_from(known).is_ok_and(|known| known >= MOST_REVOKED) {
                return Err(Error::new(Kind::Full, format!("{known} tokens were taken back, as many as may be")));
            }
            connection.execute(
                "INSERT INTO revoked (issuer, id, until) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET until = max(until, ?3)",
                params![issuer, id, until],
            )?;
            Ok(())
        })
    }

    /// Those of this issuer that still matter at `now`.
    pub fn load(&self, issuer: &str, now: u64) -> Result<Vec<(String, u64)>> {
        let connection = open_to_read(&self.database)?;
        let mut query = connection.prepare("SELECT id, until FROM revoked WHERE issuer = ?1 AND until > ?2")?;
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let rows = query.query_map(params![issuer, now], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        let rows = rows.map(|row| row.map(|(id, until)| (id, u64::try_from(until).unwrap_or(0))));
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Takes a chunk of those away whose tokens are over. How many.
pub(crate) fn sweep(connection: &Connection, now: i64, chunk: i64) -> Result<usize> {
    let swept = connection.execute(
        "DELETE FROM revoked WHERE (issuer, id) IN (SELECT issuer, id FROM revoked WHERE until <= ?1 LIMIT ?2)",
        params![now, chunk],
    )?;
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Store};

    #[test]
    fn what_was_taken_back_stays_so_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { clock: crate::Clock::new(|| 0), ..Options::default() };
        let open = || Store::open(folder.path(), &options).unwrap();
        let store = open();
        let revoked = store.revoked();
        for (issuer, id, until) in [("a", "1", 100), ("a", "2", 200), ("b", "1", 300), ("a", "2", 150)] {
            revoked.add(issuer, id, until).unwrap();
        }
        drop(store);
        let store = open();
        for (issuer, now, expected) in [
            ("a", 0, &[("1", 100), ("2", 200)][..]),
            ("a", 100, &[("2", 200)]),
            ("a", 200, &[]),
            ("b", 0, &[("1", 300)]),
            ("c", 0, &[]),
        ] {
            let found = store.revoked().load(issuer, now).unwrap();
            let found: Vec<_> = found.iter().map(|(id, until)| (id.as_str(), *until)).collect();
            assert_eq!(found, expected, "{issuer} at {now}");
        }
        assert_eq!(store.revoked().add("a", &"x".repeat(5000), 1).unwrap_err().kind(), Kind::Full);
    }

    #[test]
    fn what_is_over_is_swept() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::sqlite::migrate(&mut connection).unwrap();
        connection.execute_batch("INSERT INTO revoked VALUES ('a', '1', 10), ('a', '2', 20), ('b', '1', 30)").unwrap();
        assert_eq!((sweep(&connection, 20, 1).unwrap(), sweep(&connection, 20, 5).unwrap()), (1, 1));
        assert_eq!(sweep(&connection, 20, 5).unwrap(), 0);
        let left: String = connection.query_row("SELECT issuer || id FROM revoked", [], |row| row.get(0)).unwrap();
        assert_eq!(left, "b1");
    }
}
