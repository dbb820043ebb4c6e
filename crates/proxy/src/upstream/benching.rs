//! The pool as benches see it. Not part of the crate's face.

use super::pool::Freshness;
use super::{Upstream, checkout, lease};

/// A connection in the hands of a request.
pub struct Taken(lease::Held);

impl Taken {
    /// The other end.
    pub fn address(&self) -> std::net::SocketAddr {
        self.0.address()
    }

    /// The request is over: the connection goes back.
    pub fn give_back(self) {
        self.0.give_back();
    }
}

/// Gets a connection to the first target, as a request of the first worker does; none where that fails.
pub async fn checkout(upstream: &Upstream) -> Option<Taken> {
    let target = upstream.targets.first()?;
    let asking = checkout::Asking { worker: 0, fresh: Freshness::Any, now: upstream.clock.now(), total: None };
    checkout::connection(upstream, target, None, &asking).await.ok().map(Taken)
}
