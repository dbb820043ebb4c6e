//! A scrape: everything that was counted, in the order of the catalog.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::access_log::Tally;
use super::catalog::Metric;
use super::histogram::{DURATION, OVERHEAD};
use super::listeners::{ListenerMetrics, Refusal};
use super::routes::{ApiCounters, RouteCounters, status_label, sums};
use super::text::{Format, Text};
use super::{Telemetry, catalog, process};
use crate::program::Program;
use crate::upstream::{AddressStatus, BreakerState, UpstreamStatus};

/// Every metric.
pub(super) fn metrics(telemetry: &Telemetry, program: &Program, format: Format) -> String {
    let mut text = Text::new(format);
    let listeners = telemetry.listeners.all();
    let routes = telemetry.routes.all();
    requests(&mut text, &routes, &listeners);
    times(&mut text, &routes);
    bytes(&mut text, &routes);
    drop(routes);
    workers(&mut text, telemetry);
    connections(&mut text, &listeners);
    upstreams(&mut text, program);
    telemetry.limits.expose(&mut text, program);
    telemetry.models.expose(&mut text);
    telemetry.reloads.expose(&mut text);
    access_log(&mut text, telemetry.logs.tally());
    if let Some(log) = telemetry.own_log.get().map(|sink| sink.tally()) {
        text.single(&catalog::LOG_DROPPED, log.full + log.failed);
    }
    text.single(&catalog::WORKERS, telemetry.workers.count());
    text.family(&catalog::BUILD).sample(&[env!("CARGO_PKG_VERSION")], 1);
    process::expose(&mut text, telemetry.started);
    text.finish()
}

type ListenersBySlot = [Option<Arc<ListenerMetrics>>];

fn requests(text: &mut Text, routes: &[Arc<RouteCounters>], listeners: &ListenersBySlot) {
    let mut family = text.family(&catalog::REQUESTS);
    let mut buffer = itoa::Buffer::new();
    let mut counts = HashMap::new();
    for route in routes {
        for stripe in route.requests.iter() {
            stripe.seen.add_to(&mut counts);
        }
        let mut sorted: Vec<_> = counts.drain().collect();
        sorted.sort_unstable();
        for (seen, count) in sorted {
            let (listener, status) = match seen {
                Some((slot, status)) => {
                    let listener = listeners.get(slot as usize).and_then(Option::as_ref);
                    (listener.map_or("", |listener| &listener.name), status_label(status, &mut buffer))
                }
                None => ("", "other"),
            };
            family.sample(&[listener, &route.api.name, &route.name, status], count);
        }
    }
}

/// The histograms of each api and of the routes that are told apart. Routes come in order of their apis.
fn times(text: &mut Text, routes: &[Arc<RouteCounters>]) {
    let mut apis: Vec<&Arc<ApiCounters>> = routes.iter().map(|route| &route.api).collect();
    apis.dedup_by(|a, b| Arc::ptr_eq(a, b));
    let of_apis = apis.iter().map(|api| (&*api.name, "", sums(&api.times)));
    let of_routes = routes.iter().map(|route| (&*route.api.name, &*route.name, sums(&route.times)));
    let all: Vec<_> = of_apis.chain(of_routes).filter(|(_, _, (duration, _))| duration.count() > 0).collect();
    let mut family = text.family(&catalog::REQUEST_DURATION);
    for (api, route, (duration, _)) in &all {
        family.histogram(&[api, route], &DURATION, duration);
    }
    let mut family = text.family(&catalog::REQUEST_OVERHEAD);
    for (api, route, (_, overhead)) in &all {
        family.histogram(&[api, route], &OVERHEAD, overhead);
    }
}

fn bytes(text: &mut Text, routes: &[Arc<RouteCounters>]) {
    let all: Vec<_> = routes
        .iter()
        .filter(|route| route.requests.iter().next().is_some())
        .map(|route| {
            let add = |(bytes_in, bytes_out), stripe: &super::routes::Requests| {
                (bytes_in + stripe.bytes_in.load(Relaxed), bytes_out + stripe.bytes_out.load(Relaxed))
            };
            (route, route.requests.iter().fold((0_u64, 0_u64), add))
        })
        .collect();
    let mut family = text.family(&catalog::REQUEST_BYTES);
    for (route, (bytes_in, _)) in &all {
        family.sample(&[&route.api.name, &route.name], bytes_in);
    }
    let mut family = text.family(&catalog::RESPONSE_BYTES);
    for (route, (_, bytes_out)) in &all {
        family.sample(&[&route.api.name, &route.name], bytes_out);
    }
}

