//! The request head as a target gets it: fields of the client's hop taken out, who asked put in (RFC 9110 section 7.6,
//! RFC 7239, RFC 9440), target and `Host` in the form of the connection's protocol (RFC 9112 section 3, RFC 9113
//! section 8.3).

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, Parts, PathAndQuery};
use http::{Request, Uri, Version};
use http_body::Body as _;
use model::resource::{ClientCertificates, Switch};

use super::fields::{self, Fields};
use super::lease::{Carrier, Held};
use super::serve::is_idempotent;
use super::{HostOut, Target, Upstream, trace};
use crate::exchange::{Error, Exchange, Outgoing, Switched, codes};
use crate::program::RoutePlan;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static FORWARDED: HeaderName = HeaderName::from_static("forwarded");
static CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static VIA: HeaderName = http::header::VIA;
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// So many fields are added at most.
const ADDED: usize = 8;

/// Fields that the gateway adds. A list, as a map would have to grow for them; the map has none of these names.
pub(super) type Added = Vec<(&'static HeaderName, HeaderValue)>;

/// A request on its way out.
pub(super) struct Outbound {
    pub(super) request: Request<Outgoing>,
    pub(super) added: Added,
    pub(super) sent: Sent,
}

/// What is remembered of a request that was sent.
pub(super) struct Sent {
    /// The `Host` that the client sent.
    host: Option<HeaderValue>,
    /// The one that the route asks for, whatever the upstream says.
    rewritten: Option<Box<HostOut>>,
    /// Whether there is a body.
    pub(super) has_body: bool,
    /// The other protocol that the client asks for, and the client's side of it.
    pub(super) upgrade: Option<(HeaderValue, Switched)>,
}

impl Sent {
    /// The same for a second try of a request without a body.
    pub(super) fn again(&self) -> Self {
        let (host, rewritten) = (self.host.clone(), self.rewritten.clone());
        Self { host, rewritten, has_body: false, upgrade: None }
    }

    /// Asks for this host, or for what the upstream says.
    pub(super) fn asks_for(&mut self, host: Option<HostOut>) {
        self.rewritten = host.map(Box::new);
    }
}

impl Outbound {
    /// Takes the request out of the exchange. Method, target and version stay in `x.request`; its fields too where the
    /// plan has steps that read them later, else they go.
    pub(super) fn take(x: &mut Exchange, plan: &RoutePlan) -> Result<Self, Error> {
        Self::of(x, plan, |x, headers, added, found| {
            let host = headers.get(HOST).cloned();
            let host = host.or_else(|| HeaderValue::from_str(x.request.uri.authority()?.as_str()).ok());
            forwarded(x, headers, added, found, host.as_ref());
            identify(x, headers, added, found);
        })
    }

    /// The same, with nothing in it that the exchange's fields do not say.
    pub(super) fn bare(x: &mut Exchange, plan: &RoutePlan) -> Result<Self, Error> {
        Self::of(x, plan, |_, _, _, _| {})
    }

    fn of(
        x: &mut Exchange,
        plan: &RoutePlan,
        tell: impl FnOnce(&mut Exchange, &mut HeaderMap, &mut Added, Fields),
    ) -> Result<Self, Error> {
        if x.request.method == http::Method::CONNECT {
            return Err(Error::new(&codes::NOT_IMPLEMENTED, "The gateway opens no tunnels to upstreams."));
        }
        let uri = target(&x.request.uri, x.strip)?;
        let body = Outgoing::of(x)?;
        let mut headers = taken(x, plan);
        let found = x.found.unwrap_or_else(|| fields::scan(&headers));
        let upgrade = upgrade(x, &headers, found);
        fields::remove_hop_by_hop(&mut headers, found);
        if let Some((protocol, _)) = &upgrade {
            fields::ask_upgrade(&mut headers, protocol.clone());
        }
        let has_body = !body.is_end_stream();
        frame(&mut headers, found, &body);
        let host =
            headers.get(HOST).cloned().or_else(|| HeaderValue::from_str(x.request.uri.authority()?.as_str()).ok());
        let mut added = Vec::with_capacity(ADDED);
        tell(x, &mut headers, &mut added, found);
        if found.has(Fields::COOKIE) && x.request.version == Version::HTTP_2 {
            join_cookies(&mut headers);
        }
        let mut request = Request::new(body);
        *request.method_mut() = x.request.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let rewritten = x.upstream_host.take().and_then(|authority| {
            Some(Box::new(HostOut::Literal(HeaderValue::try_from(authority.as_str()).ok()?, authority)))
        });
        Ok(Self { request, added, sent: Sent { host, rewritten, has_body, upgrade } })
    }

    /// What is left of one that went.
    pub(super) fn none() -> Self {
        Self::own(Request::new(bytes::Bytes::new()))
    }

    /// A request of the gateway's own: sent as it is, to the target's own host.
    pub(super) fn own(request: Request<bytes::Bytes>) -> Self {
        let mut request = request.map(Outgoing::whole);
        if !request.body().is_end_stream()
            && let Some(length) = request.body().size_hint().exact()
        {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let has_body = !request.body().is_end_stream();
        let rewritten = Some(Box::new(HostOut::Target));
        Self { request, added: Vec::new(), sent: Sent { host: None, rewritten, has_body, upgrade: None } }
    }

    /// Gives target and `Host` the form of the connection that carries it.
    pub(super) fn dress(&mut self, upstream: &Upstream, target: &Target, held: &Held) {
        let policy = self.sent.rewritten.as_deref().unwrap_or(&upstream.host);
        match held.carrier {
            Carrier::H1(_) | Carrier::Beside(_) => {
                let host = match policy {
                    HostOut::Target => Some(&target.host),
                    HostOut::Preserve => self.sent.host.as_ref(),
                    HostOut::Literal(host, _) => Some(host),
                };
                if let Some(host) = host.or(Some(&target.host)) {
                    self.request.headers_mut().insert(HOST, host.clone());
                }
                if self.request.uri().authority().is_some() {
                    let path = self.request.uri().path_and_query().cloned();
                    *self.request.uri_mut() = from_parts(None, path);
                }
            }
            Carrier::H2(_) => {
                let preserved = || Authority::try_from(self.sent.host.as_ref()?.as_bytes()).ok();
                let authority = match policy {
                    HostOut::Target => target.authority.clone(),
                    HostOut::Preserve => preserved().unwrap_or_else(|| target.authority.clone()),
                    HostOut::Literal(_, authority) => authority.clone(),
                };
                let path = self.request.uri().path_and_query().cloned();
                *self.request.uri_mut() = from_parts(Some((target.scheme.clone(), authority)), path);
                self.request.headers_mut().remove(HOST);
            }
        }
    }

    /// Whether it may be sent twice: without a body, by a method that says so.
    pub(super) fn is_repeatable(&self) -> bool {
        !self.sent.has_body && self.sent.upgrade.is_none() && is_idempotent(self.request.method())
    }
}

/// The request's fields: taken, or copied where they are read later. gRPC's content type stays in any case, as the form of
/// an error depends on it.
fn taken(x: &mut Exchange, plan: &RoutePlan) -> HeaderMap {
    if plan.keep_head {
        return x.request.headers.clone();
    }
    let grpc =
        crate::exchange::is_grpc(x).then(|| x.request.headers.get(http::header::CONTENT_TYPE).cloned()).flatten();
    let headers = std::mem::take(&mut x.request.headers);
    if let Some(grpc) = grpc {
        x.request.headers.insert(http::header::CONTENT_TYPE, grpc);
    }
    headers
}

/// The other protocol that an HTTP/1.1 client asks for. HTTP/2 in the clear is not offered this way (RFC 9113 section
/// 3.1), so asking for it is answered as if it had not been asked.
fn upgrade(x: &mut Exchange, headers: &HeaderMap, found: Fields) -> Option<(HeaderValue, Switched)> {
    if !found.has(Fields::UPGRADE) || x.request.version != Version::HTTP_11 {
        return None;
    }
    let protocol = headers.get(http::header::UPGRADE)?.clone();
    if !fields::lists(headers, &http::header::CONNECTION, "upgrade") || protocol.as_bytes().starts_with(b"h2c") {
        return None;
    }
    Some((protocol, x.switched.take()?))
}

/// The fields that say how long the body is, right for what is sent now.
fn frame(headers: &mut HeaderMap, found: Fields, body: &Outgoing) {
    if body.is_end_stream() {
        if found.has(Fields::CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        return;
    }
    match body.size_hint().exact() {
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            if found.has(Fields::CONTENT_LENGTH) {
                headers.remove(CONTENT_LENGTH);
            }
            // Said outright, as a connection would leave the body of a GET out. HTTP/2 takes it away again.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// Path and query alone, less the api's own path.
fn target(uri: &Uri, strip: usize) -> Result<Uri, Error> {
    let Some(whole) = uri.path_and_query() else { return Ok(Uri::from_static("/")) };
    if strip == 0 {
        return Ok(if uri.authority().is_none() { uri.clone() } else { from_parts(None, Some(whole.clone())) });
    }
    let rest = whole.as_str().get(strip..).unwrap_or_default();
    let path =
        if rest.starts_with('/') { PathAndQuery::try_from(rest) } else { PathAndQuery::try_from(format!("/{rest}")) };
    let path = path.map_err(|_| Error::new(&codes::BAD_REQUEST, "The request target is not valid."))?;
    Ok(from_parts(None, Some(path)))
}

fn from_parts(origin: Option<(http::uri::Scheme, Authority)>, path: Option<PathAndQuery>) -> Uri {
    let mut parts = Parts::default();
    if let Some((scheme, authority)) = origin {
        parts.scheme = Some(scheme);
        parts.authority = Some(authority);
    }
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("/"))
}

/// What tells the target who asked, and by which way. A trusted proxy's fields are added to, others are replaced.
/// `Forwarded` is kept up where a trusted proxy began it and never begun, as few targets read both.
fn forwarded(x: &Exchange, headers: &mut HeaderMap, added: &mut Added, found: Fields, host: Option<&HeaderValue>) {
    let connection = &x.connection;
    let trusted = found.has(Fields::OF_PROXIES) && {
        let peer = connection.peer.ip().to_canonical();
        x.local.program.trusted_proxies.iter().any(|net| net.contains(&peer))
    };
    let peer = &connection.peer_text;
    let whole = trusted.then(|| fields::join(headers, &X_FORWARDED_FOR, peer.as_bytes(), b", ")).flatten();
    let mut replace = |found: bool, name: &'static HeaderName, value: HeaderValue| {
        if found {
            headers.remove(name);
        }
        added.push((name, value));
    };
    let whole = whole.unwrap_or_else(|| peer.clone());
    replace(found.has(Fields::X_FORWARDED_FOR), &X_FORWARDED_FOR, whole);
    let proto = HeaderValue::from_static(x.scheme.as_str());
    replace(found.has(Fields::X_FORWARDED_PROTO), &X_FORWARDED_PROTO, proto);
    if !(trusted && found.has(Fields::X_FORWARDED_HOST))
        && let Some(host) = host
    {
        replace(found.has(Fields::X_FORWARDED_HOST), &X_FORWARDED_HOST, host.clone());
    }
    if !(trusted && found.has(Fields::X_FORWARDED_PORT)) {
        replace(found.has(Fields::X_FORWARDED_PORT), &X_FORWARDED_PORT, connection.port_text.clone());
    }
    if found.has(Fields::FORWARDED) {
        let whole = if trusted { fields::join(headers, &FORWARDED, element(x, host).as_bytes(), b", ") } else { None };
        headers.remove(&FORWARDED);
        if let Some(whole) = whole {
            headers.insert(&FORWARDED, whole);
        }
    }
    let via = match x.request.version {
        Version::HTTP_10 => "1.0 tollgate",
        Version::HTTP_2 => "2.0 tollgate",
        _ => "1.1 tollgate",
    };
    // After those that are there: it is a list of hops.
    added.push((&VIA, HeaderValue::from_static(via)));
}

/// This hop's element of `Forwarded` (RFC 7239 section 4).
fn element(x: &Exchange, host: Option<&HeaderValue>) -> String {
    let peer = x.connection.peer.ip().to_canonical();
    let by = if peer.is_ipv6() { format!("for=\"[{peer}]\"") } else { format!("for={peer}") };
    let proto = x.scheme.as_str();
    match host.and_then(|host| host.to_str().ok()).filter(|host| !host.contains(['"', '\\'])) {
        Some(host) => format!("{by};host=\"{host}\";proto={proto}"),
        None => format!("{by};proto={proto}"),
    }
}

/// What names this exchange and its client: trace, request id, certificate.
fn identify(x: &mut Exchange, headers: &mut HeaderMap, added: &mut Added, found: Fields) {
    let passed = found.has(Fields::TRACEPARENT).then(|| headers.get(&TRACEPARENT)).flatten();
    let passed = passed.filter(|value| trace::is_valid(value.as_bytes())).cloned();
    let traceparent = passed.unwrap_or_else(|| {
        // The state of a trace means nothing in another (W3C Trace Context section 3.3).
        if found.has(Fields::TRACEPARENT | Fields::TRACESTATE) {
            headers.remove(&TRACESTATE);
            headers.remove(&TRACEPARENT);
        }
        let begun = trace::begin();
        added.push((&TRACEPARENT, begun.clone()));
        begun
    });
    x.notes.traceparent = Some(traceparent);
    if let Some(id) = &x.notes.request_id {
        headers.remove(&X_REQUEST_ID);
        added.push((&X_REQUEST_ID, id.clone()));
    }
    if let Some(tls) = x.connection.tls.as_ref()
        && let Some(client) = &tls.client
        && forwards_certificates(x)
    {
        let cert = x.connection.client_cert.get_or_init(|| fields::byte_sequence(&client.der));
        added.push((&CLIENT_CERT, cert.clone()));
    }
}

fn forwards_certificates(x: &Exchange) -> bool {
    let listener = x.local.program.listener(x.connection.listener);
    let asked = listener.and_then(|plan| plan.listener.tls.as_ref()?.client_certificates.as_ref());
    asked.is_some_and(|asked: &ClientCertificates| asked.forward == Switch::On)
}

/// An HTTP/2 client may send its cookies as several fields; HTTP/1.1 knows one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(_), Some(_)) = (crumbs.next(), crumbs.next()) else { return };
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::try_from(all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}
