//! Over JSON without reading it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// Deepest nesting.
const DEPTH: u32 = 128;

/// A place in a body.
pub(crate) struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = self.body.get(self.at..)?;
        let white = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += white;
        rest.get(white).copied()
    }

    /// Whether nothing but white space follows.
    pub(crate) fn ended(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes one mark, if it comes next.
    pub(crate) fn token(&mut self, mark: u8) -> Option<()> {
        (self.peek()? == mark).then(|| self.at += 1)
    }

    /// Over a string, quotes included.
    pub(crate) fn string(&mut self) -> Option<Range<usize>> {
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
    pub(crate) fn value(&mut self) -> Option<(Range<usize>, usize)> {
        match self.peek()? {
            b'"' => self.string().map(|range| (range, 0)),
            b'{' | b'[' => self.nested(),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.plain().map(|range| (range, 0)),
            _ => None,
        }
    }

    /// Over the members of an object: `each` is shown a key and goes over its value. Keys with escapes are not read.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.token(b'{')?;
        if self.token(b'}').is_some() {
            return Some(());
        }
        loop {
            let quoted = self.string()?;
            let key = self.body.get(quoted.start + 1..quoted.end - 1).filter(|key| !key.contains(&b'\\'))?;
            self.token(b':')?;
            each(key, self)?;
            if self.token(b',').is_none() {
                return self.token(b'}');
            }
        }
    }

    /// Over the elements of an array: `each` goes over one.
    pub(crate) fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.token(b'[')?;
        if self.token(b']').is_some() {
            return Some(());
        }
        loop {
            each(self)?;
            if self.token(b',').is_none() {
                return self.token(b']');
            }
        }
    }

    /// Over a value; whether it is one and not null.
    pub(crate) fn is_given(&mut self) -> Option<bool> {
        let (range, _) = self.value()?;
        Some(self.body.get(range)? != b"null")
    }

    /// Over `null`, if it comes next.
    pub(crate) fn null(&mut self) -> Option<()> {
        self.peek()?;
        self.body.get(self.at..)?.starts_with(b"null").then(|| self.at += 4)
    }

    /// Over a count.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.peek()?;
        let digits = self.body.get(self.at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = self.body.get(self.at..self.at + digits)?;
        self.at += digits;
        std::str::from_utf8(text).ok()?.parse().ok()
    }

    /// Over a string, as the text that it is.
    pub(crate) fn text(&mut self) -> Option<Cow<'a, str>> {
        let range = self.string()?;
        let quoted = std::str::from_utf8(self.body.get(range)?).ok()?;
        let inner = quoted.get(1..quoted.len() - 1)?;
        if inner.bytes().any(|byte| byte == b'\\' || byte < b' ') {
            return serde_json::from_str(quoted).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
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

/// Keeps what stands there once; readers differ over what stands twice.
pub(crate) fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
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
