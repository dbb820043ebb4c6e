//! Asking by Envoy's contract (`envoy/service/auth/v3/external_auth.proto`): the messages of it that are used here, by the
//! numbers of their fields.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::{Method, Request, StatusCode, Version};

use super::proto::{Reader, Value, Writer};
use super::{Allowed, Ask, Decision, PARTIAL};
use crate::exchange::Exchange;

/// The method of the contract.
pub(super) const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

impl Ask {
    pub(super) async fn by_grpc(&self, x: &mut Exchange, body: Option<Bytes>) -> Result<Decision, String> {
        let message = self.check_request(x, body.as_deref());
        let mut body = BytesMut::with_capacity(message.len() + 5);
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len()).map_err(|_| "the request is too large")?);
        body.put_slice(&message);
        let mut request = Request::new(body.freeze());
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        let answer = self.remote.ask(x.local.worker, request).await.map_err(|error| error.to_string())?;
        let status = answer.trailers.get(&GRPC_STATUS).or_else(|| answer.headers.get(&GRPC_STATUS));
        match status.map(HeaderValue::as_bytes) {
            Some(b"0") => {}
            Some(other) => return Err(format!("gRPC status {}", other.escape_ascii())),
            None => return Err(format!("no gRPC status; it answered {}", answer.status.as_u16())),
        }
        check_response(unframed(&answer.body).ok_or("the answer is no gRPC message")?)
    }

    /// `CheckRequest`.
    fn check_request(&self, x: &Exchange, body: Option<&[u8]>) -> Vec<u8> {
        let mut request = Writer::default();
        request.message(1, |attributes| {
            attributes.message(1, |source| {
                peer(source, &x.client.to_string(), x.connection.peer.port());
                if let Some(client) = x.connection.tls.as_ref().and_then(|tls| tls.client.as_ref()) {
                    let spiffe = client.names.iter().find(|name| name.starts_with("spiffe://"));
                    let principal = spiffe.or(client.names.first()).unwrap_or(&client.subject);
                    source.bytes(4, principal.as_bytes());
                }
            });
            attributes.message(2, |to| peer(to, &x.connection.local.ip().to_string(), x.connection.local.port()));
            attributes.message(4, |request| {
                let now = x.local.program.clock.wall_at(x.record.started);
                request.message(1, |time| {
                    time.number(1, now.as_secs()).number(2, u64::from(now.subsec_nanos()));
                });
                request.message(2, |http| self.http_request(http, x, body));
            });
        });
        request.bytes
    }

    /// `AttributeContext.HttpRequest`.
    fn http_request(&self, http: &mut Writer, x: &Exchange, body: Option<&[u8]>) {
        if let Some(id) = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok()) {
            http.bytes(1, id.as_bytes());
        }
        // The path as it is matched and goes on, not as it was written.
        let (path, target) = (x.request.uri.path_and_query(), &x.record.target);
        let path = path.map_or("/", |path| path.as_str());
        let host = x.request.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| Some(target.authority()?.as_str())).unwrap_or_default();
        http.bytes(2, x.record.method.as_str().as_bytes());
        for name in x.request.headers.keys().filter(|name| self.send.has(name) && **name != PARTIAL) {
            let values: Vec<_> = x.request.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let separator: &[u8] = if name == http::header::COOKIE { b"; " } else { b"," };
            // Text only: what is not UTF-8 cannot be said.
            if let Ok(value) = std::str::from_utf8(&values.join(separator)) {
                http.entry(3, name.as_str(), value);
            }
        }
        for (name, value) in [(":method", x.record.method.as_str()), (":path", path), (":authority", host)] {
            http.entry(3, name, value);
        }
        http.entry(3, ":scheme", x.scheme.as_str());
        let protocol = match x.record.version {
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        http.bytes(4, path.as_bytes()).bytes(5, host.as_bytes()).bytes(6, x.scheme.as_str().as_bytes());
        let size = http_body::Body::size_hint(&x.request_body).exact();
        // -1 as a signed number of 64 bits.
        http.number(9, size.unwrap_or(u64::MAX)).bytes(10, protocol.as_bytes());
        if let Some(body) = body {
            http.entry(3, PARTIAL.as_str(), "false");
            // `body` is text by its type; what is none goes as bytes.
            http.bytes(if std::str::from_utf8(body).is_ok() { 11 } else { 12 }, body);
        }
    }
}

