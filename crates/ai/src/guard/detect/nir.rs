//! Social security numbers of France (NIR): sex, year, month, department, commune, order, and a key of two digits, which is
//! 97 less the remainder of the number by 97. Corsica's departments are 2A and 2B, which count as 19 and 18.

use super::Hit;
use super::numbers::Join;
use super::numbers::Numbers;
use crate::guard::text::Look;

/// Where groups begin, as the card prints them.
const STARTS: [usize; 7] = [1, 3, 5, 7, 10, 13, 15];

pub(super) fn find(look: &Look<'_>, _: &Numbers) -> Option<Hit> {
    if !matches!(look.byte(0), Some(b'1'..=b'4' | b'7' | b'8')) {
        return None;
    }
    let mut code = [0_u8; 15];
    let mut at = 0;
    for (n, place) in code.iter_mut().enumerate() {
        if STARTS.contains(&n)
            && let Some((Join::Space, width)) = Join::at(look, at)
        {
            at += width;
        }
        let byte = look.byte(at)?.to_ascii_uppercase();
        if !(byte.is_ascii_digit() || n == 6 && matches!(byte, b'A' | b'B')) {
            return None;
        }
        (*place, at) = (byte, at + 1);
    }
    (is_number(code) && look.ends(at)).then_some(Hit { length: at, score: 97 })
}

fn is_number(mut code: [u8; 15]) -> bool {
    let [_, _, _, month, unit, ten, department, ..] = code;
    let born = matches!((month, unit), (b'0', b'1'..=b'9') | (b'1', b'0'..=b'2') | (b'2'..=b'4', _) | (b'5'..=b'9', _));
    let lowered = match (ten, department) {
        (b'2', b'A') => 19,
        (b'2', b'B') => 18,
        (_, b'0'..=b'9') => 0,
        _ => return false,
    };
    if lowered > 0 {
        let (tens, ones) = (b'0' + lowered / 10, b'0' + lowered % 10);
        for (place, digit) in code.iter_mut().skip(5).zip([tens, ones]) {
            *place = digit;
        }
    }
    let value = |part: &[u8]| part.iter().fold(0_u64, |value, byte| value * 10 + u64::from(byte - b'0'));
    let (number, key) = code.split_at(13);
    born && 97 - value(number) % 97 == value(key)
}
