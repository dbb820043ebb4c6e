use std::sync::Arc;
use std::time::Duration;

use super::super::catalog::{self, Kind, LABELS, METRICS, TARGETS, Unit};
use super::super::{Format, Refusal, Telemetry};
use super::parser::Scrape;
use crate::clock::Time;
use crate::exchange::testing::{environment, exchange_of, program_in};
use crate::exchange::{Body, Error, Finish, Upgraded, codes};
use crate::program::{Environment, ListenerSlot, Local, Program, RouteId};

const TWO_APIS: &str = "
version: 1
listeners: [{ name: public, address: '127.0.0.1:0' }]
upstreams: [{ name: up, targets: [{ url: 'http://127.0.0.1:1' }] }]
access_log: 'off'
apis:
  - { name: users, path: /users, routes: [{ name: read, match: { path: /r }, to: up }, { name: write, to: up }] }
  - { name: orders, path: /orders, route_metrics: on, routes: [{ name: all, to: up }] }
";

/// What an exchange is recorded with.
struct Call {
    route: u32,
    status: u16,
    finish: Finish,
    times: [Option<Duration>; 4],
}

const MS: Duration = Duration::from_millis(1);

/// Forwarded after 1 ms, answered after `upstream` more, responded 1 ms later, ended 10 ms after that.
fn proxied(route: u32, status: u16, upstream: Duration) -> Call {
    let answered = MS + upstream;
    let times = [Some(MS), Some(answered), Some(answered + MS), Some(answered + 11 * MS)];
    Call { route, status, finish: Finish::Complete, times }
}

fn record(program: &Arc<Program>, worker: usize, call: &Call) {
    let request = http::Request::get("/users/r").body(Body::Empty).unwrap();
    let mut x = exchange_of(program, request);
    // The exchange was begun by worker 0; this is another one's.
    x.local = Arc::new(Local { worker, program: program.clone() });
    x.route = RouteId(call.route);
    x.record.status = call.status;
    x.record.bytes_in = 3;
    x.record.bytes_out = 1000;
    x.record.finish = call.finish;
    let [forwarded, answered, responded, _] = call.times.map(|time| time.map(|time| Time::default() + time));
    (x.record.forwarded, x.record.answered, x.record.responded) = (forwarded, answered, responded);
    // Settling reads the clock, so it is the start that moves.
    let ended = call.times[3].unwrap_or_default();
    let crate::clock::Clock::Manual(hand) = &program.clock else { panic!("the clock is turned by hand") };
    hand.store(u64::try_from(ended.as_nanos()).unwrap(), std::sync::atomic::Ordering::Relaxed);
    drop(x);
    hand.store(0, std::sync::atomic::Ordering::Relaxed);
}

fn with_workers(workers: usize) -> Environment {
    Environment { telemetry: Arc::new(Telemetry::new(workers)), workers, ..environment() }
}

fn scrape(program: &Program, format: Format) -> Scrape {
    Scrape::read(&program.telemetry.metrics(program, format), format)
}

/// The id of the plan of a route.
fn plan(program: &Program, api: &str, route: &str) -> u32 {
    let at = program.routes.iter().position(|plan| &*plan.api == api && &*plan.name == route);
    u32::try_from(at.unwrap()).unwrap()
}

