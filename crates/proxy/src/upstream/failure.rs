//! What went wrong with a target, as an error with its code.

use std::error::Error as StdError;
use std::io;

use rustls::AlertDescription;

use crate::exchange::{Code, Error, codes};

/// A connection that could not be opened.
pub(super) fn of_connect(error: io::Error) -> Error {
    let code = if error.kind() == io::ErrorKind::TimedOut { &codes::CONNECT_TIMEOUT } else { &codes::CONNECT };
    Error::new(code, "The upstream could not be reached.").because(error).unsent()
}

/// A connection that took too long to open.
pub(super) fn of_slow_connect() -> Error {
    Error::new(&codes::CONNECT_TIMEOUT, "The upstream did not accept the connection in time.").unsent()
}

/// A TLS handshake that failed.
pub(super) fn of_tls(error: io::Error) -> Error {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::new(&codes::UPSTREAM_CERTIFICATE, "The upstream's certificate was refused.")
        }
        Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert) => {
            Error::new(&codes::UPSTREAM_TLS, "The upstream refused the gateway's certificate.")
        }
        _ => Error::new(&codes::UPSTREAM_TLS, "TLS with the upstream failed."),
    }
    .because(error)
    .unsent()
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
    )
}

/// A name that did not resolve.
pub(super) fn of_name(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(&codes::DNS, "The upstream's name could not be resolved.").because(error).unsent()
}

/// All connections were in use for as long as a request waits.
pub(super) fn of_queue() -> Error {
    Error::new(&codes::POOL_FULL, "All connections to the upstream are in use.").unsent()
}

/// A request that got no response.
pub(super) fn of_response(error: hyper::Error) -> Error {
    if error.is_parse_too_large() {
        return Error::new(&codes::RESPONSE_TOO_LARGE, "The upstream's response head is too large.").because(error);
    }
    if error.is_parse() {
        return Error::new(&codes::UPSTREAM_PROTOCOL, "The upstream's response is not HTTP.").because(error);
    }
    if let Some(alert) = source::<io::Error>(&error)
        .and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>())
        .filter(|tls| matches!(tls, rustls::Error::AlertReceived(alert) if is_about_certificates(*alert)))
    {
        // TLS 1.3 tells a client only after its handshake that its certificate is not good.
        let detail = "The upstream refused the gateway's certificate.";
        let cause = alert.to_string();
        return Error::new(&codes::UPSTREAM_TLS, detail).because(cause);
    }
    Error::new(&codes::UPSTREAM_RESET, "The upstream closed the connection before it answered.").because(error)
}

/// A response body that broke off.
pub(super) fn of_body(error: hyper::Error) -> Error {
    let invalid = source::<io::Error>(&error)
        .is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    let code: &'static Code =
        if error.is_parse() || invalid { &codes::UPSTREAM_PROTOCOL } else { &codes::UPSTREAM_RESET };
    Error::new(code, "The upstream's response broke off.").because(error)
}

/// Whether a kept connection may have failed for being kept: it was closed before a whole response head came, or the
/// target says that it has not looked at the request (RFC 9113 section 8.7).
pub(super) fn may_be_stale(error: &hyper::Error) -> bool {
    let lost = |io: &io::Error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
        matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
    };
    let refused = |h2: &h2::Error| h2.reason() == Some(h2::Reason::REFUSED_STREAM) || h2.is_go_away();
    error.is_incomplete_message()
        || error.is_canceled()
        || source::<io::Error>(error).is_some_and(lost)
        || source::<h2::Error>(error).is_some_and(refused)
}

/// The first cause of this type.
fn source<T: StdError + 'static>(error: &hyper::Error) -> Option<&T> {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(found) = found.downcast_ref::<T>() {
            return Some(found);
        }
        cause = found.source();
    }
    None
}
