//! A response head as it goes out (RFC 9112 sections 4, 6 and 9).

use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, SystemTime};

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{StatusCode, Version, response};
use http_body::SizeHint;
use hyper::ext::ReasonPhrase;

use crate::clock::Time;
use crate::h1::head::number;
use crate::h1::{Framing, Writer, field};

/// What of the request its response depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub(super) version: Version,
    /// The request was a HEAD.
    pub(super) head: bool,
    /// The client takes trailers.
    pub(super) trailers: bool,
    /// The connection carries another request after this one.
    pub(super) persists: bool,
}

/// Writes a head. Its body is framed by its `Content-Length`, by what is known of its length, or in chunks. Returns
/// whether the connection goes on.
pub(super) fn write(
    writer: &mut Writer,
    parts: &response::Parts,
    body: &SizeHint,
    context: Context,
    now: Option<Time>,
) -> bool {
    let status = parts.status;
    let bodiless = status.is_informational() || status == StatusCode::NO_CONTENT;
    let modern = context.version == Version::HTTP_11;
    let to = writer.begin(Framing::Done);
    line(to, parts, modern);
    let (mut length, mut dated, mut ends) = (None, false, false);
    for (name, value) in &parts.headers {
        if name == CONTENT_LENGTH {
            // One number, and none where there can be no body.
            if bodiless || length.is_some() {
                continue;
            }
            length = number(value.as_bytes());
            if length.is_none() {
                continue;
            }
        } else if name == TRANSFER_ENCODING {
            continue;
        } else if name == CONNECTION {
            ends |= value.as_bytes().eq_ignore_ascii_case(b"close");
        }
        dated |= name == DATE;
        field(to, name, value);
    }
    let framing = match length.or(body.exact()) {
        _ if bodiless || context.head || status == StatusCode::NOT_MODIFIED => Framing::Done,
        Some(0) => Framing::Done,
        Some(length) => Framing::Length(length),
        None if modern => Framing::Chunked { trailers: context.trailers },
        None => Framing::UntilEnd,
    };
    match framing {
        Framing::Done if length.is_none() && !bodiless && !context.head && status != StatusCode::NOT_MODIFIED => {
            to.extend_from_slice(b"content-length: 0\r\n");
        }
        Framing::Length(exact) if length.is_none() => {
            let _ = write!(to, "content-length: {exact}\r\n");
        }
        Framing::Chunked { .. } => to.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        _ => {}
    }
    let persists = context.persists && !ends && framing != Framing::UntilEnd;
    if status != StatusCode::SWITCHING_PROTOCOLS && !ends {
        if !persists && modern {
            to.extend_from_slice(b"connection: close\r\n");
        } else if persists && !modern {
            to.extend_from_slice(b"connection: keep-alive\r\n");
        }
    }
    if !dated {
        date(to, now);
    }
    to.extend_from_slice(b"\r\n");
    writer.begin(framing);
    persists
}

