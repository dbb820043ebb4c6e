//! What may go wrong with what is stored.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

/// What is wrong: the kind for programs, a message that says how to mend it, and the cause.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// Kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another process holds the data directory.
    InUse,
    /// What is stored was written by a newer Tollgate.
    Newer,
    /// The file is something else, or broken.
    Foreign,
    /// There is already something where this would be written.
    Exists,
    /// There is nothing where something should be.
    Absent,
    /// A bound is reached; nothing was done.
    Full,
    /// The window ended before what is kept begins; nothing was done.
    Ended,
    /// A key is missing or is none.
    Key,
    /// A sealed secret cannot be opened.
    Sealed,
    /// The store has been closed.
    Closed,
    /// It took too long.
    Late,
    /// The disk or the database refuses.
    Io,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    pub(crate) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Something cannot be done with a file.
    pub(crate) fn file(what: &str, path: &Path, cause: io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::NotFound => Kind::Absent,
            io::ErrorKind::AlreadyExists => Kind::Exists,
            _ => Kind::Io,
        };
        Self::new(kind, format!("cannot {what} {}", path.display())).because(cause)
    }

    pub(crate) fn closed() -> Self {
        Self::new(Kind::Closed, "the store is closed")
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl From<rusqlite::Error> for Error {
    fn from(cause: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match cause.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::new(Kind::Foreign, "the database is broken or none of Tollgate's; restore a backup")
                    .because(cause)
            }
            Some(ErrorCode::DiskFull) => Self::new(Kind::Io, "the disk is full").because(cause),
            _ => Self::new(Kind::Io, "the database refuses").because(cause),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}
