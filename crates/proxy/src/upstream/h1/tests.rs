//! Responses byte by byte: wherever they are cut, they are read the same, and what is not HTTP is refused.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::HeaderMap;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::receiver::Receiver;
use super::sender::Sender;
use crate::exchange::Outgoing;
use crate::h1::{Chunked, Step};

static ADDED: http::HeaderName = http::HeaderName::from_static("x-two");
const MOST: usize = 16 << 10;

/// Gives these pieces, one a read, then the end.
struct Pieces(Vec<Vec<u8>>);

impl Pieces {
    fn cut(bytes: &[u8], size: usize) -> Self {
        Self(bytes.chunks(size.max(1)).rev().map(<[u8]>::to_vec).collect())
    }
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop() {
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Status, fields, body, trailers, and whether the connection goes on.
type Read<'a> = (u16, &'a str, &'a [u8], &'a str, bool);

/// What becomes of these bytes; or the fault.
fn read(bytes: &[u8], size: usize, bodiless: bool) -> Result<(u16, String, Vec<u8>, String, bool), String> {
    let mut pieces = Pieces::cut(bytes, size);
    let mut cx = Context::from_waker(Waker::noop());
    let mut receiver = Receiver::new();
    let Poll::Ready(head) = receiver.poll_head(&mut pieces, &mut cx, bodiless, MOST) else { panic!("it never waits") };
    let head = head.map_err(|fault| fault.to_string())?.head;
    let (mut body, mut trailers) = (Vec::new(), String::new());
    loop {
        let Poll::Ready(frame) = receiver.poll_frame(&mut pieces, &mut cx, MOST) else { panic!("it never waits") };
        match frame {
            None => break,
            Some(Err(fault)) => return Err(fault.to_string()),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers = fields(&frame.into_trailers().unwrap()),
            },
        }
    }
    Ok((head.status.as_u16(), fields(&head.headers), body, trailers, receiver.may_go_on() && pieces.0.is_empty()))
}

fn fields(map: &HeaderMap) -> String {
    map.iter().map(|(name, value)| format!("{name}={};", value.to_str().unwrap())).collect()
}

#[test]
fn responses_are_read_however_they_are_cut() {
    let cases: [(&[u8], bool, Read<'_>); 14] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, (200, "content-length=5;", b"hello", "", true)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", true, (200, "content-length=5;", b"", "", true)),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", false, (304, "content-length=5;", b"", "", true)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", false, (204, "", b"", "", true)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false, (200, "content-length=0;", b"", "", true)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nab", false, (200, "content-length=2;", b"ab", "", true)),
        (
            b"HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 2\r\n\r\nab",
            false,
            (200, "connection=Close;content-length=2;", b"ab", "", false),
        ),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab", false, (200, "content-length=2;", b"ab", "", false)),
        (
            b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nab",
            false,
            (200, "connection=keep-alive;content-length=2;", b"ab", "", true),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nall of it", false, (200, "", b"all of it", "", false)),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 \r\n\r\n",
            false,
            (204, "", b"", "", true),
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world ok\r\n0\r\n\r\n",
            false,
            (200, "transfer-encoding=Chunked;", b"hello, world ok", "", true),
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1 ; a\r\nx\r\n00\r\nx-sum: 1\r\nhost: evil\r\n\r\n",
            false,
            (200, "transfer-encoding=chunked;", b"x", "x-sum=1;", true),
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n0\r\n\r\n",
            false,
            (200, "transfer-encoding=chunked;content-length=9;", b"", "", false),
        ),
    ];
    for (bytes, bodiless, (status, head, body, trailers, goes_on)) in cases {
        let expected = Ok((status, head.to_owned(), body.to_vec(), trailers.to_owned(), goes_on));
        for size in 1..=bytes.len() {
            assert_eq!(read(bytes, size, bodiless), expected, "{} in pieces of {size}", bytes.escape_ascii());
        }
    }
}

#[test]
fn what_is_not_http_is_refused_however_it_is_cut() {
    let chunks = |rest: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}").into_bytes();
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nab").into_bytes();
    let ended = "the connection ended before the message was whole";
    let length = "the Content-Length is not one number";
    let encoding = "the response has a transfer encoding that the gateway does not know";
    let not_http = "the head is not HTTP";
    let size = "a chunk has no valid size";
    let cases = [
        (b"".to_vec(), ended),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab".to_vec(), ended),
        (b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(), ended),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), not_http),
        (b"HTTP/2.0 200 OK\r\n\r\n".to_vec(), not_http),
        (head("no colon"), not_http),
        (head("name : x"), not_http),
        (head("a: b\r\n folded"), not_http),
        (head("content-length: 1\r\ncontent-length: 2"), length),
        (head("content-length: 1, 2"), length),
        (head("content-length: +2"), length),
        (head("content-length: 0x2"), length),
        (head("content-length: -2"), length),
        (head("content-length:"), length),
        (head("content-length: 18446744073709551616"), length),
        (head("transfer-encoding: gzip, chunked"), encoding),
        (head("transfer-encoding: identity"), encoding),
        (head("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), encoding),
        (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), encoding),
        (chunks("zz\r\n"), size),
        (chunks("-1\r\n"), size),
        (chunks("\r\n"), size),
        (chunks("1\nx\r\n0\r\n\r\n"), size),
        (chunks("1\r;\r\nx"), size),
        (chunks("1 x\r\nx"), size),
        (chunks("11111111111111111\r\n"), size),
        (chunks(&"1".repeat(9000)), size),
        (chunks("1\r\nxy\r\n"), "a chunk is longer than it said"),
        (chunks("1\r\nx\r\n"), ended),
        (chunks("0\r\nno colon\r\n\r\n"), "the trailers are not valid"),
        (chunks("0\r\n"), ended),
        (chunks(&format!("0\r\nx: {}\r\n\r\n", "y".repeat(MOST))), "the head is too large"),
        (head(&format!("x: {}", "y".repeat(MOST))), "the head is too large"),
        (head(&"x: y\r\n".repeat(300)), "the head is too large"),
        (b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100), "the response never comes"),
    ];
    for (bytes, expected) in cases {
        for size in [1, 2, 3, 7, 4096, usize::MAX] {
            assert_eq!(read(&bytes, size, false), Err(expected.to_owned()), "{}", bytes.escape_ascii());
        }
    }
}

