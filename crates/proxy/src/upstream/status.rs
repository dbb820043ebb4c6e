//! What can be seen of upstreams from outside: the operations port and the metrics read it, nothing on the way of a
//! request does.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use super::target::{Place, Target};
use super::{BreakerState, Upstream};

/// An upstream as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// How its breaker stands, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerState>,
    /// Tries that were made again.
    pub retries: u64,
    /// Second tries beside a first.
    pub hedges: u64,
    /// Both, where a budget or a bound held them back.
    pub held_back: u64,
    /// Its targets, as written.
    pub targets: Vec<TargetStatus>,
}

/// A target as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct TargetStatus {
    /// Its URL.
    pub url: String,
    /// Its share beside its siblings.
    pub weight: u16,
    /// Why its name has no addresses, while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Its addresses, so far as they are known.
    pub addresses: Vec<AddressStatus>,
}

/// An address as it stands. Connections are those of its pool, which other upstreams with this address share; the rest is
/// this upstream's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AddressStatus {
    /// The address.
    pub address: SocketAddr,
    /// Whether it is passed over, as it could not be connected to a moment ago.
    pub avoided: bool,
    /// Whether checks say that it is not well.
    pub failing: bool,
    /// Whether it is ejected for what became of its requests.
    pub ejected: bool,
    /// How often in a row it was.
    pub ejections: u32,
    /// Requests without a whole response yet.
    pub in_flight: u64,
    /// Open connections, over all workers.
    pub connections: u64,
    /// Those of them that are idle.
    pub idle: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed for its sake.
    pub errors: u64,
    /// Connections opened.
    pub connects: u64,
    /// Connections that could not be opened.
    pub connect_errors: u64,
}

impl AddressStatus {
    /// Whether it takes requests.
    pub(crate) fn is_available(&self) -> bool {
        !(self.avoided || self.failing || self.ejected)
    }
}

impl Upstream {
    /// The upstream as it stands.
    pub fn status(&self) -> UpstreamStatus {
        UpstreamStatus {
            name: self.name.to_string(),
            breaker: self.breaker.as_ref().map(|breaker| breaker.stands(self.clock.now())),
            retries: self.extras.retried.load(Relaxed),
            hedges: self.extras.hedged.load(Relaxed),
            held_back: self.extras.held_back.load(Relaxed),
            targets: self.targets.iter().map(|target| self.target_status(target)).collect(),
        }
    }

    fn target_status(&self, target: &Target) -> TargetStatus {
        let now = self.clock.now();
        let mut addresses = Vec::new();
        target.each_endpoint(|endpoint| {
            let counts = endpoint.counts();
            addresses.push(AddressStatus {
                address: endpoint.address,
                avoided: matches!(target.place, Place::Name(_)) && endpoint.is_avoided(now),
                failing: endpoint.vitals.is_failing(),
                ejected: endpoint.vitals.ejected_until() > now,
                ejections: endpoint.vitals.ejections(),
                in_flight: counts.in_flight,
                connections: counts.connections,
                idle: counts.idle,
                requests: counts.requests,
                errors: counts.errors,
                connects: counts.connects,
                connect_errors: counts.connect_errors,
            });
        });
        let problem = match &target.place {
            Place::Address(_) => None,
            Place::Name(name) => name.failure().map(|why| why.to_string()),
        };
        TargetStatus { url: target.url.clone(), weight: target.weight, problem, addresses }
    }
}