/// `AttributeContext.Peer` with an address.
fn peer(peer: &mut Writer, address: &str, port: u16) {
    peer.message(1, |at| {
        at.message(1, |socket| {
            socket.bytes(2, address.as_bytes()).number(3, u64::from(port));
        });
    });
}

/// The message of a body that is one uncompressed message.
fn unframed(body: &[u8]) -> Option<&[u8]> {
    let (frame, message) = body.split_at_checked(5)?;
    let (flag, length) = frame.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    (*flag == 0 && length == message.len()).then_some(message)
}

/// `CheckResponse`.
pub(super) fn check_response(message: &[u8]) -> Result<Decision, String> {
    let broken = || "the answer is no CheckResponse".to_owned();
    let (mut code, mut denied, mut ok) = (0, None, None);
    let mut fields = Reader::new(message);
    for (field, value) in &mut fields {
        match (field, value) {
            (1, Value::Bytes(status)) => code = number(status, 1).ok_or_else(broken)?,
            (2, Value::Bytes(message)) => denied = Some(message),
            (3, Value::Bytes(message)) => ok = Some(message),
            _ => {}
        }
    }
    if !fields.is_good() {
        return Err(broken());
    }
    if code == 0 {
        return allowed(ok.unwrap_or_default()).map(Decision::Allow).ok_or_else(broken);
    }
    denial(denied.unwrap_or_default()).ok_or_else(broken)
}

/// `OkHttpResponse`.
fn allowed(message: &[u8]) -> Option<Allowed> {
    let mut allowed = Allowed::default();
    let mut fields = Reader::new(message);
    for (field, value) in &mut fields {
        let Value::Bytes(value) = value else { continue };
        match field {
            2 => match option(value)? {
                (name, value, Append::Yes) => {
                    allowed.told.append(&name, value.clone());
                    allowed.append.push((name, value));
                }
                (name, value, Append::No) => {
                    allowed.told.insert(&name, value.clone());
                    allowed.set.push((name, value));
                }
            },
            5 => allowed.remove.extend(HeaderName::from_bytes(value).ok()),
            6 => {
                let (name, value, _) = option(value)?;
                allowed.reply.push((name, value));
            }
            _ => {}
        }
    }
    fields.is_good().then_some(allowed)
}

/// `DeniedHttpResponse`; 403 where it says no status of a refusal.
fn denial(message: &[u8]) -> Option<Decision> {
    let (mut status, mut headers, mut body) = (StatusCode::FORBIDDEN, HeaderMap::new(), Bytes::new());
    let mut fields = Reader::new(message);
    for (field, value) in &mut fields {
        match (field, value) {
            (1, Value::Bytes(told)) => {
                let code = number(told, 1)?;
                let told = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
                status =
                    told.filter(|told| told.as_u16() >= 300 && *told != StatusCode::NOT_MODIFIED).unwrap_or(status);
            }
            (2, Value::Bytes(told)) => match option(told)? {
                (name, value, Append::Yes) => drop(headers.append(name, value)),
                (name, value, Append::No) => drop(headers.insert(name, value)),
            },
            (3, Value::Bytes(told)) => body = Bytes::copy_from_slice(told),
            _ => {}
        }
    }
    fields.is_good().then_some(Decision::Deny { status, headers, body })
}

enum Append {
    Yes,
    No,
}

/// `HeaderValueOption`.
fn option(message: &[u8]) -> Option<(HeaderName, HeaderValue, Append)> {
    let (mut name, mut value, mut append) = (None, HeaderValue::from_static(""), Append::No);
    let mut fields = Reader::new(message);
    for (field, found) in &mut fields {
        match (field, found) {
            (1, Value::Bytes(header)) => {
                for (field, found) in Reader::new(header) {
                    match (field, found) {
                        (1, Value::Bytes(key)) => name = Some(HeaderName::from_bytes(key).ok()?),
                        (2 | 3, Value::Bytes(found)) => value = HeaderValue::from_bytes(found).ok()?,
                        _ => {}
                    }
                }
            }
            (2, Value::Bytes(flag)) if number(flag, 1)? != 0 => append = Append::Yes,
            _ => {}
        }
    }
    name.filter(|_| fields.is_good()).map(|name| (name, value, append))
}

/// A number of a message; 0 where it is not there.
fn number(message: &[u8], wanted: u32) -> Option<u64> {
    let mut fields = Reader::new(message);
    let mut found = 0;
    for (field, value) in &mut fields {
        if let (true, Value::Number(number)) = (field == wanted, value) {
            found = number;
        }
    }
    fields.is_good().then_some(found)
}
