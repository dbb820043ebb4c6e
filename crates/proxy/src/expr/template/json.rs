//! Values in JSON, right by where they stand. The formatter marks each value, written as JSON, and this writer follows
//! the text around: inside quotes the value becomes a part of that text, elsewhere it stays a value of its own. So
//! `{"path": {{ request.path }}}` and `{"path": "{{ request.path }}"}` are both right, and nothing that a client sends
//! can end a text.

use std::io;

/// Before a value. JSON writes control characters as escapes, so no value holds it.
pub(super) const BEGIN: char = '\u{1}';
/// After a value.
pub(super) const END: char = '\u{2}';

/// Collects what is rendered, up to a bound.
pub(super) struct Writer {
    out: Vec<u8>,
    most: usize,
    state: State,
    /// Whether the text is inside quotes.
    quoted: bool,
    /// The value that is being written.
    value: Vec<u8>,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not JSON: everything as it comes.
    Plain,
    Text,
    /// Behind a backslash inside quotes.
    Escape,
    Value,
}

impl Writer {
    pub(super) fn new(json: bool, most: usize) -> Self {
        let state = if json { State::Text } else { State::Plain };
        Self { out: Vec::new(), most, state, quoted: false, value: Vec::new(), over: false }
    }

    /// What was written; `None` if it was too much.
    pub(super) fn finish(self) -> Option<String> {
        if self.over { None } else { String::from_utf8(self.out).ok() }
    }

    fn step(&mut self, byte: u8) {
        match self.state {
            State::Value if char::from(byte) == END => {
                self.state = State::Text;
                self.place();
            }
            State::Value => self.value.push(byte),
            _ if char::from(byte) == BEGIN => self.state = State::Value,
            State::Escape => {
                self.state = State::Text;
                self.out.push(byte);
            }
            State::Text | State::Plain => {
                match byte {
                    b'"' => self.quoted = !self.quoted,
                    b'\\' if self.quoted => self.state = State::Escape,
                    _ => {}
                }
                self.out.push(byte);
            }
        }
    }

    /// Puts a whole value where it belongs.
    fn place(&mut self) {
        let value = std::mem::take(&mut self.value);
        if !self.quoted {
            self.out.extend_from_slice(&value);
            return;
        }
        match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
            Some(inner) => self.out.extend_from_slice(inner),
            None if value == b"null" => {}
            // A list or map inside of a text: its JSON as a part of that text.
            None => {
                let text = String::from_utf8_lossy(&value);
                let escaped = serde_json::to_string(&text).unwrap_or_default();
                self.out.extend_from_slice(escaped.trim_matches('"').as_bytes());
            }
        }
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + self.value.len() + bytes.len() > self.most {
            self.over = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        if self.state == State::Plain {
            self.out.extend_from_slice(bytes);
        } else {
            bytes.iter().for_each(|byte| self.step(*byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
