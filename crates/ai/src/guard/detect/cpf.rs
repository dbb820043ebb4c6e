//! Taxpayer numbers of Brazil (CPF): nine digits and two that check them, each by weights and the remainder by 11.

use super::Hit;
use super::numbers::{Join, Numbers};
use crate::guard::text::{Look, Said};

const FOR: &str = "cpf|cadastro de pessoa|contribuinte";
const AGAINST: &str = "order|invoice|tracking|serial|phone|tel$|pedido|rastreio";

pub(super) fn find(look: &Look<'_>, numbers: &Numbers) -> Option<Hit> {
    let found = numbers
        .shape(look, &[3, 3, 3, 2], &[Join::Dot, Join::Dot, Join::Dash])
        .or_else(|| numbers.shape(look, &[3, 3, 3, 2], &[Join::Space]))
        .or_else(|| numbers.shape(look, &[9, 2], &[Join::Dash]))
        .or_else(|| numbers.shape(look, &[11], &[]))?;
    let said = look.says(FOR, AGAINST);
    if said == Said::Against || !is_number(found.digits) {
        return None;
    }
    let score = match said {
        Said::For => 99,
        _ if found.grouped => 92,
        _ => 78,
    };
    Some(Hit { length: found.end, score })
}

fn is_number(digits: &[u8]) -> bool {
    let check = |length: u32| {
        let sum: u32 =
            digits.iter().zip((2..=length + 1).rev()).map(|(digit, weight)| u32::from(*digit) * weight).sum();
        sum * 10 % 11 % 10
    };
    let [.., ninth, tenth, eleventh] = digits else { return false };
    let flat = digits.iter().all(|digit| digit == ninth);
    !flat && check(9) == u32::from(*tenth) && check(10) == u32::from(*eleventh)
}
