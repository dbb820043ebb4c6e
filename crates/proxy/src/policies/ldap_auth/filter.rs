//! Search filters (RFC 4515) with holes: `(&(uid={user})(!(status=disabled)))`.
//!
//! The filter is taken apart when it is compiled, and what a client sends is put in as a value of the finished tree: no
//! character of it can end a value or begin another, so there is nothing to escape and nothing to forget.

use super::ber::{BOOLEAN, OCTETS, Writer};

/// A filter that is ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// `&`, `|` (by their tags): all, any.
    Set(u8, Vec<Filter>),
    /// `!`.
    Not(Box<Filter>),
    /// `=`, `>=`, `<=`, `~=` (by their tags).
    Compare(u8, String, Text),
    /// `=*`.
    Present(String),
    /// `=a*b*c`: the parts by their tags.
    Parts(String, Vec<(u8, Text)>),
    /// `attribute:dn:rule:=value`.
    Rule { attribute: String, rule: String, dn: bool, value: Text },
}

/// A value: bytes and holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    User,
    Dn,
}

/// What fills the holes.
#[derive(Clone, Copy)]
pub(super) struct Holes<'h> {
    pub(super) user: &'h str,
    pub(super) dn: &'h str,
}

/// Levels of brackets that there may be.
const MOST_DEPTH: usize = 16;

impl Filter {
    /// Reads a filter.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let filter = item(&mut rest, MOST_DEPTH)?;
        if rest.is_empty() { Ok(filter) } else { Err(format!("`{rest}` is behind its end")) }
    }

    /// Whether a user's name is asked for.
    pub(super) fn has_user(&self) -> bool {
        let has = |text: &Text| text.0.contains(&Piece::User);
        match self {
            Self::Set(_, filters) => filters.iter().any(Self::has_user),
            Self::Not(filter) => filter.has_user(),
            Self::Compare(_, _, value) | Self::Rule { value, .. } => has(value),
            Self::Parts(_, parts) => parts.iter().any(|(_, part)| has(part)),
            Self::Present(_) => false,
        }
    }

    /// Writes it with its holes filled.
    pub(super) fn write(&self, out: &mut Writer, holes: Holes<'_>) {
        match self {
            Self::Set(tag, filters) => {
                out.inside(*tag, |out| filters.iter().for_each(|filter| filter.write(out, holes)));
            }
            Self::Not(filter) => out.inside(0xa2, |out| filter.write(out, holes)),
            Self::Compare(tag, attribute, value) => out.inside(*tag, |out| {
                out.bytes(OCTETS, attribute.as_bytes());
                out.bytes(OCTETS, &value.filled(holes));
            }),
            Self::Present(attribute) => out.bytes(0x87, attribute.as_bytes()),
            Self::Parts(attribute, parts) => out.inside(0xa4, |out| {
                out.bytes(OCTETS, attribute.as_bytes());
                out.inside(super::ber::SEQUENCE, |out| {
                    parts.iter().for_each(|(tag, part)| out.bytes(*tag, &part.filled(holes)));
                });
            }),
            Self::Rule { attribute, rule, dn, value } => out.inside(0xa9, |out| {
                for (tag, text) in [(0x81, rule), (0x82, attribute)] {
                    if !text.is_empty() {
                        out.bytes(tag, text.as_bytes());
                    }
                }
                out.bytes(0x83, &value.filled(holes));
                if *dn {
                    out.bytes(0x84, &[0xff]);
                }
            }),
        }
    }
}

/// One filter in brackets.
fn item(rest: &mut &str, depth: usize) -> Result<Filter, String> {
    let inner = rest.strip_prefix('(').ok_or_else(|| format!("`(` is missing before `{rest}`"))?;
    let deeper = depth.checked_sub(1).ok_or("it is too deep")?;
    *rest = inner;
    let filter = match inner.as_bytes().first() {
        Some(b'&') => Filter::Set(0xa0, set(rest, deeper)?),
        Some(b'|') => Filter::Set(0xa1, set(rest, deeper)?),
        Some(b'!') => {
            *rest = inner.get(1..).unwrap_or_default();
            Filter::Not(Box::new(item(rest, deeper)?))
        }
        _ => {
            let (simple, behind) = inner.split_once(')').ok_or("`)` is missing")?;
            *rest = behind;
            return simple_of(simple);
        }
    };
    *rest = rest.strip_prefix(')').ok_or("`)` is missing")?;
    Ok(filter)
}

