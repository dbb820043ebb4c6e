//! Requests as the bytes that will be sent.

use super::Protocol;

/// What a request says.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// One GET, encoded: a whole HTTP/1.1 request, or an HPACK header block.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(super) wire: Box<[u8]>,
}

impl Request {
    /// Encodes `shape` for `protocol`.
    pub(crate) fn new(protocol: Protocol, shape: &Shape) -> Self {
        let wire = match protocol {
            Protocol::H1 => h1(shape),
            Protocol::H2 => hpack(shape),
        };
        Self { wire: wire.into() }
    }
}

fn h1(shape: &Shape) -> Vec<u8> {
    let mut text =
        format!("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench\r\nAccept: */*\r\n", shape.path, shape.authority);
    for (name, value) in &shape.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Static indices and literals that are never indexed, so that every request is the same bytes (RFC 7541, 6.1 and 6.2.2).
fn hpack(shape: &Shape) -> Vec<u8> {
    const METHOD_GET: u8 = 0x82;
    const SCHEME_HTTP: u8 = 0x86;
    const SCHEME_HTTPS: u8 = 0x87;
    const LITERAL_PATH: u8 = 0x04;
    const LITERAL_AUTHORITY: u8 = 0x01;
    let scheme = if shape.scheme == "https" { SCHEME_HTTPS } else { SCHEME_HTTP };
    let mut block = vec![METHOD_GET, scheme, LITERAL_PATH];
    string(&mut block, &shape.path);
    block.push(LITERAL_AUTHORITY);
    string(&mut block, &shape.authority);
    let fixed = [("user-agent", "bench"), ("accept", "*/*")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (name, value) in fixed.iter().chain(&shape.headers) {
        block.push(0);
        string(&mut block, &name.to_ascii_lowercase());
        string(&mut block, value);
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
