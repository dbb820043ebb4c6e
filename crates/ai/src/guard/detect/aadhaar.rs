//! Aadhaar numbers of India: twelve digits, the first from 2 to 9, the last by Verhoeff's scheme. One number in ten passes
//! it, so digits in one group are one only where the words before say so.

use super::Hit;
use super::numbers::Numbers;
use crate::guard::text::{Look, Said};

const FOR: &str = "aadhaar|aadhar|adhaar|uidai|आधार";
const AGAINST: &str = "order|invoice|tracking|serial|phone|account|ref$|ean$|upc";

/// Multiplication in the dihedral group of order ten.
const TIMES: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

/// The permutation of each place, which comes round after eight.
const PLACES: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

pub(super) fn find(look: &Look<'_>, numbers: &Numbers) -> Option<Hit> {
    let found = numbers.any(look, &[&[4, 4, 4], &[12]])?;
    let said = look.says(FOR, AGAINST);
    if found.digits.first().is_none_or(|first| *first < 2) || !verhoeff(found.digits) {
        return None;
    }
    match said {
        Said::For => Some(Hit { length: found.end, score: 98 }),
        Said::Nothing if found.grouped => Some(Hit { length: found.end, score: 70 }),
        _ => None,
    }
}

fn verhoeff(digits: &[u8]) -> bool {
    let look = |table: &[[u8; 10]], row: usize, column: u8| {
        table.get(row).and_then(|row| row.get(usize::from(column))).copied().unwrap_or_default()
    };
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0_u8, |sum, (n, digit)| look(&TIMES, usize::from(sum), look(&PLACES, n % 8, *digit)));
    sum == 0
}
