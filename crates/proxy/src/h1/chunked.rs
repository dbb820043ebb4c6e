//! A body in chunks (RFC 9112 section 7.1), taken apart as strictly as it is written: one who guesses where a chunk ends may
//! take a body for the next message.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;

use super::fault::Fault;
use super::head;
use crate::upstream::fields::may_trail;

/// The longest line before a chunk: its size and extensions.
const LINE: usize = 4096;
/// The most trailer fields.
const FIELDS: usize = 64;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// A chunk's size is next.
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// The end of a chunk is next.
    DataEnd,
    /// Trailers are next, or the end.
    Trailers,
    /// It is over.
    Ended,
}

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Step {
    /// Data or trailers.
    Frame(Frame<Bytes>),
    /// It takes more bytes; as many as that are sure to come.
    More(u64),
    /// It is over.
    Ended,
}

impl Chunked {
    /// Takes the next frame from what was read. Trailers have at most `most` bytes.
    pub(crate) fn step(&mut self, read: &mut BytesMut, most: usize) -> Result<Step, Fault> {
        loop {
            match *self {
                Chunked::Size => match size(read)? {
                    None => return Ok(Step::More(1)),
                    Some(0) => *self = Chunked::Trailers,
                    Some(size) => *self = Chunked::Data(size),
                },
                Chunked::Data(left) => {
                    let here = left.min(read.len() as u64);
                    if here == 0 {
                        return Ok(Step::More(left));
                    }
                    *self = if here == left { Chunked::DataEnd } else { Chunked::Data(left - here) };
                    return Ok(Step::Frame(Frame::data(read.split_to(here as usize).freeze())));
                }
                Chunked::DataEnd => match read.get(..2) {
                    None => return Ok(Step::More(2)),
                    Some(b"\r\n") => {
                        read.advance(2);
                        *self = Chunked::Size;
                    }
                    Some(_) => return Err(Fault::Protocol("a chunk is longer than it said")),
                },
                Chunked::Trailers => match trailers(read, most)? {
                    None => return Ok(Step::More(1)),
                    Some(fields) => {
                        *self = Chunked::Ended;
                        if !fields.is_empty() {
                            return Ok(Step::Frame(Frame::trailers(fields)));
                        }
                    }
                },
                Chunked::Ended => return Ok(Step::Ended),
            }
        }
    }
}

/// The size of the next chunk, once its line is here. Extensions are passed over.
fn size(read: &mut BytesMut) -> Result<Option<u64>, Fault> {
    const REFUSED: Fault = Fault::Protocol("a chunk has no valid size");
    let Some(end) = memchr::memchr(b'\n', read) else {
        // A line that cannot become right is refused at once.
        let hopeless = read.first().is_some_and(|byte| !byte.is_ascii_hexdigit());
        return if hopeless || read.len() > LINE { Err(REFUSED) } else { Ok(None) };
    };
    let line = read.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(REFUSED)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, after) = line.split_at_checked(digits).ok_or(REFUSED)?;
    if number.is_empty() || number.len() > 16 || line.len() > LINE {
        return Err(REFUSED);
    }
    let after = after.iter().copied().find(|byte| !matches!(byte, b' ' | b'\t'));
    if after.is_some_and(|byte| byte != b';') || line.contains(&b'\r') {
        return Err(REFUSED);
    }
    let digit = |byte: &u8| u64::from((*byte as char).to_digit(16).unwrap_or_default());
    let size = number.iter().fold(0, |size, byte| size << 4 | digit(byte));
    read.advance(end + 1);
    Ok(Some(size))
}

/// The trailer fields, once they are all here. Those that frame a message are left out.
fn trailers(read: &mut BytesMut, most: usize) -> Result<Option<HeaderMap>, Fault> {
    const REFUSED: Fault = Fault::Protocol("the trailers are not valid");
    if read.starts_with(b"\r\n") {
        read.advance(2);
        return Ok(Some(HeaderMap::new()));
    }
    let Some(end) = head::end(read, 0) else {
        return if read.len() > most { Err(Fault::TooLarge) } else { Ok(None) };
    };
    if end > most {
        return Err(Fault::TooLarge);
    }
    let block = read.split_to(end).freeze();
    let mut room = [httparse::EMPTY_HEADER; FIELDS];
    let Ok(httparse::Status::Complete((_, parsed))) = httparse::parse_headers(&block, &mut room) else {
        return Err(REFUSED);
    };
    let mut fields = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| REFUSED)?;
        let value = HeaderValue::from_maybe_shared(block.slice_ref(field.value)).map_err(|_| REFUSED)?;
        if may_trail(&name) {
            fields.append(name, value);
        }
    }
    Ok(Some(fields))
}
