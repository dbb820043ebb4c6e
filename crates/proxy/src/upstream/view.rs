//! What one worker knows of an upstream's targets: an entry an address, in tiers, as they are now. It is made anew when
//! something about them changes, so that a request finds all of it ready.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::Upstream;
use super::balance::hash;
use super::endpoint::{Endpoint, Lane};
use super::target::{Place, Target};
use crate::clock::Time;

/// The share of a tier that takes all, in 65,536ths.
pub(super) const WHOLE: u32 = 1 << 16;
/// What a weight is multiplied with where shares of it matter.
const FINE: f64 = 1000.0;
/// How many steps a slow start has.
const STEPS: u32 = 10;

/// Says that something about an upstream's targets changed. It outlives programs.
#[derive(Debug, Default)]
pub(super) struct Changes(AtomicU64);

impl Changes {
    /// Something changed.
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Release);
    }

    fn number(&self) -> u64 {
        self.0.load(Acquire)
    }
}

/// What becomes of requests while targets are not well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The share of a tier that must be well for it to take all.
    pub(super) below: f64,
    /// Under this share of all it is not looked at who is well.
    pub(super) panic: f64,
    pub(super) slow_start: Duration,
}

/// The targets of an upstream as one worker sees them.
pub(super) struct View {
    pub(super) members: Box<[Member]>,
    /// Those that are asked first come first.
    pub(super) tiers: SmallVec<[Tier; 1]>,
    /// Until when it is right, if nothing changes.
    until: Time,
}

/// An address of a target.
pub(super) struct Member {
    pub(super) target: Arc<Target>,
    /// None while its target's name has no address.
    pub(super) endpoint: Option<Arc<Endpoint>>,
    pub(super) weight: u32,
    /// The same on every gateway.
    pub(super) id: u64,
    /// Whether it takes requests.
    pub(super) well: bool,
}

/// Members that are asked alike, by place, and their share of requests.
pub(super) struct Tier {
    pub(super) places: Box<[usize]>,
    /// In 65,536ths, with those of the tiers before.
    pub(super) up_to: u32,
    /// Whether a member of it may be full.
    pub(super) bounded: bool,
}

/// What a worker keeps.
pub(super) struct Seat {
    number: u64,
    pub(super) view: Arc<View>,
    /// The state of smooth weighted round robin. Workers need not agree, as each is fair for itself.
    pub(super) turns: Vec<i64>,
}

/// A seat a worker.
pub(super) struct Seats(Box<[Mutex<Option<Seat>>]>);

impl Seats {
    /// Nothing is known yet.
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers.max(1)).map(|_| Mutex::new(None)).collect())
    }
}

impl Upstream {
    /// What this worker knows of the targets now, and what `act` makes of its seat.
    pub(super) fn seated<T>(&self, worker: usize, now: Time, act: impl FnOnce(&mut Seat) -> T) -> Option<T> {
        let mut kept = self.seats.0.get(worker).or_else(|| self.seats.0.first())?.lock();
        let number = self.changes.number();
        let is_right = kept.as_ref().is_some_and(|seat| seat.number == number && now < seat.view.until);
        if !is_right {
            let view = Arc::new(View::of(self, now));
            let turns = self.first_turns(&view, worker);
            *kept = Some(Seat { number, view, turns });
        }
        kept.as_mut().map(act)
    }

    /// What this worker knows of the targets now.
    pub(super) fn view(&self, worker: usize, now: Time) -> Option<Arc<View>> {
        self.seated(worker, now, |seat| seat.view.clone())
    }
}

impl Member {
    /// An address, and until when what is known of it holds.
    fn new(target: &Arc<Target>, endpoint: Option<Arc<Endpoint>>, well: bool, now: Time, until: &mut Time) -> Self {
        let text = endpoint.as_ref().map_or_else(|| target.url.clone(), |endpoint| endpoint.address.to_string());
        for end in endpoint.iter().flat_map(|endpoint| [endpoint.vitals.ejected_until(), endpoint.avoided_until()]) {
            if end > now {
                *until = (*until).min(end);
            }
        }
        let well = well && endpoint.as_ref().is_none_or(|endpoint| endpoint.vitals.is_well(now));
        Self { target: target.clone(), endpoint, weight: 0, id: hash(text.as_bytes()), well }
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.endpoint.as_ref().map_or(0, |endpoint| endpoint.in_flight())
    }

    /// Whether it has as many as it takes.
    pub(super) fn is_full(&self) -> bool {
        self.target.most.is_some_and(|most| self.in_flight() >= most)
    }

    /// Its lane of this worker.
    pub(super) fn lane(&self, worker: usize) -> Option<Arc<Lane>> {
        self.endpoint.as_ref()?.lane(worker).cloned()
    }
}

/// A member before it has its place.
struct Draft {
    member: Member,
    weight: f64,
    /// As it was written, whatever its slow start says.
    full: f64,
    tier: (u8, bool),
}

