//! Resident identity numbers of China: province, date of birth, and the check character by ISO 7064 mod 11-2 (GB 11643).

use super::Hit;
use super::numbers::{Join, Numbers, value};
use crate::guard::text::Look;

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

pub(super) fn find(look: &Look<'_>, numbers: &Numbers) -> Option<Hit> {
    // The last of the 18 may be an X, which ends the digits after 17 of them.
    let with_x = look.run(0, 18, |byte| byte.is_ascii_digit()) == 17
        && matches!(look.byte(17), Some(b'x' | b'X'))
        && look.ends(18);
    let digits = if with_x { number(look)? } else { whole(look, numbers)? };
    let (number, check) = (digits.get(..17)?, *digits.get(17)?);
    let part = |from: usize, to: usize| value(number.get(from..to).unwrap_or_default());
    let province = matches!(part(0, 2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    let born =
        (1850..=2100).contains(&part(6, 10)) && (1..=12).contains(&part(10, 12)) && (1..=31).contains(&part(12, 14));
    let sum: u32 = number.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let wanted = (12 - sum % 11) % 11;
    (province && born && u32::from(check) == wanted).then_some(Hit { length: 18, score: 99 })
}

/// Eighteen digits in one group.
fn whole(look: &Look<'_>, numbers: &Numbers) -> Option<[u8; 18]> {
    let found = numbers.shape(look, &[18], &[Join::Space])?;
    found.digits.try_into().ok()
}

/// Seventeen digits and an X, which counts ten.
fn number(look: &Look<'_>) -> Option<[u8; 18]> {
    let mut digits = [10; 18];
    for (place, byte) in digits.iter_mut().zip(look.slice(0, 17)) {
        *place = byte.checked_sub(b'0')?;
    }
    Some(digits)
}