fn set(rest: &mut &str, depth: usize) -> Result<Vec<Filter>, String> {
    *rest = rest.get(1..).unwrap_or_default();
    let mut filters = Vec::new();
    while rest.starts_with('(') {
        filters.push(item(rest, depth)?);
    }
    if filters.is_empty() { Err("`&` and `|` stand before filters".to_owned()) } else { Ok(filters) }
}

fn simple_of(text: &str) -> Result<Filter, String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` compares nothing"))?;
    let plain = |name: &str| {
        let good =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';'));
        if good { Ok(name.to_owned()) } else { Err(format!("`{name}` is not an attribute")) }
    };
    if let Some(name) = name.strip_suffix(':') {
        let mut words = name.split(':');
        let attribute = words.next().unwrap_or_default();
        let mut words = words.peekable();
        let dn = words.next_if(|word| word.eq_ignore_ascii_case("dn")).is_some();
        let rule = words.next().unwrap_or_default();
        if words.next().is_some() || (attribute.is_empty() && rule.is_empty()) {
            return Err(format!("`{name}` is not a rule"));
        }
        let [attribute, rule] =
            [attribute, rule].map(|word| if word.is_empty() { Ok(String::new()) } else { plain(word) });
        return Ok(Filter::Rule { attribute: attribute?, rule: rule?, dn, value: Text::parse(value)? });
    }
    for (mark, tag) in [('>', 0xa5), ('<', 0xa6), ('~', 0xa8)] {
        if let Some(name) = name.strip_suffix(mark) {
            return Ok(Filter::Compare(tag, plain(name)?, Text::parse(value)?));
        }
    }
    if value == "*" {
        return Ok(Filter::Present(plain(name)?));
    }
    if !value.contains('*') {
        return Ok(Filter::Compare(0xa3, plain(name)?, Text::parse(value)?));
    }
    let last = value.split('*').count() - 1;
    let parts = value.split('*').enumerate().filter(|(_, part)| !part.is_empty());
    let parts = parts.map(|(at, part)| {
        let tag = if at == 0 {
            0x80
        } else if at == last {
            0x82
        } else {
            0x81
        };
        Text::parse(part).map(|part| (tag, part))
    });
    Ok(Filter::Parts(plain(name)?, parts.collect::<Result<_, _>>()?))
}

impl Text {
    /// Reads a value: `\2a` is a byte (RFC 4515 section 3), `{user}` and `{dn}` are holes.
    fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut bytes, mut rest) = (Vec::new(), Vec::new(), text.as_bytes());
        while let Some((&byte, behind)) = rest.split_first() {
            let hole = [("{user}", Piece::User), ("{dn}", Piece::Dn)]
                .into_iter()
                .find_map(|(name, piece)| Some((rest.strip_prefix(name.as_bytes())?, piece)));
            if let Some((behind, piece)) = hole {
                pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                pieces.push(piece);
                rest = behind;
                continue;
            }
            match byte {
                b'{' | b'}' => return Err(format!("`{text}` has a hole that is neither `{{user}}` nor `{{dn}}`")),
                b'(' | 0 => return Err(format!("`{text}` holds `(` or NUL; write `\\28` or `\\00`")),
                b'\\' => {
                    let digits = behind.split_at_checked(2).ok_or("`\\` is followed by two digits")?;
                    let digit =
                        std::str::from_utf8(digits.0).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    bytes.push(digit.ok_or("`\\` is followed by two hexadecimal digits")?);
                    rest = digits.1;
                }
                other => {
                    bytes.push(other);
                    rest = behind;
                }
            }
        }
        pieces.push(Piece::Bytes(bytes));
        pieces.retain(|piece| !matches!(piece, Piece::Bytes(bytes) if bytes.is_empty()));
        Ok(Self(pieces))
    }

    fn filled(&self, holes: Holes<'_>) -> Vec<u8> {
        let mut filled = Vec::new();
        for piece in &self.0 {
            filled.extend_from_slice(match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::User => holes.user.as_bytes(),
                Piece::Dn => holes.dn.as_bytes(),
            });
        }
        filled
    }
}

/// A value as it stands in a distinguished name (RFC 4514 section 2.4).
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        match letter {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => out.extend(['\\', letter]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            letter if letter.is_control() => {
                let mut buffer = [0; 4];
                for byte in letter.encode_utf8(&mut buffer).bytes() {
                    let _ = std::fmt::Write::write_fmt(&mut out, format_args!("\\{byte:02x}"));
                }
            }
            letter => out.push(letter),
        }
    }
    out
}

/// Writes a boolean.
pub(super) fn boolean(out: &mut Writer, value: bool) {
    out.bytes(BOOLEAN, &[if value { 0xff } else { 0 }]);
}
