//! What nobody could guess and nobody would write: long runs of letters of both cases and digits. Hashes in hexadecimal,
//! names in camel case, paths and what is announced as a digest are not.

use super::entropy_of;
use crate::guard::detect::Hit;
use crate::guard::text::{Look, is_word};

/// The shortest and the longest.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=128;

/// What announces a digest or a picture rather than a secret.
const AGAINST: &str = "sha1-$|sha256-|sha384-|sha512-|integrity|base64,$|sha256:|checksum|digest|bitcoin|btc$";

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    let before = look.before(1);
    if !first.is_ascii_alphanumeric() || before.is_some_and(|byte| is_word(byte) || b"-/+=.@%".contains(&byte)) {
        return None;
    }
    let mut length = look.run(0, *LENGTHS.end(), |byte| is_word(byte) || matches!(byte, b'-' | b'+' | b'/'));
    if !LENGTHS.contains(&length) {
        return None;
    }
    length += look.run(length, 2, |byte| byte == b'=');
    let value = look.slice(0, length);
    let ends = !look.byte(length).is_some_and(|byte| {
        is_word(byte) || matches!(byte, b'.' | b'(' | b'@') && look.byte(length + 1).is_some_and(is_word)
    });
    let said = look.says("", AGAINST) == crate::guard::text::Said::Against;
    (ends && !said && is_random(value)).then_some(Hit { length, score: 75 })
}

/// Both cases and digits, mixed as no name mixes them.
fn is_random(value: &[u8]) -> bool {
    let count = |of: fn(&u8) -> bool| value.iter().filter(|byte| of(byte)).count();
    let (upper, lower) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let signs = count(|byte| matches!(byte, b'/' | b'-' | b'_'));
    if upper < 4 || lower < 4 || signs * 8 > value.len() || entropy_of(value) < 400 {
        return false;
    }
    let mut runs = 0;
    let mut digit = false;
    let mut changes = 0;
    let mut class = 0;
    for byte in value {
        if byte.is_ascii_digit() && !digit {
            runs += 1;
        }
        digit = byte.is_ascii_digit();
        let next = match byte {
            b'0'..=b'9' => 1,
            b'a'..=b'z' => 2,
            b'A'..=b'Z' => 3,
            _ => 4,
        };
        changes += usize::from(next != class);
        class = next;
    }
    runs >= 3 && changes * 5 > value.len() * 2
}