fn workers(text: &mut Text, telemetry: &Telemetry) {
    let workers = &telemetry.workers;
    text.single(&catalog::REQUESTS_IN_FLIGHT, workers.in_flight());
    let mut family = text.family(&catalog::REQUESTS_UNFINISHED);
    for (finish, count) in workers.unfinished() {
        family.sample(&[finish], count);
    }
    let mut family = text.family(&catalog::ERRORS);
    for ((code, blame), count) in workers.errors() {
        family.sample(&[code, blame], count);
    }
    text.single(&catalog::PANICS, workers.panics());
}

/// What a metric says of an address.
type Figure = fn(&AddressStatus) -> u64;
/// A count of an upstream.
type Count = fn(&UpstreamStatus) -> u64;

fn upstreams(text: &mut Text, program: &Program) {
    let all: Vec<UpstreamStatus> = program.upstreams.iter().map(|upstream| upstream.status()).collect();
    let mut targets = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for upstream in &all {
        for target in &upstream.targets {
            targets.insert((&*upstream.name, &*target.url), target.addresses.len());
            // The same target twice is the same counters twice.
            let named = |status: &AddressStatus| ((&*upstream.name, &*target.url, status.address.to_string()), *status);
            addresses.extend(target.addresses.iter().map(named));
        }
    }
    let mut family = text.family(&catalog::UPSTREAM_ADDRESSES);
    for ((upstream, target), count) in targets {
        family.sample(&[upstream, target], count);
    }
    let plain: [(&Metric, Figure); 5] = [
        (&catalog::UPSTREAM_AVAILABLE, |status| u64::from(status.is_available())),
        (&catalog::UPSTREAM_EJECTED, |status| u64::from(status.ejected)),
        (&catalog::UPSTREAM_IN_FLIGHT, |status| status.in_flight),
        (&catalog::UPSTREAM_REQUESTS, |status| status.requests),
        (&catalog::UPSTREAM_ERRORS, |status| status.errors),
    ];
    for (metric, value) in plain {
        let mut family = text.family(metric);
        for ((upstream, target, address), status) in &addresses {
            family.sample(&[upstream, target, address], value(status));
        }
    }
    let mut family = text.family(&catalog::UPSTREAM_CONNECTIONS);
    for ((upstream, target, address), status) in &addresses {
        family.sample(&[upstream, target, address, "active"], status.connections.saturating_sub(status.idle));
        family.sample(&[upstream, target, address, "idle"], status.idle);
    }
    let mut family = text.family(&catalog::UPSTREAM_CONNECTS);
    for ((upstream, target, address), status) in &addresses {
        family.sample(&[upstream, target, address, "ok"], status.connects);
        family.sample(&[upstream, target, address, "failed"], status.connect_errors);
    }
    care(text, &all);
}

/// What upstreams do beside sending requests.
fn care(text: &mut Text, all: &[UpstreamStatus]) {
    let counts: [(&Metric, Count); 3] = [
        (&catalog::UPSTREAM_RETRIES, |status| status.retries),
        (&catalog::UPSTREAM_HEDGES, |status| status.hedges),
        (&catalog::UPSTREAM_HELD_BACK, |status| status.held_back),
    ];
    for (metric, value) in counts {
        let mut family = text.family(metric);
        for status in all {
            family.sample(&[&status.name], value(status));
        }
    }
    let mut family = text.family(&catalog::UPSTREAM_BREAKER);
    for status in all {
        let state = status.breaker.map(|breaker| match breaker {
            BreakerState::Closed => 0_u64,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        });
        state.into_iter().for_each(|state| family.sample(&[&status.name], state));
    }
}

fn access_log(text: &mut Text, tally: Tally) {
    text.single(&catalog::ACCESS_LOG_RECORDS, tally.records);
    text.single(&catalog::ACCESS_LOG_BYTES, tally.bytes);
    let mut family = text.family(&catalog::ACCESS_LOG_DROPPED);
    family.sample(&["full"], tally.full);
    family.sample(&["failed"], tally.failed);
}

fn connections(text: &mut Text, listeners: &ListenersBySlot) {
    let mut family = text.family(&catalog::CONNECTIONS);
    for listener in listeners.iter().flatten() {
        family.sample(&[&listener.name], listener.open());
    }
    let mut family = text.family(&catalog::CONNECTIONS_ACCEPTED);
    for listener in listeners.iter().flatten() {
        family.sample(&[&listener.name], listener.accepted_total());
    }
    let mut family = text.family(&catalog::CONNECTIONS_REFUSED);
    for listener in listeners.iter().flatten() {
        for reason in Refusal::ALL {
            let count = listener.refused_total(reason);
            if count > 0 {
                family.sample(&[&listener.name, reason.as_str()], count);
            }
        }
    }
}
