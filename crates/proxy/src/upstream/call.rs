//! A request of the gateway's own: the keys of an issuer, the meaning of a token, a question to a policy server. It goes by
//! the same pools, name resolution and TLS as the requests of clients.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::time::Instant;

use super::checkout::{self, Asking};
use super::deadline::Patience;
use super::endpoint::Lane;
use super::failure::{self, Failure};
use super::forward::Outbound;
use super::lease::Leased;
use super::pool::Freshness;
use super::{HostOut, Target, Upstream};
use crate::exchange::{Body, Error, Outgoing, codes};

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// From the request to the response head.
    pub first_byte: Duration,
    /// Between two pieces of the response.
    pub idle: Duration,
    /// All of it.
    pub total: Option<Instant>,
}

/// A whole answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its trailer fields.
    pub trailers: HeaderMap,
}

/// A call, to the address of this lane or to any of the target's.
pub(super) struct OwnCall<'a> {
    pub(super) worker: usize,
    pub(super) target: &'a Target,
    pub(super) lane: Option<Arc<Lane>>,
    pub(super) request: Request<Bytes>,
    /// The `Host`: this one, or what the upstream says; the target's own when not given.
    pub(super) host: Option<Option<HostOut>>,
    pub(super) limits: &'a CallLimits,
}

impl<'a> OwnCall<'a> {
    const fn to(worker: usize, target: &'a Target, request: Request<Bytes>, limits: &'a CallLimits) -> Self {
        Self { worker, target, lane: None, request, host: None, limits }
    }
}

/// How often a kept connection may prove stale before a new one is opened.
const STALE: u32 = 2;

impl Upstream {
    /// Sends a request by the connections of this worker and reads the whole response, of at most `most` bytes, until
    /// `until`. A kept connection that proves stale costs another try, so the request must be one that may be sent twice.
    pub(crate) async fn call(
        &self,
        worker: usize,
        request: Request<Bytes>,
        until: Instant,
        most: usize,
    ) -> Result<Answer, Error> {
        let Some(target) = self.targets.first() else {
            return Err(Error::new(&codes::NO_TARGET, "There is nobody to ask."));
        };
        let left = until.saturating_duration_since(Instant::now());
        let limits = CallLimits { first_byte: left, idle: left, total: Some(until) };
        let leased = self.leased(OwnCall::to(worker, target, request, &limits));
        let whole = async {
            let (head, body) = leased.await?.into_parts();
            let (body, trailers) = collect(body, most).await?;
            Ok(Answer { status: head.status, headers: head.headers, body, trailers })
        };
        match tokio::time::timeout_at(until, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(&codes::TOTAL_TIMEOUT, "The answer did not come in time.")),
        }
    }

    /// Sends a request by the connections of this worker and gives the response as it comes. Its body holds the
    /// connection: dropped before its end, it closes it.
    pub(crate) async fn open(
        &self,
        worker: usize,
        request: Request<Bytes>,
        limits: &CallLimits,
    ) -> Result<Response<Body>, Error> {
        let Some(target) = self.targets.first() else {
            return Err(Error::new(&codes::NO_TARGET, "There is nobody to ask."));
        };
        Ok(self.leased(OwnCall::to(worker, target, request, limits)).await?.map(Body::Upstream))
    }

    /// Makes a call.
    pub(super) async fn leased(&self, call: OwnCall<'_>) -> Result<Response<Leased>, Error> {
        let OwnCall { worker, target, lane, request, host, limits } = call;
        let body = request.body().clone();
        let mut outbound = Outbound::own(request);
        if let Some(host) = host {
            outbound.sent.asks_for(host);
        }
        let mut stale = 0;
        loop {
            let fresh = if stale < STALE { Freshness::Any } else { Freshness::New };
            let now = self.clock.now();
            let asking = Asking { worker, fresh, now, total: limits.total };
            let mut held = checkout::connection(self, target, lane.clone(), &asking).await?;
            let reused = held.is_reused();
            outbound.dress(self, target, &held);
            let mut patience = Patience::new(Instant::now(), limits.first_byte, limits.total, None);
            match held.send(&mut outbound, true, &mut patience).await {
                Ok(received) => {
                    return Ok(Response::from_parts(received.head, Leased::new(held, None, limits.idle, limits.total)));
                }
                Err(Failure::Unsent) if reused => {}
                Err(Failure::Broken(broke)) if reused && failure::may_be_stale(&broke) => {}
                Err(failed) => {
                    held.in_flight.failed();
                    return Err(match failed {
                        Failure::Unsent => Error::new(&codes::UPSTREAM_RESET, "The connection was closed at once."),
                        Failure::Broken(broke) => failure::of_response(broke),
                        Failure::Late => Error::new(&codes::TOTAL_TIMEOUT, "The answer did not come in time."),
                    });
                }
            }
            stale += 1;
            held.head_again(&mut outbound);
            *outbound.request.body_mut() = Outgoing::whole(body.clone());
        }
    }
}

/// The whole body, unless it is larger than it may be: then its connection is closed without reading on.
async fn collect(mut body: Leased, most: usize) -> Result<(Bytes, HeaderMap), Error> {
    let too_large = || Error::new(&codes::RESPONSE_TOO_LARGE, format!("The answer is larger than {most} bytes."));
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let (mut whole, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while let Some(frame) = std::future::poll_fn(|cx| body.poll_frame(cx)).await {
        let data = match frame.map_err(|error| *error)?.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().unwrap_or_default();
                continue;
            }
        };
        if whole.len() + data.len() > most {
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    Ok((whole.freeze(), trailers))
}
