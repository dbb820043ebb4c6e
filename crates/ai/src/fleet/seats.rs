//! The places of a provider that answers only so many calls at the same time, and those who wait for one: the more urgent
//! first, then who came first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// How urgent a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Before others.
    High,
    /// As usual.
    #[default]
    Normal,
    /// When nobody else waits.
    Low,
}

impl Urgency {
    /// By its word; any other is as usual.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "high" => Self::High,
            "low" => Self::Low,
            _ => Self::Normal,
        }
    }
}

/// The places. They outlive the program.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    most: u32,
    taken: u32,
    length: usize,
    waiting: [VecDeque<oneshot::Sender<Seat>>; 3],
}

/// A place that is taken; dropped, it is the next one's.
#[derive(Debug)]
pub(crate) struct Seat(Option<Arc<Seats>>);

impl Seats {
    /// From now on there are so many, and so many may wait.
    pub(super) fn set(&self, most: u32, length: u32) {
        let mut state = self.state.lock();
        state.most = most;
        state.length = length as usize;
    }

    /// A place, at once or within this time; none where too many wait, or it takes too long.
    pub(crate) async fn take(self: &Arc<Self>, urgency: Urgency, patience: Duration) -> Option<Seat> {
        let turn = {
            let mut state = self.state.lock();
            if state.taken < state.most {
                state.taken += 1;
                return Some(Seat(Some(self.clone())));
            }
            if state.waiting.iter().map(VecDeque::len).sum::<usize>() >= state.length {
                for queue in &mut state.waiting {
                    queue.retain(|waiter| !waiter.is_closed());
                }
                if state.waiting.iter().map(VecDeque::len).sum::<usize>() >= state.length {
                    return None;
                }
            }
            let (waiter, turn) = oneshot::channel();
            state.waiting.get_mut(urgency as usize)?.push_back(waiter);
            turn
        };
        tokio::time::timeout(patience, turn).await.ok()?.ok()
    }

    fn release(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state.lock();
                let next = if state.taken > state.most {
                    None
                } else {
                    state.waiting.iter_mut().find_map(VecDeque::pop_front)
                };
                if next.is_none() {
                    state.taken = state.taken.saturating_sub(1);
                    return;
                }
                next
            };
            match next.map(|next| next.send(Seat(Some(self.clone())))) {
                // Who waited is gone: the place is still to be given.
                Some(Err(mut seat)) => seat.0 = None,
                _ => return,
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(seats) = self.0.take() {
            seats.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn the_more_urgent_is_first_then_who_came_first() {
        let seats = Arc::new(Seats::default());
        seats.set(1, 10);
        let first = seats.take(Urgency::Low, LONG).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, urgency) in [
            ("low", Urgency::Low),
            ("normal 1", Urgency::Normal),
            ("normal 2", Urgency::Normal),
            ("high", Urgency::High),
        ] {
            let (seats, order) = (seats.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                let seat = seats.take(urgency, LONG).await.unwrap();
                order.lock().push(name);
                drop(seat);
            }));
            tokio::task::yield_now().await;
        }
        assert!(order.lock().is_empty());
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock(), ["high", "normal 1", "normal 2", "low"]);
        assert_eq!(seats.state.lock().taken, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_left_or_waited_too_long_keeps_no_place() {
        let seats = Arc::new(Seats::default());
        seats.set(1, 2);
        let first = seats.take(Urgency::Normal, LONG).await.unwrap();
        assert!(seats.take(Urgency::Normal, Duration::from_secs(1)).await.is_none(), "too long");
        let waits = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take(Urgency::Normal, LONG).await.is_some() }
        });
        tokio::task::yield_now().await;
        let full = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take(Urgency::Normal, LONG).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(seats.take(Urgency::High, LONG).await.is_none(), "too many wait");
        waits.abort();
        assert!(waits.await.is_err());
        drop(first);
        assert!(full.await.unwrap(), "the place goes to who still waits");
        assert_eq!(seats.state.lock().taken, 0);
    }
}
