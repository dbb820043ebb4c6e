//! Asking each address of each target now and then. The address's own pool is used, so that a check meets what a request
//! would.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, Uri};
use model::resource::{HealthKind, StatusRange};
use tokio::time::Instant;

use super::super::call::{CallLimits, OwnCall};
use super::super::endpoint::Endpoint;
use super::super::lease::Leased;
use super::super::target::{Place, Target};
use super::super::{HostOut, Upstream};
use crate::exchange::codes;
use crate::random;

/// As much of a body is looked at.
const MOST_BODY: usize = 64 << 10;
/// Checks of an upstream at the same time.
const AT_ONCE: usize = 32;

/// How targets are asked.
pub(in crate::upstream) struct Active {
    pub(super) kind: HealthKind,
    pub(super) uri: Uri,
    pub(super) host: Option<(HeaderValue, http::uri::Authority)>,
    pub(super) headers: HeaderMap,
    pub(super) service: String,
    pub(super) interval: Duration,
    pub(super) jitter: f64,
    pub(super) timeout: Duration,
    pub(super) healthy: u16,
    pub(super) unhealthy: u16,
    pub(super) expect: Box<[StatusRange]>,
    pub(super) body: Option<Box<[u8]>>,
}

/// An address of a target, by the target's place.
type Id = (usize, SocketAddr);

/// Answers in a row, of one address.
#[derive(Clone, Copy, Default)]
struct Row {
    good: u16,
    bad: u16,
    /// Nothing was known before.
    new: bool,
}

impl Upstream {
    /// Whether its targets are asked how they are.
    pub(crate) fn is_watched(&self) -> bool {
        self.health.active.is_some()
    }

