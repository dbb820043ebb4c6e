//! Digits in groups: what most numbers of people look like. Read once for all kinds.

use crate::guard::text::Look;

/// The most groups that are read.
const GROUPS: usize = 9;

/// The most digits that are read: no number that is looked for is longer.
pub(super) const DIGITS: usize = 20;

/// What stands between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// A space, be it one that does not break.
    Space,
    /// `-`
    Dash,
    /// `.`
    Dot,
}

impl Join {
    /// The one at a place, and its bytes.
    pub(super) fn at(look: &Look<'_>, at: usize) -> Option<(Self, usize)> {
        match look.byte(at)? {
            b' ' => Some((Self::Space, 1)),
            b'-' => Some((Self::Dash, 1)),
            b'.' => Some((Self::Dot, 1)),
            0xC2 if look.byte(at + 1) == Some(0xA0) => Some((Self::Space, 2)),
            0xE2 if look.byte(at + 1) == Some(0x80) && look.byte(at + 2) == Some(0xAF) => Some((Self::Space, 3)),
            _ => None,
        }
    }
}

/// One group.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// What joins it to the one before.
    join: Option<Join>,
    /// How many digits.
    length: usize,
    /// Where it ends.
    end: usize,
}

/// Digits from a place on, with what joins them.
pub(super) struct Numbers {
    groups: [Option<Group>; GROUPS],
    digits: [u8; DIGITS],
}

/// The digits of a shape that stands at the place.
pub(super) struct Shaped<'a> {
    /// As numbers from 0 to 9.
    pub(super) digits: &'a [u8],
    /// Where it ends.
    pub(super) end: usize,
    /// Whether it is written in groups.
    pub(super) grouped: bool,
}

impl Numbers {
    /// Of no digits.
    pub(super) const fn none() -> Self {
        Self { groups: [None; GROUPS], digits: [0; DIGITS] }
    }

    /// Reads groups of digits. Of a number of more than [`DIGITS`] the rest is not read.
    pub(super) fn read(look: &Look<'_>) -> Self {
        let mut numbers = Self::none();
        let (mut at, mut join, mut count) = (0, None, 0);
        for slot in &mut numbers.groups {
            let length = look.run(at, DIGITS, |byte| byte.is_ascii_digit());
            let Some(places) = numbers.digits.get_mut(count..count + length) else { break };
            for (place, byte) in places.iter_mut().zip(look.slice(at, at + length)) {
                *place = byte - b'0';
            }
            count += length;
            at += length;
            *slot = Some(Group { join, length, end: at });
            let Some((next, width)) = Join::at(look, at) else { break };
            if !look.byte(at + width).is_some_and(|byte| byte.is_ascii_digit()) {
                break;
            }
            (join, at) = (Some(next), at + width);
        }
        numbers
    }

    /// The number if its groups have these lengths, joined as `joins` says (one a gap; of a single one for all gaps).
    /// What follows must not belong to it, but for a group after a space.
    pub(super) fn shape(&self, look: &Look<'_>, lengths: &[usize], joins: &[Join]) -> Option<Shaped<'_>> {
        let mut end = 0;
        for (n, length) in lengths.iter().enumerate() {
            let group = self.groups.get(n).copied().flatten()?;
            let wanted = n.checked_sub(1).and_then(|gap| joins.get(gap).or(joins.last()));
            if group.length != *length || group.join.as_ref() != wanted {
                return None;
            }
            end = group.end;
        }
        let digits = self.digits.get(..lengths.iter().sum())?;
        look.ends(end).then_some(Shaped { digits, end, grouped: lengths.len() > 1 })
    }

    /// The first that fits, of shapes with one kind of joint: by spaces, else by dashes; a single group has none.
    pub(super) fn any(&self, look: &Look<'_>, shapes: &[&[usize]]) -> Option<Shaped<'_>> {
        shapes.iter().find_map(|lengths| {
            let spaced = self.shape(look, lengths, &[Join::Space]);
            spaced.or_else(|| self.shape(look, lengths, &[Join::Dash]))
        })
    }
}

/// A number of these digits.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
}
