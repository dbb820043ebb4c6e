//! What is remembered: metrics and the access log.

use std::sync::Arc;

use model::resource::Switch;

use crate::exchange::Exchange;
use crate::program::RoutePlan;

/// Where records go.
#[derive(Default)]
pub struct Telemetry {}

/// The counters of a route.
#[derive(Default)]
pub struct RouteMetrics {}

impl Telemetry {
    /// The counters of a route, the same over reloads.
    pub fn route(&self, _api: &str, _route: &str, _by_route: Switch) -> Arc<RouteMetrics> {
        Arc::new(RouteMetrics::default())
    }

    /// Counts and logs an exchange that is over. Never blocks, never fails.
    pub fn record(&self, _x: &Exchange, _plan: &RoutePlan) {}
}
