//! What this gateway knows of the server's counters, for when the server is gone: the last reading of each key, and what
//! was admitted since without it. Both are told with the next call, so that nothing refills meanwhile.

use std::hash::BuildHasher as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::Mutex;

use super::state::{Measure, State};
use super::{Reading, Take};

const SHARDS: usize = 16;

pub(super) struct Mirror {
    shards: [Mutex<HashMap<Box<str>, Entry, DefaultHashBuilder>>; SHARDS],
    hasher: DefaultHashBuilder,
    most_each: usize,
    clock: Clock,
}

struct Entry {
    known: Known,
    /// This gateway's share, while it decides alone.
    own: Option<State>,
    /// When what is known counts for nothing any more.
    dies: f64,
}

/// What is told with a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) state: State,
    /// What was admitted since.
    pub(super) pending: f64,
}

impl Mirror {
    pub(super) fn new(most: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(hasher.clone())));
        Self { shards, hasher, most_each: most.div_ceil(SHARDS), clock: Clock::new() }
    }

    /// What to tell of these keys. What is pending is taken along: whoever tells it in vain gives it back.
    pub(super) fn know(&self, takes: &[Take<'_>]) -> Vec<Known> {
        takes
            .iter()
            .map(|take| {
                let mut shard = self.shard(take.key).lock();
                let Some(entry) = shard.get_mut(take.key) else { return Known::default() };
                let known = entry.known;
                entry.known.pending = 0.0;
                known
            })
            .collect()
    }

    /// It could not be told.
    pub(super) fn give_back(&self, takes: &[Take<'_>], known: &[Known]) {
        for (take, known) in takes.iter().zip(known).filter(|(_, known)| known.pending > 0.0) {
            if let Some(entry) = self.shard(take.key).lock().get_mut(take.key) {
                entry.known.pending += known.pending;
            }
        }
    }

    /// What the server said.
    pub(super) fn remember(&self, takes: &[Take<'_>], states: &[State]) {
        let now = self.clock.now();
        for (take, state) in takes.iter().zip(states) {
            self.with(take, now, |entry| {
                entry.own = None;
                // Answers may pass one another; a counter only ever grows.
                let known = &mut entry.known.state;
                if (state.at, state.a) > (known.at, known.a) {
                    *known = *state;
                }
            });
        }
    }

    /// Counts what the server could not be told.
    pub(super) fn charge(&self, takes: &[Take<'_>], gateways: u32) {
        let now = self.clock.now();
        for take in takes {
            self.with(take, now, |entry| entry.add(take, gateways, now));
        }
    }

    /// Decides alone, within this gateway's share of every limit: counts on all or on none.
    pub(super) fn take(&self, takes: &[Take<'_>], gateways: u32) -> (Option<usize>, Vec<Reading>) {
        let now = self.clock.now();
        let mut refused: Option<(usize, f64)> = None;
        let mut waits = Vec::with_capacity(takes.len());
        for (at, take) in takes.iter().enumerate() {
            let wait = self.with(take, now, |entry| {
                let state = entry.own(take, gateways, now);
                Measure::share(take.rule, gateways).wait(state, f64::from(take.cost), now)
            });
            // A key that there is no room to remember is refused: it could have all of the limit for each call.
            let wait = wait.unwrap_or(1_000_000.0);
            if wait > 0.0 && refused.is_none_or(|(_, longest)| wait > longest) {
                refused = Some((at, wait));
            }
            waits.push(wait);
        }
        let readings = takes.iter().zip(waits).map(|(take, wait)| {
            let read = self.with(take, now, |entry| {
                if refused.is_none() {
                    entry.add(take, gateways, now);
                }
                let wait = if refused.is_none() { 0.0 } else { wait };
                Measure::share(take.rule, gateways).reading(entry.own(take, gateways, now), wait, now)
            });
            read.unwrap_or(Reading { wait: std::time::Duration::from_secs(1), ..Reading::default() })
        });
        let readings = readings.collect();
        (refused.map(|(at, _)| at), readings)
    }

    /// Does something with a key's entry, made where there is none and room for one.
    fn with<T>(&self, take: &Take<'_>, now: f64, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut shard = self.shard(take.key).lock();
        if !shard.contains_key(take.key) {
            if shard.len() >= self.most_each {
                shard.retain(|_, entry| entry.dies > now);
            }
            if shard.len() >= self.most_each {
                return None;
            }
            shard.insert(take.key.into(), Entry { known: Known::default(), own: None, dies: now });
        }
        let entry = shard.get_mut(take.key)?;
        #[expect(clippy::cast_precision_loss, reason = "bounded below what a float holds exactly")]
        let period = take.rule.micros() as f64;
        // Twice the longest that a counter can take to come to nothing: a burst's way down, or two windows.
        let periods = (f64::from(take.rule.capacity()) / f64::from(take.rule.limit.max(1))).max(1.0);
        entry.dies = now + 2.0 * period * periods;
        Some(act(entry))
    }

    fn shard(&self, key: &str) -> &Mutex<HashMap<Box<str>, Entry, DefaultHashBuilder>> {
        let at = usize::try_from(self.hasher.hash_one(key) >> 40).unwrap_or(0) % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
        &self.shards[at]
    }
}

impl Entry {
    /// This gateway's share of the counter: at first its part of what the server last said.
    fn own(&mut self, take: &Take<'_>, gateways: u32, now: f64) -> State {
        let whole = Measure::share(take.rule, 1).brought(self.known.state, now);
        let part = f64::from(gateways.max(1));
        let first = State { a: whole.a / part + self.known.pending, b: whole.b / part, at: whole.at };
        let own = self.own.unwrap_or(first);
        let own = Measure::share(take.rule, gateways).brought(own, now);
        self.own = Some(own);
        own
    }

    fn add(&mut self, take: &Take<'_>, gateways: u32, now: f64) {
        let mut own = self.own(take, gateways, now);
        own.a += f64::from(take.cost);
        self.own = Some(own);
        self.known.pending += f64::from(take.cost);
    }
}

/// Microseconds since 1970, as the server's clock has them but for what the machines' clocks are apart; never backwards.
struct Clock {
    started: Instant,
    at: f64,
}

impl Clock {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), at: since.as_secs_f64() * 1_000_000.0 }
    }

    fn now(&self) -> f64 {
        (self.at + self.started.elapsed().as_secs_f64() * 1_000_000.0).floor()
    }
}