#[test]
fn what_was_recorded_is_what_is_scraped() {
    let env = with_workers(2);
    let program = program_in(TWO_APIS, &env);
    let (read, write, orders) =
        (plan(&program, "users", "read"), plan(&program, "users", "write"), plan(&program, "orders", "all"));
    record(&program, 0, &proxied(read, 200, 4 * MS));
    record(&program, 1, &proxied(read, 200, 40 * MS));
    record(&program, 1, &proxied(read, 503, MS));
    record(&program, 0, &proxied(write, 777, MS));
    record(&program, 0, &proxied(orders, 201, MS));
    let gone = Call { route: write, status: 0, finish: Finish::Aborted, times: [Some(MS), None, None, Some(2 * MS)] };
    record(&program, 0, &gone);
    program.telemetry.applied(&program, Duration::from_millis(12));
    program.telemetry.refused();

    for format in [Format::Prometheus, Format::OpenMetrics] {
        let scrape = scrape(&program, format);
        let requests = |api, route, status| {
            let labels = [("listener", "public"), ("api", api), ("route", route), ("status", status)];
            scrape.get("tollgate_requests_total", &labels)
        };
        assert_eq!(requests("users", "read", "200"), Some(2.0));
        assert_eq!(requests("users", "read", "503"), Some(1.0));
        assert_eq!(requests("users", "write", "other"), Some(1.0));
        assert_eq!(requests("users", "write", "0"), Some(1.0));
        assert_eq!(requests("orders", "all", "201"), Some(1.0));

        let users = [("api", "users"), ("route", "")];
        let bucket = |name: &str, le: &str| {
            let labels = [("api", "users"), ("route", ""), ("le", le)];
            scrape.get(&format!("tollgate_request_{name}_seconds_bucket"), &labels)
        };
        assert_eq!(bucket("duration", "0.0025"), Some(1.0), "the one that was given up after 2 ms");
        assert_eq!(bucket("duration", "0.025"), Some(4.0), "13, 13 and 16 ms");
        assert_eq!(bucket("duration", "0.1"), Some(5.0), "52 ms");
        assert_eq!(scrape.get("tollgate_request_duration_seconds_sum", &users), Some(0.096));
        // 1 ms before and 1 ms after the upstream, whatever it took; the one that was given up has none.
        assert_eq!((bucket("overhead", "0.001"), bucket("overhead", "0.0025")), (Some(0.0), Some(4.0)));
        assert_eq!(scrape.get("tollgate_request_overhead_seconds_sum", &users), Some(0.008));
        let orders = [("api", "orders"), ("route", "all")];
        assert_eq!(scrape.get("tollgate_request_duration_seconds_count", &orders), Some(1.0));

        assert_eq!(scrape.get("tollgate_request_bytes_total", &[("api", "users"), ("route", "read")]), Some(9.0));
        assert_eq!(scrape.get("tollgate_response_bytes_total", &orders), Some(1000.0));
        assert_eq!(scrape.get("tollgate_requests_in_flight", &[]), Some(0.0));
        assert_eq!(scrape.get("tollgate_requests_unfinished_total", &[("finish", "aborted")]), Some(1.0));
        assert_eq!(scrape.get("tollgate_workers", &[]), Some(2.0));
        assert_eq!(scrape.get("tollgate_reloads_total", &[("result", "refused")]), Some(1.0));
        assert_eq!(scrape.get("tollgate_reload_duration_seconds", &[]), Some(0.012));
        let target = [("upstream", "up"), ("target", "http://127.0.0.1:1")];
        assert_eq!(scrape.get("tollgate_upstream_addresses", &target), Some(1.0));
        let idle = [target[0], target[1], ("address", "127.0.0.1:1"), ("state", "idle")];
        assert_eq!(scrape.get("tollgate_upstream_connections", &idle), Some(0.0));
        assert!(scrape.get("process_resident_memory_bytes", &[]).unwrap() > 1e6);
        assert!(scrape.get("process_open_fds", &[]).unwrap() >= 3.0);
        assert!(scrape.get("process_cpu_seconds_total", &[]).unwrap() > 0.0);
    }
}

#[test]
fn counters_go_on_over_reloads_and_go_away_with_their_route() {
    let env = with_workers(1);
    let program = program_in(TWO_APIS, &env);
    record(&program, 0, &proxied(plan(&program, "users", "read"), 200, MS));
    let next = program_in(&TWO_APIS.replace("name: write", "name: renamed"), &env);
    record(&next, 0, &proxied(plan(&next, "users", "read"), 200, MS));
    record(&program, 0, &proxied(plan(&program, "users", "write"), 200, MS));
    let of = |scrape: &Scrape, route: &str| {
        let labels = [("listener", "public"), ("api", "users"), ("route", route), ("status", "200")];
        scrape.get("tollgate_requests_total", &labels)
    };
    let both = scrape(&next, Format::Prometheus);
    assert_eq!((of(&both, "read"), of(&both, "write")), (Some(2.0), Some(1.0)));
    drop(program);
    let after = scrape(&next, Format::Prometheus);
    assert_eq!((of(&after, "read"), of(&after, "write")), (Some(2.0), None));
}

