//! Social security numbers of the United States: area, group and serial that may be issued. There is no check digit, so
//! digits alone are one only where the words before say so.

use super::Hit;
use super::numbers::{Join, Numbers, value};
use crate::guard::text::{Look, Said};

const FOR: &str = "ssn|social security|social sec|soc sec|tax id|seguro social|taxpayer id|itin";
const AGAINST: &str = "part|order|sku|serial|model|isbn|catalog|invoice|ref$|reference|item|case|ticket|tracking";

pub(super) fn find(look: &Look<'_>, numbers: &Numbers) -> Option<Hit> {
    let said = look.says(FOR, AGAINST);
    let dashed = numbers.shape(look, &[3, 2, 4], &[Join::Dash]);
    let found = match (dashed, said) {
        (Some(found), Said::For | Said::Nothing) => found,
        (None, Said::For) => numbers
            .shape(look, &[3, 2, 4], &[Join::Space])
            .or_else(|| numbers.shape(look, &[3, 2, 4], &[Join::Dot]))
            .or_else(|| numbers.shape(look, &[9], &[]))?,
        _ => return None,
    };
    let part = |from: usize, to: usize| value(found.digits.get(from..to).unwrap_or_default());
    let (area, group, serial) = (part(0, 3), part(3, 5), part(5, 9));
    let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    issued.then_some(Hit { length: found.end, score: if said == Said::For { 98 } else { 85 } })
}
