//! What heads of requests and responses have in common: where they end, their fields, and what these say of the body and
//! the connection (RFC 9112 sections 5, 6.3 and 9.3).

use bytes::Bytes;
use http::Version;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use super::fault::Fault;
use crate::upstream::fields::{Fields, lists};

/// Where a head ends in these bytes, which had no end before `from`.
pub(crate) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    memchr::memchr_iter(b'\n', rest).map(|at| from + at + 1).find_map(|next| match bytes.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
}

/// Puts fields into a map, and says which of those that matter there are. Values share the head's bytes.
pub(crate) fn fields(head: &Bytes, fields: &[httparse::Header<'_>], to: &mut HeaderMap) -> Result<Fields, Fault> {
    let mut found = Fields::default();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Fault::Protocol("a header field is not valid"));
        };
        found.add(&name);
        to.append(name, value);
    }
    Ok(found)
}

/// Whether the body comes in chunks and nothing else. Another encoding would have to be taken off, and HTTP/1.0 has none.
pub(crate) fn is_chunked(headers: &HeaderMap, version: Version) -> bool {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    chunked && values.next().is_none() && version >= Version::HTTP_11
}

/// `Content-Length`: one number, though it may be said several times.
pub(crate) fn length(headers: &mut HeaderMap) -> Result<u64, Fault> {
    const REFUSED: Fault = Fault::Protocol("the Content-Length is not one number");
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
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether the connection goes on after this message (RFC 9112 section 9.3).
pub(crate) fn persists(version: Version, headers: &HeaderMap, found: Fields) -> bool {
    let says = |what| found.has(Fields::CONNECTION) && lists(headers, &CONNECTION, what);
    if version < Version::HTTP_11 { says("keep-alive") && !says("close") } else { !says("close") }
}
