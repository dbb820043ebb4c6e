//! A request head as it comes in (RFC 9112 sections 3, 6.3 and 9.3). What could be read in two ways is refused.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, TE};
use http::{Method, Request, Uri, Version, request};
use httparse::Status;

use crate::exchange::{Error, codes};
use crate::h1::head::{fields, is_chunked, length, persists};
use crate::h1::{Fault, Rest};
use crate::upstream::fields::{Fields, lists};

/// Heads with up to so many fields are read without an allocation.
const FIELDS: usize = 128;

/// A request without its body.
pub(crate) struct Asked {
    pub(crate) parts: request::Parts,
    /// Which of the fields that matter it has.
    pub(crate) found: Fields,
    /// Its body.
    pub(crate) rest: Rest,
    /// Whether the connection may carry another request.
    pub(crate) persists: bool,
    /// Whether its body comes once the gateway asks for it.
    pub(crate) expects: bool,
    /// Whether it asks for another protocol.
    pub(crate) upgrades: bool,
    /// Whether it takes trailers.
    pub(crate) trailers: bool,
}

/// Whether these first bytes can become a head: empty lines, which are nothing (RFC 9112 section 2.2), then a method. TLS
/// on a port without it is found out here.
pub(crate) fn begin(bytes: &[u8]) -> Option<usize> {
    let Some(at) = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')) else { return Some(bytes.len()) };
    let first = bytes.get(at)?;
    (first.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(first)).then_some(at)
}

/// Reads a whole head, with up to `most` fields.
pub(crate) fn parse(head: &Bytes, most: usize) -> Result<Asked, Error> {
    let mut few = [const { MaybeUninit::uninit() }; FIELDS];
    if most <= FIELDS {
        return read(head, few.get_mut(..most).unwrap_or_default());
    }
    read(head, &mut vec![MaybeUninit::uninit(); most])
}

fn read<'a>(head: &'a Bytes, room: &mut [MaybeUninit<httparse::Header<'a>>]) -> Result<Asked, Error> {
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(head, room) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(malformed("The request head is not HTTP.")),
        Err(error) => return Err(refused(error)),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(malformed("The request line is not HTTP."));
    };
    let mut parts = Request::new(()).into_parts().0;
    parts.method =
        Method::from_bytes(method.as_bytes()).map_err(|_| malformed("The request method is not a token."))?;
    parts.uri = Uri::from_maybe_shared(head.slice_ref(target.as_bytes()))
        .map_err(|_| malformed("The request target is no URI."))?;
    parts.version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    // With room for what steps add, as growing means hashing anew.
    parts.headers.reserve(parsed.headers.len() + 4);
    let found = fields(head, parsed.headers, &mut parts.headers).map_err(unreadable)?;
    let rest = rest(&mut parts, found)?;
    let expects = rest != Rest::Ended
        && parts.version == Version::HTTP_11
        && found.has(Fields::EXPECT)
        && parts.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let connect = parts.method == Method::CONNECT;
    let asks = found.has(Fields::UPGRADE) && lists(&parts.headers, &CONNECTION, "upgrade");
    Ok(Asked {
        found,
        rest,
        persists: persists(parts.version, &parts.headers, found),
        expects,
        upgrades: (asks && parts.version == Version::HTTP_11) || connect,
        trailers: found.has(Fields::TE) && lists(&parts.headers, &TE, "trailers"),
        parts,
    })
}

/// How the body is framed (RFC 9112 section 6.3). Two framings at once are how requests are smuggled.
fn rest(parts: &mut request::Parts, found: Fields) -> Result<Rest, Error> {
    match (found.has(Fields::TRANSFER_ENCODING), found.has(Fields::CONTENT_LENGTH)) {
        (false, false) => Ok(Rest::Ended),
        (true, true) => Err(malformed("The request has both Transfer-Encoding and Content-Length.")),
        (true, false) if is_chunked(&parts.headers, parts.version) => Ok(Rest::CHUNKS),
        (true, false) => Err(malformed("The request has a Transfer-Encoding other than chunked.")),
        (false, true) => Ok(match length(&mut parts.headers).map_err(unreadable)? {
            0 => Rest::Ended,
            length => Rest::Length(length),
        }),
    }
}

fn refused(error: httparse::Error) -> Error {
    match error {
        httparse::Error::TooManyHeaders => {
            Error::new(&codes::HEADERS_TOO_LARGE, "The request has more header fields than it may have.")
        }
        httparse::Error::Version => malformed("The request's version is not HTTP/1.1 or HTTP/1.0."),
        httparse::Error::HeaderName => malformed("The name of a header field is not a token."),
        httparse::Error::HeaderValue => malformed("The value of a header field has bytes that it may not have."),
        _ => malformed("The request head is not HTTP."),
    }
}

