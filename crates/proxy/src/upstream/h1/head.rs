//! A response head, and what it says of the body and the connection (RFC 9112 sections 4, 6.3 and 9.3).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{Response, StatusCode, Version, response};
use httparse::Status;
use hyper::ext::ReasonPhrase;

use crate::h1::head::{fields, is_chunked, length, persists};
use crate::h1::{Fault, Rest};
use crate::upstream::fields::Fields;

/// The most fields of a head.
const FIELDS: usize = 256;

/// A response head.
pub(super) struct Head {
    pub(super) parts: response::Parts,
    /// Which of the fields that matter it has.
    pub(super) found: Fields,
    pub(super) rest: Rest,
    /// Whether the connection may carry another exchange.
    pub(super) persists: bool,
}

/// Whether these first bytes can become a head: nothing stands before it.
pub(super) fn begin(bytes: &[u8]) -> Option<usize> {
    const START: &[u8] = b"HTTP/1.";
    let common = bytes.len().min(START.len());
    (bytes.get(..common) == START.get(..common)).then_some(0)
}

/// Reads a whole head. `bodiless` where the request's method has responses without a body.
pub(super) fn parse(head: &Bytes, bodiless: bool) -> Result<Head, Fault> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, head, &mut room) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(Fault::Protocol("the head is not HTTP")),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooLarge),
        Err(_) => return Err(Fault::Protocol("the head is not HTTP")),
    }
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default());
    let status = status.map_err(|_| Fault::Protocol("the status is none"))?;
    let mut parts = Response::new(()).into_parts().0;
    parts.status = status;
    parts.version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let usual = status.canonical_reason();
    if let Some(reason) =
        parsed.reason.filter(|reason| Some(*reason) != usual && !(reason.is_empty() && usual.is_some()))
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        parts.extensions.insert(reason);
    }
    // With room for what steps add, as growing means hashing anew.
    parts.headers.reserve(parsed.headers.len() + 4);
    let found = fields(head, parsed.headers, &mut parts.headers)?;
    let rest = rest(&mut parts, found, bodiless)?;
    let both = found.has(Fields::CONTENT_LENGTH) && found.has(Fields::TRANSFER_ENCODING);
    let persists = rest != Rest::UntilEnd && !both && persists(parts.version, &parts.headers, found);
    Ok(Head { parts, found, rest, persists })
}

fn rest(parts: &mut response::Parts, found: Fields, bodiless: bool) -> Result<Rest, Fault> {
    let length = if found.has(Fields::CONTENT_LENGTH) { Some(length(&mut parts.headers)?) } else { None };
    let status = parts.status;
    if bodiless || status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Rest::Ended);
    }
    if found.has(Fields::TRANSFER_ENCODING) {
        if !is_chunked(&parts.headers, parts.version) {
            return Err(Fault::Protocol("the response has a transfer encoding that the gateway does not know"));
        }
        return Ok(Rest::CHUNKS);
    }
    Ok(match length {
        Some(0) => Rest::Ended,
        Some(length) => Rest::Length(length),
        None => Rest::UntilEnd,
    })
}