fn line(to: &mut Vec<u8>, parts: &response::Parts, modern: bool) {
    if modern && parts.status == StatusCode::OK && parts.extensions.is_empty() {
        to.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    to.extend_from_slice(if modern { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    to.extend_from_slice(parts.status.as_str().as_bytes());
    to.push(b' ');
    match parts.extensions.get::<ReasonPhrase>() {
        Some(reason) => to.extend_from_slice(reason.as_bytes()),
        None => to.extend_from_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes()),
    }
    to.extend_from_slice(b"\r\n");
}

thread_local! {
    /// The date field of the current second, and when that is over.
    static TODAY: RefCell<(Time, Vec<u8>)> = const { RefCell::new((Time(0), Vec::new())) };
}

/// `Date`, made anew once a second.
fn date(to: &mut Vec<u8>, now: Option<Time>) {
    let fresh = || {
        let wall = SystemTime::now();
        let part = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let left = Duration::from_secs(1).saturating_sub(Duration::from_nanos(part.into()));
        (left, format!("date: {}\r\n", httpdate::fmt_http_date(wall)).into_bytes())
    };
    let Some(now) = now else { return to.extend_from_slice(&fresh().1) };
    TODAY.with_borrow_mut(|(until, text)| {
        if now >= *until || text.is_empty() {
            let (left, made) = fresh();
            (*until, *text) = (now + left, made);
        }
        to.extend_from_slice(text);
    });
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Response};

    use super::*;

    const CONTEXT: Context = Context { version: Version::HTTP_11, head: false, trailers: false, persists: true };

    /// The head less its date, whether the connection goes on, and whether a body is wanted.
    fn written(
        status: u16,
        fields: &[(&'static str, &str)],
        body: Option<u64>,
        context: Context,
    ) -> (String, bool, bool) {
        let mut parts = Response::builder().status(status).body(()).unwrap().into_parts().0;
        for (name, value) in fields {
            parts.headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let hint = body.map_or_else(SizeHint::default, SizeHint::with_exact);
        let mut writer = Writer::default();
        let persists = write(&mut writer, &parts, &hint, context, Some(Time(5)));
        let wants = writer.wants_body();
        let text = String::from_utf8(std::mem::take(writer.begin(Framing::Done))).unwrap();
        let (head, date) = text.split_once("date: ").expect("a date");
        assert!(date.ends_with(" GMT\r\n\r\n"), "{date}");
        (head.replace("\r\n", "|"), persists, wants)
    }

    #[test]
    fn bodies_are_framed_in_one_way() {
        let old = Context { version: Version::HTTP_10, ..CONTEXT };
        let head = Context { head: true, ..CONTEXT };
        let last = Context { persists: false, ..CONTEXT };
        let length = |length| ("content-length", length);
        for (status, fields, body, context, expected) in [
            (200, &[length("5")][..], None, CONTEXT, ("HTTP/1.1 200 OK|content-length: 5|", true, true)),
            (200, &[], Some(5), CONTEXT, ("HTTP/1.1 200 OK|content-length: 5|", true, true)),
            (200, &[], Some(0), CONTEXT, ("HTTP/1.1 200 OK|content-length: 0|", true, false)),
            (200, &[length("0")], None, CONTEXT, ("HTTP/1.1 200 OK|content-length: 0|", true, false)),
            (200, &[], None, CONTEXT, ("HTTP/1.1 200 OK|transfer-encoding: chunked|", true, true)),
            (
                200,
                &[("transfer-encoding", "gzip")],
                Some(1),
                CONTEXT,
                ("HTTP/1.1 200 OK|content-length: 1|", true, true),
            ),
            (200, &[length("1, 1")], None, CONTEXT, ("HTTP/1.1 200 OK|transfer-encoding: chunked|", true, true)),
            (200, &[length("1"), length("2")], None, CONTEXT, ("HTTP/1.1 200 OK|content-length: 1|", true, true)),
            (204, &[length("5")], None, CONTEXT, ("HTTP/1.1 204 No Content|", true, false)),
            (304, &[length("5")], None, CONTEXT, ("HTTP/1.1 304 Not Modified|content-length: 5|", true, false)),
            (304, &[], Some(0), CONTEXT, ("HTTP/1.1 304 Not Modified|", true, false)),
            (
                101,
                &[("connection", "upgrade")],
                None,
                last,
                ("HTTP/1.1 101 Switching Protocols|connection: upgrade|", false, false),
            ),
            (200, &[length("5")], None, head, ("HTTP/1.1 200 OK|content-length: 5|", true, false)),
            (200, &[], None, head, ("HTTP/1.1 200 OK|", true, false)),
            (200, &[length("5")], None, last, ("HTTP/1.1 200 OK|content-length: 5|connection: close|", false, true)),
            (
                200,
                &[("connection", "close")],
                Some(0),
                CONTEXT,
                ("HTTP/1.1 200 OK|connection: close|content-length: 0|", false, false),
            ),
            (200, &[length("5")], None, old, ("HTTP/1.0 200 OK|content-length: 5|connection: keep-alive|", true, true)),
            (200, &[], None, old, ("HTTP/1.0 200 OK|", false, true)),
            (299, &[], Some(0), CONTEXT, ("HTTP/1.1 299 |content-length: 0|", true, false)),
        ] {
            let (head, persists, wants) = written(status, fields, body, context);
            assert_eq!((head.as_str(), persists, wants), expected, "{status} {fields:?} {body:?} {context:?}");
        }
    }
}
