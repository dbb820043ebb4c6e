//! What became of configurations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::catalog;
use super::text::{Seconds, Text};
use crate::program::Program;

/// How often configurations were applied and refused, and which one runs.
#[derive(Default)]
pub(super) struct Reloads {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    applied: Tally,
    refused: Tally,
    revision: u64,
    hash: String,
    took: Duration,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    count: u64,
    /// The last time, since 1970.
    last: Duration,
}

impl Tally {
    fn add(&mut self) {
        self.count += 1;
        self.last = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    }
}

impl Reloads {
    pub(super) fn applied(&self, program: &Program, took: Duration) {
        let mut state = self.state.lock();
        state.applied.add();
        state.revision = program.revision;
        state.hash.clone_from(&program.hash);
        state.took = took;
    }

    pub(super) fn refused(&self) {
        self.state.lock().refused.add();
    }

    pub(super) fn expose(&self, text: &mut Text) {
        let state = self.state.lock();
        let tallies = [("applied", state.applied), ("refused", state.refused)];
        let mut reloads = text.family(&catalog::RELOADS);
        for (result, tally) in tallies {
            reloads.sample(&[result], tally.count);
        }
        let mut times = text.family(&catalog::RELOAD_TIME);
        for (result, tally) in tallies.into_iter().filter(|(_, tally)| tally.count > 0) {
            times.sample(&[result], Seconds(nanoseconds(tally.last)));
        }
        text.single(&catalog::RELOAD_DURATION, Seconds(nanoseconds(state.took)));
        text.single(&catalog::CONFIG_REVISION, state.revision);
        text.family(&catalog::CONFIG).sample(&[&state.hash], 1);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
