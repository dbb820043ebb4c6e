//! Tax identification numbers of Germany: eleven digits, of the first ten exactly one comes twice or three times, and the
//! last checks them by ISO 7064 mod 11,10 (§ 139b AO).

use super::Hit;
use super::numbers::{Join, Numbers};
use crate::guard::text::{Look, Said};

const FOR: &str = "\
    steuer|idnr|id-nr|identifikationsnummer|tin$|tax id|tax number|tax identification|steueridentifikation";
const AGAINST: &str = "order|invoice|tracking|serial|phone|tel$|bestell|rechnung|sendung";

pub(super) fn find(look: &Look<'_>, numbers: &Numbers) -> Option<Hit> {
    let found = numbers.shape(look, &[2, 3, 3, 3], &[Join::Space]).or_else(|| numbers.shape(look, &[11], &[]))?;
    let said = look.says(FOR, AGAINST);
    if said == Said::Against || !is_number(found.digits) {
        return None;
    }
    let score = match said {
        Said::For => 98,
        _ if found.grouped => 88,
        _ => 75,
    };
    Some(Hit { length: found.end, score })
}

fn is_number(digits: &[u8]) -> bool {
    let (Some(head), Some(check)) = (digits.get(..10), digits.get(10)) else { return false };
    let mut counts = [0_u8; 10];
    for digit in head {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    if head.first() == Some(&0) || repeated != 1 || counts.iter().any(|count| *count > 3) {
        return false;
    }
    let mut product = 10;
    for digit in head {
        let sum = (u32::from(*digit) + product) % 10;
        product = 2 * if sum == 0 { 10 } else { sum } % 11;
    }
    (11 - product) % 10 == u32::from(*check)
}
