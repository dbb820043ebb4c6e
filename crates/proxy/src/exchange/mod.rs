//! One request with its response, and everything the gateway knows of it. The exchange is one box that moves into the
//! response body; when that ends, or anything is cut short, it is dropped and thereby settled: every step whose request
//! side ran gets its `end`, and the record is written.

mod attempts;
mod body;
mod buffer;
mod cached;
mod captures;
mod connection;
pub(crate) mod cookies;
mod error;
pub mod forwarded;
mod guarded;
mod head;
pub mod host;
mod identity;
mod meter;
mod outgoing;
pub mod path;
mod problem;
pub mod receive;
mod record;
mod switch;
#[doc(hidden)]
pub mod testing;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use http::uri::Authority;
use http::{request, response};
use model::resource::RouteTimeouts;

pub use attempts::{AttemptOutcome, Attempts, ModelAttempt};
pub use body::{Body, BodyError, Served, Transform, Transforms};
pub use buffer::buffer;
pub use cached::Cached;
pub use captures::Captures;
pub use connection::{ClientCertificate, Connection, Tls};
pub use error::{Blame, Code, Error, Unsent, codes};
pub use guarded::{Checks, Guarded};
pub use head::Scheme;
pub use identity::{Finding, Identity, Learnt};
pub use meter::Meter;
pub use outgoing::Outgoing;
pub use problem::render;
pub(crate) use problem::{document as problem, head as response_head, is_grpc};
pub use record::{Attempt, Finish, ModelCall, Record};
pub use switch::{Switch, Switched};

use crate::clock::Time;
use crate::limit::Held;
use crate::policies::Ended;
use crate::program::{Local, RouteId, RoutePlan};
use crate::terminals::Call;
use crate::upstream::fields::Fields;

/// Header fields to be put on whatever answer goes out.
pub type ReplyHeaders = Vec<(HeaderName, HeaderValue)>;

/// One request with its response.
pub struct Exchange {
    /// The worker and the program that serve it: loaded once, so that no request sees two revisions.
    pub local: Arc<Local>,
    /// The connection it came by.
    pub connection: Arc<Connection>,
    /// The route it matched; the listener's no-route plan before and without a match.
    pub route: RouteId,
    /// The client's address, after trusted hops.
    pub client: IpAddr,
    /// The scheme the client used, after trusted hops.
    pub scheme: Scheme,
    /// The request head. Its path is normalised before matching, so that all see the same bytes.
    pub request: request::Parts,
    /// Which of the fields that matter its head has, where that is known already and no step ran since.
    pub(crate) found: Option<Fields>,
    /// The request body.
    pub request_body: Body,
    /// The most bytes of request body that are read: the listener's bound, lowered by `body_limit`.
    pub body_limit: u64,
    /// Counts the request body once it is handed on; none where there is no body.
    pub meter: Option<Arc<Meter>>,
    /// Timeouts that replace the upstream's: the route's, or those of the `timeout` policy.
    pub timeouts: RouteTimeouts,
    /// How many bytes of the path are the api's own, to be taken off towards the upstream; 0 keeps all. The route's, until
    /// a step gives the path its final form.
    pub strip: usize,
    /// The host that the upstream is asked for, where a step chose one.
    pub upstream_host: Option<Authority>,
    /// Streaming transforms of the request body, in running order.
    pub request_transforms: Transforms,
    /// The host without port, lower case, as matched.
    pub host: Box<str>,
    /// What the path template or regex captured.
    pub captures: Captures,
    /// Who calls, once known.
    pub identity: Option<Identity>,
    /// `WWW-Authenticate` values of identifying steps that found no credential.
    pub challenges: Vec<HeaderValue>,
    /// How many identifying steps found a good credential.
    pub identified: u8,
    /// How many identifying steps found none.
    pub unidentified: u8,
    /// Header fields to be put on whatever answer goes out.
    pub reply_headers: ReplyHeaders,
    /// What the Limit stage settles or lets go later.
    pub held: Held,
    /// The response head, once there is one.
    pub response: Option<response::Parts>,
    /// The response body.
    pub response_body: Body,
    /// Streaming transforms of the response body, in running order.
    pub response_transforms: Transforms,
    /// What a response step needs to remember of the request, by name.
    pub notes: Notes,
    /// The client's connection for another protocol, where the request asked for one.
    pub switched: Option<Switched>,
    /// Where the exchange goes on after its response head, once it was upgraded: its tunnel waits for it.
    pub tunnel: Option<tokio::sync::oneshot::Sender<Box<Exchange>>>,
    /// What the route's terminal made of the request before the steps that need it.
    pub call: Option<Box<dyn Call>>,
    /// Which steps' request sides ran: the first so many of the plan, less those in `skipped`.
    pub ran: usize,
    /// Bits of the steps whose condition did not hold.
    pub skipped: u64,
    /// The error that became the answer, if one did.
    pub error: Option<Error>,
    /// Facts and times for the access record.
    pub record: Record,
}

