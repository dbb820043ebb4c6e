//! What a listener's settings come to for its connections: worked out once a program, not once a connection.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use model::resource::{ListenerLimits, Protocol};
use tokio_rustls::TlsAcceptor;

use super::streams::Streams;
use crate::clock::Clock;
use crate::program::ListenerPlan;
use crate::telemetry::{ListenerMetrics, Telemetry};

/// What is read beyond the listener's own bounds on a head, so that a head that is little too large becomes an exchange,
/// which is refused by the exact bound and logged; what is far too large never does.
const SLACK: usize = 1 << 10;
const FEW: usize = 16;
/// Bytes of a body that are buffered at most for a connection that is slower than its counterpart.
const BUFFER: usize = 128 << 10;
/// Bytes a client may send ahead on one HTTP/2 stream, and on all of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Streams that a client may have reset before they were looked at (rapid reset, CVE-2023-44487).
const PENDING_RESETS: usize = 32;
/// Streams that the gateway may have reset for the client's mistakes before the connection ends (CVE-2025-8671).
const MISTAKES: usize = 64;
/// A silent HTTP/2 client is asked whether it is alive this often, and has this long to answer.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What a listener's settings come to for its connections.
pub(super) struct Rules {
    /// How long a head may take.
    pub(super) header_timeout: Duration,
    /// How long a connection may be idle.
    pub(super) idle_timeout: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub(super) stall_timeout: Duration,
    /// How long a TLS handshake may take.
    pub(super) handshake_timeout: Duration,
    /// Requests of a connection; 0 sets no bound.
    pub(super) requests: u32,
    /// Connections of the listener.
    pub(super) connections: usize,
    /// Connections of one client address; 0 sets no bound.
    pub(super) connections_per_client: u32,
    /// Which protocols are spoken.
    pub(super) speaks: Speaks,
    /// Whether TLS comes first.
    pub(super) security: Security,
    /// The most bytes of an HTTP/1 head, and the most fields.
    pub(super) head_bytes: usize,
    pub(super) head_fields: usize,
    /// How HTTP/2 is read.
    pub(super) h2: http2::Builder<Streams>,
    /// The gateway's clock.
    pub(super) clock: Clock,
    /// The listener's counters.
    pub(super) metrics: Arc<ListenerMetrics>,
    /// The gateway's.
    pub(super) telemetry: Arc<Telemetry>,
}

/// Which protocols are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP/1.
    H1,
    /// HTTP/2.
    H2,
    /// Whichever the client begins with.
    Either,
}

/// Whether TLS comes first.
pub(super) enum Security {
    /// It does not.
    Plain,
    /// It does.
    Tls(TlsAcceptor),
    /// It should, but the program was compiled without its certificates: nobody is let in.
    Missing,
}

impl Rules {
    /// The rules of a listener.
    pub(super) fn of(plan: &ListenerPlan, clock: &Clock, telemetry: &Arc<Telemetry>) -> Self {
        let limits = &plan.listener.limits;
        Self {
            header_timeout: limits.header_timeout.get(),
            idle_timeout: limits.idle_timeout.get(),
            stall_timeout: limits.body_timeout.get(),
            handshake_timeout: limits.handshake_timeout.get(),
            requests: limits.requests_per_connection,
            connections: usize::try_from(limits.connections).unwrap_or(usize::MAX),
            connections_per_client: limits.connections_per_client,
            speaks: speaks(&plan.listener.protocols),
            security: match (&plan.listener.tls, &plan.tls) {
                (None, _) => Security::Plain,
                (Some(_), Some(config)) => Security::Tls(TlsAcceptor::from(config.clone())),
                (Some(_), None) => Security::Missing,
            },
            head_bytes: limits.header_bytes.as_usize().saturating_add(SLACK),
            head_fields: (*limits.headers as usize).saturating_add(FEW),
            h2: h2(limits),
            clock: clock.clone(),
            metrics: plan.metrics.clone(),
            telemetry: telemetry.clone(),
        }
    }
}

fn speaks(protocols: &[Protocol]) -> Speaks {
    match (protocols.contains(&Protocol::H1), protocols.contains(&Protocol::H2)) {
        (true, true) => Speaks::Either,
        (false, true) => Speaks::H2,
        (true | false, false) => Speaks::H1,
    }
}

fn h2(limits: &ListenerLimits) -> http2::Builder<Streams> {
    // RFC 9113 section 6.5.2 counts 32 bytes for a field beside its name and value.
    let fields = (*limits.headers as usize).saturating_mul(32);
    let head = limits.header_bytes.as_usize().saturating_add(fields).saturating_add(SLACK);
    let mut builder = http2::Builder::new(Streams { stall: limits.body_timeout.get() });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(*limits.streams_per_connection)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(MISTAKES)
        .adaptive_window(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
