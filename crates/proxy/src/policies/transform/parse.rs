//! Reads JSON (RFC 8259) into a tree that borrows from the text: nothing is copied or turned into another form.

use std::borrow::Cow;

use super::tree::{Name, Tree};

/// How deep objects and arrays may stand in one another.
const MOST_LEVELS: u32 = 128;

/// What is wrong with a text, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// The byte.
    pub(super) at: usize,
    pub(super) what: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(at: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self { at, what: what.into() }
    }

    /// What is wrong, with its line and column in the text.
    pub(super) fn tell(&self, text: &[u8]) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
        format!("{} at line {line}, column {column} (byte {})", self.what, self.at)
    }
}

/// A body as text. A mark of byte order is taken off.
pub(super) fn utf8(body: &[u8]) -> Result<&str, Fault> {
    let text =
        std::str::from_utf8(body).map_err(|error| Fault::new(error.valid_up_to(), "bytes that are not UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The tree of a text.
pub(super) fn json(text: &str) -> Result<Tree<'_>, Fault> {
    let mut reader = Reader { text, at: 0, levels: 0 };
    let tree = reader.value()?;
    match reader.next() {
        None => Ok(tree),
        Some(_) => Err(reader.fault("something after the value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    levels: u32,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space; it stays.
    fn next(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn fault(&self, what: &'static str) -> Fault {
        let what = if self.at >= self.text.len() { "an end that comes too early" } else { what };
        Fault::new(self.at, what)
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self) -> Result<Tree<'a>, Fault> {
        match self.next() {
            Some(b'{') => self.nested(Self::map),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => {
                let start = self.at;
                self.string()?;
                Ok(Tree::Plain(Cow::Borrowed(self.since(start))))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => Err(self.fault("no value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Tree<'a>, Fault>) -> Result<Tree<'a>, Fault> {
        if self.levels >= MOST_LEVELS {
            return Err(Fault::new(self.at, format!("more than {MOST_LEVELS} levels")));
        }
        self.levels += 1;
        self.at += 1;
        let tree = read(self)?;
        self.levels -= 1;
        Ok(tree)
    }

    fn map(&mut self) -> Result<Tree<'a>, Fault> {
        let mut entries = Vec::new();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(Tree::Map(entries));
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(self.fault("no name"));
            }
            let name = self.string()?;
            if self.next() != Some(b':') {
                return Err(self.fault("no `:` after a name"));
            }
            self.at += 1;
            entries.push((Name(Cow::Borrowed(name)), self.value()?));
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.fault("no `,` or `}` after a value")),
            }
        }
        self.at += 1;
        Ok(Tree::Map(entries))
    }

    fn list(&mut self) -> Result<Tree<'a>, Fault> {
        let mut items = Vec::new();
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(Tree::List(items));
        }
        loop {
            items.push(self.value()?);
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.fault("no `,` or `]` after a value")),
            }
        }
        self.at += 1;
        Ok(Tree::List(items))
    }

    /// What stands between the quotes.
    fn string(&mut self) -> Result<&'a str, Fault> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return Err(self.fault("a control character in a text")),
                Some(_) => self.at += 1,
                None => return Err(self.fault("")),
            }
        }
        let inner = self.since(start);
        self.at += 1;
        Ok(inner)
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => match self.unit()? {
                0xD800..0xDC00 if self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) => {
                    self.at += 1;
                    if !(0xDC00..0xE000).contains(&self.unit()?) {
                        return Err(self.fault("half of a surrogate pair"));
                    }
                }
                0xD800..0xE000 => return Err(self.fault("half of a surrogate pair")),
                _ => {}
            },
            _ => return Err(self.fault("an unknown escape")),
        }
        Ok(())
    }

    /// The number of `uXXXX`.
    fn unit(&mut self) -> Result<u16, Fault> {
        let digits =
            self.text.get(self.at + 1..self.at + 5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.fault("an escape that is not whole"))?;
        self.at += 5;
        Ok(unit)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.fault("a number that is not whole")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Tree<'a>, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Tree::Plain(Cow::Borrowed(self.since(start))))
    }

    fn word(&mut self, word: &'static str) -> Result<Tree<'a>, Fault> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.fault("no value"));
        }
        self.at += word.len();
        Ok(Tree::Plain(Cow::Borrowed(word)))
    }
}
