//! Ejecting an address for what became of its requests.

use std::time::Duration;

use super::super::Upstream;
use super::super::endpoint::{Endpoint, Lane};
use crate::clock::Time;

/// A median below this says nothing of who is slow.
const LEAST_SLOW: u64 = 20_000_000;

/// When an address is ejected.
pub(in crate::upstream) struct Passive {
    /// Failures in a row; none is never.
    pub(super) consecutive: Option<u32>,
    pub(super) error_rate: Option<f64>,
    /// Times the median of all.
    pub(super) slow: Option<f64>,
    pub(super) window: Duration,
    pub(super) requests: u64,
    pub(super) first: Duration,
    pub(super) most: Duration,
    pub(super) share: f64,
}

impl Upstream {
    /// Whether a response of this status says that its target is not well.
    pub(in crate::upstream) fn is_bad(status: http::StatusCode) -> bool {
        matches!(status.as_u16(), 500 | 502 | 503 | 504)
    }

    /// A response head came from this address.
    pub(in crate::upstream) fn answered(&self, lane: &Lane, status: http::StatusCode, began: Time) {
        if !self.balance.is_timed() && self.health.passive.is_none() {
            return;
        }
        let now = self.clock.now();
        let passive = self.health.passive.as_ref();
        if self.balance.is_timed() || passive.is_some_and(|passive| passive.slow.is_some()) {
            lane.vitals.took(now, now.since(began));
        }
        let Some(passive) = passive else { return };
        if Self::is_bad(status) {
            self.failed(lane, now);
        } else {
            lane.vitals.good();
            if let Some(times) = passive.slow {
                self.is_slow(passive, lane, times, now);
            }
        }
    }

    /// A request to this address failed.
    pub(in crate::upstream) fn failed(&self, lane: &Lane, now: Time) {
        let Some(passive) = &self.health.passive else { return };
        let in_a_row = lane.vitals.bad();
        let why = if passive.consecutive.is_some_and(|most| in_a_row >= most) {
            "errors in a row"
        } else if let Some(most) = passive.error_rate {
            let requests = self.endpoint(lane).map_or(0, |endpoint| endpoint.requests());
            let (rate, seen) = lane.vitals.window(now, passive.window, requests);
            if seen < passive.requests || rate < most {
                return;
            }
            "its share of errors"
        } else {
            return;
        };
        self.eject(passive, lane, now, why);
    }

    /// Looks now and then whether an address is much slower than its siblings.
    fn is_slow(&self, passive: &Passive, lane: &Lane, times: f64, now: Time) {
        if !lane.vitals.is_due(now, passive.window, passive.requests) {
            return;
        }
        let mut usual = Vec::new();
        for target in &self.targets {
            // Who gets nothing is no measure.
            target.each_endpoint(|endpoint| {
                if endpoint.vitals.was_seen(now, passive.window) {
                    usual.push(endpoint.vitals.usual(now));
                }
            });
        }
        usual.retain(|usual| *usual > 0);
        usual.sort_unstable();
        let Some(&median) = usual.get(usual.len().saturating_sub(1) / 2) else { return };
        let its = lane.vitals.usual(now);
        if usual.len() > 1 && its as f64 > median as f64 * times && its > median + LEAST_SLOW {
            self.eject(passive, lane, now, "how slow it is");
        }
    }

    fn eject(&self, passive: &Passive, lane: &Lane, now: Time, why: &'static str) {
        let (mut all, mut out) = (0_u32, 0_u32);
        for target in &self.targets {
            target.each_endpoint(|endpoint| {
                all += 1;
                out += u32::from(endpoint.vitals.ejected_until() > now);
            });
        }
        // One may always be out, unless there is no other.
        let may = all > 1 && (out == 0 || f64::from(out + 1) / f64::from(all) <= passive.share + 1e-9);
        if !may {
            return;
        }
        if let Some(length) = lane.vitals.eject(now, passive.first, passive.most) {
            self.changes.note();
            tracing::warn!(target: "tollgate::upstream", upstream = %self.name, address = %lane.address, why,
                seconds = length.as_secs(), "address ejected");
        }
    }

    fn endpoint(&self, lane: &Lane) -> Option<std::sync::Arc<Endpoint>> {
        self.targets.iter().find_map(|target| target.endpoint_at(lane.address))
    }
}
