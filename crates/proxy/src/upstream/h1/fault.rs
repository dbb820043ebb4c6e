//! Why an HTTP/1.1 connection failed.

use std::fmt;
use std::io;

use crate::exchange::BodyError;

/// Why an HTTP/1.1 connection failed.
#[derive(Debug)]
pub(in crate::upstream) enum Fault {
    /// It ended before the response was whole.
    Ended,
    /// Its bytes did not come or go.
    Io(io::Error),
    /// What came is not HTTP.
    Protocol(&'static str),
    /// The response head is larger than it may be.
    TooLarge,
    /// The request body failed, or was not as long as it said.
    Request(Option<BodyError>),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Ended => f.write_str("the connection ended before the response was whole"),
            Fault::Io(error) => error.fmt(f),
            Fault::Protocol(what) => f.write_str(what),
            Fault::TooLarge => f.write_str("the response head is too large"),
            Fault::Request(Some(error)) => error.fmt(f),
            Fault::Request(None) => f.write_str("the request body was not as long as it said"),
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
