//! The gateway's own form of API keys: `tg_`, 256 random bits in base 62, and a checksum. A key that leaked is found by
//! its form alone, and one that was mistyped or made up is refused before anything is looked up. Keys of any other form
//! are as good.

use std::fmt::Write as _;

use aws_lc_rs::rand;
use model::value::Secret;

/// What such a key begins with.
pub const PREFIX: &str = "tg_";
/// Digits of 256 bits.
const RANDOM: usize = 43;
/// Digits of the checksum's 32 bits.
const CHECK: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key. Nothing only where the system has no randomness.
pub fn make() -> Option<Secret<String>> {
    let mut random = [0; 32];
    rand::fill(&mut random).ok()?;
    let mut key = format!("{PREFIX}{}", base62(&random, RANDOM));
    key.push_str(&checksum(key.as_bytes()));
    Some(Secret::new(key))
}

/// SHA-256 of a key, hexadecimal: what the configuration keeps of it.
pub fn sha256_of(key: &str) -> String {
    crate::program::sha256(key.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether this can be no key: it begins like one of the gateway's and its checksum is not right.
pub fn is_forged(key: &[u8]) -> bool {
    key.starts_with(PREFIX.as_bytes())
        && !key
            .split_last_chunk::<CHECK>()
            .is_some_and(|(body, check)| body.len() == PREFIX.len() + RANDOM && checksum(body).as_bytes() == check)
}

/// CRC-32 (ISO-HDLC) of all that stands before it.
fn checksum(body: &[u8]) -> String {
    base62(&crc32fast::hash(body).to_be_bytes(), CHECK)
}

/// A number, big-endian, as so many digits.
fn base62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut text = Vec::with_capacity(digits);
    for _ in 0..digits {
        let mut rest = 0_u32;
        for byte in &mut number {
            let wide = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(wide / 62).unwrap_or(u8::MAX);
            rest = wide % 62;
        }
        text.push(DIGITS.get(rest as usize).copied().unwrap_or(b'0'));
    }
    text.reverse();
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{PREFIX, base62, checksum, is_forged, make};

    #[test]
    fn a_key_has_its_form_and_no_other_passes() {
        let key = make().unwrap().into_inner();
        assert_eq!(key.len(), 52);
        assert!(key.starts_with(PREFIX) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert!(!is_forged(key.as_bytes()));
        assert_ne!(make().unwrap().into_inner(), key);
        for at in PREFIX.len()..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[at] = if wrong[at] == b'a' { b'b' } else { b'a' };
            assert!(is_forged(&wrong), "{at}");
            assert!(is_forged(&key.as_bytes()[..at]), "{at}");
        }
        assert!(is_forged(format!("{key}0").as_bytes()));
        for other in ["", "tg", "tga", "TG_x", "another-key", " tg_x"] {
            assert!(!is_forged(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn digits_are_those_of_base_62() {
        for (bytes, digits, text) in [
            (&[0, 0][..], 3, "000"),
            (&[61], 1, "z"),
            (&[62], 2, "10"),
            (&[0xff, 0xff, 0xff, 0xff], 6, "4gfFC3"),
            (&[0xff; 32], 43, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1"),
        ] {
            assert_eq!(base62(bytes, digits), text);
        }
        assert_eq!(checksum(b"123456789"), base62(&0xcbf4_3926_u32.to_be_bytes(), 6));
    }
}