/// Takes these bytes as a body in chunks, with as many at hand as `cuts` say: data and what is left over, or the fault.
fn unchunk(bytes: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (mut read, mut state, mut data) = (BytesMut::new(), Chunked::Size, Vec::new());
    let mut rest = bytes;
    let mut cuts = cuts.iter().copied().cycle();
    loop {
        match state.step(&mut read, MOST).map_err(|fault| fault.to_string())? {
            Step::Frame(frame) => data.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Step::Ended => return Ok((data, [&read[..], rest].concat())),
            Step::More(_) if rest.is_empty() => return Err("it wants more".to_owned()),
            Step::More(_) => {
                let (next, after) = rest.split_at(cuts.next().unwrap().clamp(1, rest.len()));
                read.extend_from_slice(next);
                rest = after;
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_in_chunks_mean_the_same_however_they_are_cut(
        bytes in prop_oneof!["[0-9a-f;\r\n x]{0,60}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..60)],
        cuts in prop::collection::vec(1usize..20, 1..5),
    ) {
        prop_assert_eq!(unchunk(&bytes, &cuts).ok(), unchunk(&bytes, &[usize::MAX]).ok());
    }

    #[test]
    fn a_body_that_was_sent_in_chunks_is_read_as_it_was(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9000), 0..6),
        room in prop::collection::vec(1usize..5000, 1..5),
        cuts in prop::collection::vec(1usize..5000, 1..5),
    ) {
        let whole: Vec<u8> = parts.concat();
        let frames = parts.into_iter().map(|part| Ok(http_body::Frame::data(Bytes::from(part))));
        let body = crate::exchange::Body::Stream(Box::pin(http_body_util::StreamBody::new(futures_util::stream::iter(frames))));
        let sent = sent(body, &room);
        let end = crate::h1::head::end(&sent, 0).unwrap();
        prop_assert_eq!(unchunk(&sent[end..], &cuts), Ok((whole, Vec::new())));
    }
}

/// Takes so many bytes a write.
struct Narrow<'a>(Vec<u8>, std::iter::Cycle<std::iter::Copied<std::slice::Iter<'a, usize>>>);

impl AsyncWrite for Narrow<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = self.1.next().unwrap().min(buf.len());
        self.0.extend_from_slice(&buf[..taken]);
        Poll::Ready(Ok(taken))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
        let taken = self.1.next().unwrap().min(all.len());
        self.0.extend_from_slice(&all[..taken]);
        Poll::Ready(Ok(taken))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The bytes of a request with this body, by a stream that takes so much at a time.
fn sent(body: crate::exchange::Body, room: &[usize]) -> Vec<u8> {
    let mut x = crate::exchange::testing::exchange(http::Request::post("/a?b").header("host", "h").body(body).unwrap());
    let mut request = Request::post("/a?b").header("x-one", "1").body(Outgoing::of(&mut x).unwrap()).unwrap();
    let mut sender = Sender::default();
    sender.begin(&mut request, &vec![(&ADDED, http::HeaderValue::from_static("2"))]);
    let mut stream = Narrow(Vec::new(), room.iter().copied().cycle());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(sender.poll(&mut stream, &mut cx), Poll::Ready(Ok(()))));
    assert!(sender.is_done());
    assert!(stream.0.starts_with(b"POST /a?b HTTP/1.1\r\nx-one: 1\r\nx-two: 2\r\n\r\n"));
    stream.0
}