/// What response steps remember of the request, a named field each.
#[derive(Debug, Default)]
pub struct Notes {
    /// The request's `Accept-Encoding`, kept by `compress`.
    pub accept_encoding: Option<HeaderValue>,
    /// The request's `Accept`, kept by `error_pages`.
    pub accept: Option<HeaderValue>,
    /// The origin whose pages may read the answer, found by `cors`.
    pub cors_origin: Option<HeaderValue>,
    /// The request id, once a step or the gateway set one.
    pub request_id: Option<HeaderValue>,
    /// The `traceparent` sent on.
    pub traceparent: Option<HeaderValue>,
    /// The `Allow` field for a request that no route takes for its method.
    pub allow: Option<HeaderValue>,
    /// Whether the answer must not be stored or changed by response steps: an upgrade went through.
    pub upgraded: Upgraded,
}

/// Whether the connection was handed over to another protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgraded {
    /// It was not.
    #[default]
    No,
    /// A 101 or a successful CONNECT.
    Yes,
}

impl Exchange {
    /// A new exchange for a request head and body that came by `connection`.
    pub fn new(local: Arc<Local>, connection: Arc<Connection>, request: request::Parts, body: Body) -> Box<Self> {
        local.program.telemetry.begin(local.worker);
        Self::make(local, connection, request, body, Finish::Aborted)
    }

    /// An exchange of a request that nobody sent, to see what would become of it. It is neither counted nor recorded.
    pub(crate) fn probe(local: Arc<Local>, connection: Arc<Connection>, request: request::Parts) -> Box<Self> {
        Self::make(local, connection, request, Body::Empty, Finish::Probed)
    }

    fn make(
        local: Arc<Local>,
        connection: Arc<Connection>,
        request: request::Parts,
        body: Body,
        finish: Finish,
    ) -> Box<Self> {
        let now = local.program.clock.now();
        let mut record = Record { finish, ..Record::begin(&request, now) };
        record.kept = local.program.access_log.as_ref().and_then(|log| log.keep_request(&request.headers));
        Box::new(Self {
            route: local.program.no_route(connection.listener),
            client: connection.peer.ip().to_canonical(),
            scheme: if connection.tls.is_some() { Scheme::Https } else { Scheme::Http },
            host: Box::default(),
            captures: Captures::default(),
            identity: None,
            challenges: Vec::new(),
            identified: 0,
            unidentified: 0,
            reply_headers: Vec::new(),
            held: Held::default(),
            response: None,
            response_body: Body::Empty,
            response_transforms: Transforms::default(),
            found: None,
            request_body: body,
            body_limit: u64::MAX,
            meter: None,
            timeouts: RouteTimeouts::default(),
            strip: 0,
            upstream_host: None,
            request_transforms: Transforms::default(),
            notes: Notes::default(),
            switched: None,
            tunnel: None,
            call: None,
            ran: 0,
            skipped: 0,
            error: None,
            record,
            local,
            connection,
            request,
        })
    }

    /// The plan of the route it matched.
    pub fn plan(&self) -> &RoutePlan {
        self.local.program.plan(self.route)
    }

    /// Bytes of the request body that were read.
    pub fn bytes_in(&self) -> u64 {
        self.meter.as_ref().map_or(0, |meter| meter.bytes()).max(self.record.bytes_in)
    }

    /// When the request's head was read.
    pub fn started(&self) -> Time {
        self.record.started
    }

    /// Puts a header field on whatever answer goes out.
    pub fn reply_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.reply_headers.push((name, value));
    }

    /// Settles: each step that ran gets its end, then the record is written. Runs exactly once, from `drop`.
    fn settle(&mut self) {
        if self.record.finish == Finish::Probed {
            return;
        }
        self.record.ended = self.local.program.clock.now();
        self.record.bytes_in = self.bytes_in();
        if std::thread::panicking() {
            self.panicked();
        }
        let ran = std::mem::take(&mut self.ran);
        let program = &self.local.program;
        let plan = program.plan(self.route);
        for (at, planned) in plan.steps.iter().enumerate().take(ran).rev() {
            // A panic here would keep the ends of the other steps from running, or abort the process.
            let end = || planned.step.end(&Ended { exchange: self });
            if self.skipped & (1 << at) == 0 && catch_unwind(AssertUnwindSafe(end)).is_err() {
                self.record.finish = Finish::Panicked;
            }
        }
        program.telemetry.record(self, plan);
    }

    /// A step or terminal panicked, so the client got the gateway's 500, or half an answer.
    fn panicked(&mut self) {
        self.record.finish = Finish::Panicked;
        if self.record.status == 0 {
            self.record.status = 500;
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.settle();
    }
}
