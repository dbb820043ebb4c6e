//! XML (1.0, fifth edition), byte by byte, with bounds. It is read as far as the bounds need: tags are counted, not
//! compared. There is no document type, and so no entity but those that XML itself has.

use std::sync::Arc;

use super::Rules;
use super::scan::{Cuts, Fault};
use super::spec::Control;

/// An XML document being read.
pub(super) struct Xml {
    rules: Arc<Rules>,
    at: u64,
    depth: u32,
    /// Whether there was an element.
    rooted: bool,
    markup: Markup,
    /// Bytes of the text, tag, comment or instruction so far.
    length: u64,
    /// A reference such as `&#7;` that is being read: where it began, and its text.
    reference: Option<(u64, Vec<u8>)>,
}

/// What is being read.
enum Markup {
    /// Before the first `<`, with bytes of a mark of byte order.
    Before(u8),
    Text,
    /// After `<`.
    Begin,
    /// After `<!`, with what follows so far.
    Declaration(Vec<u8>),
    /// With how many `-` came last.
    Comment(u8),
    /// With how many `]` came last.
    CharacterData(u8),
    /// With its beginning, and whether a `?` came last.
    Instruction(Vec<u8>, bool),
    End,
    Start(Start),
}

/// A start tag.
#[derive(Clone, Copy, Default)]
struct Start {
    quote: Option<u8>,
    attributes: u32,
    /// Whether a `/` came last.
    slash: bool,
}

/// As much of an instruction is kept to see whether it is the declaration of XML.
const KEPT: usize = 256;
/// The longest reference: a longer one is none to a control character.
const REFERENCE: usize = 12;

