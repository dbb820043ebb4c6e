//! National insurance numbers of the United Kingdom: two letters that are given out, six digits, a letter from A to D
//! (HMRC's manual NIM39110). Digits and letters may stand in pairs.

use super::Hit;
use super::numbers::Join;
use crate::guard::text::{Look, Said};

const FOR: &str = "ni no|nino|national insurance|ni number";

/// What is never given out, or was taken out of use.
const RESERVED: [&[u8; 2]; 7] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if !first.is_ascii_alphabetic() || look.joined() {
        return None;
    }
    let (one, two) = (first.to_ascii_uppercase(), look.byte(1)?.to_ascii_uppercase());
    let refused = !two.is_ascii_uppercase() || b"DFIQUV".contains(&one) || b"DFIOQUV".contains(&two);
    if refused || RESERVED.contains(&&[one, two]) {
        return None;
    }
    let mut at = 2;
    for n in 0..7 {
        if matches!(n, 0 | 2 | 4 | 6)
            && let Some((Join::Space | Join::Dash, width)) = Join::at(look, at)
        {
            at += width;
        }
        let byte = look.byte(at)?.to_ascii_uppercase();
        if !(if n < 6 { byte.is_ascii_digit() } else { (b'A'..=b'D').contains(&byte) }) {
            return None;
        }
        at += 1;
    }
    if !look.ends(at) {
        return None;
    }
    let score = if look.says(FOR, "") == Said::For { 99 } else { 90 };
    Some(Hit { length: at, score })
}
