//! A response head, and what it says of the body and the connection (RFC 9112 sections 4, 6.3 and 9.3).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version, response};
use httparse::Status;
use hyper::ext::ReasonPhrase;

use super::fault::Fault;
use crate::upstream::fields::lists;

/// The most fields of a head.
const FIELDS: usize = 256;

/// What a head says of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// It has so many bytes.
    Length(u64),
    /// It comes in chunks.
    Chunked,
    /// It ends with the connection.
    UntilEnd,
}

/// A response head.
pub(super) struct Head {
    pub(super) parts: response::Parts,
    pub(super) framing: Framing,
    /// Whether the connection may carry another exchange.
    pub(super) persists: bool,
}

/// Where a head ends in these bytes, which had no end before `from`.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    memchr::memchr_iter(b'\n', rest).map(|at| from + at + 1).find_map(|next| match bytes.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// Whether these first bytes can become a head.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    const START: &[u8] = b"HTTP/1.";
    let common = bytes.len().min(START.len());
    bytes.get(..common) == START.get(..common)
}

/// Reads a whole head. `bodiless` where the request's method has responses without a body.
pub(super) fn parse(head: &Bytes, bodiless: bool) -> Result<Head, Fault> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, head, &mut room) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(Fault::Protocol("the response head is not HTTP")),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooLarge),
        Err(_) => return Err(Fault::Protocol("the response head is not HTTP")),
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
    let framing = framing(&mut parts, found, bodiless)?;
    let both = found.length && found.encoding;
    let persists = framing != Framing::UntilEnd && !both && persists(&parts, found);
    Ok(Head { parts, framing, persists })
}

/// Which of the fields that matter here there are.
#[derive(Clone, Copy, Default)]
struct Found {
    length: bool,
    encoding: bool,
    connection: bool,
}

/// Puts fields into a map. Values share the head's bytes.
fn fields(head: &Bytes, fields: &[httparse::Header<'_>], to: &mut HeaderMap) -> Result<Found, Fault> {
    let mut found = Found::default();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Fault::Protocol("a header field is not valid"));
        };
        found.length |= name == CONTENT_LENGTH;
        found.encoding |= name == TRANSFER_ENCODING;
        found.connection |= name == CONNECTION;
        to.append(name, value);
    }
    Ok(found)
}

fn framing(parts: &mut response::Parts, found: Found, bodiless: bool) -> Result<Framing, Fault> {
    let length = if found.length { Some(length(&mut parts.headers)?) } else { None };
    let status = parts.status;
    if bodiless || status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::None);
    }
    if found.encoding {
        // An encoding other than chunked would have to be taken off, and HTTP/1.0 has none.
        let mut values = parts.headers.get_all(TRANSFER_ENCODING).iter();
        let chunked = values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !chunked || values.next().is_some() || parts.version < Version::HTTP_11 {
            return Err(Fault::Protocol("the response has a transfer encoding that the gateway does not know"));
        }
        return Ok(Framing::Chunked);
    }
    Ok(match length {
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::UntilEnd,
    })
}

/// `Content-Length`: one number, though it may be said several times.
fn length(headers: &mut HeaderMap) -> Result<u64, Fault> {
    const REFUSED: Fault = Fault::Protocol("the response's Content-Length is not one number");
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next().and_then(|value| number(value.as_bytes()));
    if let (Some(length), None) = (first, lengths.next()) {
        return Ok(length);
    }
    let mut all = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for member in value.as_bytes().split(|&byte| byte == b',') {
            let length = number(member.trim_ascii()).ok_or(REFUSED)?;
            if *all.get_or_insert(length) != length {
                return Err(REFUSED);
            }
        }
    }
    let length = all.ok_or(REFUSED)?;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(length)
}

/// Digits alone: no sign, no space.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether the connection goes on after this response (RFC 9112 section 9.3).
fn persists(parts: &response::Parts, found: Found) -> bool {
    let says = |what| found.connection && lists(&parts.headers, &CONNECTION, what);
    if parts.version < Version::HTTP_11 { says("keep-alive") } else { !says("close") }
}