impl Xml {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self { rules, at: 0, depth: 0, rooted: false, markup: Markup::Before(0), length: 0, reference: None }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], cuts: &mut Cuts) -> Result<(), Fault> {
        for byte in bytes {
            self.byte(*byte, cuts)?;
            self.at += 1;
        }
        Ok(())
    }

    /// Up to where nothing can be stripped any more.
    pub(super) fn decided(&self) -> u64 {
        self.reference.as_ref().map_or(self.at, |(began, _)| *began)
    }

    pub(super) fn end(&mut self) -> Result<(), Fault> {
        let whole = matches!(self.markup, Markup::Text) && self.depth == 0 && self.rooted;
        if whole || self.at == 0 { Ok(()) } else { Err(self.fault("it ends too early")) }
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault::new(self.at, what)
    }

    fn byte(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        if byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') {
            return self.control(byte, cuts);
        }
        self.length += 1;
        let most = self.rules.xml.text.get();
        if self.length > most {
            return Err(Fault::new(self.at, format!("a text or tag of more than {most} bytes")));
        }
        match &mut self.markup {
            Markup::Before(marked) => match (byte, *marked) {
                (b'<', 0 | 3) => self.turn(Markup::Begin),
                (b' ' | b'\t' | b'\n' | b'\r', 0 | 3) => {}
                // In another encoding the markup could not be seen.
                (0xef, 0) if self.at == 0 => *marked = 1,
                (0xbb, 1) | (0xbf, 2) => *marked += 1,
                _ => return Err(self.fault("no XML, or in an encoding other than UTF-8")),
            },
            Markup::Text if byte == b'<' => self.turn(Markup::Begin),
            Markup::Text => self.refer(byte, cuts)?,
            Markup::Begin => self.begin(byte)?,
            Markup::Declaration(_) => self.declaration(byte)?,
            Markup::Comment(dashes) => match byte {
                b'>' if *dashes >= 2 => self.turn(Markup::Text),
                b'-' => *dashes = dashes.saturating_add(1),
                _ => *dashes = 0,
            },
            Markup::CharacterData(brackets) => match byte {
                b'>' if *brackets >= 2 => self.turn(Markup::Text),
                b']' => *brackets = brackets.saturating_add(1),
                _ => *brackets = 0,
            },
            Markup::Instruction(..) => self.instruction(byte)?,
            Markup::End if byte == b'>' => {
                self.depth = self.depth.checked_sub(1).ok_or_else(|| self.fault("an end tag without its start"))?;
                self.turn(Markup::Text);
            }
            Markup::End => {}
            Markup::Start(start) => {
                let start = *start;
                self.tag(byte, start, cuts)?;
            }
        }
        Ok(())
    }

    fn turn(&mut self, markup: Markup) {
        self.markup = markup;
        self.length = 0;
        self.reference = None;
    }

    fn begin(&mut self, byte: u8) -> Result<(), Fault> {
        match byte {
            b'!' => self.turn(Markup::Declaration(Vec::new())),
            b'?' => self.turn(Markup::Instruction(Vec::new(), false)),
            b'/' => self.turn(Markup::End),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b':' | 0x80.. => {
                if self.depth == 0 && self.rooted {
                    return Err(self.fault("a second root element"));
                }
                let most = self.rules.xml.depth;
                if self.depth >= most {
                    return Err(Fault::new(self.at, format!("more than {most} levels")));
                }
                (self.depth, self.rooted) = (self.depth + 1, true);
                self.turn(Markup::Start(Start::default()));
            }
            _ => return Err(self.fault("a `<` that begins nothing")),
        }
        Ok(())
    }

    fn declaration(&mut self, byte: u8) -> Result<(), Fault> {
        let Markup::Declaration(seen) = &mut self.markup else { return Ok(()) };
        seen.push(byte);
        match seen.as_slice() {
            b"--" => self.turn(Markup::Comment(0)),
            b"[CDATA[" => self.turn(Markup::CharacterData(0)),
            seen if b"--".starts_with(seen) || b"[CDATA[".starts_with(seen) => {}
            _ => return Err(self.fault("a document type or entity")),
        }
        Ok(())
    }

    fn instruction(&mut self, byte: u8) -> Result<(), Fault> {
        let Markup::Instruction(seen, question) = &mut self.markup else { return Ok(()) };
        if byte == b'>' && *question {
            if !seen.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"xml")) || is_read(seen) {
                self.turn(Markup::Text);
                return Ok(());
            }
            return Err(self.fault("an encoding that is not known here"));
        }
        *question = byte == b'?';
        if seen.len() < KEPT {
            seen.push(byte);
        }
        Ok(())
    }

    fn tag(&mut self, byte: u8, mut start: Start, cuts: &mut Cuts) -> Result<(), Fault> {
        if let Some(quote) = start.quote {
            match byte {
                b'<' => return Err(self.fault("a `<` in an attribute")),
                _ if byte == quote => {
                    start.quote = None;
                    self.reference = None;
                }
                _ => self.refer(byte, cuts)?,
            }
            self.markup = Markup::Start(start);
            return Ok(());
        }
        match byte {
            b'>' => {
                if start.slash {
                    self.depth -= 1;
                }
                self.turn(Markup::Text);
                return Ok(());
            }
            b'<' => return Err(self.fault("a `<` in a tag")),
            b'"' | b'\'' => start.quote = Some(byte),
            b'=' => {
                start.attributes += 1;
                let most = self.rules.xml.attributes;
                if start.attributes > most {
                    return Err(Fault::new(self.at, format!("an element of more than {most} attributes")));
                }
            }
            _ => {}
        }
        start.slash = byte == b'/';
        self.markup = Markup::Start(start);
        Ok(())
    }

    /// A byte of a text: part of a reference, or the beginning of one.
    fn refer(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        match (&mut self.reference, byte) {
            (_, b'&') => self.reference = Some((self.at, Vec::new())),
            (None, _) => {}
            (Some((began, text)), b';') => {
                let (began, char) = (*began, number(text));
                self.reference = None;
                if let Some(char) = char.filter(|char| *char < 0x20 && !matches!(char, 0x9 | 0xa | 0xd)) {
                    match self.rules.control {
                        Control::Refuse => {
                            return Err(Fault::new(began, format!("the control character U+{char:04X}")));
                        }
                        Control::Strip => cuts.push(began..self.at + 1),
                        Control::Allow => {}
                    }
                }
            }
            // Zeros may stand before a number, so the digits that count are kept.
            (Some((_, text)), b'0') if matches!(text.as_slice(), b"#" | b"#x") => {}
            (Some((_, text)), _) if text.len() < REFERENCE => text.push(byte),
            (Some(_), _) => self.reference = None,
        }
        Ok(())
    }

    fn control(&mut self, byte: u8, cuts: &mut Cuts) -> Result<(), Fault> {
        match self.rules.control {
            // Of another encoding the zeros are half of each character.
            Control::Strip if byte != 0 && self.reference.is_none() => cuts.push(self.at..self.at + 1),
            Control::Allow if byte != 0 => {}
            _ => return Err(Fault::new(self.at, format!("the control character U+{byte:04X}"))),
        }
        Ok(())
    }
}

/// The number of a character reference (`#7`, `#x7`).
fn number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?.strip_prefix('#')?;
    match text.strip_prefix('x') {
        Some("") => Some(0),
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.is_empty() => Some(0),
        None => text.parse().ok(),
    }
}

/// Whether the declaration of XML names no encoding, or one in which all markup is as in ASCII.
fn is_read(declaration: &[u8]) -> bool {
    let text = String::from_utf8_lossy(declaration).to_ascii_lowercase();
    let Some((_, rest)) = text.split_once("encoding") else { return declaration.len() < KEPT };
    let value = rest.trim_start().strip_prefix('=').map(str::trim_start).unwrap_or_default();
    let quoted = value.strip_prefix(['"', '\'']).and_then(|value| value.split(['"', '\'']).next());
    quoted.is_some_and(is_known)
}

/// Whether in a character encoding all markup is as in ASCII.
pub(super) fn is_known(encoding: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1"]
        .iter()
        .any(|known| encoding.eq_ignore_ascii_case(known))
}