#[test]
fn workers_count_at_once_and_nothing_is_lost() {
    const EACH: u64 = 2_000;
    let env = with_workers(3);
    let program = program_in(TWO_APIS, &env);
    let route = plan(&program, "users", "read");
    // A worker more than there are stripes: two share one.
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let program = &program;
            scope.spawn(move || {
                for at in 0..EACH {
                    let request = http::Request::get("/").body(Body::Empty).unwrap();
                    let mut x = exchange_of(program, request);
                    x.local = Arc::new(Local { worker, program: program.clone() });
                    x.route = RouteId(route);
                    x.record.status = 200 + u16::try_from(at % 8).unwrap();
                    x.record.bytes_out = 7;
                    x.record.finish = Finish::Panicked;
                    x.error = Some(Error::new(&codes::INTERNAL, ""));
                }
            });
        }
    });
    let scrape = scrape(&program, Format::OpenMetrics);
    let requests = scrape.samples.iter().filter(|sample| sample.name == "tollgate_requests_total");
    let requests: Vec<f64> = requests.map(|sample| sample.value).collect();
    assert_eq!(requests, [4.0 * EACH as f64 / 8.0; 8]);
    let all = 4.0 * EACH as f64;
    let read = [("api", "users"), ("route", "read")];
    assert_eq!(scrape.get("tollgate_response_bytes_total", &read), Some(7.0 * all));
    let users = [("api", "users"), ("route", "")];
    assert_eq!(scrape.get("tollgate_request_duration_seconds_count", &users), Some(all));
    assert_eq!(scrape.get("tollgate_requests_in_flight", &[]), Some(0.0));
    assert_eq!(scrape.get("tollgate_panics_total", &[]), Some(all));
    let errors = [("code", "gateway.internal"), ("blame", "gateway")];
    assert_eq!(scrape.get("tollgate_errors_total", &errors), Some(all));
}

#[test]
fn an_upgraded_connection_is_no_duration() {
    let program = program_in(TWO_APIS, &with_workers(1));
    let request = http::Request::get("/").body(Body::Empty).unwrap();
    let mut x = exchange_of(&program, request);
    x.notes.upgraded = Upgraded::Yes;
    x.record.status = 101;
    assert_eq!(scrape(&program, Format::Prometheus).get("tollgate_requests_in_flight", &[]), Some(1.0));
    drop(x);
    let scrape = scrape(&program, Format::Prometheus);
    assert!(scrape.samples.iter().any(|sample| sample.labels.get("status").is_some_and(|status| status == "101")));
    assert!(!scrape.kinds.contains_key("tollgate_request_duration_seconds"));
}

#[test]
fn connections_are_open_until_they_are_closed() {
    let telemetry = Telemetry::new(2);
    let listener = telemetry.listener(ListenerSlot(1), "private");
    for worker in [0, 1, 1] {
        listener.accepted(worker);
    }
    listener.closed(0);
    listener.refused(1, Refusal::ClientLimit);
    // The same slot is the same listener, after a reload too.
    assert_eq!(telemetry.listener(ListenerSlot(1), "private").open(), 2);
    let program = program_in(TWO_APIS, &Environment { telemetry: Arc::new(telemetry), ..environment() });
    let scrape = scrape(&program, Format::Prometheus);
    assert_eq!(scrape.get("tollgate_connections_accepted_total", &[("listener", "public")]), Some(0.0));
    assert_eq!(scrape.get("tollgate_connections_open", &[("listener", "private")]), Some(2.0));
    let refused = [("listener", "private"), ("reason", "client_limit")];
    assert_eq!(scrape.get("tollgate_connections_refused_total", &refused), Some(1.0));
}

#[test]
fn a_status_that_was_made_up_has_a_bound() {
    let program = program_in(TWO_APIS, &with_workers(1));
    let route = plan(&program, "users", "write");
    for status in 0..1000 {
        record(&program, 0, &proxied(route, status, MS));
    }
    let scrape = scrape(&program, Format::Prometheus);
    let requests = scrape.samples.iter().filter(|sample| sample.name == "tollgate_requests_total");
    assert_eq!(requests.clone().count(), 601);
    assert_eq!(requests.map(|sample| sample.value).sum::<f64>(), 1000.0);
}

#[test]
fn names_follow_the_rules() {
    let mut names = std::collections::HashSet::new();
    for metric in METRICS {
        let name = metric.name;
        assert!(names.insert(name), "{name} twice");
        assert!(name.starts_with("tollgate_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_info"), metric.kind == Kind::Info, "{name}");
        let stem = name.trim_end_matches("_total");
        if metric.unit != Unit::None {
            assert!(stem.ends_with(&format!("_{}", metric.unit.as_str())), "{name}");
        }
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
        for label in metric.labels {
            assert!(LABELS.iter().any(|known| known.name == *label), "{label} of {name} is in the table");
            assert_ne!(*label, "consumer", "{name}");
        }
    }
    let used = |label: &str| label == "le" || METRICS.iter().any(|metric| metric.labels.contains(&label));
    assert!(LABELS.iter().all(|label| used(label.name)));
    let reference = catalog::reference();
    assert!(names.iter().all(|name| reference.contains(&format!("| `{name}` |"))));
    assert!(TARGETS.iter().all(|target| target.name.starts_with("tollgate::")));
}

