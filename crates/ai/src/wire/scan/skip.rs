//! Over JSON without reading it.

use std::ops::Range;

use memchr::memchr2;

/// Deepest nesting.
const DEPTH: u32 = 128;

/// A place in a body.
pub(super) struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = self.body.get(self.at..)?;
        let white = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += white;
        rest.get(white).copied()
    }

    /// Whether nothing but white space follows.
    pub(super) fn ended(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes one mark, if it comes next.
    pub(super) fn token(&mut self, mark: u8) -> Option<()> {
        (self.peek()? == mark).then(|| self.at += 1)
    }

    /// Over a string, quotes included.
    pub(super) fn string(&mut self) -> Option<Range<usize>> {
        let start = { self.peek() }.filter(|byte| *byte == b'"').map(|_| self.at)?;
        self.at += 1;
        loop {
            let rest = self.body.get(self.at..)?;
            let found = memchr2(b'"', b'\\', rest)?;
            if rest.get(found) == Some(&b'"') {
                self.at += found + 1;
                return Some(start..self.at);
            }
            // An escape: whatever follows the backslash is no end.
            self.at += found + 2;
        }
    }

    /// Over any value; of an array, how many elements it has.
    pub(super) fn value(&mut self) -> Option<(Range<usize>, usize)> {
        match self.peek()? {
            b'"' => self.string().map(|range| (range, 0)),
            b'{' | b'[' => self.nested(),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.plain().map(|range| (range, 0)),
            _ => None,
        }
    }

    fn plain(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let rest = self.body.get(start..)?;
        let len =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')).count();
        let text = std::str::from_utf8(rest.get(..len)?).ok()?;
        let good = matches!(text, "true" | "false" | "null") || text.parse::<f64>().is_ok();
        self.at += len;
        good.then_some(start..self.at)
    }

    /// Brackets are matched by kind; commas on the outermost level count the elements.
    fn nested(&mut self) -> Option<(Range<usize>, usize)> {
        let start = self.at;
        let (mut depth, mut kinds, mut commas) = (0u32, 0u128, 0usize);
        let mut empty = true;
        loop {
            let byte = self.peek()?;
            match byte {
                b'"' => {
                    self.string()?;
                    empty = false;
                    continue;
                }
                b'{' | b'[' => {
                    if depth >= DEPTH {
                        return None;
                    }
                    empty = depth == 0;
                    kinds = kinds << 1 | u128::from(byte == b'{');
                    depth += 1;
                }
                b'}' | b']' => {
                    if kinds & 1 != u128::from(byte == b'}') {
                        return None;
                    }
                    kinds >>= 1;
                    depth -= 1;
                }
                b',' if depth == 1 => commas += 1,
                b',' | b':' => {}
                _ => {
                    // Numbers and words: on to the next mark of any meaning.
                    empty = false;
                    self.at += self.body.get(self.at..)?.iter().take_while(|byte| !is_mark(**byte)).count();
                    continue;
                }
            }
            self.at += 1;
            if depth == 0 {
                return Some((start..self.at, if empty { 0 } else { commas + 1 }));
            }
        }
    }
}

const fn is_mark(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

/// The JSON strings in a text whose key `wanted` accepts: how many bytes stand in them. For estimates, not for reading.
pub(super) fn text_bytes(text: &[u8], wanted: impl Fn(&[u8]) -> bool) -> usize {
    let mut total = 0;
    let mut at = 0;
    // A key ends, a string begins.
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memmem::find(rest, b"\":")) {
        let end = at + found;
        at = end + 2;
        let begin = text.get(..end).and_then(|before| memchr::memrchr(b'"', before)).map_or(0, |quote| quote + 1);
        let key = text.get(begin..end).unwrap_or_default();
        let mut cursor = Cursor { body: text, at };
        if wanted(key)
            && let Some(range) = cursor.string()
        {
            total += range.len().saturating_sub(2);
            at = range.end;
        }
    }
    total
}

/// The end of an event in a stream: after its empty line.
pub(super) fn event_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = memchr2(b'\n', b'\r', bytes.get(at..)?)? + at;
        let rest = bytes.get(found..)?;
        for end in [b"\r\n\r\n".as_slice(), b"\n\n", b"\r\r", b"\n\r\n"] {
            if rest.starts_with(end) {
                return Some(found + end.len());
            }
        }
        at = found + 1;
    }
}