impl View {
    fn of(upstream: &Upstream, now: Time) -> Self {
        let terms = &upstream.spill;
        let mut until = Time(u64::MAX);
        let mut drafts = Vec::new();
        for target in &upstream.targets {
            members(target, upstream.zone.as_deref(), now, &mut until, &mut drafts);
        }
        drafts.retain(|draft| draft.full > 0.0);
        if !terms.slow_start.is_zero() {
            warm(&mut drafts, terms.slow_start, now, &mut until);
        }
        let is_fine = drafts.iter().any(|draft| draft.weight.fract() != 0.0);
        for draft in &mut drafts {
            let weight = if is_fine { draft.weight * FINE } else { draft.weight };
            draft.member.weight = (weight.round() as u32).max(1);
        }
        let tiers = tiers(&mut drafts, terms);
        Self { members: drafts.into_iter().map(|draft| draft.member).collect(), tiers, until }
    }
}

/// The addresses of a target.
fn members(target: &Arc<Target>, zone: Option<&str>, now: Time, until: &mut Time, drafts: &mut Vec<Draft>) {
    let far = zone.is_some() && target.zone.as_deref() != zone;
    let mut add = |endpoint: Option<Arc<Endpoint>>, well: bool, of: usize| {
        let full = f64::from(target.weight) / of as f64;
        let member = Member::new(target, endpoint, well, now, until);
        drafts.push(Draft { member, weight: full, full, tier: (target.priority, far) });
    };
    match &target.place {
        Place::Address(endpoint) => add(Some(endpoint.clone()), true, 1),
        Place::Name(name) => {
            let endpoints = name.endpoints();
            if endpoints.is_empty() {
                return add(None, name.failure().is_none(), 1);
            }
            // Where none can be reached, one is as good as another.
            let all = endpoints.iter().all(|endpoint| endpoint.is_avoided(now));
            for endpoint in endpoints.iter() {
                add(Some(endpoint.clone()), all || !endpoint.is_avoided(now), endpoints.len());
            }
        }
    }
}

/// Gives those that have just come, or come back, a part of their weight.
fn warm(drafts: &mut [Draft], length: Duration, now: Time, until: &mut Time) {
    for draft in drafts.iter_mut().filter(|draft| draft.member.well) {
        let Some(endpoint) = &draft.member.endpoint else { continue };
        let age = now.since(endpoint.vitals.since(now));
        if age < length {
            *until = (*until).min(now + length / STEPS);
            draft.weight = draft.full * (age.as_secs_f64() / length.as_secs_f64()).max(0.1);
        }
    }
    // Where all are new none is.
    let least = drafts.iter().filter(|draft| draft.member.well).map(|draft| draft.weight / draft.full);
    let least = least.fold(1.0, f64::min);
    if drafts.iter().filter(|draft| draft.member.well).all(|draft| draft.weight / draft.full <= least + 0.001) {
        drafts.iter_mut().for_each(|draft| draft.weight = draft.full);
    }
}

/// Puts members into tiers. Where too few are well at all, it is not looked at who is.
fn tiers(drafts: &mut [Draft], terms: &Terms) -> SmallVec<[Tier; 1]> {
    let mut by_tier: BTreeMap<(u8, bool), Vec<usize>> = BTreeMap::new();
    for (place, draft) in drafts.iter().enumerate() {
        by_tier.entry(draft.tier).or_default().push(place);
    }
    let weights = |drafts: &[Draft], places: &[usize]| {
        let of = |well: bool| {
            let drafts = places.iter().filter_map(|&place| drafts.get(place));
            drafts.filter(|draft| !well || draft.member.well).map(|draft| draft.full).sum::<f64>()
        };
        (of(true), of(false))
    };
    let mut takes: Vec<f64> = Vec::with_capacity(by_tier.len());
    let (mut well, mut all) = (0.0, 0.0);
    for places in by_tier.values() {
        let (good, full) = weights(drafts, places);
        takes.push(if full > 0.0 { (good / full / terms.below.max(0.001)).min(1.0) } else { 0.0 });
        well += good;
        all += full;
    }
    let enough: f64 = takes.iter().sum();
    if well == 0.0 || enough < 1.0 && well / all < terms.panic {
        drafts.iter_mut().for_each(|draft| draft.member.well = true);
        takes.iter_mut().for_each(|takes| *takes = 1.0);
    } else if enough < 1.0 {
        takes.iter_mut().for_each(|takes| *takes /= enough);
    }
    let (mut left, mut up_to) = (1.0, 0.0);
    let mut tiers = SmallVec::new();
    for (places, takes) in by_tier.into_values().zip(takes) {
        let share = f64::min(left, takes);
        left -= share;
        up_to += share;
        let well = |place: &usize| drafts.get(*place).is_some_and(|draft| draft.member.well);
        let places: Box<[usize]> = places.into_iter().filter(well).collect();
        if places.is_empty() {
            continue;
        }
        let bounded =
            places.iter().any(|&place| drafts.get(place).is_some_and(|draft| draft.member.target.most.is_some()));
        tiers.push(Tier { places, up_to: (up_to * f64::from(WHOLE)).round() as u32, bounded });
    }
    tiers
}
