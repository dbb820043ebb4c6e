//! Upstreams: pools, balance, timeouts, TLS out, DNS.

mod connect;
mod deadline;
mod endpoint;
mod failure;
mod fields;
mod forward;
mod gate;
mod h1;
mod lease;
mod pool;
mod relay;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::header::HOST;
use http::{HeaderValue, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use model::problem::{Problem, Problems};
use model::resource::HostPolicy;
use tokio::time::Instant;

pub use deadline::Deadline;
pub use lease::Leased;

use crate::exchange::{Attempt, Body, Error, Exchange, codes};
use crate::program::{Environment, RoutePlan, UpstreamId};
use connect::Stream;
use endpoint::{Endpoint, InFlight};
use h1::{Failure, H1};
use lease::Held;
use pool::{Pool, Terms};

/// An upstream at run time.
pub struct Upstream {
    /// Its place in its program.
    pub id: UpstreamId,
    /// Its name.
    pub name: Arc<str>,
    targets: Box<[Target]>,
    host: Option<HeaderValue>,
    preserve_host: bool,
    timeouts: model::resource::Timeouts,
    written: model::resource::Pool,
    terms: Terms,
    next: std::sync::atomic::AtomicUsize,
}

/// A target at run time.
struct Target {
    host: HeaderValue,
    endpoint: Arc<Endpoint>,
}

impl Upstream {
    /// Compiles an upstream. Its pools and counters are those of its predecessor where addresses stay.
    pub fn compile(
        id: UpstreamId,
        written: &model::resource::Upstream,
        path: &str,
        env: &Environment,
        problems: &mut Problems,
    ) -> Option<Arc<Self>> {
        let mut targets = Vec::new();
        for (at, target) in written.targets.iter().enumerate() {
            let path = format!("{path}.targets[{at}].url");
            let Some(url) = target::Url::parse(&target.url, &path, problems) else { continue };
            let Some(address) = url.address() else {
                let problem = Problem::error("config.target", target.url.span, "names are not resolved yet");
                problems.push(problem.path(path).help("write an IP address"));
                continue;
            };
            let pool = env.keep.get(&format!("pool|{address}|h1"), || Pool::new(env.workers, &env.clock));
            let key = format!("endpoint|{}|{}|{address}|h1", *written.name, *target.url);
            let endpoint = env.keep.get(&key, || Endpoint::new(address, pool));
            targets.push(Target { host: url.host_value(), endpoint });
        }
        let host = match &written.host {
            HostPolicy::Literal(host) => HeaderValue::from_str(host).ok(),
            HostPolicy::Target | HostPolicy::Preserve => None,
        };
        Some(Arc::new(Self {
            id,
            name: written.name.to_string().into(),
            targets: targets.into(),
            host,
            preserve_host: written.host == HostPolicy::Preserve,
            timeouts: written.timeouts.clone(),
            terms: Terms::of(&written.pool),
            written: written.pool.clone(),
            next: std::sync::atomic::AtomicUsize::new(0),
        }))
    }

    /// Sends the exchange's request and fills in the response head and body.
    pub async fn serve(&self, x: &mut Exchange, plan: &RoutePlan) -> Result<(), Error> {
        let clock = x.local.program.clock.clone();
        let now = clock.now();
        x.record.forwarded = Some(now);
        let mut request = forward::request(x, plan)?;
        let total = x.timeouts.total.unwrap_or(self.timeouts.total);
        let total = (!total.is_zero()).then(|| clock.instant(x.record.started) + total.get());
        let first_byte = clock.instant(now) + x.timeouts.first_byte.unwrap_or(self.timeouts.first_byte).get();
        loop {
            let turn = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(target) = self.targets.get(turn % self.targets.len().max(1)) else {
                return Err(Error::new(&codes::NO_TARGET, "The upstream has no target."));
            };
            if !self.preserve_host {
                request.headers_mut().insert(HOST, self.host.as_ref().unwrap_or(&target.host).clone());
            }
            let mut held = self.connection(target, x.local.worker, now).await?;
            let reused = held.connection.requests > 0;
            x.record.attempts += 1;
            x.record.attempt = Some(Attempt { upstream: self.id, address: held.connection.address, reused });
            held.connection.deadline.set(total.map_or(first_byte, |total| total.min(first_byte)));
            match held.connection.send(request).await {
                Ok(response) => return Ok(self.answer(x, response, held, total)),
                Err(Failure::Unsent(unsent)) if reused => request = *unsent,
                Err(Failure::Unsent(_)) => {
                    held.in_flight.failed();
                    return Err(Error::new(&codes::UPSTREAM_RESET, "The upstream closed the connection.").unsent());
                }
                Err(Failure::Broken(error)) => {
                    if let Some(failure) = x.meter.as_ref().and_then(|meter| meter.failure()) {
                        return Err(*failure);
                    }
                    held.in_flight.failed();
                    return Err(failure::of_response(error));
                }
                Err(Failure::Late) => {
                    held.in_flight.failed();
                    return Err(if total.is_some_and(|total| total <= first_byte) {
                        Error::new(&codes::TOTAL_TIMEOUT, "The exchange took longer than it may.")
                    } else {
                        Error::new(&codes::FIRST_BYTE_TIMEOUT, "The upstream did not answer in time.")
                    });
                }
            }
        }
    }

    /// A connection from the pool, or a new one.
    async fn connection(&self, target: &Target, worker: usize, now: crate::clock::Time) -> Result<Held, Error> {
        let Some(lane) = target.endpoint.lane(worker) else {
            return Err(Error::new(&codes::NO_TARGET, "The upstream has no target."));
        };
        let in_flight = InFlight::on(lane);
        if let Some(connection) = lane.shard.take(&self.terms, now) {
            return Ok(Held { connection, in_flight, terms: self.terms });
        }
        let address = target.endpoint.address;
        let Some(permit) = lane.shard.gate.enter(self.terms.connections) else {
            return Err(Error::new(&codes::POOL_FULL, "All connections to the upstream are in use.").unsent());
        };
        let keepalive = (!self.written.tcp_keepalive.is_zero()).then(|| self.written.tcp_keepalive.get());
        let opened = tokio::time::timeout(self.timeouts.connect.get(), connect::tcp(address, keepalive)).await;
        let stream = opened.map_err(|_| failure::of_slow_connect())?.map_err(failure::of_connect)?;
        let header_bytes = usize::try_from(self.written.header_bytes.get()).unwrap_or(usize::MAX);
        let connection = H1::begin(Stream::Plain(stream, address), header_bytes, permit, now).await;
        let connection = Box::new(connection.map_err(failure::of_response)?);
        Ok(Held { connection, in_flight, terms: self.terms })
    }

    /// Fills in the response.
    fn answer(&self, x: &mut Exchange, response: Response<Incoming>, mut held: Held, total: Option<Instant>) {
        x.record.answered = Some(x.local.program.clock.now());
        let (mut head, body) = response.into_parts();
        let found = fields::scan(&head.headers);
        fields::remove_hop_by_hop(&mut head.headers, found);
        x.response = Some(head);
        if body.is_end_stream() {
            x.response_body = Body::Empty;
            held.give_back();
            return;
        }
        if x.meter.as_ref().is_some_and(|meter| Arc::strong_count(meter) > 1) {
            held.connection.detach();
        }
        let idle = x.timeouts.idle.unwrap_or(self.timeouts.idle).get();
        x.response_body = Body::Upstream(Leased::new(body, held, idle, total));
    }
}
