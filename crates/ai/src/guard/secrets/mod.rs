//! Keys, tokens and passwords: by the prefix their issuer gives them, by what they are assigned to, by what they would be
//! to guess.

mod assigned;
mod entropy;
mod prefixes;

use super::detect::Hit;
use super::text::{Look, MOST, is_word};

/// What begins at a place.
pub(crate) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if first == b'-' {
        return private_key(look);
    }
    if !first.is_ascii_graphic() {
        return None;
    }
    prefixes::find(look, first).or_else(|| assigned::find(look, first)).or_else(|| entropy::find(look, first))
}

/// `-----BEGIN … PRIVATE KEY-----` up to its end; where none comes, up to [`MOST`] bytes.
fn private_key(look: &Look<'_>) -> Option<Hit> {
    if look.before(1) == Some(b'-') || !look.has(0, b"-----BEGIN ") {
        return None;
    }
    let label = look.run(11, 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
    let head = look.slice(11, 11 + label);
    if !head.ends_with(b"PRIVATE KEY") && !head.ends_with(b"PRIVATE KEY BLOCK") || !look.has(11 + label, b"-----") {
        return None;
    }
    let mut at = 11 + label + 5;
    while at < MOST {
        match look.byte(at) {
            None => break,
            Some(b'-') if look.has(at, b"-----END ") => {
                let label = look.run(at + 9, 40, |byte| byte.is_ascii_uppercase() || byte == b' ');
                at += 9 + label + 5 * usize::from(look.has(at + 9 + label, b"-----"));
                break;
            }
            Some(_) => at += 1,
        }
    }
    Some(Hit { length: whole(look, at), score: 99 })
}

/// The end at or after `at` that cuts no character.
fn whole(look: &Look<'_>, mut at: usize) -> usize {
    while look.byte(at).is_some_and(|byte| byte & 0xC0 == 0x80) {
        at += 1;
    }
    at
}

/// Shannon's entropy of the bytes, in hundredths of a bit a byte.
fn entropy_of(bytes: &[u8]) -> u32 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(1));
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 800")]
    let hundredths = (bits * 100.0) as u32;
    hundredths
}

/// What stands for a secret in examples: `${TOKEN}`, `<token>`, `xxxx`, `your-key-here`.
fn is_filler(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let opens = matches!(value.first(), Some(b'$' | b'<' | b'{' | b'%' | b'[' | b'('));
    let words = [
        "your",
        "xxxx",
        "****",
        "changeme",
        "placeholder",
        "redacted",
        "process.env",
        "environ",
        "getenv",
        "....",
        "…",
    ];
    opens || words.iter().any(|word| text.contains(word))
}

/// Whether a token may begin here: nothing that belongs to it stands before.
fn begins(look: &Look<'_>) -> bool {
    !look.before(1).is_some_and(|before| is_word(before) || before == b'-')
}
