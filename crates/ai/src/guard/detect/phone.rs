//! Telephone numbers: E.164 with its `+`, North American ones by their shape, any other national one where the words before
//! announce a number to call.

use super::Hit;
use super::numbers::Join;
use crate::guard::text::{Look, Said, is_word};

/// E.164 ends at fifteen digits; so do national numbers.
const MOST: usize = 15;

const FOR: &str = "\
    phone|telephone|tel$|mobile|mobil|cell$|cellphone|call$|calls$|called$|calling|reach|ring$|dial|text me|\
    text him|text her|texted|sms$|whatsapp|fax|hotline|landline|contact|callback|my number|meine nummer|\
    mon numéro|mi número|meu número|mijn nummer|voicemail|telefon|handy|ruf$|rufen|anruf|rückruf|erreich|\
    festnetz|durchwahl|téléphone|portable|appel|joindre|joignable|teléfono|telefono|móvil|celular|llám|\
    llama|cellulare|chiama|telefone|ligue|ligar|telefoon|bel$|bellen|电话|手机|電話|携帯|전화|тел|звон|मोबाइल|फ़ोन";
const AGAINST: &str = "\
    order|invoice|tracking|serial|ref$|reference|sku$|part|isbn|issn|imei|version|build|commit|ticket|case|\
    bestell|rechnung|commande|pedido|account|customer|number of|port$|total|model|lottery|item|timestamp|\
    id$";

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    match first {
        b'+' => international(look),
        b'(' | b'0'..=b'9' => national(look, first),
        _ => None,
    }
}

/// `+`, the country and the number.
fn international(look: &Look<'_>) -> Option<Hit> {
    if look.before(1).is_some_and(is_word) || !matches!(look.byte(1), Some(b'1'..=b'9')) {
        return None;
    }
    let most = if look.byte(1) == Some(b'1') { 11 } else { 13 };
    let read = Read::from(look, 1, most)?;
    let least = if look.byte(1) == Some(b'1') { 11 } else { 9 };
    let said = look.says(FOR, AGAINST);
    let fits = read.count >= least || read.count == 8 && said == Said::For;
    (fits && look.ends(read.end)).then_some(Hit { length: read.end, score: if said == Said::For { 97 } else { 92 } })
}

/// A number without a country, or with one after `00`.
fn national(look: &Look<'_>, first: u8) -> Option<Hit> {
    let glued = look.joined() || look.before(1).is_some_and(|byte| matches!(byte, b'+' | b'(' | b'$' | b'#' | b'='));
    if glued && look.before(1) != Some(b'=') {
        return None;
    }
    let read = Read::from(look, 0, MOST)?;
    if !look.ends(read.end) || look.byte(read.end) == Some(b'%') {
        return None;
    }
    let said = look.says(FOR, AGAINST);
    let score = match said {
        Said::Against => return None,
        Said::For if (7..=15).contains(&read.count) && !read.is_date() => 95,
        _ if read.is_american(first) || read.is_dotted() => 80,
        _ => return None,
    };
    Some(Hit { length: read.end, score })
}

/// Digits with what may stand between those of a telephone number.
struct Read {
    /// How many digits.
    count: usize,
    /// Where the last one ends.
    end: usize,
    /// How long each group is.
    groups: [u8; 8],
    /// What stands between them, the first group's before it.
    joins: [Option<Join>; 8],
    /// The first digits, for those that must not be 0 or 1.
    digits: [u8; MOST],
}

impl Read {
    /// Reads from `from` on; a group that would make more than `most` digits after a space is not taken.
    fn from(look: &Look<'_>, from: usize, most: usize) -> Option<Self> {
        let mut read = Self { count: 0, end: 0, groups: [0; 8], joins: [None; 8], digits: [0; MOST] };
        let mut at = from;
        for group in 0..8 {
            let open = usize::from(look.byte(at) == Some(b'('));
            let length = look.run(at + open, MOST, |byte| byte.is_ascii_digit());
            if length == 0 {
                break;
            }
            if read.count + length > most {
                if group == 0 || read.joins.get(group) != Some(&Some(Join::Space)) {
                    return None;
                }
                break;
            }
            let start = at + open;
            let close = usize::from(open == 1 && look.byte(start + length) == Some(b')'));
            if close != open {
                break;
            }
            for (place, byte) in read.digits.iter_mut().skip(read.count).zip(look.slice(start, start + length)) {
                *place = byte - b'0';
            }
            *read.groups.get_mut(group)? = u8::try_from(length).ok()?;
            read.count += length;
            read.end = start + length + close;
            at = read.end;
            let (join, width) = match (Join::at(look, at), look.byte(at)) {
                _ if look.has(at, b" / ") => (Join::Dash, 3),
                (Some((join, width)), _) => (join, width),
                (None, Some(b'/')) => (Join::Dash, 1),
                (None, Some(b'(')) => (Join::Space, 0),
                (None, Some(b'0'..=b'9')) if close == 1 => (Join::Space, 0),
                _ => break,
            };
            at += width;
            // `555 / 123`, `(030) 123`: one more space, no more.
            if join == Join::Dash && look.byte(at) == Some(b' ') {
                break;
            }
            if let Some(place) = read.joins.get_mut(group + 1) {
                *place = Some(join);
            }
        }
        (read.count > 0).then_some(read)
    }

    /// `(NXX) NXX-XXXX`, `NXX-NXX-XXXX` or `NXX.NXX.XXXX`, with a 1 before or not.
    fn is_american(&self, first: u8) -> bool {
        let [one, three, other, four, more, ..] = self.groups;
        let [_, a, b, c, ..] = self.joins;
        let firm = |join: Option<Join>| matches!(join, Some(Join::Dash | Join::Dot));
        let (area, exchange) = match ([one, three, other, four, more], self.count) {
            ([3, 3, 4, 0, 0], 10) if first == b'(' || firm(a) && a == b => (self.digits[0], self.digits[3]),
            ([1, 3, 3, 4, 0], 11) if self.digits[0] == 1 && firm(b) && b == c => (self.digits[1], self.digits[4]),
            _ => return false,
        };
        area > 1 && exchange > 1 || exchange == 5
    }

    /// `06.39.98.12.34`, as France writes it.
    fn is_dotted(&self) -> bool {
        let [_, joins @ .., _, _, _] = self.joins;
        self.groups == [2, 2, 2, 2, 2, 0, 0, 0] && self.digits[0] == 0 && joins == [Some(Join::Dot); 4]
    }

    /// A date: `2024-05-17`, `17.05.2024`.
    fn is_date(&self) -> bool {
        matches!(self.groups, [4, 1 | 2, 1 | 2, 0, ..] | [1 | 2, 1 | 2, 4, 0, ..])
    }
}
