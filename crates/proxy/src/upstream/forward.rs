//! The request head as the upstream gets it (RFC 9110 section 7.6, RFC 9112 section 3).

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, VIA};
use http::uri::PathAndQuery;
use http::{Request, Uri, Version};
use http_body::Body as _;

use super::fields::{self, Fields};
use crate::exchange::{Error, Exchange, Outgoing, Scheme, codes};
use crate::program::RoutePlan;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Takes the request out of the exchange. Method, target and version stay in `x.request`; the fields go.
pub(super) fn request(x: &mut Exchange, plan: &RoutePlan) -> Result<Request<Outgoing>, Error> {
    let body = Outgoing::of(x)?;
    let mut headers = std::mem::take(&mut x.request.headers);
    let found = fields::scan(&headers);
    fields::remove_hop_by_hop(&mut headers, found);
    frame(&mut headers, found, &body);
    forwarded(x, &mut headers, found);
    let mut request = Request::new(body);
    *request.method_mut() = x.request.method.clone();
    *request.uri_mut() = target(&x.request.uri, plan.strip)?;
    *request.headers_mut() = headers;
    Ok(request)
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
            // Said outright, as a connection would leave the body of a GET out.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// Path and query alone, less the api's own path.
fn target(uri: &Uri, strip: usize) -> Result<Uri, Error> {
    let Some(whole) = uri.path_and_query() else { return Ok(Uri::from_static("/")) };
    if strip == 0 && uri.authority().is_none() {
        return Ok(uri.clone());
    }
    let mut parts = http::uri::Parts::default();
    let bad = |_| Error::new(&codes::BAD_REQUEST, "The request target is not valid.");
    parts.path_and_query = Some(if strip == 0 {
        whole.clone()
    } else {
        let rest = whole.as_str().get(strip..).unwrap_or_default();
        if rest.starts_with('/') {
            PathAndQuery::try_from(rest).map_err(bad)?
        } else {
            PathAndQuery::try_from(format!("/{rest}")).map_err(bad)?
        }
    });
    Uri::from_parts(parts).map_err(|_| Error::new(&codes::BAD_REQUEST, "The request target is not valid."))
}

/// What tells the upstream who asked, how, and by which way.
fn forwarded(x: &Exchange, headers: &mut HeaderMap, found: Fields) {
    let peer = &x.connection.peer_text;
    let trusted = x.local.program.trusted_proxies.iter().any(|net| net.contains(&x.connection.peer.ip()));
    let before = trusted.then(|| headers.get(&X_FORWARDED_FOR)).flatten();
    let value = match before {
        Some(before) => join(before, peer).unwrap_or_else(|| peer.clone()),
        None => peer.clone(),
    };
    headers.insert(&X_FORWARDED_FOR, value);
    let proto = match x.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    if !(trusted && found.has(Fields::X_FORWARDED_HOST)) {
        let host =
            headers.get(HOST).cloned().or_else(|| HeaderValue::from_str(x.request.uri.authority()?.as_str()).ok());
        if let Some(host) = host {
            headers.insert(&X_FORWARDED_HOST, host);
        }
    }
    if !(trusted && found.has(Fields::X_FORWARDED_PORT)) {
        headers.insert(&X_FORWARDED_PORT, x.connection.port_text.clone());
    }
    let via = match x.request.version {
        Version::HTTP_10 => "1.0 tollgate",
        Version::HTTP_2 => "2 tollgate",
        _ => "1.1 tollgate",
    };
    headers.append(VIA, HeaderValue::from_static(via));
}

/// A list field with one more member.
fn join(before: &HeaderValue, more: &HeaderValue) -> Option<HeaderValue> {
    let mut joined = Vec::with_capacity(before.len() + more.len() + 2);
    joined.extend_from_slice(before.as_bytes());
    joined.extend_from_slice(b", ");
    joined.extend_from_slice(more.as_bytes());
    HeaderValue::try_from(joined).ok()
}