fn unreadable(fault: Fault) -> Error {
    malformed("The request's header fields are not valid.").because(fault)
}

pub(super) fn malformed(detail: &'static str) -> Error {
    Error::new(&codes::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    fn parsed(head: &str) -> Result<Asked, Error> {
        parse(&Bytes::copy_from_slice(head.as_bytes()), 20)
    }

    #[test]
    fn heads_are_read_in_one_way() {
        let post = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        for (head, rest, persists, expects, upgrades, trailers) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), Rest::Ended, true, false, false, false),
            ("\r\nGET / HTTP/1.0\r\n\r\n".to_owned(), Rest::Ended, false, false, false, false),
            ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".to_owned(), Rest::Ended, true, false, false, false),
            ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), Rest::Ended, true, false, true, false),
            (post("connection: Close\r\n"), Rest::Ended, false, false, false, false),
            (post("connection: x, close\r\n"), Rest::Ended, false, false, false, false),
            (post("content-length: 0\r\nexpect: 100-continue\r\n"), Rest::Ended, true, false, false, false),
            (post("content-length: 7\r\n"), Rest::Length(7), true, false, false, false),
            (post("content-length: 7\r\ncontent-length: 7\r\n"), Rest::Length(7), true, false, false, false),
            (post("content-length: 7, 7\r\nexpect: 100-Continue\r\n"), Rest::Length(7), true, true, false, false),
            (post("Transfer-Encoding: Chunked\r\nte: trailers\r\n"), Rest::CHUNKS, true, false, false, true),
            (post("upgrade: x\r\n"), Rest::Ended, true, false, false, false),
            (post("upgrade: x\r\nconnection: y, Upgrade\r\n"), Rest::Ended, true, false, true, false),
        ] {
            let asked = parsed(&head).unwrap_or_else(|error| panic!("{head}: {error}"));
            let found = (asked.rest, asked.persists, asked.expects, asked.upgrades, asked.trailers);
            assert_eq!(found, (rest, persists, expects, upgrades, trailers), "{head}");
            assert!(asked.parts.headers.get_all(http::header::CONTENT_LENGTH).iter().count() < 2, "{head}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let post = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
        for head in [
            "GET /\r\n\r\n".to_owned(),
            "GET  / HTTP/1.1\r\n\r\n".to_owned(),
            "GET / HTTP/1.1 \r\n\r\n".to_owned(),
            "GET / HTTP/1.2\r\n\r\n".to_owned(),
            "GET / HTTP/2.0\r\n\r\n".to_owned(),
            "GET / http/1.1\r\n\r\n".to_owned(),
            "G(T / HTTP/1.1\r\n\r\n".to_owned(),
            "GET /\u{1} HTTP/1.1\r\n\r\n".to_owned(),
            "GET /a b HTTP/1.1\r\n\r\n".to_owned(),
            "GET a:b:c HTTP/1.1\r\n\r\n".to_owned(),
            post("no colon"),
            post("name : x"),
            post(" folded: x"),
            post("a: b\r\n folded"),
            post("a: b\rc"),
            post("a: b\0c"),
            post("content-length: 1\r\ncontent-length: 2"),
            post("content-length: 1, 2"),
            post("content-length: +1"),
            post("content-length: -1"),
            post("content-length: 0x1"),
            post("content-length: 1 1"),
            post("content-length:"),
            post("content-length: 18446744073709551616"),
            post("content-length: 1\r\ntransfer-encoding: chunked"),
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
            post("transfer-encoding: chunked, chunked"),
            post("transfer-encoding: gzip, chunked"),
            post("transfer-encoding: chunked, identity"),
            post("transfer-encoding: identity"),
            post("transfer-encoding: \"chunked\""),
            post("transfer-encoding: \u{b}chunked"),
            post("transfer-encoding: xchunked"),
            post("transfer-encoding:"),
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        ] {
            let error = parsed(&head).err().unwrap_or_else(|| panic!("{head:?} is taken"));
            assert_eq!(error.code.name, "request.malformed", "{head:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(21));
        assert_eq!(parsed(&many).err().map(|error| error.code.status), Some(431));
        for most in [20, 200] {
            let fields = "a: b\r\n".repeat(most);
            let asked = parse(&Bytes::from(format!("GET / HTTP/1.1\r\n{fields}\r\n")), most);
            let parts = asked.unwrap_or_else(|error| panic!("{most}: {error}")).parts;
            assert_eq!(parts.headers.get_all(HeaderName::from_static("a")).iter().count(), most);
        }
    }
}
