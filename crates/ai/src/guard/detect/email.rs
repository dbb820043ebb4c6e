//! Addresses of e-mail: RFC 5321's lengths, RFC 5322's unquoted local part, a domain with a top level in letters.

use super::Hit;
use crate::guard::text::{Look, is_word};

/// What looks like an address and is a file's name (`icon@2x.png`).
const FILES: [&str; 14] =
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "mjs", "ts", "json", "html", "pdf", "exe"];

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if matches!(first, b'.' | b'\'' | b'&' | b'%' | b'_') || !(is_local(first) || is_lead(first)) || after_local(look) {
        return None;
    }
    let local = run(look, 0, 64, is_local);
    if local > 64 || look.byte(local) != Some(b'@') || look.slice(local - 1, local) == b"." {
        return None;
    }
    if look.slice(0, local).windows(2).any(|pair| pair == b"..") {
        return None;
    }
    let (end, labels) = domain(look, local + 1)?;
    // `git@host:path` is a place.
    if look.byte(end) == Some(b':') && look.byte(end + 1).is_some_and(is_word) {
        return None;
    }
    Some(Hit { length: end, score: if labels > 4 { 80 } else { 98 } })
}

/// Where a domain that begins at `from` ends, and how many labels it has.
fn domain(look: &Look<'_>, from: usize) -> Option<(usize, usize)> {
    let (mut at, mut labels) = (from, 0);
    loop {
        let length = run(look, at, 63, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if length == 0 || length > 63 || at + length - from > 253 {
            return None;
        }
        labels += 1;
        let end = at + length;
        if look.byte(end) == Some(b'.') && look.byte(end + 1).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            at = end + 1;
            continue;
        }
        let top = look.slice(at, end);
        let letters = top.iter().all(u8::is_ascii_alphabetic) || top.starts_with(b"xn--");
        let file = FILES.iter().any(|name| top.eq_ignore_ascii_case(name.as_bytes()))
            && look.byte(from).is_some_and(|byte| byte.is_ascii_digit());
        return (labels > 1 && top.len() > 1 && letters && !file).then_some((end, labels));
    }
}

/// How many bytes from `from` on are of a kind or letters of Latin from U+00C0 to U+024F, which are two bytes each.
fn run(look: &Look<'_>, from: usize, most: usize, of: impl Fn(u8) -> bool) -> usize {
    let mut length = 0;
    while length <= most {
        match look.byte(from + length) {
            Some(byte) if of(byte) => length += 1,
            Some(byte) if is_lead(byte) && look.byte(from + length + 1).is_some() => length += 2,
            _ => break,
        }
    }
    length
}

/// Whether what stands before belongs to a local part.
fn after_local(look: &Look<'_>) -> bool {
    let Some(before) = look.before(1) else { return false };
    // A quote belongs to `o'brien`, not to `'jane@…'`; what `_` begins in Markdown is set in italics.
    if matches!(before, b'\'' | b'_') && !look.before(2).is_some_and(is_local) {
        return false;
    }
    is_local(before) || before & 0xC0 == 0x80 && look.before(2).is_some_and(is_lead)
}

/// RFC 5322's atext but for what rather surrounds an address than belongs to it.
const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'&' | b'\'')
}

/// The first byte of a letter from U+00C0 to U+024F.
const fn is_lead(byte: u8) -> bool {
    matches!(byte, 0xC3..=0xC9)
}
