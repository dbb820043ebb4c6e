//! A consistent copy of the database while it is in use.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{check, number, open_to_read};
use crate::Result;
use crate::directory::{DATABASE, sync_parent};
use crate::error::{Error, Kind};

/// How long a writer may keep the backup from starting.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Bytes of the file.
    pub bytes: u64,
    /// The number of its schema.
    pub schema: usize,
}

/// Copies the database of a data directory, in use or not, to a file that must not be there yet. The copy is of one
/// moment, whole, checked, and on the disk under its name when this returns; until then nothing has that name.
pub fn backup(directory: &Path, to: &Path) -> Result<Saved> {
    let database = directory.join(DATABASE);
    if !database.is_file() {
        let message = format!("there is no {DATABASE} in {}; name a gateway's data directory", directory.display());
        return Err(Error::new(Kind::Absent, message));
    }
    if to.symlink_metadata().is_ok() {
        return Err(exists(to));
    }
    let partial = Partial::make(to)?;
    let from = open_to_read(&database)?;
    let schema = check(&from)?;
    copy(&from, &partial.path)?;
    let file = File::open(&partial.path).map_err(|cause| Error::file("open", &partial.path, cause))?;
    file.sync_all().map_err(|cause| Error::file("sync", &partial.path, cause))?;
    let bytes = file.metadata().map_err(|cause| Error::file("look at", &partial.path, cause))?.len();
    partial.publish(to)?;
    Ok(Saved { bytes, schema })
}

fn copy(from: &Connection, path: &Path) -> Result<()> {
    let mut to = Connection::open(path)?;
    let backup = Backup::new(from, &mut to)?;
    let started = Instant::now();
    // All pages in one step are one read transaction: the copy is of one moment and writers go on beside it.
    while backup.step(-1)? != StepResult::Done {
        if started.elapsed() > PATIENCE {
            return Err(Error::new(Kind::Late, "the database was locked for too long"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(backup);
    // One plain file, with no journal beside it.
    to.execute_batch("PRAGMA journal_mode = DELETE;")?;
    let verdict: String = to.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Error::new(Kind::Foreign, format!("the copy is broken: {verdict}")));
    }
    if number(&to, "user_version")? != number(from, "user_version")? {
        return Err(Error::new(Kind::Foreign, "the copy lost its schema"));
    }
    to.close().map_err(|(_, cause)| Error::from(cause))
}

/// A file on its way; gone again unless it is published.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn make(to: &Path) -> Result<Self> {
        let Some(name) = to.file_name() else {
            return Err(Error::new(Kind::Absent, format!("{} names no file", to.display())));
        };
        let mut partial = name.to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let path = to.with_file_name(partial);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(|cause| Error::file("make", &path, cause))?;
        Ok(Self { path })
    }

    /// Gives the file its name, never replacing another.
    fn publish(self, to: &Path) -> Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, &self.path, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(exists(to)),
            // Where the file system cannot: a second name, which is never one that is taken.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::hard_link(&self.path, to) {
                Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists(to)),
                linked => linked.map_err(|cause| Error::file("name", to, cause))?,
            },
            Err(errno) => return Err(Error::file("name", to, errno.into())),
        }
        sync_parent(to)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Renamed, it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

fn exists(to: &Path) -> Error {
    Error::new(Kind::Exists, format!("{} is already there and is not overwritten; name another file", to.display()))
}
