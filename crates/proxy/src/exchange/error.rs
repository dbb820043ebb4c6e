//! Errors as values with five facts: a stable code (with its status and blame), whether it may be tried again, a message
//! that is safe to show, and a private cause for the log.

use std::borrow::Cow;
use std::fmt;

use http::header::{HeaderName, HeaderValue};

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client's request.
    Client,
    /// The upstream.
    Upstream,
    /// The gateway itself.
    Gateway,
}

impl Blame {
    /// Its name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Blame::Client => "client",
            Blame::Upstream => "upstream",
            Blame::Gateway => "gateway",
        }
    }
}

/// A stable error code. One table a part of the gateway, gathered for the docs.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable name, `part.what`: `rate_limit.exceeded`.
    pub name: &'static str,
    /// The HTTP status it answers with.
    pub status: u16,
    /// The problem's title (RFC 9457), the same for every occurrence.
    pub title: &'static str,
    /// Who is to blame.
    pub blame: Blame,
    /// The `Proxy-Status` error type (RFC 9209 section 2.3), where one fits.
    pub proxy_status: Option<&'static str>,
}

/// An error that becomes an answer.
#[derive(Debug)]
pub struct Error {
    /// What happened.
    pub code: &'static Code,
    /// What happened this time, safe to show.
    pub detail: Cow<'static, str>,
    /// Why, for the log only.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Header fields of the answer, such as `Allow` or `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether nothing of the request can have been executed, so that another try is safe.
    pub unsent: Unsent,
}

/// Whether the upstream may have seen the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// It did not: another try is safe.
    Yes,
    /// It may have.
    No,
}

