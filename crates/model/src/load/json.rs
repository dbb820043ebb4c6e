//! Strict JSON (RFC 8259) to the tree.
use super::build::{Builder, Stop, Written};
use super::span::offset;
use super::{Span, Value};
use crate::problem::Problem;
use crate::value::quote;

/// Reads one value and nothing after it.
pub(super) fn read(text: &str, file: u32, builder: &mut Builder<'_>) -> Result<(), Stop> {
    let mut reader = Reader { text, file, at: 0 };
    reader.skip_blank();
    reader.value(builder)?;
    reader.skip_blank();
    match reader.peek() {
        None => Ok(()),
        Some(_) => Err(reader.wrong("expected the end of the file here", None, builder)),
    }
}

struct Reader<'t> {
    text: &'t str,
    file: u32,
    at: usize,
}

impl<'t> Reader<'t> {
    /// Recursion is bounded by the builder's depth budget.
    fn value(&mut self, builder: &mut Builder<'_>) -> Result<(), Stop> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.map(builder),
            Some(b'[') => self.list(builder),
            Some(b'"') => {
                let text = self.string(builder)?;
                builder.scalar(text, Written::Quoted, self.since(start), 0)
            }
            Some(b'-' | b'0'..=b'9') => {
                let value = self.number(builder)?;
                builder.value(value, self.since(start), 0)
            }
            Some(_) => {
                let word = self.take_while(|b| b.is_ascii_alphanumeric() || b == b'_');
                let value = match word {
                    "null" => Value::Null,
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => {
                        self.at = start;
                        return Err(self.unexpected("a value", builder));
                    }
                };
                builder.value(value, self.since(start), 0)
            }
            None => Err(self.unexpected("a value", builder)),
        }
    }

    fn list(&mut self, builder: &mut Builder<'_>) -> Result<(), Stop> {
        builder.start_list(self.here(), 0)?;
        self.at += 1;
        self.skip_blank();
        if !self.eat(b']') {
            loop {
                self.value(builder)?;
                self.skip_blank();
                if self.eat(b']') {
                    break;
                }
                self.comma("`,` or `]`", b']', builder)?;
            }
        }
        builder.end(Some(offset(self.at)))
    }

    fn map(&mut self, builder: &mut Builder<'_>) -> Result<(), Stop> {
        builder.start_map(self.here(), 0)?;
        self.at += 1;
        self.skip_blank();
        if !self.eat(b'}') {
            loop {
                let start = self.at;
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected("a key in double quotes", builder));
                }
                let key = self.string(builder)?;
                builder.scalar(key, Written::Quoted, self.since(start), 0)?;
                self.skip_blank();
                if !self.eat(b':') {
                    return Err(self.unexpected("`:`", builder));
                }
                self.skip_blank();
                self.value(builder)?;
                self.skip_blank();
                if self.eat(b'}') {
                    break;
                }
                self.comma("`,` or `}`", b'}', builder)?;
            }
        }
        builder.end(Some(offset(self.at)))
    }

    fn comma(&mut self, expected: &str, end: u8, builder: &mut Builder<'_>) -> Result<(), Stop> {
        let comma = self.at;
        if !self.eat(b',') {
            return Err(self.unexpected(expected, builder));
        }
        self.skip_blank();
        if self.peek() == Some(end) {
            self.at = comma;
            return Err(self.wrong("JSON has no comma after the last value", Some("remove the comma"), builder));
        }
        Ok(())
    }

    fn string(&mut self, builder: &mut Builder<'_>) -> Result<String, Stop> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|b| b != b'"' && b != b'\\' && b >= b' '));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape(builder)?),
                Some(b'\n' | b'\r') | None => {
                    self.at = start;
                    return Err(self.wrong("a quote that opens here is not closed on its line", None, builder));
                }
                Some(_) => {
                    let help = Some("write it as an escape, such as `\\t`");
                    return Err(self.wrong("a control character must not be inside of quotes", help, builder));
                }
            }
        }
    }

    fn escape(&mut self, builder: &mut Builder<'_>) -> Result<char, Stop> {
        let start = self.at;
        let escaped = self.text.as_bytes().get(start + 1).copied();
        self.at += 2;
        let simple = match escaped {
            Some(c @ (b'"' | b'\\' | b'/')) => Some(char::from(c)),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => self.unicode(),
            _ => None,
        };
        simple.ok_or_else(|| {
            self.at = start;
            self.wrong("this escape is not a character", Some("write `\\\\` for a backslash"), builder)
        })
    }

    /// The four digits after `\u`, and the second half of a pair of surrogates.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        let escape = self.text.as_bytes().get(self.at..self.at + 2)?;
        self.at += 2;
        let low = if escape == b"\\u" { self.hex()? } else { return None };
        if !(0xDC00..0xE000).contains(&low) {
            return None;
        }
        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self, builder: &mut Builder<'_>) -> Result<Value, Stop> {
        let start = self.at;
        let text = self.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let (help, value) = match is_number(text) {
            false => (Some("JSON's numbers are decimal, without a leading zero or `+`"), None),
            true if text.contains(['.', 'e', 'E']) => {
                (None, text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float))
            }
            true => (None, text.parse().ok().map(Value::Integer)),
        };
        value.ok_or_else(|| {
            self.at = start;
            let what = if help.is_some() { "is not a number" } else { "is too large" };
            self.wrong(&format!("{} {what}", quote(text)), help, builder)
        })
    }

    fn unexpected(&mut self, expected: &str, builder: &mut Builder<'_>) -> Stop {
        let Some(found) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else {
            return self.wrong(&format!("expected {expected}, found the end of the file"), None, builder);
        };
        let help = match found {
            '/' | '#' => Some("JSON has no comments"),
            '\'' => Some("JSON's quotes are double"),
            '\u{feff}' => Some("remove the byte order mark"),
            _ => None,
        };
        let found = quote(found.encode_utf8(&mut [0; 4]));
        self.wrong(&format!("expected {expected}, found {found}"), help, builder)
    }

    fn wrong(&mut self, message: &str, help: Option<&str>, builder: &mut Builder<'_>) -> Stop {
        let mut problem = Problem::error("config.syntax", self.here(), message);
        if let Some(help) = help {
            problem = problem.help(help);
        }
        builder.problem(problem);
        Stop
    }

    fn take_while(&mut self, more: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let end = self.at + rest.iter().position(|b| !more(*b)).unwrap_or(rest.len());
        let taken = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        taken
    }

    fn skip_blank(&mut self) {
        self.take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The character at hand.
    fn here(&self) -> Span {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.chars().next().map_or(0, char::len_utf8);
        Span::new(self.file, offset(self.at), offset(self.at + length))
    }

    fn since(&self, start: usize) -> Span {
        Span::new(self.file, offset(start), offset(self.at))
    }
}

/// JSON's own grammar of numbers, which is stricter than Rust's.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
