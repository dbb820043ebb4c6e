//! JSON (RFC 8259), byte by byte, with bounds.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::Rules;
use super::scan::{Cuts, Fault};
use super::spec::{Control, DuplicateKeys};

/// A JSON text being read.
pub(super) struct Json {
    rules: Arc<Rules>,
    at: u64,
    stack: Vec<Frame>,
    expect: Expect,
    token: Token,
    text: Text,
    hasher: RandomState,
}

/// An object or array that is open.
struct Frame {
    is_object: bool,
    count: u32,
    /// Hashes of the names so far.
    keys: HashSet<u64>,
}

/// What may come between tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// The token that is being read.
#[derive(Clone, Copy)]
enum Token {
    None,
    Text,
    Escape,
    Hex(u8, u16),
    Number(Number, u32),
    /// What is left of `true`, `false` or `null`.
    Word(&'static [u8]),
}

/// Where a number is (RFC 8259 section 6).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Digits,
    Dot,
    Fraction,
    E,
    Sign,
    Exponent,
}

/// The text that is being read.
#[derive(Default)]
struct Text {
    is_key: bool,
    length: u64,
    /// The name without escapes.
    key: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    /// Where an escape or a character of several bytes began.
    began: u64,
    /// Bytes that are left of a character, and between which two the next is.
    left: u8,
    next: (u8, u8),
    lead: u8,
}

const HALF: &str = "half of a surrogate pair";

