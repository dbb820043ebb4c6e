//! The keys of a provider: each by its weight, in turn; one that is refused, used up, at its bounds or over is passed by.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::HeaderValue;
use model::load::Spanned;
use model::resource::{Provider as Written, ProviderKey};
use model::value::Timestamp;
use proxy::clock::Clock;
use proxy::gate_key::sha256_of;
use proxy::program::Compile;

use super::pace::{Bounds, Held, Pace};
use super::rest::Rest;
use crate::providers::Auth;

/// A key of a provider.
pub(crate) struct Key {
    pub(super) value: HeaderValue,
    /// What it is called in the log.
    pub(crate) name: Box<str>,
    /// What tells it from any other: another key in its place begins anew.
    id: Box<str>,
    /// Outlives the program.
    pub(crate) rest: Arc<Rest>,
    expires: Option<Timestamp>,
    pace: Option<Arc<Pace>>,
    weight: u16,
}

/// How long one call may try a key that was refused before another may.
pub(crate) const TRIES: Duration = Duration::from_secs(60);
/// The keys of one provider.
const MOST_KEYS: usize = 100;
const MOST_WEIGHT: u16 = 100;

/// That all keys of a provider rest.
pub(crate) struct Resting {
    /// When the first is back.
    pub(crate) until: u64,
    /// Whether all were refused, or are over.
    pub(crate) refused: bool,
}

/// A key that was chosen.
pub(crate) struct Picked<'a> {
    /// Its number.
    pub(crate) at: usize,
    pub(crate) key: &'a Key,
    /// What is taken of its bounds, where it has some.
    pub(crate) held: Option<Held>,
}

/// The keys of a provider.
pub(crate) struct Keys {
    keys: Box<[Key]>,
    /// Whose turn it is, each as often as its weight says.
    turns: Box<[u16]>,
    next: AtomicU64,
}

impl Keys {
    /// Compiles them, as they are shown.
    pub(super) fn compile(written: &Written, auth: Auth, cx: &mut Compile<'_>) -> Option<Self> {
        if written.keys.len() > MOST_KEYS {
            let message = format!("provider `{}` has more than {MOST_KEYS} keys", *written.name);
            cx.problem(written.name.span, message, "make it two providers");
            return None;
        }
        let mut keys = Vec::with_capacity(written.keys.len());
        for (at, one) in written.keys.iter().enumerate().filter(|(_, one)| one.enabled) {
            keys.push(key(one, at, auth, &written.name, cx)?);
        }
        if keys.is_empty()
            && let Some(first) = written.keys.first()
        {
            cx.problem(first.key.span, "all keys of the provider are disabled", "enable one, or disable the provider");
            return None;
        }
        let turns = turns(&keys.iter().map(|key| key.weight).collect::<Vec<_>>());
        Some(Self { keys: keys.into(), turns, next: AtomicU64::new(0) })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What tells each from any other.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| &*key.id)
    }

    /// The next key that may be used, for the target of these rests. A provider without keys is asked without. `tokens` says
    /// about how many the call reads, where somebody has to know.
    pub(crate) fn pick(
        &self,
        clock: &Clock,
        of_target: &[Arc<Rest>],
        tokens: impl Fn() -> u64,
    ) -> Result<Option<Picked<'_>>, Resting> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let now = clock.now().0;
        let turn = self.next.fetch_add(1, Relaxed) as usize % self.turns.len().max(1);
        let start = self.turns.get(turn).map_or(0, |at| usize::from(*at));
        let mut all = Resting { until: u64::MAX, refused: true };
        let in_turn = || self.keys.iter().enumerate().cycle().skip(start).take(self.keys.len());
        // One without weight is for when there is no other.
        for (at, key) in in_turn().filter(|(_, key)| key.weight > 0).chain(in_turn().filter(|(_, key)| key.weight == 0))
        {
            let here = of_target.get(at).map_or(&key.rest, |rest| rest);
            if key.is_over(clock) {
                continue;
            }
            let mut until = key.rest.until().max(here.until());
            let mut careful = key.rest.is_careful() || here.is_careful();
            if key.rest.is_over(now) && here.is_over(now) {
                match key.hold(&tokens, now) {
                    Ok(held) => {
                        if key.rest.admits(now, TRIES) && here.admits(now, TRIES) {
                            return Ok(Some(Picked { at, key, held }));
                        }
                        held.into_iter().for_each(Held::undo);
                    }
                    Err(later) => (until, careful) = (later, false),
                }
            }
            all = Resting { until: all.until.min(until), refused: all.refused && careful };
        }
        Err(all)
    }

    /// Whether one does not rest.
    pub(crate) fn has_any(&self, now: u64, of_target: &[Arc<Rest>]) -> bool {
        let rests = |at| of_target.get(at).is_some_and(|rest: &Arc<Rest>| !rest.is_over(now));
        self.keys.iter().enumerate().any(|(at, key)| key.rest.is_over(now) && !rests(at))
    }
}

