//! Structured fields (RFC 9651), as far as signatures and digests need them: dictionaries of inner lists of strings, and of
//! byte sequences, read strictly and written canonically.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A bare item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    Integer(i64),
    Text(String),
    Token(String),
    Bytes(Vec<u8>),
    Flag(bool),
}

pub(super) type Parameters = Vec<(String, Bare)>;

/// A string with its parameters: how a signature names what it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) parameters: Parameters,
}

/// A member of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Bare(Bare),
    List(Vec<Item>, Parameters),
}

/// The members of a dictionary; of several with one key the last. `None` where it is none.
pub(super) fn dictionary(text: &[u8]) -> Option<Vec<(String, Member)>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let mut reader = Reader(text.trim_matches(' '));
    let mut members: Vec<(String, Member)> = Vec::new();
    while !reader.0.is_empty() {
        let key = reader.key()?;
        let member = if reader.take('=') { reader.member()? } else { Member::Bare(Bare::Flag(true)) };
        if !matches!(member, Member::List(..)) {
            reader.parameters()?;
        }
        members.retain(|(known, _)| *known != key);
        members.push((key, member));
        reader.0 = reader.0.trim_start_matches([' ', '\t']);
        if reader.0.is_empty() {
            break;
        }
        if !reader.take(',') {
            return None;
        }
        reader.0 = reader.0.trim_start_matches([' ', '\t']);
        if reader.0.is_empty() {
            return None;
        }
    }
    Some(members)
}

/// The parameter of this name.
pub(super) fn parameter<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p Bare> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// So far as characters are of this kind.
    fn while_is(&mut self, is: impl Fn(char) -> bool) -> &str {
        let end = self.0.find(|c| !is(c)).unwrap_or(self.0.len());
        let (found, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        found
    }

    fn key(&mut self) -> Option<String> {
        let starts = self.0.starts_with(|c: char| c.is_ascii_lowercase() || c == '*');
        let key = self.while_is(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c));
        starts.then(|| key.to_owned())
    }

    fn member(&mut self) -> Option<Member> {
        if !self.take('(') {
            return self.bare().map(Member::Bare);
        }
        let mut items = Vec::new();
        loop {
            self.while_is(|c| c == ' ');
            if self.take(')') {
                return Some(Member::List(items, self.parameters()?));
            }
            let Bare::Text(text) = self.bare()? else { return None };
            items.push(Item { text, parameters: self.parameters()? });
            if !self.0.starts_with([' ', ')']) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<Parameters> {
        let mut parameters: Parameters = Vec::new();
        while self.take(';') {
            self.while_is(|c| c == ' ');
            let key = self.key()?;
            let value = if self.take('=') { self.bare()? } else { Bare::Flag(true) };
            parameters.retain(|(known, _)| *known != key);
            parameters.push((key, value));
        }
        Some(parameters)
    }

    fn bare(&mut self) -> Option<Bare> {
        match self.0.chars().next()? {
            '"' => self.text().map(Bare::Text),
            ':' => {
                self.take(':');
                let encoded = self.while_is(|c| c != ':').to_owned();
                self.take(':').then(|| STANDARD.decode(encoded).ok().map(Bare::Bytes)).flatten()
            }
            '?' => {
                self.take('?');
                let yes = self.take('1');
                (yes || self.take('0')).then_some(Bare::Flag(yes))
            }
            '-' | '0'..='9' => {
                let negative = self.take('-');
                let digits = self.while_is(|c| c.is_ascii_digit());
                let number: i64 = (1..=15).contains(&digits.len()).then(|| digits.parse().ok()).flatten()?;
                (!self.0.starts_with('.')).then_some(Bare::Integer(if negative { -number } else { number }))
            }
            c if c.is_ascii_alphabetic() || c == '*' => {
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c);
                Some(Bare::Token(self.while_is(token).to_owned()))
            }
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        self.take('"');
        let mut text = String::new();
        let mut chars = self.0.char_indices();
        loop {
            match chars.next()? {
                (at, '"') => {
                    self.0 = self.0.get(at + 1..)?;
                    return Some(text);
                }
                (_, '\\') => match chars.next()? {
                    (_, c @ ('"' | '\\')) => text.push(c),
                    _ => return None,
                },
                (_, c @ ' '..='~') => text.push(c),
                _ => return None,
            }
        }
    }
}

/// An inner list as it stands in the last line of a signature base (RFC 9421 section 2.3).
pub(super) fn write_list(items: &[Item], parameters: &Parameters) -> String {
    let mut out = String::from("(");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        write_item(item, &mut out);
    }
    out.push(')');
    write_parameters(parameters, &mut out);
    out
}

/// A string with its parameters.
pub(super) fn write_item(item: &Item, out: &mut String) {
    write_text(&item.text, out);
    write_parameters(&item.parameters, out);
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

fn write_parameters(parameters: &Parameters, out: &mut String) {
    for (name, value) in parameters {
        let _ = write!(out, ";{name}");
        match value {
            Bare::Flag(true) => continue,
            _ => out.push('='),
        }
        match value {
            Bare::Integer(number) => {
                let _ = write!(out, "{number}");
            }
            Bare::Text(text) => write_text(text, out),
            Bare::Token(token) => out.push_str(token),
            Bare::Bytes(bytes) => {
                let _ = write!(out, ":{}:", STANDARD.encode(bytes));
            }
            Bare::Flag(_) => out.push_str("?0"),
        }
    }
}