impl Json {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            at: 0,
            stack: Vec::new(),
            expect: Expect::Value,
            token: Token::None,
            text: Text::default(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], cuts: &mut Cuts) -> Result<(), Fault> {
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            if matches!(self.token, Token::Text) && self.text.left == 0 && self.text.high.is_none() {
                let run = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
                if run > 0 {
                    let (plain, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
                    self.plain(plain)?;
                    rest = after;
                    continue;
                }
            }
            self.byte(*byte, cuts)?;
            self.at += 1;
            rest = after;
        }
        Ok(())
    }

    /// Up to where nothing can be stripped any more.
    pub(super) fn decided(&self) -> u64 {
        match self.token {
            Token::Escape | Token::Hex(..) => self.text.began,
            Token::Text if self.text.left > 0 => self.text.began,
            _ => self.at,
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Fault> {
        if let Token::Number(number, _) = self.token {
            self.end_number(number)?;
        }
        let whole = matches!(self.token, Token::None) && self.expect == Expect::Nothing;
        if whole || self.at == 0 { Ok(()) } else { Err(self.fault("it ends too early")) }
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault::new(self.at, what)
    }

    fn byte(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        match self.token {
            Token::None => self.between(byte),
            Token::Text => self.in_text(byte, cuts),
            Token::Escape => self.escape(byte, cuts),
            Token::Hex(count, value) => self.hex(byte, count, value, cuts),
            Token::Number(number, length) => self.number(byte, number, length),
            Token::Word(rest) => match rest.split_first() {
                Some((next, rest)) if *next == byte => {
                    self.token = Token::Word(rest);
                    if rest.is_empty() {
                        self.after_value();
                    }
                    Ok(())
                }
                _ => Err(self.fault("no value")),
            },
        }
    }

    fn between(&mut self, byte: u8) -> Result<(), Fault> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        let in_object = self.stack.last().map(|frame| frame.is_object);
        match (self.expect, byte) {
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') if in_object == Some(false) => self.close(),
            (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') if in_object == Some(true) => self.close(),
            (Expect::Value | Expect::ValueOrEnd, _) => self.value(byte)?,
            (Expect::Key | Expect::KeyOrEnd, b'"') => self.begin_text(true),
            (Expect::Colon, b':') => self.expect = Expect::Value,
            (Expect::CommaOrEnd, b',') => {
                self.expect = if in_object == Some(true) { Expect::Key } else { Expect::Value };
            }
            (Expect::Nothing, _) => return Err(self.fault("something follows the value")),
            _ => return Err(self.fault("a character that may not stand here")),
        }
        Ok(())
    }

    fn value(&mut self, byte: u8) -> Result<(), Fault> {
        let items = self.rules.json.items;
        if let Some(frame) = self.stack.last_mut().filter(|frame| !frame.is_object) {
            frame.count += 1;
            if frame.count > items {
                return Err(Fault::new(self.at, format!("an array of more than {items} values")));
            }
        }
        match byte {
            b'{' => self.open(true)?,
            b'[' => self.open(false)?,
            b'"' => self.begin_text(false),
            b'-' => self.token = Token::Number(Number::Minus, 1),
            b'0' => self.token = Token::Number(Number::Zero, 1),
            b'1'..=b'9' => self.token = Token::Number(Number::Digits, 1),
            b't' => self.token = Token::Word(b"rue"),
            b'f' => self.token = Token::Word(b"alse"),
            b'n' => self.token = Token::Word(b"ull"),
            _ => return Err(self.fault("no value")),
        }
        Ok(())
    }

    fn open(&mut self, is_object: bool) -> Result<(), Fault> {
        let depth = *self.rules.json.depth;
        if self.stack.len() >= depth as usize {
            return Err(Fault::new(self.at, format!("more than {depth} levels")));
        }
        self.stack.push(Frame { is_object, count: 0, keys: HashSet::new() });
        self.expect = if is_object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(())
    }

    fn close(&mut self) {
        self.stack.pop();
        self.after_value();
    }

    fn after_value(&mut self) {
        self.token = Token::None;
        self.expect = if self.stack.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn number(&mut self, byte: u8, number: Number, length: u32) -> Result<(), Fault> {
        let next = match (number, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus, b'1'..=b'9') | (Number::Digits, b'0'..=b'9') => Number::Digits,
            (Number::Zero | Number::Digits, b'.') => Number::Dot,
            (Number::Zero | Number::Digits | Number::Fraction, b'e' | b'E') => Number::E,
            (Number::Dot | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::E, b'+' | b'-') => Number::Sign,
            (Number::E | Number::Sign | Number::Exponent, b'0'..=b'9') => Number::Exponent,
            _ => {
                self.end_number(number)?;
                return self.between(byte);
            }
        };
        let most = self.rules.json.number;
        if length >= most {
            return Err(Fault::new(self.at, format!("a number of more than {most} characters")));
        }
        self.token = Token::Number(next, length + 1);
        Ok(())
    }

    fn end_number(&mut self, number: Number) -> Result<(), Fault> {
        if !matches!(number, Number::Zero | Number::Digits | Number::Fraction | Number::Exponent) {
            return Err(self.fault("a number that is not whole"));
        }
        self.after_value();
        Ok(())
    }
}

/// Texts.
impl Json {
    fn begin_text(&mut self, is_key: bool) {
        let mut key = std::mem::take(&mut self.text.key);
        key.clear();
        self.text = Text { is_key, key, ..Text::default() };
        self.token = Token::Text;
    }

    /// Counts what a text is written with.
    fn grow(&mut self, by: u64) -> Result<(), Fault> {
        self.text.length += by;
        let json = &self.rules.json;
        let (most, what) = if self.text.is_key { (json.key.get(), "name") } else { (json.string.get(), "text") };
        if self.text.length > most {
            return Err(Fault::new(self.at, format!("a {what} of more than {most} bytes")));
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.grow(bytes.len() as u64)?;
        if self.text.is_key {
            self.text.key.extend_from_slice(bytes);
        }
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn in_text(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        if self.text.left > 0 {
            return self.continued(byte, cuts);
        }
        if self.text.high.is_some() && byte != b'\\' {
            return Err(self.fault(HALF));
        }
        match byte {
            b'"' => return self.end_text(),
            b'\\' => {
                self.text.began = self.at;
                self.token = Token::Escape;
            }
            0..0x20 => return Err(self.fault("a control character that is not escaped")),
            0x7f => {
                self.text.began = self.at;
                self.character('\u{7f}', cuts)?;
            }
            0x80.. => self.lead(byte)?,
            _ => self.keep(&[byte]),
        }
        self.grow(1)
    }

    /// The first byte of a character of several (RFC 3629 section 4).
    fn lead(&mut self, byte: u8) -> Result<(), Fault> {
        let (left, next) = match byte {
            0xc2..=0xdf => (1, (0x80, 0xbf)),
            0xe0 => (2, (0xa0, 0xbf)),
            0xed => (2, (0x80, 0x9f)),
            0xe1..=0xef => (2, (0x80, 0xbf)),
            0xf0 => (3, (0x90, 0xbf)),
            0xf1..=0xf3 => (3, (0x80, 0xbf)),
            0xf4 => (3, (0x80, 0x8f)),
            _ => return Err(self.fault("bytes that are not UTF-8")),
        };
        (self.text.left, self.text.next, self.text.lead, self.text.began) = (left, next, byte, self.at);
        if byte != 0xc2 {
            self.keep(&[byte]);
        }
        Ok(())
    }

    fn continued(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        let (low, high) = self.text.next;
        if !(low..=high).contains(&byte) {
            return Err(self.fault("bytes that are not UTF-8"));
        }
        self.text.left -= 1;
        self.text.next = (0x80, 0xbf);
        // Of these some are control characters (C1): U+0080 to U+009F.
        if self.text.lead == 0xc2 {
            self.character(char::from(byte), cuts)?;
        } else {
            self.keep(&[byte]);
        }
        self.grow(1)
    }

    fn escape(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        if self.text.high.is_some() && byte != b'u' {
            return Err(self.fault(HALF));
        }
        self.token = Token::Text;
        match byte {
            b'"' | b'\\' | b'/' => self.keep(&[byte]),
            b'n' => self.keep(b"\n"),
            b'r' => self.keep(b"\r"),
            b't' => self.keep(b"\t"),
            b'b' => self.character('\u{8}', cuts)?,
            b'f' => self.character('\u{c}', cuts)?,
            b'u' => self.token = Token::Hex(0, 0),
            _ => return Err(self.fault("an escape that there is not")),
        }
        self.grow(1)
    }

    fn hex(&mut self, byte: u8, count: u8, value: u16, cuts: &mut Cuts) -> Result<(), Fault> {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Err(self.fault("an escape that there is not"));
        };
        let value = value << 4 | u16::try_from(digit).unwrap_or(0);
        self.grow(1)?;
        if count < 3 {
            self.token = Token::Hex(count + 1, value);
            return Ok(());
        }
        self.token = Token::Text;
        match (self.text.high.take(), value) {
            (None, 0xd800..=0xdbff) => self.text.high = Some(value),
            (None, _) => {
                let char = char::from_u32(u32::from(value)).ok_or_else(|| self.fault(HALF))?;
                self.character(char, cuts)?;
            }
            (Some(high), 0xdc00..=0xdfff) => {
                let char = char::decode_utf16([high, value]).next().and_then(Result::ok);
                let char = char.ok_or_else(|| self.fault(HALF))?;
                self.character(char, cuts)?;
            }
            (Some(_), _) => return Err(self.fault(HALF)),
        }
        Ok(())
    }

    /// A character that began at `began` and ends here; control characters are refused or taken out.
    fn character(&mut self, char: char, cuts: &mut Cuts) -> Result<(), Fault> {
        if char.is_control() && !matches!(char, '\t' | '\n' | '\r') {
            match self.rules.control {
                Control::Refuse => {
                    return Err(Fault::new(
                        self.text.began,
                        format!("the control character U+{:04X}", u32::from(char)),
                    ));
                }
                Control::Strip => {
                    cuts.push(self.text.began..self.at + 1);
                    return Ok(());
                }
                Control::Allow => {}
            }
        }
        self.keep(char.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.text.is_key {
            self.text.key.extend_from_slice(bytes);
        }
    }

    fn end_text(&mut self) -> Result<(), Fault> {
        if !self.text.is_key {
            self.after_value();
            return Ok(());
        }
        (self.token, self.expect) = (Token::None, Expect::Colon);
        let json = &self.rules.json;
        let Some(frame) = self.stack.last_mut() else { return Ok(()) };
        frame.count += 1;
        if frame.count > *json.keys {
            return Err(Fault::new(self.at, format!("an object of more than {} names", *json.keys)));
        }
        let twice = json.duplicate_keys == DuplicateKeys::Refuse
            && !frame.keys.insert(self.hasher.hash_one(self.text.key.as_slice()));
        if twice { Err(self.fault("a name that its object has already")) } else { Ok(()) }
    }
}

/// What needs no look in a text.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}
