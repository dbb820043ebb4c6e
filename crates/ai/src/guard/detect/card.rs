//! Payment cards: the issuer's prefix with its lengths, the groups they are printed in, Luhn's check digit (ISO/IEC 7812).

use super::Hit;
use super::numbers::{Numbers, value};
use crate::guard::text::{Look, Said};

const SHAPES: [&[usize]; 11] =
    [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[13], &[14], &[15], &[16], &[17], &[18], &[19]];

const FOR: &str = "\
    card|visa|mastercard|amex|american express|discover|diners|jcb|unionpay|maestro|credit|debit|pan$|karte|\
    kreditkarte|carte|tarjeta|cartão|cartao|卡";
const AGAINST: &str = "order|invoice|tracking|serial|imei|isbn|ean$|sku|parcel|shipment|timestamp|id$";

pub(super) fn find(look: &Look<'_>, numbers: &Numbers) -> Option<Hit> {
    let found = numbers.any(look, &SHAPES)?;
    if !is_issued(found.digits) || !luhn(found.digits) || is_flat(found.digits) {
        return None;
    }
    let score = match look.says(FOR, AGAINST) {
        Said::For => 99,
        Said::Nothing => 90,
        Said::Against if found.grouped => 80,
        Said::Against => return None,
    };
    Some(Hit { length: found.end, score })
}

/// Whether an issuer gives out numbers that begin so and are so long.
fn is_issued(digits: &[u8]) -> bool {
    let head = |length: usize| value(digits.get(..length).unwrap_or_default());
    let long = digits.len();
    match head(1) {
        4 => matches!(long, 13 | 16 | 19),
        5 => long == 16 && (51..=55).contains(&head(2)) || (12..=19).contains(&long) && matches!(head(2), 50 | 56..=58),
        2 => long == 16 && (2221..=2720).contains(&head(4)),
        3 if matches!(head(2), 34 | 37) => long == 15,
        3 if matches!(head(2), 36 | 38 | 39) || (300..=305).contains(&head(3)) => (14..=19).contains(&long),
        3 => (3528..=3589).contains(&head(4)) && (16..=19).contains(&long),
        6 => (16..=19).contains(&long),
        _ => false,
    }
}

/// Luhn's check digit: every second digit from the right is doubled.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let digit = u32::from(*digit) << (n % 2);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether it has at most two different digits, as no card has but many a filler.
fn is_flat(digits: &[u8]) -> bool {
    let seen = digits.iter().fold(0_u16, |seen, digit| seen | 1 << digit);
    seen.count_ones() < 2
}
