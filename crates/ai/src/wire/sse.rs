//! Server-sent events, read from any cut of the bytes.
//! Source: WHATWG HTML, "Server-sent events", parsing an event stream.

use memchr::memchr2;

/// Longest event that is read, in bytes.
pub const EVENT: usize = 4 << 20;

/// Reads a stream of events. Lines end in LF, CRLF or CR; comments, ids and retry times are passed over.
#[derive(Debug, Default)]
pub struct Reader {
    /// The line whose end has not come.
    line: Vec<u8>,
    /// The name of the event that is being read.
    name: Vec<u8>,
    /// Its data, lines joined by LF.
    data: Vec<u8>,
    /// Whether a data line came, be it empty.
    any: bool,
    /// The last line ended in CR: a LF that follows belongs to it.
    after_cr: bool,
    /// A byte order mark may stand only before all.
    begun: bool,
}

/// An event is longer than [`EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Reader {
    /// Takes the bytes that came, and gives each event they complete to `each` as (name, data); the name may be empty.
    ///
    /// # Errors
    /// When an event is longer than [`EVENT`]. The reader is of no use then.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), TooLong> {
        loop {
            if self.after_cr && !bytes.is_empty() {
                self.after_cr = false;
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                if self.line.len() + bytes.len() > EVENT {
                    return Err(TooLong);
                }
                self.line.extend_from_slice(bytes);
                return Ok(());
            };
            let (line, rest) = bytes.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.take(line, &mut each)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take(&whole, &mut each)?;
                whole.clear();
                self.line = whole;
            }
        }
    }

    /// The bytes have ended: an event that lacks only its empty line is given too, as some providers end so.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8], &[u8])) {
        let line = std::mem::take(&mut self.line);
        if self.take(&line, &mut each).is_ok() && self.any {
            each(&self.name, &self.data);
        }
        self.reset();
    }

    fn take(&mut self, line: &[u8], each: &mut impl FnMut(&[u8], &[u8])) -> Result<(), TooLong> {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            if self.any {
                each(&self.name, &self.data);
            }
            self.reset();
            return Ok(());
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.data.len() + value.len() > EVENT {
                    return Err(TooLong);
                }
                if self.any {
                    self.data.push(b'\n');
                }
                self.any = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value.get(..256).unwrap_or(value));
            }
            _ => {}
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.name.clear();
        self.data.clear();
        self.any = false;
    }
}

/// Appends `data:` and what `fill` writes as one event. What is written must be free of line ends, as JSON is.
pub(crate) fn data(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"data: ");
    fill(out);
    out.extend_from_slice(b"\n\n");
}

/// The same with a name.
pub(crate) fn named(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    data(out, fill);
}

/// A sign of life that no reader sees.
pub(crate) const COMMENT: &[u8] = b": ping\n\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EVENT, Reader, TooLong};

    fn read(parts: &[&[u8]]) -> Vec<(String, String)> {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        let mut each = |name: &[u8], data: &[u8]| {
            events.push((String::from_utf8(name.to_vec()).unwrap(), String::from_utf8(data.to_vec()).unwrap()));
        };
        for part in parts {
            reader.push(part, &mut each).unwrap();
        }
        reader.finish(each);
        events
    }

    #[test]
    fn events_are_read() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("data: a\n\n", &[("", "a")]),
            ("data:a\ndata: b\n\n", &[("", "a\nb")]),
            ("event: x\r\ndata: a\r\n\r\n", &[("x", "a")]),
            ("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]),
            (": comment\n\nid: 4\nretry: 9\n\ndata: a\n\n", &[("", "a")]),
            ("event: x\n\ndata: a\n\n", &[("", "a")]),
            ("\u{FEFF}data: a\n\n", &[("", "a")]),
            ("data\n\n", &[("", "")]),
            ("data: cut", &[("", "cut")]),
            ("data: a\n", &[("", "a")]),
            ("", &[]),
        ];
        for (text, events) in cases {
            let wanted: Vec<(String, String)> = events.iter().map(|(n, d)| ((*n).into(), (*d).into())).collect();
            assert_eq!(read(&[text.as_bytes()]), wanted, "{text:?}");
        }
    }

    #[test]
    fn an_event_without_end_is_cut_off() {
        let mut reader = Reader::default();
        let line = vec![b'x'; EVENT / 2 + 1];
        assert_eq!(reader.push(b"data: ", |_, _| {}), Ok(()));
        assert_eq!(reader.push(&line, |_, _| {}), Ok(()));
        assert_eq!(reader.push(&line, |_, _| {}), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_cut_reads_the_same(text in "(data: ?[a-c:]{0,3}|event: [ab]|: c|)(\r\n|\n|\r){1,2}(data: z)?(\r\n\r\n|\n\n|\r\r|)", cuts in prop::collection::vec(0usize..40, 0..4)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                parts.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&parts), read(&[bytes]));
        }
    }
}
