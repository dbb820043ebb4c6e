//! Equal calls at the same time are one call.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

type UnderWay<K, V> = Arc<Mutex<HashMap<K, Shared<BoxFuture<'static, Option<V>>>>>>;

/// Calls under way, by what they ask.
pub(crate) struct Collapse<K, V> {
    most: usize,
    calls: UnderWay<K, V>,
}

impl<K, V> Collapse<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// No calls yet; at most so many different ones at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, calls: Arc::default() }
    }

    /// The outcome of `call`, or of an equal one that is under way. The call is a task of its own: it goes on when who
    /// asked first leaves, as others may wait for it. `None` where there are too many, or it broke.
    pub(crate) async fn run<F>(&self, key: K, call: impl FnOnce() -> F + Send) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let shared = {
            let mut calls = self.calls.lock();
            let room = calls.len() < self.most;
            match calls.entry(key) {
                Entry::Occupied(under_way) => under_way.get().clone(),
                Entry::Vacant(_) if !room => return None,
                Entry::Vacant(place) => {
                    let over = Over { key: place.key().clone(), calls: self.calls.clone() };
                    let call = call();
                    let task = tokio::spawn(async move {
                        let _over = over;
                        call.await
                    });
                    place.insert(task.map(Result::ok).boxed().shared()).clone()
                }
            }
        };
        shared.await
    }
}

/// Takes a call out however it ends: done, panicked, or with its runtime.
struct Over<K: Eq + Hash, V> {
    key: K,
    calls: UnderWay<K, V>,
}

impl<K: Eq + Hash, V> Drop for Over<K, V> {
    fn drop(&mut self) {
        self.calls.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn equal_calls_are_one_and_who_leaves_stops_nothing() {
        let collapse: Arc<Collapse<u8, usize>> = Arc::new(Collapse::new(2));
        let (made, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let call = |key: u8| {
            let (collapse, made, go) = (collapse.clone(), made.clone(), go.clone());
            async move {
                let call = || async move {
                    let number = made.fetch_add(1, SeqCst);
                    go.notified().await;
                    number
                };
                collapse.run(key, call).await
            }
        };
        let first = tokio::spawn(call(1));
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..5).map(|_| tokio::spawn(call(1))).collect();
        tokio::task::yield_now().await;
        first.abort();
        let other = tokio::spawn(call(2));
        tokio::task::yield_now().await;
        assert_eq!(call(3).await, None, "there is room for two");
        while made.load(SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        go.notify_waiters();
        for other in others {
            assert_eq!(other.await.unwrap(), Some(0));
        }
        assert_eq!(other.await.unwrap(), Some(1));
        assert!(collapse.calls.lock().is_empty());
    }

    #[tokio::test]
    async fn a_call_that_panics_is_none_and_leaves_room() {
        let collapse: Collapse<u8, u8> = Collapse::new(1);
        assert_eq!(collapse.run(1, || async { panic!("on purpose") }).await, None);
        assert_eq!(collapse.run(1, || async { 7 }).await, Some(7));
    }
}
