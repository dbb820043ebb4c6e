//! What every request goes through before a route is sought: its head is checked against the listener's limits and the
//! rules of HTTP, its path is brought into the plain form, and the gateway learns which host is meant and who the client
//! is. What is answered here (a refusal, the redirect to HTTPS, `OPTIONS *`) still goes through the response side.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderValue, LOCATION};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri, Version};
use model::resource::{HttpsRedirect, ListenerLimits, PathHandling};

pub use super::buffer::{buffer, buffer_response};
use super::forwarded;
use super::host::{self, HostRefused};
use super::path::normalize;
use super::{Body, Error, Exchange, Scheme, codes};
use crate::policies::{Outcome, Reply};
use crate::program::Local;
use crate::upstream::fields::{self, Fields};

/// Checks the head, brings its path into the plain form and learns who the client is. `Next` where a route is to be
/// sought.
pub fn head(x: &mut Exchange, local: &Local) -> Outcome {
    match received(x, local) {
        Ok(None) => Outcome::Next,
        Ok(Some(reply)) => Outcome::Reply(Box::new(reply)),
        Err(error) => Outcome::Fail(Box::new(error)),
    }
}

fn received(x: &mut Exchange, local: &Local) -> Result<Option<Reply>, Error> {
    let listener = local.program.listener(x.connection.listener).map(|plan| &plan.listener);
    let (limits, paths) = match listener {
        Some(listener) => (Cow::Borrowed(&listener.limits), Cow::Borrowed(&listener.paths)),
        // The listener is gone and its last connections drain.
        None => (Cow::Owned(ListenerLimits::default()), Cow::Owned(PathHandling::default())),
    };
    size(x, &limits)?;
    target(x)?;
    host(x)?;
    path(x, &paths)?;
    let found = x.found.unwrap_or_else(|| fields::scan(&x.request.headers));
    x.found = Some(found);
    body(x, &limits, found)?;
    origin(x, &local.program.trusted_proxies)?;
    if found.has(Fields::CONNECTION) {
        fields::remove_named(&mut x.request.headers);
        x.found = None;
    }
    let redirect = listener.and_then(|listener| listener.redirect_to_https.as_ref());
    match redirect {
        Some(redirect) if x.scheme == Scheme::Http && x.connection.tls.is_none() => to_https(x, redirect).map(Some),
        _ if x.request.uri.path() == "*" => Ok(Some(reply(StatusCode::OK))),
        _ => Ok(None),
    }
}

/// The listener's limits on the head. What hyper has read is already bounded; this is the exact bound.
fn size(x: &Exchange, limits: &ListenerLimits) -> Result<(), Error> {
    let uri = &x.request.uri;
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len());
    if target > limits.uri_bytes.as_usize() {
        let detail = format!("The request target has more than {} bytes.", limits.uri_bytes.get());
        return Err(Error::new(&codes::URI_TOO_LONG, detail));
    }
    let headers = &x.request.headers;
    if headers.len() > *limits.headers as usize {
        let detail = format!("The request has more than {} header fields.", *limits.headers);
        return Err(Error::new(&codes::HEADERS_TOO_LARGE, detail));
    }
    // Each field as HTTP/1.1 writes it, with `: ` and a line break.
    let fields: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target + fields > limits.header_bytes.as_usize() {
        let detail = format!("The request head has more than {} bytes.", limits.header_bytes.get());
        return Err(Error::new(&codes::HEADERS_TOO_LARGE, detail));
    }
    Ok(())
}

/// The forms of a request target (RFC 9112 section 3.2) and the methods that go with them.
fn target(x: &Exchange) -> Result<(), Error> {
    let extended = || x.request.extensions.get::<hyper::ext::Protocol>().is_some();
    if x.request.method == Method::CONNECT && !extended() {
        return Err(Error::new(&codes::NOT_IMPLEMENTED, "The gateway opens no tunnels."));
    }
    let http = x.request.uri.scheme_str().is_none_or(|scheme| matches!(scheme, "http" | "https"));
    if x.request.version < Version::HTTP_2 && !http {
        return Err(malformed("The request target has another scheme than http or https."));
    }
    match x.request.uri.path() {
        "*" if x.request.method == Method::OPTIONS => Ok(()),
        path if path.starts_with('/') => Ok(()),
        _ => Err(malformed("The request target is no path.")),
    }
}

