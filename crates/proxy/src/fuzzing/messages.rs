//! HTTP/1.1 messages as a connection reads them, in pieces of any size.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

use crate::h1::{Fault, Reader, Rest};
use crate::listen::requests;

/// The most bytes of a head, and of trailers.
const MOST: usize = 16 << 10;
/// The most fields.
const FIELDS: usize = 100;

/// A request as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Its method and target.
    pub line: (String, String),
    /// Its fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Its body; what is wrong with it where it is not whole.
    pub body: Result<Vec<u8>, String>,
    /// What comes after it, where its body is whole.
    pub rest: Vec<u8>,
    /// Whether another request may come by the same connection.
    pub persists: bool,
}

/// The first request in these bytes, read `size` at a time; none where there is no whole head.
pub fn request(bytes: &[u8], size: usize) -> Option<Result<Request, &'static str>> {
    let mut pieces = Pieces { left: bytes, size: size.max(1) };
    let mut cx = Context::from_waker(Waker::noop());
    let mut reader = Reader::new();
    let Poll::Ready(head) = reader.poll_head(&mut pieces, &mut cx, MOST, requests::begin) else { return None };
    let head = match head {
        Ok(head) => head,
        Err(Fault::Ended) => return None,
        Err(Fault::TooLarge) => return Some(Err("request.headers_too_large")),
        Err(_) => return Some(Err("request.malformed")),
    };
    let asked = match requests::parse(&head, FIELDS) {
        Ok(asked) => asked,
        Err(error) => return Some(Err(error.code.name)),
    };
    reader.begin_body(asked.rest);
    let mut body = Vec::new();
    let failed = loop {
        match reader.poll_frame(&mut pieces, &mut cx, MOST) {
            Poll::Ready(Some(Ok(frame))) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Poll::Ready(Some(Err(fault))) => break Some(fault.to_string()),
            Poll::Ready(None) | Poll::Pending => break None,
        }
    };
    let whole = failed.is_none();
    let rest = if whole { [reader.unused(), pieces.left].concat() } else { Vec::new() };
    Some(Ok(Request {
        line: (asked.parts.method.to_string(), asked.parts.uri.to_string()),
        fields: asked.parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body: failed.map_or(Ok(body), Err),
        rest,
        persists: asked.persists && asked.rest != Rest::UntilEnd,
    }))
}

/// Gives bytes a few at a time, then the end.
struct Pieces<'a> {
    left: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.size.min(into.remaining()).min(self.left.len());
        let (piece, left) = self.left.split_at_checked(length).unwrap_or_default();
        into.put_slice(piece);
        self.left = left;
        Poll::Ready(Ok(()))
    }
}
