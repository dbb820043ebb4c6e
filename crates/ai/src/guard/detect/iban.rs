//! Bank accounts: ISO 13616's length of each country, and the remainder 1 by 97 of the number turned round.

use super::Hit;
use super::numbers::Join;
use crate::guard::text::Look;

/// Countries with the length of their IBAN (SWIFT's registry).
const LENGTHS: &str = "\
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 \
    ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 \
    LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 \
    QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20";

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if !first.is_ascii_alphabetic() || look.joined() && look.before(1) != Some(b'/') {
        return None;
    }
    let country = [first.to_ascii_uppercase(), look.byte(1)?.to_ascii_uppercase()];
    let length = &LENGTHS.split(' ').find_map(|row| row.as_bytes().strip_prefix(&country)).and_then(value)?;
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

/// The number that is written.
fn value(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
