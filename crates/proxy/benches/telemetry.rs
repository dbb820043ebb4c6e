//! What it costs to remember an exchange: `cargo bench -p tollgate-proxy --bench telemetry`.
#![expect(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderValue;
use proxy::clock::{Clock, Time};
use proxy::exchange::testing::{environment, exchange_of, program_in};
use proxy::exchange::{Attempt, Body, Exchange, Finish};
use proxy::program::{Environment, Program, RouteId, UpstreamId};
use proxy::telemetry::{Format, Telemetry};

const GATEWAY: &str = "
version: 1
listeners: [{ name: public, address: '127.0.0.1:0' }]
upstreams: [{ name: users, targets: [{ url: 'http://10.0.0.1:9000' }] }]
apis: [{ name: users, routes: [{ name: read, to: users }] }]
access_log: ";

/// As many as a worker's buffer holds for sure.
const BATCH: u64 = 2000;

fn program(access_log: &str) -> Arc<Program> {
    let telemetry = Arc::new(Telemetry::new(1));
    let env = Environment { telemetry, clock: Clock::system(), ..environment() };
    program_in(&format!("{GATEWAY}{access_log}\n"), &env)
}

/// A proxied GET that is over.
fn exchange(program: &Arc<Program>) -> Box<Exchange> {
    let request = http::Request::get("/users/123?page=2")
        .header("host", "api.example.com")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .body(Body::Empty)
        .expect("a request");
    let mut x = exchange_of(program, request);
    let route = program.routes.iter().position(|plan| &*plan.name == "read").expect("the route");
    x.route = RouteId(u32::try_from(route).expect("few routes"));
    let later = |micros| Some(x.record.started + Duration::from_micros(micros));
    let (forwarded, answered, responded) = (later(10), later(900), later(910));
    (x.record.forwarded, x.record.answered, x.record.responded) = (forwarded, answered, responded);
    x.record.ended = responded.unwrap_or(Time::default());
    x.record.status = 200;
    x.record.bytes_out = 1024;
    x.record.attempts = 1;
    let address = std::net::SocketAddr::from(([10, 0, 0, 1], 9000));
    x.record.attempt = Some(Attempt { upstream: UpstreamId(0), address, reused: true });
    x.record.finish = Finish::Complete;
    x.notes.request_id = Some(HeaderValue::from_static("0198c1c5-6a3e-7c3b-9d4e-1b0a8f3f5f10"));
    x
}

/// Time of `record` alone: what is written is taken away between batches, untimed.
fn record(program: &Arc<Program>, times: u64) -> Duration {
    let x = exchange(program);
    let plan = program.plan(x.route);
    let mut spent = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let batch = left.min(BATCH);
        let started = Instant::now();
        for _ in 0..batch {
            program.telemetry.record(&x, plan);
        }
        spent += started.elapsed();
        assert!(program.telemetry.flush(Duration::from_secs(10)));
        left -= batch;
    }
    spent
}

fn telemetry(c: &mut Criterion) {
    let metrics = program("'off'");
    c.bench_function("record/metrics", |bench| bench.iter_custom(|times| record(&metrics, times)));
    let json = program("{ path: /dev/null }");
    c.bench_function("record/metrics and json", |bench| bench.iter_custom(|times| record(&json, times)));
    let template = program(
        "{ path: /dev/null, format: template, template: '{client} [{time}] \"{method} {path} {protocol}\" {status} {bytes_out}' }",
    );
    c.bench_function("record/metrics and template", |bench| bench.iter_custom(|times| record(&template, times)));

    // The whole life of an exchange that nothing happens to, and what keeping a header adds to it.
    let request = || http::Request::get("/").header("user-agent", "curl/8").body(Body::Empty).expect("a request");
    for (name, access_log) in [
        ("exchange/no log", "'off'"),
        ("exchange/log without headers", "{ path: /dev/null, fields: [status] }"),
        ("exchange/log with user_agent", "{ path: /dev/null, fields: [status, user_agent] }"),
    ] {
        let program = program(access_log);
        c.bench_function(name, |bench| {
            bench.iter_batched(request, |request| exchange_of(&program, request), criterion::BatchSize::SmallInput);
        });
    }

    // Held, as a program would.
    let many = program("'off'");
    let mut held = Vec::new();
    for at in 0..10_000 {
        held.push(many.telemetry.route("api", &format!("route-{at}"), model::resource::Switch::Off));
    }
    c.bench_function("scrape/10000 routes asleep", |bench| {
        bench.iter(|| many.telemetry.metrics(&many, Format::Prometheus));
    });
}

criterion_group!(benches, telemetry);
criterion_main!(benches);
