//! What this gateway knows of the server's counters, for when the server is gone: the last reading of each key, and what
//! was admitted since without it. Both are told with the next call, so that nothing refills meanwhile.

use std::hash::BuildHasher as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::Mutex;

use super::state::{Measure, State};
use super::{Reading, Take, float, signed};

const SHARDS: usize = 16;

pub(super) struct Mirror {
    shards: [Mutex<HashMap<Box<str>, Entry, DefaultHashBuilder>>; SHARDS],
    hasher: DefaultHashBuilder,
    most_each: usize,
    clock: Clock,
}

struct Entry {
    told: Told,
    /// This gateway's share, while it decides alone, and of how many gateways it is the share of one.
    own: Option<(State, u32)>,
    /// When what is known counts for nothing any more.
    dies: f64,
}

/// What the server said of a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) state: State,
    /// Tells a key that was lost and made anew.
    pub(super) generation: f64,
    /// When, by the server's clock.
    pub(super) now: f64,
}

/// What is told with a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) state: State,
    pub(super) generation: f64,
    /// What was admitted since and still counts.
    pub(super) since: State,
}

impl Mirror {
    pub(super) fn new(most: usize) -> Self {
        let hasher = DefaultHashBuilder::default();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(hasher.clone())));
        Self { shards, hasher, most_each: most.div_ceil(SHARDS), clock: Clock::new() }
    }

    /// What to tell of these keys. What was admitted since is taken along: whoever tells it in vain gives it back.
    pub(super) fn know(&self, takes: &[Take<'_>]) -> Vec<Known> {
        let now = self.clock.now();
        takes
            .iter()
            .map(|take| {
                let mut shard = self.shard(take.key).lock();
                let Some(entry) = shard.get_mut(take.key) else { return Known::default() };
                let since = entry.own.take().map_or_else(State::default, |own| entry.since(own, take, now));
                Known { state: entry.told.state, generation: entry.told.generation, since }
            })
            .collect()
    }

    /// It could not be told.
    pub(super) fn give_back(&self, takes: &[Take<'_>], known: &[Known], gateways: u32) {
        let now = self.clock.now();
        for (take, Known { since, .. }) in takes.iter().zip(known) {
            if since.a > 0.0 || since.b > 0.0 {
                self.with(take, now, |entry| {
                    let State { a, b, at } = entry.own(take, gateways, now);
                    entry.own = Some((State { a: a + since.a, b: b + since.b, at }, gateways));
                });
            }
        }
    }

    /// What the server said.
    pub(super) fn remember(&self, takes: &[Take<'_>], told: &[Told]) {
        let now = self.clock.now();
        for (take, told) in takes.iter().zip(told) {
            self.with(take, now, |entry| {
                // Answers may pass one another.
                if told.now >= entry.told.now || told.generation != entry.told.generation {
                    entry.told = *told;
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
                Measure::share(take.rule, gateways).wait(state, signed(take.cost), now)
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
            shard.insert(take.key.into(), Entry { told: Told::default(), own: None, dies: now });
        }
        let entry = shard.get_mut(take.key)?;
        let period = float(take.rule.micros());
        // Twice the longest that a counter can take to come to nothing: a burst's way down, or two windows.
        let periods = (float(take.rule.capacity()) / float(take.rule.limit.max(1))).max(1.0);
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
        let own = self.own.map_or_else(|| self.part(take, gateways, now), |(own, _)| own);
        let own = Measure::share(take.rule, gateways).brought(own, now);
        self.own = Some((own, gateways));
        own
    }

    /// Its part of what the server last said, as that is now.
    fn part(&self, take: &Take<'_>, gateways: u32, now: f64) -> State {
        let whole = Measure::share(take.rule, 1).brought(self.told.state, now);
        let part = f64::from(gateways.max(1));
        State { a: whole.a / part, b: whole.b / part, at: whole.at }
    }

    /// What of its share the server has not said: what was admitted here, less what time has paid off since.
    fn since(&self, (own, gateways): (State, u32), take: &Take<'_>, now: f64) -> State {
        let own = Measure::share(take.rule, gateways).brought(own, now);
        let part = self.part(take, gateways, now);
        State { a: (own.a - part.a).max(0.0), b: (own.b - part.b).max(0.0), at: own.at }
    }

    fn add(&mut self, take: &Take<'_>, gateways: u32, now: f64) {
        let mut own = self.own(take, gateways, now);
        own.a = (own.a + signed(take.cost)).max(0.0);
        self.own = Some((own, gateways));
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
