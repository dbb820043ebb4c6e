//! What is kept, and how it comes to be.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use proxy::clock::Time;
use proxy::exchange::Error;

use super::gather::{self, Gather};
use super::key::Key;
use super::semantic::Place;
use super::together::Lead;
use crate::call::Watch;
use crate::translate::{Answer, Event};
use crate::vectors::{Placed, Ring, Vector};

/// What is kept.
pub(super) struct Kept(pub(super) Cache<Key, Held>);

/// An answer under one of the requests that it answers.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) entry: Arc<Entry>,
    /// How near that request was to the entry's own, where it is another.
    pub(super) similarity: Option<f32>,
}

/// An answer that is kept.
pub(super) struct Entry {
    pub(super) answer: Answer,
    pub(super) since: Time,
    pub(super) bytes: u32,
    /// Of the request that it was the answer to.
    pub(super) key: Key,
    /// What must be the same of another request, and where the rest of this one points.
    pub(super) place: Option<(Key, Vector)>,
}

impl Entry {
    /// Whether it is still good.
    pub(super) fn is_good(&self, now: Time, ttl: Duration) -> bool {
        now.0.saturating_sub(self.since.0) < u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Placed for Entry {
    fn vector(&self) -> Option<&Vector> {
        self.place.as_ref().map(|(_, vector)| vector)
    }
}

/// Keeps an answer on its way to the caller, once it is whole.
pub(super) struct Keeper {
    key: Key,
    kept: Arc<Kept>,
    since: Time,
    most: u64,
    gather: Gather,
    place: Option<(Key, Vector)>,
    ring: Option<Arc<Ring<Entry>>>,
    /// Others wait for it.
    lead: Option<Lead>,
}

impl Keeper {
    pub(super) fn new(
        key: Key,
        (kept, since, most): (Arc<Kept>, Time, u64),
        place: Option<Place>,
        lead: Option<Lead>,
    ) -> Self {
        let (place, ring) = place.map_or((None, None), |place| (Some((place.rest, place.vector)), Some(place.ring)));
        Self { key, kept, since, most, gather: Gather::default(), place, ring, lead }
    }

    fn keep(&mut self, answer: Answer) {
        let weight = gather::weight(&answer);
        if weight > self.most || !gather::is_good(&answer) {
            return;
        }
        let place = self.place.take();
        let bytes = weight + place.as_ref().map_or(0, |(_, vector)| vector.bytes() as u64);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let entry = Arc::new(Entry { answer, since: self.since, bytes, key: self.key, place });
        if let (Some(ring), Some((rest, _))) = (&self.ring, &entry.place) {
            ring.push(rest.short(), &entry);
        }
        self.kept.0.insert(self.key, Held { entry, similarity: None });
        self.lead = None;
    }
}

impl Watch for Keeper {
    fn alters(&self) -> bool {
        false
    }

    fn answer(&mut self, answer: &mut Answer) -> Result<(), Error> {
        self.keep(answer.clone());
        Ok(())
    }

    fn event(&mut self, event: Event, out: &mut Vec<Event>) {
        if let Some(answer) = self.gather.push(&event, self.most) {
            self.keep(answer);
        }
        // Nobody waits for what is not kept.
        if self.gather.is_lost() {
            self.lead = None;
        }
        out.push(event);
    }
}