    /// Asks how its targets are, by the connections of this worker, for as long as anybody uses the upstream.
    pub(crate) async fn watch(this: Weak<Self>, worker: usize) {
        let mut rows: HashMap<Id, Row> = HashMap::new();
        loop {
            let pause = {
                let Some(upstream) = this.upgrade() else { return };
                let Some(active) = &upstream.health.active else { return };
                upstream.ask_all(active, worker, &mut rows).await;
                active.pause()
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask_all(&self, active: &Active, worker: usize, rows: &mut HashMap<Id, Row>) {
        let mut all: Vec<(Id, Arc<Target>, Arc<Endpoint>)> = Vec::new();
        for (at, target) in self.targets.iter().enumerate() {
            match &target.place {
                Place::Address(endpoint) => all.push(((at, endpoint.address), target.clone(), endpoint.clone())),
                Place::Name(name) => {
                    name.keep_fresh();
                    all.extend(name.endpoints().iter().map(|one| ((at, one.address), target.clone(), one.clone())));
                }
            }
        }
        rows.retain(|known, _| all.iter().any(|(one, ..)| one == known));
        let asked = all.into_iter().map(|(id, target, endpoint)| async move {
            let well = self.ask_one(active, worker, &target, &endpoint).await;
            (id, endpoint, well)
        });
        let answers: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        for (id, endpoint, answer) in answers {
            let Some(well) = answer else { continue };
            let row = rows.entry(id).or_insert(Row { new: true, ..Row::default() });
            if let Some(well) = row.next(well.is_ok(), active)
                && endpoint.vitals.checked(well, self.clock.now())
            {
                self.changes.note();
                tracing::warn!(target: "tollgate::upstream", upstream = %self.name, address = %id.1, well, "checked");
            }
        }
    }

    /// Whether this address is well; nothing where it could not be asked for the gateway's own sake.
    async fn ask_one(
        &self,
        active: &Active,
        worker: usize,
        target: &Target,
        endpoint: &Endpoint,
    ) -> Option<Result<(), &'static str>> {
        let until = Instant::now() + active.timeout;
        let asked = async {
            match active.kind {
                HealthKind::Tcp => match target.dial.open(&[endpoint.address]).await {
                    Ok(_) => Some(Ok(())),
                    Err(_) => Some(Err("it cannot be reached")),
                },
                HealthKind::Http | HealthKind::Grpc => self.ask_http(active, worker, target, endpoint, until).await,
            }
        };
        tokio::time::timeout_at(until, asked).await.unwrap_or(Some(Err("it did not answer in time")))
    }

    async fn ask_http(
        &self,
        active: &Active,
        worker: usize,
        target: &Target,
        endpoint: &Endpoint,
        until: Instant,
    ) -> Option<Result<(), &'static str>> {
        let limits = CallLimits { first_byte: active.timeout, idle: active.timeout, total: Some(until) };
        let host = active.host.clone().map(|(value, authority)| HostOut::Literal(value, authority));
        let lane = endpoint.lane(worker).cloned();
        let call = OwnCall { worker, target, lane, request: active.request(), host: Some(host), limits: &limits };
        let response = match self.leased(call).await {
            Ok(response) => response,
            Err(error) if error.code == &codes::POOL_FULL => return None,
            Err(_) => return Some(Err("it cannot be reached")),
        };
        let (head, body) = response.into_parts();
        if active.kind == HealthKind::Grpc {
            return Some(is_serving(&head.headers, body).await);
        }
        if !active.expect.iter().any(|range| range.has(head.status.as_u16())) {
            return Some(Err("its status is not as expected"));
        }
        let (text, _) = beginning(body).await;
        match &active.body {
            Some(wanted) if memchr::memmem::find(&text, wanted).is_none() => Some(Err("its body is not as expected")),
            _ => Some(Ok(())),
        }
    }
}

impl Row {
    /// What is known after another answer, where that is enough to know it.
    fn next(&mut self, good: bool, active: &Active) -> Option<bool> {
        (self.good, self.bad) = if good { (self.good.saturating_add(1), 0) } else { (0, self.bad.saturating_add(1)) };
        let new = std::mem::take(&mut self.new);
        let enough = new || if good { self.good >= active.healthy } else { self.bad >= active.unhealthy };
        enough.then_some(good)
    }
}

impl Active {
    /// How long until the next round.
    fn pause(&self) -> Duration {
        let drawn = f64::from(random::below(1 << 20)) / f64::from(1 << 20);
        self.interval.mul_f64((1.0 + self.jitter * (drawn - 0.5)).max(0.01))
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        if self.kind == HealthKind::Grpc {
            *request.method_mut() = Method::POST;
            *request.body_mut() = asks_for(&self.service);
        }
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static("tollgate-health"));
        if self.kind == HealthKind::Grpc {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
        request
    }
}

/// `HealthCheckRequest` (grpc.health.v1), framed.
fn asks_for(service: &str) -> Bytes {
    let length = u8::try_from(service.len()).unwrap_or(0);
    let mut message = BytesMut::new();
    if length > 0 {
        message.put_slice(&[0x0a, length]);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(0));
    framed.put_slice(&message);
    framed.freeze()
}

/// Whether a `HealthCheckResponse` says `SERVING`.
async fn is_serving(head: &HeaderMap, body: Leased) -> Result<(), &'static str> {
    let (text, trailers) = beginning(body).await;
    let status = trailers.get("grpc-status").or_else(|| head.get("grpc-status"));
    if status.is_none_or(|status| status != "0") {
        return Err("its gRPC status is not 0");
    }
    if text.get(5..7) == Some(&[0x08, 0x01]) { Ok(()) } else { Err("it is not serving") }
}

/// As much of the body as is looked at, and its trailers. All of a short one is read, so that its connection is kept.
async fn beginning(mut body: Leased) -> (BytesMut, HeaderMap) {
    let (mut text, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while text.len() < MOST_BODY && !body.is_end_stream() {
        match poll_fn(|cx| body.poll_frame(cx)).await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => text.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            },
            _ => break,
        }
    }
    (text, trailers)
}
