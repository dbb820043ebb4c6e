//! The event stream of AWS (`application/vnd.amazon.eventstream`), read from any cut of the bytes.
//! Source: AWS's specification of the event stream: prelude, headers, payload, a CRC-32 after the prelude and after all.

use crate::wire::sse::EVENT;

/// Length of a prelude with its checksum, and of the checksum at the end.
const PRELUDE: usize = 12;
const END: usize = 4;

/// Reads messages.
#[derive(Debug, Default)]
pub struct Reader {
    held: Vec<u8>,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `event` or `exception`.
    pub kind: &'a str,
    /// Which event, or which exception.
    pub name: &'a str,
    /// The payload: JSON.
    pub payload: &'a [u8],
}

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A message is longer than is read.
    TooLong,
    /// A length or a checksum is not right.
    Malformed,
}

impl Reader {
    /// Takes the bytes that came, and gives each message that they complete.
    ///
    /// # Errors
    /// When a message is malformed or longer than [`EVENT`]. The reader is of no use then.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&Message<'_>)) -> Result<(), Fault> {
        self.held.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(rest) = self.held.get(from..)
            && let Some(whole) = complete(rest)?
        {
            each(&read(whole).ok_or(Fault::Malformed)?);
            from += whole.len();
        }
        self.held.drain(..from);
        Ok(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_be_bytes)
}

/// The message at the front, if it is all there. The lengths are believed only once their checksum is right.
fn complete(bytes: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let Some(prelude) = bytes.get(..PRELUDE) else { return Ok(None) };
    let sum = prelude.get(..8).map(crc32fast::hash);
    if sum != u32_at(prelude, 8) {
        return Err(Fault::Malformed);
    }
    let total = u32_at(prelude, 0).map_or(0, |total| total as usize);
    if total < PRELUDE + END {
        return Err(Fault::Malformed);
    }
    if total > EVENT { Err(Fault::TooLong) } else { Ok(bytes.get(..total)) }
}

fn read(whole: &[u8]) -> Option<Message<'_>> {
    let body = whole.len().checked_sub(END)?;
    if Some(crc32fast::hash(whole.get(..body)?)) != u32_at(whole, body) {
        return None;
    }
    let headers = u32_at(whole, 4)? as usize;
    let split = PRELUDE.checked_add(headers)?;
    let (mut kind, mut name) = ("event", "");
    let mut rest = whole.get(PRELUDE..split)?;
    while !rest.is_empty() {
        let (key, value, after) = header(rest)?;
        match key {
            b":message-type" => kind = value,
            b":event-type" | b":exception-type" | b":error-code" => name = value,
            _ => {}
        }
        rest = after;
    }
    Some(Message { kind, name, payload: whole.get(split..body)? })
}

/// A header's name, its value if that is a string, and what follows.
fn header(bytes: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let length = usize::from(*bytes.first()?);
    let key = bytes.get(1..=length)?;
    let kind = *bytes.get(length + 1)?;
    let rest = bytes.get(length + 2..)?;
    let size = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let size = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            let value = rest.get(2..2 + size)?;
            let text = if kind == 7 { std::str::from_utf8(value).ok()? } else { "" };
            return Some((key, text, rest.get(2 + size..)?));
        }
        _ => return None,
    };
    Some((key, "", rest.get(size..)?))
}

/// Appends a message.
pub fn write(out: &mut Vec<u8>, kind: &str, name: &str, payload: &[u8]) {
    let mut headers = Vec::with_capacity(96);
    let name_key = if kind == "event" { ":event-type" } else { ":exception-type" };
    for (key, value) in [(name_key, name), (":content-type", "application/json"), (":message-type", kind)] {
        headers.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let from = out.len();
    let total = PRELUDE + headers.len() + payload.len() + END;
    out.extend_from_slice(&u32::try_from(total).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap_or(u32::MAX).to_be_bytes());
    let sum = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload);
    let sum = crc32fast::hash(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Fault, Reader, write};

    fn frame() -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, "event", "contentBlockDelta", b"{\"a\":1}");
        out
    }

    #[test]
    fn messages_are_read_in_any_cut() {
        let mut two = frame();
        write(&mut two, "exception", "throttlingException", b"{}");
        for size in [1, 3, 50, 1000] {
            let mut reader = Reader::default();
            let mut seen = Vec::new();
            for chunk in two.chunks(size) {
                reader
                    .push(chunk, |m| seen.push(format!("{} {} {}", m.kind, m.name, String::from_utf8_lossy(m.payload))))
                    .unwrap();
            }
            assert_eq!(seen, ["event contentBlockDelta {\"a\":1}", "exception throttlingException {}"]);
        }
    }

    #[test]
    fn a_known_message_is_written_byte_for_byte() {
        let mut out = Vec::new();
        write(&mut out, "event", "x", b"");
        // 12 of prelude, headers of 16, 33 and 22 bytes, 4 of checksum.
        assert_eq!(out.get(..8), Some([0, 0, 0, 87, 0, 0, 0, 71].as_slice()));
        assert_eq!(out.len(), 87);
    }

    #[test]
    fn one_wrong_bit_is_noticed() {
        let good = frame();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let mut seen = 0;
            let read = Reader::default().push(&bad, |_| seen += 1);
            assert!(read.is_err() && seen == 0, "byte {at}");
        }
    }

    #[test]
    fn a_long_message_is_not_waited_for() {
        let mut long = Vec::new();
        long.extend_from_slice(&u32::MAX.to_be_bytes());
        long.extend_from_slice(&0u32.to_be_bytes());
        let sum = crc32fast::hash(&long);
        long.extend_from_slice(&sum.to_be_bytes());
        assert_eq!(Reader::default().push(&long, |_| {}), Err(Fault::TooLong));
    }
}
