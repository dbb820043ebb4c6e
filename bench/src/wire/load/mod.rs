//! The load generator: closed-loop for CPU cost and throughput, open-loop for latency.

mod conn;
mod driver;
mod h1;
mod h2;
mod request;
mod says;
mod tally;
mod transport;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

pub(crate) use driver::Driver;
pub(crate) use request::{Request, Shape};
pub(crate) use tally::{Outcome, Progress};
pub(crate) use transport::{Offer, client_config};

use super::clock::Nanos;
use crate::measure::Gauge;

/// The protocol spoken to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, one request at a time a connection.
    H1,
    /// HTTP/2, by ALPN over TLS and by prior knowledge without.
    H2,
}

/// Who is asked, and over what.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Present for TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) protocol: Protocol,
    /// SNI name.
    pub(crate) host: String,
}

/// When a request is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As soon as the one before it is answered.
    Closed,
    /// This many a second, whatever the answers do; latency counts from the intended time.
    Open(f64),
    /// One request on each connection, which then stays open and idle.
    Once,
}

/// How long a connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Until the end.
    Keep,
    /// One request.
    Fresh,
}

/// When the measured window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many good answers, or when patience is at its end.
    Answered(u64),
    /// When `Progress::stop` says so.
    Told,
}

/// What the generator does while there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Looks again at once. The proxy under test then never pays for waking the generator's core (on a virtual machine
    /// an exit to the hypervisor, a microsecond or more a request), and sends are on time to the microsecond.
    Spin,
    /// Sleeps, and leaves the core to others.
    Sleep,
}

/// One piece of work for the generator.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) target: Target,
    /// Asked for in a random order when there are several.
    pub(crate) requests: Arc<[Request]>,
    pub(crate) connections: usize,
    /// Requests at once on one HTTP/2 connection.
    pub(crate) streams: usize,
    pub(crate) pace: Pace,
    pub(crate) lifetime: Lifetime,
    pub(crate) warmup: Duration,
    pub(crate) until: Until,
    pub(crate) wait: Wait,
    /// How long the last answers, and the first connections, are waited for.
    pub(crate) patience: Duration,
    /// The body's length; any other is a fault.
    pub(crate) expect: Option<u64>,
    /// What a body has to say in one of its lines; any other is a fault (HTTP/1.1 only).
    pub(crate) says: Option<&'static str>,
    /// Bytes whose first appearance in an answer's head is noted (HTTP/1.1 only).
    pub(crate) marker: Option<Arc<[u8]>>,
    /// Whether each answer's time and latency are kept.
    pub(crate) timeline: Timeline,
    /// Whose CPU is read at both ends of the window.
    pub(crate) gauge: Option<Gauge>,
}

/// Whether single answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeline {
    Keep,
    Drop,
}

/// Why a request counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The connection could not be opened.
    Connect,
    /// The TLS session could not be.
    Tls,
    /// The connection ended before the answer did.
    Closed,
    /// The stream was reset.
    Reset,
    /// The answer was not 200.
    Status,
    /// The body had another length than expected.
    Length,
    /// The body did not say what it had to.
    Words,
    /// Not the protocol.
    Malformed,
    /// No answer in time.
    Timeout,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect failed",
            Self::Tls => "TLS failed",
            Self::Closed => "closed before the answer",
            Self::Reset => "stream reset",
            Self::Status => "status other than 200",
            Self::Length => "unexpected body length",
            Self::Words => "unexpected body",
            Self::Malformed => "malformed answer",
            Self::Timeout => "no answer in time",
        })
    }
}

/// One request that has ended.
struct Done {
    /// When it should have been sent.
    intended: Nanos,
    fault: Option<Fault>,
    /// The marker was in its head.
    marked: bool,
    /// When its body began to arrive (HTTP/1.1 only).
    first: Option<Nanos>,
}

/// What one event of a connection has brought.
#[derive(Default)]
struct Got {
    /// When it came.
    now: Nanos,
    done: Vec<Done>,
    /// Tokens that came, each by the time when it was due.
    tokens: Vec<Nanos>,
}

/// What an answer is held against.
struct Expect {
    length: Option<u64>,
    marker: Option<memchr::memmem::Finder<'static>>,
    says: Option<memchr::memmem::Finder<'static>>,
}

impl Expect {
    fn fault(&self, ok: bool, length: u64) -> Option<Fault> {
        match self.length {
            _ if !ok => Some(Fault::Status),
            Some(expected) if expected != length => Some(Fault::Length),
            _ => None,
        }
    }
}
