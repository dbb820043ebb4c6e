//! Why a message did not come or go.

use std::fmt;
use std::io;

use crate::exchange::BodyError;

/// Why a message did not come or go.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection ended before it was whole.
    Ended,
    /// Its bytes did not come or go.
    Io(io::Error),
    /// What came is not HTTP.
    Protocol(&'static str),
    /// Its head, or its trailers, are larger than they may be.
    TooLarge,
    /// Its body failed where it came from, or was not as long as it said.
    Body(Option<BodyError>),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Ended => f.write_str("the connection ended before the message was whole"),
            Fault::Io(error) => error.fmt(f),
            Fault::Protocol(what) => f.write_str(what),
            Fault::TooLarge => f.write_str("the head is too large"),
            Fault::Body(Some(error)) => error.fmt(f),
            Fault::Body(None) => f.write_str("the body was not as long as it said"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Fault::Io(error) => Some(error),
            _ => None,
        }
    }
}
