//! What the Limit stage holds for an exchange: what is settled once it is answered, and what is let go when it is over.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::policies::concurrency::Place;
use crate::policies::{quota, rate_limit};

/// What the Limit stage holds for an exchange.
#[derive(Default)]
pub struct Held(Vec<(Owner, What)>);

/// The step that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    /// One that no other step has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }
}

/// What is held.
pub(crate) enum What {
    /// Counts in memory, to be settled.
    Rate(rate_limit::Pending),
    /// Counts on Redis, to be settled.
    SharedRate(rate_limit::SharedPending),
    /// Quotas in the ledger, to be settled.
    Quota(quota::Pending),
    /// Quotas on Redis, to be settled.
    SharedQuota(quota::SharedPending),
    /// A place in flight, free again when it is dropped.
    Place(#[expect(dead_code, reason = "it is there to be dropped")] Place),
}

impl Held {
    pub(crate) fn put(&mut self, owner: Owner, what: What) {
        self.0.push((owner, what));
    }

    pub(crate) fn take(&mut self, owner: Owner) -> Option<What> {
        let at = self.0.iter().position(|(holder, _)| *holder == owner)?;
        Some(self.0.swap_remove(at).1)
    }
}
