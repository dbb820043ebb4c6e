//! A second try while the first has not answered yet: who answers first is heard, the other is dropped, and with it its
//! connection or stream.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::{Either, select};

use super::Upstream;
use super::attempt::{Missed, Tally, Trying};
use super::forward::{Outbound, Sent};
use super::serve::{Came, Course, nobody};
use super::spare::Spare;
use crate::clock::Time;

/// When a second try is made.
pub(super) struct Hedge {
    /// After so long; nothing is when 95 in a hundred would have been answered.
    pub(super) after: Option<Duration>,
    pub(super) share: f64,
    pub(super) seen: Arc<Seen>,
}

/// Powers of two of a microsecond, four steps each: up to a minute.
const STEPS: usize = 4 * 26;
/// After so many, those before count half.
const HALVED: u32 = 4096;
/// As few say nothing.
const LEAST: u32 = 50;

/// How long response heads took of late. It outlives programs.
#[derive(Debug)]
pub(super) struct Seen {
    counts: [AtomicU32; STEPS],
    all: AtomicU32,
    /// The delay that was found, in nanoseconds, and after how many.
    found: AtomicU64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU32::new(0)), all: AtomicU32::new(0), found: AtomicU64::new(0) }
    }
}

impl Seen {
    /// A response head took so long.
    pub(super) fn took(&self, took: Duration) {
        if let Some(count) = self.counts.get(step(took)) {
            count.fetch_add(1, Relaxed);
        }
        let all = self.all.fetch_add(1, Relaxed) + 1;
        if all.is_multiple_of(64) || all == LEAST {
            self.found.store(u64::try_from(self.p95().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        }
        if all >= HALVED {
            self.all.store(all / 2, Relaxed);
            for count in &self.counts {
                count.store(count.load(Relaxed) / 2, Relaxed);
            }
        }
    }

    /// So long 95 in a hundred took at most; nothing while too few are known.
    pub(super) fn usual(&self) -> Option<Duration> {
        let found = self.found.load(Relaxed);
        (found > 0).then(|| Duration::from_nanos(found))
    }

    fn p95(&self) -> Duration {
        let all: u64 = self.counts.iter().map(|count| u64::from(count.load(Relaxed))).sum();
        let mut left = all * 95 / 100;
        for (at, count) in self.counts.iter().enumerate() {
            let count = u64::from(count.load(Relaxed));
            if count > left {
                return end(at);
            }
            left -= count;
        }
        end(STEPS - 1)
    }
}

/// The step that a time falls into: a quarter of a power of two.
fn step(took: Duration) -> usize {
    let micros = (took.as_nanos() / 1_000).max(1) as f64;
    ((micros.log2() * 4.0) as usize).min(STEPS - 1)
}

/// Where a step ends.
fn end(step: usize) -> Duration {
    Duration::from_secs_f64(((step + 1) as f64 / 4.0).exp2() / 1e6)
}

impl Upstream {
    /// Tries a target, and another one while the first says nothing.
    pub(super) async fn hedged(
        &self,
        hedge: &Hedge,
        worker: usize,
        course: &mut Course,
        tally: Tally<'_>,
    ) -> Result<Came, Missed> {
        let Some(at) = self.next(worker, course) else { return Err(nobody()) };
        let view = course.view.clone();
        let Some(member) = view.members.get(at) else { return Err(nobody()) };
        let Course { key, now: began, limits, keep, tried, outbound, .. } = course;
        let (key, began) = (*key, *began);
        let trying = Trying { worker, now: began, limits, keep: *keep, meter: None };
        let mut spare = Spare::default();
        spare.write(&outbound.request);
        let (added, sent) = (outbound.added.clone(), outbound.sent.again());
        let (mut attempts, mut last) = (0, None);
        let mut beside = None;
        let (came, second_won) = {
            let own = Tally { attempts: &mut *tally.attempts, last: &mut *tally.last };
            let first = pin!(self.try_member(member, &trying, outbound, own));
            let Some(after) = hedge.after.or_else(|| hedge.seen.usual()) else {
                return self.first(hedge, began, at, first.await);
            };
            let first = match select(first, pin!(tokio::time::sleep(after))).await {
                Either::Left((came, _)) => return self.first(hedge, began, at, came),
                Either::Right(((), first)) => first,
            };
            let now = self.clock.now();
            let next = self.choose((worker, key), now, &view, tried);
            let Some((next, second)) = next.and_then(|at| Some((at, view.members.get(at)?))) else {
                return self.first(hedge, began, at, first.await);
            };
            if !self.extras.hedges.spend(now, self.requests(), hedge.share) {
                self.extras.held_back.fetch_add(1, Relaxed);
                return self.first(hedge, began, at, first.await);
            }
            self.extras.hedged.fetch_add(1, Relaxed);
            tried.push(next);
            let trying = Trying { worker, now, limits, keep: *keep, meter: None };
            let again = beside.insert(copy(&spare, added, sent));
            let race =
                pin!(self.try_member(second, &trying, again, Tally { attempts: &mut attempts, last: &mut last }));
            match select(first, race).await {
                Either::Left((Ok(came), _)) => (Ok((came, at)), false),
                Either::Right((Ok(came), _)) => (Ok((came, next)), true),
                Either::Left((Err(missed), race)) => match race.await {
                    Ok(came) => (Ok((came, next)), true),
                    Err(_) => (Err(missed), false),
                },
                Either::Right((Err(_), first)) => (first.await.map(|came| (came, at)), false),
            }
        };
        *tally.attempts += attempts;
        if second_won {
            *tally.last = last;
            if let Some(beside) = beside {
                course.outbound = beside;
            }
        }
        let ((received, held), place) = came?;
        self.timed(hedge, began);
        Ok(Came { received, held, place })
    }

    /// The first was alone.
    fn first(
        &self,
        hedge: &Hedge,
        began: Time,
        place: usize,
        came: Result<(super::answer::Received, super::lease::Held), Missed>,
    ) -> Result<Came, Missed> {
        let (received, held) = came?;
        self.timed(hedge, began);
        Ok(Came { received, held, place })
    }

    fn timed(&self, hedge: &Hedge, began: Time) {
        if hedge.after.is_none() {
            hedge.seen.took(self.clock.now().since(began));
        }
    }
}

/// The request once more.
fn copy(spare: &Spare, added: super::forward::Added, sent: Sent) -> Outbound {
    Outbound { request: spare.read().map(|()| crate::exchange::Outgoing::default()), added, sent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_five_in_a_hundred_are_below_what_is_found() {
        let seen = Seen::default();
        assert_eq!(seen.usual(), None);
        for number in 0..1_000_u64 {
            seen.took(if number % 25 == 24 { Duration::from_secs(2) } else { Duration::from_millis(10) });
        }
        let usual = seen.usual().unwrap();
        assert!(usual >= Duration::from_millis(10) && usual <= Duration::from_millis(12), "{usual:?}");
        for _ in 0..8_000 {
            seen.took(Duration::from_millis(100));
        }
        let usual = seen.usual().unwrap();
        assert!(usual >= Duration::from_millis(100) && usual <= Duration::from_millis(120), "{usual:?}");
    }
}