impl Error {
    /// An error with a detail that is safe to show.
    pub fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), cause: None, headers: Vec::new(), unsent: Unsent::No }
    }

    /// The same with a private cause.
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same with a header field for the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, marked as never sent.
    pub fn unsent(mut self) -> Self {
        self.unsent = Unsent::Yes;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name, self.detail)?;
        if let Some(cause) = &self.cause {
            write!(f, " ({cause})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The gateway's own codes. A policy's and a terminal's stand in its own folder.
pub mod codes {
    use super::{Blame, Code};

    macro_rules! codes {
        ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $status:literal, $title:literal, $blame:ident, $proxy:expr;)*) => {
            $($(#[doc = $doc])* pub static $name: Code =
                Code { name: $code, status: $status, title: $title, blame: Blame::$blame, proxy_status: $proxy };)*
            /// All of them.
            pub static ALL: &[&Code] = &[$(&$name),*];
        };
    }

    codes! {
        /// The request is not well-formed HTTP or breaks a rule of it.
        BAD_REQUEST = "request.malformed", 400, "Malformed request", Client, Some("http_request_error");
        /// The path holds what the listener's `paths` refuse.
        BAD_PATH = "request.path_refused", 400, "Path refused", Client, Some("http_request_error");
        /// The request target is too long.
        URI_TOO_LONG = "request.uri_too_long", 414, "URI too long", Client, Some("http_request_error");
        /// The head has too many or too large fields.
        HEADERS_TOO_LARGE = "request.headers_too_large", 431, "Request header fields too large", Client, Some("http_request_error");
        /// The head stopped arriving.
        HEAD_TIMEOUT = "request.head_timeout", 408, "Request timeout", Client, None;
        /// The body is over its bound.
        BODY_TOO_LARGE = "request.body_too_large", 413, "Content too large", Client, Some("http_request_error");
        /// The body stopped arriving.
        BODY_TIMEOUT = "request.body_timeout", 408, "Request timeout", Client, None;
        /// `Expect` asks for what the gateway does not know.
        EXPECTATION_FAILED = "request.expectation_failed", 417, "Expectation failed", Client, None;
        /// The gateway does not do what the method asks for (`CONNECT`).
        NOT_IMPLEMENTED = "request.method_not_implemented", 501, "Method not implemented", Client, None;
        /// No route matches.
        NO_ROUTE = "route.not_found", 404, "No route", Client, Some("destination_not_found");
        /// A route matches but for the method.
        METHOD_NOT_ALLOWED = "route.method_not_allowed", 405, "Method not allowed", Client, None;
        /// The consumer is switched off.
        CONSUMER_DISABLED = "auth.consumer_disabled", 403, "Consumer disabled", Client, None;
        /// The consumer is good no longer.
        CONSUMER_EXPIRED = "auth.consumer_expired", 403, "Consumer expired", Client, None;
        /// The credential is good no longer.
        CREDENTIAL_EXPIRED = "auth.credential_expired", 401, "Credential expired", Client, None;
        /// Credentials of one request mean different consumers.
        CREDENTIALS_CONFLICT = "auth.conflict", 400, "Credentials of different consumers", Client, None;
        /// No credential was found.
        UNIDENTIFIED = "auth.missing", 401, "Credentials required", Client, None;
        /// The caller is known, and is no consumer.
        NO_CONSUMER = "auth.no_consumer", 403, "Not a consumer", Client, None;
        /// The consumer may not call this api.
        NOT_SUBSCRIBED = "auth.not_subscribed", 403, "Not subscribed", Client, None;
        /// The consumer's subscription to this api is suspended.
        SUBSCRIPTION_SUSPENDED = "auth.subscription_suspended", 403, "Subscription suspended", Client, None;
        /// The consumer's subscription to this api is good no longer.
        SUBSCRIPTION_EXPIRED = "auth.subscription_expired", 403, "Subscription expired", Client, None;
        /// No target of the upstream can take the request.
        NO_TARGET = "upstream.unavailable", 503, "Upstream unavailable", Upstream, Some("destination_unavailable");
        /// The upstream failed of late, and is left alone for a while.
        BREAKER_OPEN = "upstream.breaker_open", 503, "Upstream left alone", Upstream, Some("destination_unavailable");
        /// The upstream has as many requests as it takes.
        UPSTREAM_BUSY = "upstream.busy", 503, "Upstream busy", Upstream, Some("connection_limit_reached");
        /// All connections are in use.
        POOL_FULL = "upstream.connection_limit", 503, "Upstream connection limit reached", Upstream, Some("connection_limit_reached");
        /// The target's name did not resolve.
        DNS = "upstream.dns", 502, "Upstream name not resolved", Upstream, Some("dns_error");
        /// The target refused the connection or could not be reached.
        CONNECT = "upstream.connect", 502, "Upstream not reachable", Upstream, Some("connection_refused");
        /// Connecting took too long.
        CONNECT_TIMEOUT = "upstream.connect_timeout", 504, "Upstream connect timeout", Upstream, Some("connection_timeout");
        /// TLS to the target failed.
        UPSTREAM_TLS = "upstream.tls", 502, "Upstream TLS failure", Upstream, Some("tls_protocol_error");
        /// The target's certificate is not good.
        UPSTREAM_CERTIFICATE = "upstream.certificate", 502, "Upstream certificate refused", Upstream, Some("tls_certificate_error");
        /// The connection broke before a response.
        UPSTREAM_RESET = "upstream.reset", 502, "Upstream connection lost", Upstream, Some("connection_terminated");
        /// The target's answer is not HTTP.
        UPSTREAM_PROTOCOL = "upstream.protocol", 502, "Invalid upstream response", Upstream, Some("http_protocol_error");
        /// The response head did not come in time.
        FIRST_BYTE_TIMEOUT = "upstream.timeout", 504, "Upstream timeout", Upstream, Some("http_response_timeout");
        /// The exchange took longer than `timeouts.total`.
        TOTAL_TIMEOUT = "upstream.total_timeout", 504, "Upstream timeout", Upstream, Some("http_response_timeout");
        /// The response body did not go on in time.
        RESPONSE_IDLE = "upstream.idle_timeout", 504, "Upstream stalled", Upstream, Some("connection_read_timeout");
        /// The response is too large for what was to be done with it.
        RESPONSE_TOO_LARGE = "upstream.response_too_large", 502, "Upstream response too large", Upstream, Some("http_response_body_size");
        /// The gateway is at its bound.
        OVERLOADED = "gateway.overloaded", 503, "Gateway overloaded", Gateway, Some("proxy_internal_response");
        /// A defect.
        INTERNAL = "gateway.internal", 500, "Internal error", Gateway, Some("proxy_internal_error");
    }
}
