//! A connection for a request: one that is kept, a place on a shared one, or a new one, within the target's bound.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connect::Opened;
use super::endpoint::{InFlight, Lane};
use super::failure::Broke;
use super::gate::Permit;
use super::h1::H1;
use super::h2::H2;
use super::lease::{Carrier, Held};
use super::pool::{Freshness, Got};
use super::target::{Place, Speaks, Target};
use super::{Upstream, failure};
use crate::clock::Time;
use crate::exchange::{Error, codes};

/// How often another address of a name is chosen, as the first one proved bad while the request waited for it.
const CHOICES: usize = 3;

/// Who asks for a connection.
pub(super) struct Asking {
    /// The worker that will drive it.
    pub(super) worker: usize,
    /// Whether a kept one will do.
    pub(super) fresh: Freshness,
    /// When the request was handed over.
    pub(super) now: Time,
    /// When the whole exchange must be over.
    pub(super) total: Option<Instant>,
}

impl Upstream {
    /// Passes addresses of a target over for a while.
    fn avoid(&self, target: &Target, lost: &[SocketAddr]) {
        if !lost.is_empty() && matches!(target.place, Place::Name(_)) {
            target.avoid(lost, self.clock.now());
            self.changes.note();
        }
    }
}

/// Gets a connection to a target. What is rarely needed is boxed, as every exchange has room for this future.
pub(super) async fn connection(
    upstream: &Upstream,
    target: &Target,
    mut chosen: Option<Arc<Lane>>,
    asking: &Asking,
) -> Result<Held, Error> {
    let terms = upstream.terms;
    for choice in 1.. {
        let in_flight = InFlight::on(match chosen.take().or_else(|| target.lane(asking.worker, asking.now)) {
            Some(lane) => lane,
            None => Box::pin(resolve(target, asking)).await?,
        });
        let lane = in_flight.lane();
        let got = match lane.shard.get(&terms, asking.now, asking.fresh) {
            Some(got) => got,
            None => {
                let got = Box::pin(wait(upstream, target, lane, asking)).await?;
                let bad = || target.is_avoided(lane.address, upstream.clock.now());
                if matches!(got, Got::Open(..)) && choice < CHOICES && bad() {
                    continue;
                }
                got
            }
        };
        let carrier = match got {
            Got::Idle(connection) => Carrier::H1(connection),
            Got::Stream(stream) => Carrier::H2(stream),
            Got::Open(permit, _opening) => {
                return Box::pin(open(upstream, target, in_flight, permit, asking.total)).await;
            }
        };
        return Ok(Held { carrier, in_flight, terms });
    }
    Err(failure::of_queue())
}

/// The lane of a name's address that takes the request, once the name is resolved.
async fn resolve(target: &Target, asking: &Asking) -> Result<Arc<Lane>, Error> {
    if let Place::Name(name) = &target.place {
        match within(target.dial.timeout, asking.total, name.ready()).await {
            Some(Ok(())) => {}
            Some(Err(why)) => return Err(failure::of_name(why.to_string())),
            None => return Err(failure::of_name("the name servers did not answer in time")),
        }
    }
    let lane = target.lane(asking.worker, asking.now);
    lane.ok_or_else(|| failure::of_name("the name has no addresses"))
}

/// Waits until a connection is free or may be opened; longer where one that can be shared is being opened.
async fn wait(upstream: &Upstream, target: &Target, lane: &Lane, asking: &Asking) -> Result<Got, Error> {
    let terms = &upstream.terms;
    let pending = upstream.breaker.as_ref().and_then(|breaker| breaker.pending);
    if pending.is_some_and(|most| lane.shard.gate.waiting() >= most) {
        return Err(failure::of_queue());
    }
    let opening = lane.shard.is_opening();
    let longest = if opening { target.dial.timeout.max(terms.queue_timeout) } else { terms.queue_timeout };
    let attempt = || lane.shard.get(terms, upstream.clock.now(), asking.fresh);
    let got = within(longest, asking.total, lane.shard.gate.wait(lane.shard.worker(), attempt)).await;
    got.flatten().ok_or_else(failure::of_queue)
}

/// Waits for `what` at most this long, and never past `total`.
async fn within<T>(longest: Duration, total: Option<Instant>, what: impl Future<Output = T>) -> Option<T> {
    let until = Instant::now() + longest;
    let until = total.map_or(until, |total| total.min(until));
    tokio::time::timeout_at(until, what).await.ok()
}

/// Opens a connection; where the target is a name, to whichever of its addresses answers first.
async fn open(
    upstream: &Upstream,
    target: &Target,
    mut in_flight: InFlight,
    mut permit: Permit,
    total: Option<Instant>,
) -> Result<Held, Error> {
    let first = in_flight.lane().address;
    let addresses = target.addresses(first, upstream.clock.now());
    let opened = match within(target.dial.timeout, total, target.dial.open(&addresses)).await {
        Some(Ok(opened)) => opened,
        failed => {
            in_flight.failed();
            in_flight.lane().not_connected();
            let error = match failed {
                Some(Err(error)) => error,
                Some(Ok(_)) | None => failure::of_slow_connect(),
            };
            upstream.avoid(target, &addresses);
            tracing::debug!(target: "tollgate::upstream", upstream = %upstream.name, url = %target.url, %error, "not connected");
            return Err(error);
        }
    };
    upstream.avoid(target, &opened.lost);
    if opened.address != first
        && let Some(lane) = target.lane_of(opened.address, in_flight.lane().shard.worker())
    {
        // Counted where it really went; above that address's own bound it stays on the first one's.
        permit = lane.shard.gate.enter(upstream.terms.connections).unwrap_or(permit);
        in_flight = InFlight::on(lane);
    }
    in_flight.lane().connected();
    begin(upstream, target, in_flight, permit, opened).await
}

/// Begins HTTP on a new connection.
async fn begin(
    upstream: &Upstream,
    target: &Target,
    in_flight: InFlight,
    permit: Permit,
    opened: Opened,
) -> Result<Held, Error> {
    let Opened { stream, address, alpn_h2, .. } = opened;
    let (shard, terms, now) = (&in_flight.lane().shard, upstream.terms, upstream.clock.now());
    let is_h2 = match shard.known.speaks {
        Speaks::H1 => false,
        Speaks::H2 if target.dial.tls.is_some() && !alpn_h2 => {
            return Err(Error::new(&codes::UPSTREAM_PROTOCOL, "The upstream does not agree on HTTP/2.").unsent());
        }
        Speaks::H2 => true,
        Speaks::Alpn => {
            shard.known.learn(alpn_h2);
            alpn_h2
        }
    };
    let carrier = if is_h2 {
        let connection = H2::begin(stream, address, &terms, permit, now).await;
        let connection = connection.map_err(|error| failure::of_response(Broke::H2(error)))?;
        let full = || Error::new(&codes::UPSTREAM_PROTOCOL, "The upstream takes no HTTP/2 streams.");
        Carrier::H2(Box::new(shard.add(connection, &terms).ok_or_else(full)?))
    } else {
        Carrier::H1(Box::new(H1::new(stream, address, terms.header_bytes, permit, now)))
    };
    Ok(Held { carrier, in_flight, terms })
}