impl Key {
    fn is_over(&self, clock: &Clock) -> bool {
        self.expires.is_some_and(|expires| expires.since_epoch() <= clock.wall())
    }

    fn hold(&self, tokens: impl Fn() -> u64, now: u64) -> Result<Option<Held>, u64> {
        let Some(pace) = &self.pace else { return Ok(None) };
        let tokens = if pace.counts_tokens() { tokens() } else { 0 };
        pace.take(tokens, now).map(Some)
    }
}

fn key(
    written: &ProviderKey,
    at: usize,
    auth: Auth,
    provider: &Spanned<model::value::Name>,
    cx: &mut Compile<'_>,
) -> Option<Key> {
    let secret = written.key.expose();
    let text = match auth {
        Auth::Bearer => format!("Bearer {secret}"),
        _ => secret.clone(),
    };
    let Some(mut value) = HeaderValue::try_from(text).ok().filter(|_| !secret.is_empty()) else {
        cx.problem(written.key.span, "a key is empty, or has bytes that a header must not have", "mend the key");
        return None;
    };
    value.set_sensitive(true);
    if *written.weight > MOST_WEIGHT {
        let message = format!("the weight of a key is more than {MOST_WEIGHT}");
        cx.problem(written.weight.span, message, "write smaller numbers in the same proportion");
        return None;
    }
    if let Some(most) = written.max_concurrent.as_ref().filter(|most| ***most == 0) {
        cx.problem(most.span, "`max_concurrent` of a key is 0", "write `enabled: false` for a key that is not used");
        return None;
    }
    // Of the hash a part: enough to tell it from the others, and nothing that opens a door.
    let id: Box<str> = sha256_of(secret).chars().take(16).collect();
    let bounds = Bounds {
        requests: written.requests.as_ref().map(|rate| **rate),
        tokens: written.tokens.as_ref().map(|rate| **rate),
        at_once: written.max_concurrent.as_ref().map(|most| **most),
    };
    let pace = (!bounds.is_none()).then(|| {
        let pace = cx.keep_for_all(&format!("ai pace {} {id}", **provider), Pace::default);
        pace.set(bounds);
        pace
    });
    Some(Key {
        value,
        name: written.name.as_ref().map_or_else(|| at.to_string(), |name| name.to_string()).into(),
        rest: cx.keep_for_all(&format!("ai key {} {id}", **provider), Rest::default),
        id,
        expires: written.expires.as_ref().map(|expires| **expires),
        pace,
        weight: *written.weight,
    })
}

/// Places of a list, each as often as its weight says and as evenly among the others as can be (smooth weighted round robin).
fn turns(weights: &[u16]) -> Box<[u16]> {
    let all_alike = weights.iter().all(|weight| Some(weight) == weights.first());
    let weights: Vec<i64> = weights.iter().map(|weight| if all_alike { 1 } else { i64::from(*weight) }).collect();
    let sum: i64 = weights.iter().sum();
    let mut current = vec![0_i64; weights.len()];
    let turn = |_| {
        for (now, weight) in current.iter_mut().zip(&weights) {
            *now += weight;
        }
        let (at, most) = current.iter_mut().enumerate().rev().max_by_key(|(_, now)| **now)?;
        *most -= sum;
        u16::try_from(at).ok()
    };
    (0..sum).filter_map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn turns_are_as_often_as_weights_say_and_apart() {
        for (weights, expected) in [
            (&[][..], &[][..]),
            (&[7], &[0]),
            (&[1, 1, 1], &[0, 1, 2]),
            (&[5, 5], &[0, 1]),
            (&[2, 1], &[0, 1, 0]),
            (&[3, 1], &[0, 0, 1, 0]),
            (&[1, 0], &[0]),
            (&[0, 0], &[0, 1]),
        ] {
            assert_eq!(*turns(weights), *expected, "{weights:?}");
        }
    }
}