/// Which host is meant: that of the target before `Host` (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
fn host(x: &mut Exchange) -> Result<(), Error> {
    let mut fields = x.request.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(malformed("The request has more than one Host field."));
    }
    let older = x.request.version < Version::HTTP_11;
    let h2 = x.request.version == Version::HTTP_2;
    let host = match (x.request.uri.authority(), field) {
        (Some(authority), field) => {
            if field.is_none() && !older && !h2 {
                return Err(malformed("The request has no Host field."));
            }
            let meant = host::parse(authority.as_str()).map_err(refused)?;
            match field {
                Some(field) if h2 && read_host(field)? != meant => {
                    return Err(malformed("The Host field names another host than the request target."));
                }
                Some(field) if !h2 && field.as_bytes() != authority.as_str().as_bytes() => {
                    let value = HeaderValue::try_from(authority.as_str());
                    let value = value.map_err(|_| malformed("The request target's host is no host."))?;
                    x.request.headers.insert(HOST, value);
                }
                _ => {}
            }
            meant.0
        }
        (None, Some(field)) => read_host(field)?.0,
        (None, None) if older => Box::default(),
        (None, None) => return Err(malformed("The request has no Host field.")),
    };
    x.host = host;
    Ok(())
}

fn read_host(field: &HeaderValue) -> Result<(Box<str>, Option<u16>), Error> {
    let text = field.to_str().map_err(|_| refused(HostRefused::Name))?;
    host::parse(text).map_err(refused)
}

/// Brings the path into its plain form, in place.
fn path(x: &mut Exchange, rules: &PathHandling) -> Result<(), Error> {
    let path = x.request.uri.path();
    if path == "*" {
        return Ok(());
    }
    // A target such as `http://example.com?a` has a path only in name.
    let bare = x.request.uri.path_and_query().is_none_or(|target| !target.as_str().starts_with('/'));
    let plain = match normalize(path, rules) {
        Ok(Cow::Borrowed(_)) if !bare => return Ok(()),
        Ok(plain) => plain,
        Err(why) => return Err(Error::new(&codes::BAD_PATH, why.to_string())),
    };
    let target = match x.request.uri.query() {
        Some(query) => format!("{plain}?{query}"),
        None => plain.into_owned(),
    };
    // Escapes may have made it longer than a target can be.
    let too_long = |_| Error::new(&codes::URI_TOO_LONG, "The request target is too long.");
    let target = PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(too_long)?;
    let mut parts = std::mem::take(&mut x.request.uri).into_parts();
    parts.path_and_query = Some(target);
    x.request.uri = Uri::from_parts(parts).map_err(|_| malformed("The request target is no URI."))?;
    Ok(())
}

/// The framing of the body and its bound.
fn body(x: &mut Exchange, limits: &ListenerLimits, found: Fields) -> Result<(), Error> {
    if found.has(Fields::TRANSFER_ENCODING) && found.has(Fields::CONTENT_LENGTH) {
        return Err(malformed("The request has both Transfer-Encoding and Content-Length."));
    }
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if found.has(Fields::EXPECT) && !x.request.headers.get_all(EXPECT).iter().all(known) {
        return Err(Error::new(&codes::EXPECTATION_FAILED, "The gateway knows no expectation but 100-continue."));
    }
    x.body_limit = x.body_limit.min(limits.body_bytes.get());
    if http_body::Body::size_hint(&x.request_body).lower() > x.body_limit {
        return Err(super::outgoing::too_large(x.body_limit));
    }
    Ok(())
}

/// Who the client is, behind proxies that are trusted.
fn origin(x: &mut Exchange, trusted: &[ipnet::IpNet]) -> Result<(), Error> {
    if trusted.is_empty() {
        return Ok(());
    }
    match forwarded::origin(x.client, &x.request.headers, trusted) {
        Ok(None) => {}
        Ok(Some(origin)) => {
            x.client = origin.client;
            x.scheme = origin.scheme.unwrap_or(x.scheme);
        }
        Err(forwarded::Malformed) => return Err(malformed("The Forwarded field is not well-formed.")),
    }
    Ok(())
}

/// The redirect of a plain request to HTTPS.
fn to_https(x: &Exchange, redirect: &HttpsRedirect) -> Result<Reply, Error> {
    if x.host.is_empty() {
        return Err(malformed("The request names no host to be redirected to."));
    }
    let path = x.request.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if path == "*" { "/" } else { path };
    let location = match redirect.port {
        443 => format!("https://{}{path}", x.host),
        port => format!("https://{}:{port}{path}", x.host),
    };
    let location = HeaderValue::try_from(location).map_err(|_| malformed("The request target is no URI."))?;
    let mut reply = reply(StatusCode::from_u16(*redirect.status).unwrap_or(StatusCode::PERMANENT_REDIRECT));
    reply.head.headers.insert(LOCATION, location);
    Ok(reply)
}

fn reply(status: StatusCode) -> Reply {
    let mut head = super::response_head(status);
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Reply { head, body: Body::Empty }
}

fn malformed(detail: &'static str) -> Error {
    Error::new(&codes::BAD_REQUEST, detail)
}

fn refused(why: HostRefused) -> Error {
    Error::new(&codes::BAD_REQUEST, why.to_string())
}

#[cfg(test)]
mod tests;
