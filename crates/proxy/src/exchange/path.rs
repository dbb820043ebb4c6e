//! The one plain form of a path, so that matcher, expressions and upstream see the same bytes (RFC 3986 section 6.2.2).
//!
//! 1. **Escapes.** `%` must begin two hexadecimal digits, and `%00` is refused. Escaped letters, digits, `-`, `.`, `_`
//!    and `~` are decoded, as they mean the same; the other escapes stay, with digits in upper case. What may not stand
//!    in a path as it is (bytes above 127, `"`, `<`, `>`, `^`, backquote, `{`, `}` and `\`) is escaped.
//! 2. **Slashes.** Repeated ones are kept, merged or refused.
//! 3. **Dot segments** are removed (RFC 3986 section 5.2.4), refused or kept. Unless they are kept, one that hides
//!    behind an escaped slash or backslash (`..%2F`), or before parameters (`..;v=1`), is refused: it has no plain form,
//!    and servers that decode it or take the parameters out climb.
//!
//! `%2F` and `%5C` stay as they are and are never separators, or are refused. `;` is plain data else. Case is kept.

use std::borrow::Cow;
use std::fmt;

use model::resource::{EncodedSlashRule, PathHandling, PathRule, SlashRule};

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRefused {
    /// `%` without two hexadecimal digits.
    InvalidEscape,
    /// `%00`.
    Nul,
    /// A dot segment, plain or behind an escaped slash.
    DotSegment,
    /// Repeated slashes.
    RepeatedSlashes,
    /// `%2F`, `%5C` or a backslash.
    EncodedSlash,
}

impl fmt::Display for PathRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathRefused::InvalidEscape => "The path has a `%` that does not begin an escape.",
            PathRefused::Nul => "The path has an escaped NUL.",
            PathRefused::DotSegment => "The path has a dot segment.",
            PathRefused::RepeatedSlashes => "The path has repeated slashes.",
            PathRefused::EncodedSlash => "The path has an encoded slash or a backslash.",
        })
    }
}

/// Brings a path (without its query, beginning with `/`) into its plain form. Borrows where nothing changes; applied
/// again it changes nothing. The result is at most three times as long, begins with `/` and is ASCII.
pub fn normalize<'p>(path: &'p str, rules: &PathHandling) -> Result<Cow<'p, str>, PathRefused> {
    if is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let mut path = escapes(path, rules.encoded_slashes)?;
    if path.contains("//") {
        match rules.slashes {
            SlashRule::Keep => {}
            SlashRule::Merge => path = merge_slashes(&path).into(),
            SlashRule::Reject => return Err(PathRefused::RepeatedSlashes),
        }
    }
    match (rules.dot_segments, dots(&path)) {
        (PathRule::Keep, _) | (_, Dots::None) => {}
        (PathRule::Normalize, Dots::Plain) => path = remove_dot_segments(&path).into(),
        (PathRule::Reject, Dots::Plain) | (_, Dots::Hidden) => return Err(PathRefused::DotSegment),
    }
    Ok(path)
}

/// The plain form of a literal path of the configuration: as [`normalize`] brings a request's, except for dot segments
/// and slashes, which are left to the caller.
pub(crate) fn literal(path: &str) -> Result<Cow<'_, str>, PathRefused> {
    escapes(path, EncodedSlashRule::Keep)
}

/// Whether there is nothing to look at more closely: no escape, nothing to be escaped, no `//`, no segment that begins
/// with a dot.
fn is_plain(path: &str) -> bool {
    let mut before = 0;
    for &byte in path.as_bytes() {
        if !stands(byte) || (before == b'/' && matches!(byte, b'/' | b'.')) {
            return false;
        }
        before = byte;
    }
    true
}

/// Whether a byte may stand in a path as it is, `%` apart: all printable ASCII but what the URL standard's path
/// percent-encode set escapes, and the backslash.
fn stands(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&'..=b';' | b'=' | b'@'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'|' | b'~')
}

/// Brings escapes into their one form.
fn escapes(path: &str, slashes: EncodedSlashRule) -> Result<Cow<'_, str>, PathRefused> {
    if path.bytes().all(stands) {
        return Ok(Cow::Borrowed(path));
    }
    let mut out = String::with_capacity(path.len() + 16);
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, escaped) = match byte {
            b'%' => (hex(bytes.next())? << 4 | hex(bytes.next())?, true),
            plain => (plain, false),
        };
        match byte {
            0 => return Err(PathRefused::Nul),
            b'\\' if slashes == EncodedSlashRule::Reject => return Err(PathRefused::EncodedSlash),
            b'/' if escaped && slashes == EncodedSlashRule::Reject => return Err(PathRefused::EncodedSlash),
            _ if escaped && is_unreserved(byte) => out.push(char::from(byte)),
            _ if !escaped && stands(byte) => out.push(char::from(byte)),
            _ => push_escape(&mut out, byte),
        }
    }
    Ok(Cow::Owned(out))
}

fn hex(digit: Option<u8>) -> Result<u8, PathRefused> {
    let digit = digit.and_then(|digit| char::from(digit).to_digit(16)).ok_or(PathRefused::InvalidEscape)?;
    u8::try_from(digit).map_err(|_| PathRefused::InvalidEscape)
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_escape(out: &mut String, byte: u8) {
    out.push('%');
    for digit in [byte >> 4, byte & 15] {
        out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
    }
}

fn merge_slashes(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for char in path.chars() {
        if char != '/' || !out.ends_with('/') {
            out.push(char);
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    None,
    /// A dot segment as such.
    Plain,
    /// One that an escaped slash, a backslash or parameters bound.
    Hidden,
}

/// Looks for dot segments in a path whose escapes are plain.
fn dots(path: &str) -> Dots {
    let mut found = Dots::None;
    for segment in path.split('/') {
        if is_dots(segment) {
            found = Dots::Plain;
        } else if segment.starts_with('.') || segment.contains("%2F") || segment.contains("%5C") {
            let mut parts = segment.split("%2F").flat_map(|part| part.split("%5C"));
            if parts.any(|part| is_dots(part.split(';').next().unwrap_or(part))) {
                return Dots::Hidden;
            }
        }
    }
    found
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// RFC 3986 section 5.2.4; `..` at the root stays at the root.
fn remove_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            _ => {
                out.push('/');
                out.push_str(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            out.push('/');
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

#[cfg(test)]
mod tests;
