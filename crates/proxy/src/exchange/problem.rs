//! An error as the client sees it: a problem document (RFC 9457), or what the route's protocol asks for.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode, response};
use serde::Serialize;

use super::error::Error;
use super::{Body, Exchange};
use crate::terminals::Terminal;

static PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// Makes the answer of an error. It is kept in `x.error` for the record.
pub fn render(x: &mut Exchange, error: Error) {
    let grpc = is_grpc(x);
    let (mut parts, body) = match of_terminal(x, &error) {
        Some((parts, text)) => (parts, Body::from(text)),
        None if grpc => grpc_status(&error),
        None => problem(x, &error),
    };
    for (name, value) in &error.headers {
        parts.headers.append(name.clone(), value.clone());
    }
    if let Some(kind) = error.code.proxy_status
        && let Ok(value) = HeaderValue::try_from(format!("tollgate; error={kind}"))
    {
        parts.headers.insert(PROXY_STATUS.clone(), value);
    }
    x.response = Some(parts);
    x.response_body = body;
    x.error = Some(error);
}

/// The error as the route's terminal has it.
fn of_terminal(x: &Exchange, error: &Error) -> Option<(response::Parts, Bytes)> {
    match &x.plan().terminal {
        Terminal::Answer(answer) => answer.render(x, error),
        _ => None,
    }
}

fn problem(x: &Exchange, error: &Error) -> (response::Parts, Body) {
    let request_id = x.notes.request_id.as_ref().and_then(|id| id.to_str().ok());
    let (parts, text) = document(error, request_id);
    (parts, Body::from(text))
}

/// The head and the text of an error's problem document.
pub(crate) fn document(error: &Error, request_id: Option<&str>) -> (response::Parts, Bytes) {
    let document = Problem {
        r#type: "about:blank",
        title: error.code.title,
        status: error.code.status,
        detail: &error.detail,
        code: error.code.name,
        request_id,
    };
    let text = serde_json::to_vec(&document).unwrap_or_default();
    let mut parts = head(StatusCode::from_u16(error.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    (parts, Bytes::from(text))
}

/// Whether the client speaks gRPC and so reads the outcome from `grpc-status`.
pub(crate) fn is_grpc(x: &Exchange) -> bool {
    x.request.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
        && !x
            .request
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc-web"))
}

/// A gRPC error as a trailers-only response. Codes as gRPC's own mapping from HTTP (grpc/doc/http-grpc-status-mapping.md)
/// with those that say more: 413 and 429 are RESOURCE_EXHAUSTED, 504 is DEADLINE_EXCEEDED.
fn grpc_status(error: &Error) -> (response::Parts, Body) {
    let code = match error.code.status {
        400 => "13",
        401 => "16",
        403 => "7",
        404 | 405 => "12",
        408 | 504 => "4",
        413 | 429 | 431 => "8",
        500 => "13",
        502 | 503 => "14",
        _ => "2",
    };
    let mut parts = head(StatusCode::OK);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    parts.headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static(code));
    let message: String = percent_encoding::utf8_percent_encode(&error.detail, percent_encoding::CONTROLS).to_string();
    if let Ok(value) = HeaderValue::try_from(message) {
        parts.headers.insert(HeaderName::from_static("grpc-message"), value);
    }
    (parts, Body::Empty)
}

/// An empty response head with this status.
pub(crate) fn head(status: StatusCode) -> response::Parts {
    let mut parts = Response::new(()).into_parts().0;
    parts.status = status;
    parts
}
