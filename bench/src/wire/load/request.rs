//! Requests as the bytes that will be sent.

use std::borrow::Cow;

use super::Protocol;

/// What a request says.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// JSON to post; empty for a GET. At most a frame of HTTP/2, 16 KiB.
    pub(crate) body: String,
}

impl Shape {
    /// The fields that follow the host's.
    fn fields(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let fixed = [("User-Agent", "bench"), ("Accept", "*/*")].map(|(name, value)| (name, Cow::Borrowed(value)));
        let length = Cow::Owned(self.body.len().to_string());
        let posted = [("Content-Type", Cow::Borrowed("application/json")), ("Content-Length", length)];
        let posted = posted.into_iter().filter(|_| !self.body.is_empty());
        let others = self.headers.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str())));
        fixed.into_iter().chain(posted).chain(others)
    }
}

/// One GET or POST, encoded: a whole HTTP/1.1 request, or an HPACK header block and the body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(super) wire: Box<[u8]>,
    /// Of HTTP/2, what follows the head.
    pub(super) body: Box<[u8]>,
}

impl Request {
    /// Encodes `shape` for `protocol`.
    pub(crate) fn new(protocol: Protocol, shape: &Shape) -> Self {
        match protocol {
            Protocol::H1 => Self { wire: h1(shape).into(), body: Box::default() },
            Protocol::H2 => Self { wire: hpack(shape).into(), body: shape.body.as_bytes().into() },
        }
    }
}

fn h1(shape: &Shape) -> Vec<u8> {
    let method = if shape.body.is_empty() { "GET" } else { "POST" };
    let mut text = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", shape.path, shape.authority);
    for (name, value) in shape.fields() {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(&shape.body);
    text.into_bytes()
}

/// Static indices and literals that are never indexed, so that every request is the same bytes (RFC 7541, 6.1 and 6.2.2).
fn hpack(shape: &Shape) -> Vec<u8> {
    const METHOD_GET: u8 = 0x82;
    const METHOD_POST: u8 = 0x83;
    const SCHEME_HTTP: u8 = 0x86;
    const SCHEME_HTTPS: u8 = 0x87;
    const LITERAL_PATH: u8 = 0x04;
    const LITERAL_AUTHORITY: u8 = 0x01;
    let scheme = if shape.scheme == "https" { SCHEME_HTTPS } else { SCHEME_HTTP };
    let method = if shape.body.is_empty() { METHOD_GET } else { METHOD_POST };
    let mut block = vec![method, scheme, LITERAL_PATH];
    string(&mut block, &shape.path);
    block.push(LITERAL_AUTHORITY);
    string(&mut block, &shape.authority);
    for (name, value) in shape.fields() {
        block.push(0);
        string(&mut block, &name.to_ascii_lowercase());
        string(&mut block, &value);
    }
    block
}

/// A string literal without Huffman coding (RFC 7541, 5.2).
fn string(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(length as u8);
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push((length % 128) as u8 | 128);
            length /= 128;
        }
        block.push(length as u8);
    }
    block.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
