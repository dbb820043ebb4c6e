//! Equal calls at the same time: one is made, and the others wait for its answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::key::Key;

/// Equal calls at the same time.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiCacheCollapse")]
pub(super) struct Spec {
    /// How long a call waits for the answer to an equal one, up to `10m`. Then it is made as well.
    #[schemars(extend("default" = "30s"))]
    pub(super) wait: model::value::Duration,
    /// How many calls may wait at a time, up to 100000. What comes beyond is made.
    pub(super) most: usize,
}

impl Default for Spec {
    fn default() -> Self {
        Self { wait: model::value::Duration::from_secs(30), most: 1000 }
    }
}

/// The calls that are being made.
pub(super) struct Together {
    wait: Duration,
    most: usize,
    calls: Mutex<HashMap<Key, watch::Receiver<()>>>,
    waiting: AtomicUsize,
}

/// What becomes of a call.
pub(super) enum Joined {
    /// It is made, and others wait for it until this is let go of.
    Leads(Lead),
    /// It waited, and what it waited for is over.
    Over,
    /// It is made by itself.
    Alone,
}

/// A call that others wait for.
pub(super) struct Lead {
    key: Key,
    of: Arc<Together>,
    /// Those who wait see it go.
    _ends: watch::Sender<()>,
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.of.calls.lock().remove(&self.key);
    }
}

/// A call that waits.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Together {
    pub(super) fn new(spec: &Spec) -> Arc<Self> {
        let (wait, most) = (spec.wait.get(), spec.most);
        Arc::new(Self { wait, most, calls: Mutex::default(), waiting: AtomicUsize::new(0) })
    }

    /// Until when a call that comes now waits.
    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.wait
    }

    /// A call joins those that are being made.
    pub(super) async fn join(self: &Arc<Self>, key: Key, until: Instant) -> Joined {
        let mut ends = match self.calls.lock().entry(key) {
            Entry::Occupied(made) => made.get().clone(),
            Entry::Vacant(place) => {
                let (sender, receiver) = watch::channel(());
                place.insert(receiver);
                return Joined::Leads(Lead { key, of: self.clone(), _ends: sender });
            }
        };
        let before = self.waiting.fetch_add(1, Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= self.most {
            return Joined::Alone;
        }
        match timeout_at(until, ends.changed()).await {
            Ok(_) => Joined::Over,
            Err(_) => Joined::Alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::ai_cache::key::testing;

    #[tokio::test(start_paused = true)]
    async fn one_is_made_and_the_others_wait() {
        let together = Together::new(&Spec { most: 1, ..Spec::default() });
        let (one, other) = (testing(1), testing(2));
        let until = together.until();
        let Joined::Leads(lead) = together.join(one, until).await else { panic!("the first leads") };
        assert!(matches!(together.join(other, until).await, Joined::Leads(_)), "another is another");
        let (waits, mate) = (together.clone(), together.clone());
        let waiting = tokio::spawn(async move { waits.join(one, until).await });
        while together.waiting.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(mate.join(one, until).await, Joined::Alone), "there is room for one");
        drop(lead);
        assert!(matches!(waiting.await.unwrap(), Joined::Over));
        assert!(together.calls.lock().is_empty());
        assert_eq!(together.waiting.load(Relaxed), 0);

        let Joined::Leads(_lead) = together.join(one, until).await else { panic!("it is over") };
        assert!(matches!(together.join(one, until).await, Joined::Alone), "its patience ends");
    }
}
