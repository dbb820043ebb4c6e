//! Bank accounts: ISO 13616's length of each country, and the remainder 1 by 97 of the number turned round.

use super::Hit;
use super::numbers::Join;
use crate::guard::text::Look;

/// Countries with the length of their IBAN (SWIFT's registry).
const LENGTHS: [(&[u8; 2], usize); 79] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if !first.is_ascii_alphabetic() || look.joined() {
        return None;
    }
    let country = [first.to_ascii_uppercase(), look.byte(1)?.to_ascii_uppercase()];
    let (_, length) = LENGTHS.iter().find(|(code, _)| **code == country)?;
    let (mut at, mut count, mut rest) = (0, 0, Remainder::default());
    let mut head = [0; 4];
    while count < *length {
        let byte = look.byte(at)?;
        if byte.is_ascii_alphanumeric() {
            match head.get_mut(count) {
                Some(place) => *place = byte,
                None => rest.add(byte),
            }
            if matches!(count, 2 | 3) && !byte.is_ascii_digit() {
                return None;
            }
            (at, count) = (at + 1, count + 1);
        } else {
            // Groups of four, as they are printed.
            let (join, width) = Join::at(look, at)?;
            if count % 4 != 0 || count == 0 || join == Join::Dot || !look.byte(at + width)?.is_ascii_alphanumeric() {
                return None;
            }
            at += width;
        }
    }
    head.into_iter().for_each(|byte| rest.add(byte));
    (rest.0 == 1 && look.ends(at)).then_some(Hit { length: at, score: 99 })
}

/// The remainder by 97 of a number whose letters count from 10.
#[derive(Default)]
struct Remainder(u32);

impl Remainder {
    fn add(&mut self, byte: u8) {
        self.0 = match byte {
            b'0'..=b'9' => self.0 * 10 + u32::from(byte - b'0'),
            _ => self.0 * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10,
        } % 97;
    }
}
