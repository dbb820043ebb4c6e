//! The data directory, and the lock that makes one process its only writer.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::Result;
use crate::error::{Error, Kind};

/// The database's name in the data directory.
pub const DATABASE: &str = "tollgate.db";
/// The lock's name in the data directory. The file stays; it is the lock on it that counts.
pub const LOCK: &str = "lock";

/// A data directory that this process alone may write to, until this value is dropped or the process ends, however it
/// ends.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    lock: File,
}

impl DataDirectory {
    /// Makes the directory where there is none (mode 0700), and takes its lock.
    pub fn open(path: &Path) -> Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|cause| Error::file("make the data directory", path, cause))?;
        // The name may be a link or relative, and the working directory may change.
        let path = fs::canonicalize(path).map_err(|cause| Error::file("find the data directory", path, cause))?;
        let lock = take_lock(&path)?;
        Ok(Self { path, lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // Closing the file is not enough: a program that is being started right now has it too, until it runs.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

fn take_lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|cause| Error::file("open the lock", &path, cause))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Only a hint: whoever holds the lock may not have written it yet.
            let _ = (&file).take(32).read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            };
            let message = format!(
                "the data directory {} is in use by {holder}; stop it, or give this gateway a directory of its own",
                directory.display()
            );
            return Err(Error::new(Kind::InUse, message));
        }
        Err(errno) => return Err(Error::file("lock", &path, errno.into())),
    }
    let mut out = &file;
    let written = file.set_len(0).and_then(|()| out.rewind()).and_then(|()| writeln!(out, "{}", std::process::id()));
    written.map_err(|cause| Error::file("write", &path, cause))?;
    Ok(file)
}

/// Makes sure that a file's name is on the disk as well as its content.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let synced = File::open(parent).and_then(|folder| folder.sync_all());
    match synced {
        // Some file systems cannot sync a folder; there is nothing more to do there.
        Err(cause) if cause.kind() != ErrorKind::InvalidInput && cause.kind() != ErrorKind::Unsupported => {
            Err(Error::file("sync", parent, cause))
        }
        _ => Ok(()),
    }
}
