//! What went wrong with a target, as an error with its code.

use std::error::Error as _;
use std::io;

use crate::exchange::{Error, codes};

/// A connection that could not be opened.
pub(super) fn of_connect(error: io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::TimedOut { &codes::CONNECT_TIMEOUT } else { &codes::CONNECT };
    Error::new(code, "The upstream could not be reached.").because(error).unsent()
}

/// A connection that took too long to open.
pub(super) fn of_slow_connect() -> Error {
    Error::new(&codes::CONNECT_TIMEOUT, "The upstream did not accept the connection in time.").unsent()
}

/// A request that got no response.
pub(super) fn of_response(error: hyper::Error) -> Error {
    if error.is_parse_too_large() {
        return Error::new(&codes::RESPONSE_TOO_LARGE, "The upstream's response head is too large.").because(error);
    }
    if error.is_parse() {
        return Error::new(&codes::UPSTREAM_PROTOCOL, "The upstream's response is not HTTP.").because(error);
    }
    Error::new(&codes::UPSTREAM_RESET, "The upstream closed the connection before it answered.").because(error)
}

/// A response body that broke off.
pub(super) fn of_body(error: hyper::Error) -> Error {
    let code = if error.is_parse() || is_invalid(&error) { &codes::UPSTREAM_PROTOCOL } else { &codes::UPSTREAM_RESET };
    Error::new(code, "The upstream's response broke off.").because(error)
}

/// Whether the bytes themselves were wrong, such as a chunk without a size.
fn is_invalid(error: &hyper::Error) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    io.is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}