#[test]
fn the_scraper_chooses_the_format() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, format) in [
        ("", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("text/plain", Format::Prometheus),
        (prometheus, Format::OpenMetrics),
        ("application/openmetrics-text", Format::OpenMetrics),
        ("application/openmetrics-text; version=1.0.0, */*;q=0.1", Format::OpenMetrics),
        ("text/plain, application/openmetrics-text;q=0.5", Format::Prometheus),
        ("application/openmetrics-text;q=0", Format::Prometheus),
        ("application/openmetrics-text;q=nonsense", Format::Prometheus),
    ] {
        assert_eq!(Format::negotiate(accept), format, "{accept}");
    }
}

#[test]
fn server_timing_tells_the_gateway_from_the_upstream() {
    let request = http::Request::get("/").body(()).unwrap().into_parts().0;
    let at = |ms: u32| Some(Time::default() + MS * ms);
    for (forwarded, answered, responded, expected) in [
        (at(2), at(12), at(15), Some("gateway;dur=5.000, upstream;dur=10.000")),
        (None, None, at(3), Some("gateway;dur=3.000")),
        // The upstream was given up after 30 ms: that was its time, not the gateway's.
        (at(1), None, at(31), Some("gateway;dur=1.000, upstream;dur=30.000")),
        (at(1), None, None, None),
    ] {
        let mut record = crate::exchange::Record::begin(&request, Time::default());
        (record.forwarded, record.answered, record.responded) = (forwarded, answered, responded);
        record.ended = Time::default() + Duration::from_secs(3600);
        assert_eq!(record.server_timing().as_deref(), expected);
    }
}

#[test]
fn label_values_are_escaped() {
    let mut text = super::super::Text::new(Format::Prometheus);
    let value = "a\\b\"c\nd{}, é";
    text.family(&catalog::CONNECTIONS).sample(&[value], 1);
    let scrape = Scrape::read(&text.finish(), Format::Prometheus);
    assert_eq!(scrape.get("tollgate_connections_open", &[("listener", value)]), Some(1.0));
}

#[test]
fn every_metric_but_those_of_events_is_there_from_the_start() {
    let program = program_in(TWO_APIS, &with_workers(1));
    drop(exchange_of(&program, http::Request::get("/").body(Body::Empty).unwrap()));
    let scrape = scrape(&program, Format::Prometheus);
    let absent: Vec<&str> =
        METRICS.iter().map(|metric| metric.name).filter(|name| !scrape.kinds.contains_key(*name)).collect();
    let of_events = [
        "tollgate_request_overhead_seconds",
        "tollgate_errors_total",
        "tollgate_connections_refused_total",
        "tollgate_reload_timestamp_seconds",
        "tollgate_log_dropped_total",
        "tollgate_upstream_breaker_state",
        "tollgate_denied_total",
        "tollgate_guardrail_findings_total",
        "tollgate_limit_refused_total",
        "tollgate_quota_warnings_total",
        "tollgate_ai_cache_lookups_total",
        "tollgate_ai_cache_similarity_total",
        "tollgate_ai_tokens_total",
        "tollgate_ai_cost_usd_total",
        "tollgate_ai_attempts_total",
        "tollgate_ai_time_to_first_token_seconds",
    ];
    // Of what a configuration need not have.
    let of_stores = |name: &&str| name.starts_with("tollgate_redis_") || name.starts_with("tollgate_store_");
    let absent: Vec<&str> = absent.into_iter().filter(|name| !of_stores(name)).collect();
    assert!(absent.iter().all(|name| of_events.contains(name)), "{absent:?}");
}

/// The table is whole: each target that the code names stands in it.
#[test]
fn every_log_target_is_in_the_table() {
    fn targets(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                targets(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let named = text.split("(target: \"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(named.map(str::to_owned));
            }
        }
    }
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = std::collections::BTreeSet::new();
    for name in ["proxy", "tollgate"] {
        targets(&crates.join(name).join("src"), &mut found);
    }
    assert!(found.contains("tollgate::access_log"), "{found:?}");
    let unknown: Vec<_> = found.iter().filter(|name| !TARGETS.iter().any(|known| known.name == **name)).collect();
    assert!(unknown.is_empty(), "add to the catalog: {unknown:?}");
}
