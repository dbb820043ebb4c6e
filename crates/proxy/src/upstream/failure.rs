//! What went wrong with a target, as an error with its code.

use std::error::Error as StdError;
use std::io;

use rustls::AlertDescription;

use super::h1::Fault;
use crate::exchange::{Code, Error, codes};

/// Why a request got no response.
pub(super) enum Failure {
    /// The connection was closed before anything of the request was written.
    Unsent,
    /// It failed after that.
    Broken(Broke),
    /// The deadline came first.
    Late,
}

/// How a connection broke.
#[derive(Debug)]
pub(super) enum Broke {
    /// One of HTTP/1.1.
    H1(Fault),
    /// One of HTTP/2.
    H2(hyper::Error),
}

impl From<Fault> for Broke {
    fn from(fault: Fault) -> Self {
        Broke::H1(fault)
    }
}

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
pub(super) fn of_response(broke: Broke) -> Error {
    let (code, detail): (&'static Code, _) = match &broke {
        Broke::H1(Fault::TooLarge) => (&codes::RESPONSE_TOO_LARGE, "The upstream's response head is too large."),
        Broke::H1(Fault::Protocol(_)) => (&codes::UPSTREAM_PROTOCOL, "The upstream's response is not HTTP."),
        Broke::H2(error) if error.is_parse() => (&codes::UPSTREAM_PROTOCOL, "The upstream's response is not HTTP."),
        _ => (&codes::UPSTREAM_RESET, "The upstream closed the connection before it answered."),
    };
    if let Some(alert) = io_error(&broke)
        .and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>())
        .filter(|tls| matches!(tls, rustls::Error::AlertReceived(alert) if is_about_certificates(*alert)))
    {
        // TLS 1.3 tells a client only after its handshake that its certificate is not good.
        let detail = "The upstream refused the gateway's certificate.";
        let cause = alert.to_string();
        return Error::new(&codes::UPSTREAM_TLS, detail).because(cause);
    }
    because(Error::new(code, detail), broke)
}

fn because(error: Error, broke: Broke) -> Error {
    match broke {
        Broke::H1(fault) => error.because(fault),
        Broke::H2(cause) => error.because(cause),
    }
}

fn io_error(broke: &Broke) -> Option<&io::Error> {
    match broke {
        Broke::H1(Fault::Io(error)) => Some(error),
        Broke::H1(_) => None,
        Broke::H2(error) => source(error),
    }
}

/// A response body that broke off.
pub(super) fn of_body(broke: Broke) -> Error {
    let invalid = match &broke {
        Broke::H1(fault) => matches!(fault, Fault::Protocol(_) | Fault::TooLarge),
        Broke::H2(error) => error.is_parse(),
    };
    let code: &'static Code = if invalid { &codes::UPSTREAM_PROTOCOL } else { &codes::UPSTREAM_RESET };
    because(Error::new(code, "The upstream's response broke off."), broke)
}

/// Whether a kept connection may have failed for being kept: it was closed before a whole response head came, or the
/// target says that it has not looked at the request (RFC 9113 section 8.7).
pub(super) fn may_be_stale(broke: &Broke) -> bool {
    let lost = |io: &io::Error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
        matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
    };
    let refused = |h2: &h2::Error| h2.reason() == Some(h2::Reason::REFUSED_STREAM) || h2.is_go_away();
    io_error(broke).is_some_and(lost)
        || match broke {
            Broke::H1(fault) => matches!(fault, Fault::Ended),
            Broke::H2(error) => {
                error.is_incomplete_message() || error.is_canceled() || source::<h2::Error>(error).is_some_and(refused)
            }
        }
}

/// Whether the target says that it has not looked at the request (RFC 9113 section 8.7).
pub(super) fn is_refused(broke: &Broke) -> bool {
    match broke {
        Broke::H1(_) => false,
        Broke::H2(error) => {
            source::<h2::Error>(error).is_some_and(|h2| h2.reason() == Some(h2::Reason::REFUSED_STREAM))
        }
    }
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
