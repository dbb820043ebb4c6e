//! What came since it was last saved, summed. It needs room for each kind of call and not for each call, and kinds are
//! bounded: callers choose tags, and could make up any number of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::HashSet;
use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::{HOUR, Took, Whose};
use crate::Result;

/// Kinds of calls that are told apart in an hour; of further ones the tag is not kept.
pub const MOST_KINDS: usize = 20_000;
/// The tag of calls whose own tag was one too many.
pub const OTHER: &str = "(other)";

/// Kinds that wait to be saved; calls of further ones are counted as lost.
const MOST_UNSAVED: usize = 2 * MOST_KINDS;

type Sums = HashMap<(i64, Whose), Took, foldhash::fast::RandomState>;

/// Takes calls in, and gives them to the writer.
pub struct Book {
    state: Mutex<State>,
    lost: AtomicU64,
    /// Tells the writer.
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    unsaved: Sums,
    /// The kinds that were seen in this hour.
    hour: i64,
    kinds: HashSet<Whose>,
}

impl Book {
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { state: Mutex::default(), lost: AtomicU64::new(0), wake: Box::new(wake) }
    }

    /// Adds what a call took that ended at this second since 1970. Never blocks for longer than another's adding.
    pub fn add(&self, at: i64, mut whose: Whose, took: &Took) {
        let hour = at.div_euclid(HOUR) * HOUR;
        let mut state = self.state.lock();
        state.bound(hour, &mut whose);
        let first = state.unsaved.is_empty();
        let full = state.unsaved.len() >= MOST_UNSAVED;
        match state.unsaved.entry((hour, whose)) {
            Entry::Occupied(mut known) => known.get_mut().add(took),
            Entry::Vacant(place) if !full => {
                place.insert(*took);
            }
            Entry::Vacant(_) => {
                self.lost.fetch_add(took.calls, Relaxed);
            }
        }
        drop(state);
        if first {
            (self.wake)();
        }
    }

    /// Calls that were not kept because the disk did not take the others.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    pub(crate) fn has_unsaved(&self) -> bool {
        !self.state.lock().unsaved.is_empty()
    }

    /// Saves all that came in one transaction. Refused, it stays to be saved.
    pub(crate) fn save(&self, connection: &mut Connection) -> Result<()> {
        let batch = mem::take(&mut self.state.lock().unsaved);
        if batch.is_empty() {
            return Ok(());
        }
        let written = write(connection, &batch);
        if written.is_err() {
            let mut state = self.state.lock();
            for (of, took) in batch {
                state.unsaved.entry(of).or_default().add(&took);
            }
        }
        written
    }
}

impl State {
    /// Takes the tag of a new kind away where there are as many as may be.
    fn bound(&mut self, hour: i64, whose: &mut Whose) {
        if self.hour != hour {
            self.hour = hour;
            self.kinds = HashSet::default();
        }
        if self.kinds.contains(whose) {
            return;
        }
        if self.kinds.len() < MOST_KINDS {
            self.kinds.insert(whose.clone());
        } else if !whose.tag.is_empty() {
            whose.tag = Arc::from(OTHER);
        }
    }
}

/// Adds sums to what is stored.
fn write(connection: &mut Connection, batch: &Sums) -> Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut of = transaction.prepare(
            "INSERT INTO usage_of (consumer, team, credential, api, model, provider, target, prompt, tag)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?;
        let mut id = transaction.prepare(
            "SELECT id FROM usage_of WHERE consumer = ?1 AND team = ?2 AND credential = ?3 AND api = ?4 AND model = ?5
               AND provider = ?6 AND target = ?7 AND prompt = ?8 AND tag = ?9",
        )?;
        let mut sum = transaction.prepare(
            "INSERT INTO usage (hour, whose, calls, errors, unpriced, input, cached, output, reasoning, cost)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
               ON CONFLICT DO UPDATE SET
                 calls = calls + excluded.calls, errors = errors + excluded.errors,
                 unpriced = unpriced + excluded.unpriced, input = input + excluded.input,
                 cached = cached + excluded.cached, output = output + excluded.output,
                 reasoning = reasoning + excluded.reasoning, cost = cost + excluded.cost",
        )?;
        for ((hour, whose), took) in batch {
            let Whose { consumer, team, credential, api, model, provider, target, prompt, tag } = whose;
            let names = params![consumer, team, credential, api, model, provider, target, prompt, tag];
            of.execute(names)?;
            let whose: i64 = id.query_row(names, |row| row.get(0))?;
            let [calls, errors, unpriced, input, cached, output, reasoning, cost] = took.figures().map(signed);
            sum.execute(params![hour, whose, calls, errors, unpriced, input, cached, output, reasoning, cost])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// So much that thousands of them can be summed up.
fn signed(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX).min(i64::MAX >> 14)
}
