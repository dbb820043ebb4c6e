//! Which target takes the next request.

mod compile;
mod key;
mod sticky;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

pub(super) use self::key::{Key, hash, mixed};
pub(super) use self::sticky::Sticky;
use super::Upstream;
use super::view::{Member, Seat, Tier, View, WHOLE};
use crate::clock::Time;
use crate::exchange::Exchange;
use crate::random;

/// Targets that were tried for an exchange already, by place.
pub(super) type Tried = SmallVec<[usize; 4]>;
type Places = SmallVec<[usize; 16]>;
/// The worker that sends a request, and the request's key.
type By = (usize, u64);

/// How a target is chosen.
pub(super) enum Balance {
    RoundRobin,
    LeastRequest,
    PeakEwma,
    Random,
    /// By the key of the request; the most that a target has in flight, as a multiple of its share.
    Hash(Key, Option<f64>),
    Sticky(Box<Sticky>),
}

impl Balance {
    /// What a request is told apart by: its key, or where its client stays. Nothing is 0.
    pub(super) fn key(&self, x: &Exchange) -> u64 {
        match self {
            Balance::Hash(key, _) => key.of(x),
            Balance::Sticky(sticky) => sticky.says(x).unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether it wants to know how long targets take.
    pub(super) fn is_timed(&self) -> bool {
        matches!(self, Balance::PeakEwma)
    }
}

impl Upstream {
    /// The next target, by place: none that was tried, and none where all were.
    pub(super) fn choose(&self, by: By, now: Time, view: &View, tried: &Tried) -> Option<usize> {
        if let Balance::Sticky(_) = &self.balance
            && let Some(place) = sticky::find(by.1, view)
            && !tried.contains(&place)
        {
            return Some(place);
        }
        let tiers = &view.tiers;
        let first = match tiers.as_slice() {
            [tier] if tried.is_empty() && !tier.bounded => return self.among(by, now, view, &tier.places),
            [] | [_] => 0,
            more => {
                let drawn = random::below(WHOLE);
                more.iter().position(|tier| drawn < tier.up_to).unwrap_or(0)
            }
        };
        // Those that come after take what one cannot, then those before.
        let (before, from) = tiers.split_at_checked(first)?;
        let well = from.iter().chain(before).find_map(|tier| self.within(by, now, view, tier, tried));
        // Where those that are well cannot be reached, better one that is not than nobody.
        well.or_else(|| {
            let left = |(_, member): &(usize, &Member)| !member.well && !member.is_full();
            let mut left = view.members.iter().enumerate().filter(left).map(|(place, _)| place);
            left.find(|place| !tried.is_empty() && !tried.contains(place))
        })
    }

    fn within(&self, by: By, now: Time, view: &View, tier: &Tier, tried: &Tried) -> Option<usize> {
        let is_free = |place: &usize| {
            let full = tier.bounded && view.members.get(*place).is_none_or(Member::is_full);
            !(full || tried.contains(place))
        };
        let left: Places = tier.places.iter().copied().filter(is_free).collect();
        self.among(by, now, view, &left)
    }

    fn among(&self, by: By, now: Time, view: &View, places: &[usize]) -> Option<usize> {
        if let [] | [_] = places {
            return places.first().copied();
        }
        match &self.balance {
            Balance::RoundRobin | Balance::Sticky(_) => self.seated(by.0, now, |seat| in_turn(seat, view, places))?,
            Balance::LeastRequest => of_two(view, places, |member| member.in_flight() + 1),
            Balance::PeakEwma => of_two(view, places, |member| {
                let usual = member.endpoint.as_ref().map_or(0, |endpoint| endpoint.vitals.usual(now));
                usual.max(1).saturating_mul(member.in_flight() + 1)
            }),
            Balance::Random => at_random(view, places),
            Balance::Hash(_, bound) => by_hash(view, places, by.1, *bound),
        }
    }

    /// Workers begin at different places, so that the first requests of all of them do not meet at one target.
    pub(super) fn first_turns(&self, view: &View, worker: usize) -> Vec<i64> {
        let mut turns = vec![0; view.members.len()];
        if let Some(tier) = view.tiers.first() {
            for _ in 0..worker % tier.places.len().max(1) {
                turn(&mut turns, view, &tier.places);
            }
        }
        turns
    }
}

fn in_turn(seat: &mut Seat, view: &View, places: &[usize]) -> Option<usize> {
    // A request that began before a change has places of its own.
    if seat.turns.len() == view.members.len() { turn(&mut seat.turns, view, places) } else { at_random(view, places) }
}

/// Smooth weighted round robin: each gains its weight, the richest is taken and pays for all.
fn turn(turns: &mut [i64], view: &View, places: &[usize]) -> Option<usize> {
    let mut sum = 0;
    let mut best: Option<(usize, i64)> = None;
    for &place in places {
        let weight = i64::from(weight(view, place));
        let turn = turns.get_mut(place)?;
        *turn += weight;
        sum += weight;
        if best.is_none_or(|(_, most)| *turn > most) {
            best = Some((place, *turn));
        }
    }
    let (place, _) = best?;
    *turns.get_mut(place)? -= sum;
    Some(place)
}

fn weight(view: &View, place: usize) -> u32 {
    view.members.get(place).map_or(0, |member| member.weight)
}

/// Of two drawn at random, the one with the lower load for its weight.
fn of_two(view: &View, places: &[usize], load: impl Fn(&Member) -> u64) -> Option<usize> {
    let (first, second) = two_of(places.len());
    let (&first, &second) = (places.get(first)?, places.get(second)?);
    let load = |place: usize, other: usize| {
        let load = view.members.get(place).map_or(u64::MAX, &load);
        u128::from(load) * u128::from(weight(view, other))
    };
    Some(if load(second, first) < load(first, second) { second } else { first })
}

fn at_random(view: &View, places: &[usize]) -> Option<usize> {
    let sum: u32 = places.iter().map(|&place| weight(view, place)).sum();
    let mut drawn = random::below(sum.max(1));
    for &place in places {
        let weight = weight(view, place);
        if drawn < weight {
            return Some(place);
        }
        drawn -= weight;
    }
    None
}

/// Rendezvous hashing by weight: of all, the one with the highest score for the key. With a bound, of those that have less in
/// flight than it allows.
fn by_hash(view: &View, places: &[usize], key: u64, bound: Option<f64>) -> Option<usize> {
    let Some(bound) = bound else { return highest(view, places, key) };
    let (mut in_flight, mut weights) = (0, 0.0);
    for member in places.iter().filter_map(|&place| view.members.get(place)) {
        in_flight += member.in_flight();
        weights += f64::from(member.weight);
    }
    let fair = bound * (in_flight + 1) as f64 / weights;
    let is_free = |place: &usize| {
        view.members
            .get(*place)
            .is_some_and(|member| (member.in_flight() as f64) < (fair * f64::from(member.weight)).ceil())
    };
    let free: Places = places.iter().copied().filter(is_free).collect();
    highest(view, &free, key).or_else(|| highest(view, places, key))
}

fn highest(view: &View, places: &[usize], key: u64) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for &place in places {
        let member = view.members.get(place)?;
        // Between 0 and 1, never either.
        let drawn = ((mixed(key ^ member.id) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
        let score = f64::from(member.weight) / -drawn.ln();
        if best.is_none_or(|(_, most)| score > most) {
            best = Some((place, score));
        }
    }
    best.map(|(place, _)| place)
}

/// Two different places under `count`, which is at least 2.
pub(super) fn two_of(count: usize) -> (usize, usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let first = random::below(count);
    let second = random::below(count.saturating_sub(1).max(1));
    let second = if second >= first { second + 1 } else { second };
    (first as usize, second as usize)
}
