//! Each policy's request side by itself, and those of an api that has what most have, one after the other.
//!
//! `cargo bench -p tollgate-proxy --bench steps`
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark: what fails here fails it"
)]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Request;
use proxy::clock::Clock;
use proxy::exchange::{Body, Exchange, testing};
use proxy::policies::registry::POLICIES;
use proxy::policies::{Outcome, Verdict};
use proxy::program::table::Found;
use proxy::program::{Environment, Planned, Program};

/// A usual setting of each policy.
const SETTINGS: &[(&str, &str)] = &[
    ("anonymous", "{ consumer: mobile }"),
    ("authz", AUTHZ),
    ("basic_auth", "{}"),
    ("body_limit", "{ limit: 1MiB }"),
    ("compress", "{}"),
    ("concurrency", "{ limits: [{ limit: 1000, by: client }] }"),
    ("bot", "{ deny: ['^sqlmap/'], categories: { scanner: deny } }"),
    ("cors", "{ origins: ['https://shop.example.com', 'https://*.example.org'], credentials: allow }"),
    ("error_pages", "{}"),
    ("hmac_auth", "{}"),
    ("identity_headers", "{}"),
    ("headers", "{ request: { set: { x-gate: tollgate }, remove: [x-internal] }, response: { remove: [server] } }"),
    ("ip", "{ allow: [192.0.2.0/24, 10.0.0.0/8, '2001:db8::/32'], deny: [192.0.2.66] }"),
    ("jwt", "{ issuers: { issuer: id, keys: { secret: a-secret-of-at-least-32-characters } } }"),
    ("key_auth", "{}"),
    ("oauth2_introspection", "{ url: 'https://127.0.0.1:1/', client: { id: a, secret: b } }"),
    ("oidc_login", "{ issuer: 'https://127.0.0.1:1', client: { id: a }, callback: /callback }"),
    ("quota", "{ limits: [{ limit: 1000000000/month, by: client }], store: memory, headers: [] }"),
    ("rate_limit", "{ limits: [{ limit: 1000000/second, by: client }] }"),
    ("request_id", "{}"),
    ("rewrite", "{ path: '/v2/{id}', query: { set: { size: large } } }"),
    ("schedule", "{ windows: [{ from: '00:00', to: '24:00' }], timezone: Europe/Berlin }"),
    ("timeout", "{ total: 10s }"),
    ("transform", "{ request: { map: [remove: [secret]] } }"),
];

/// Five rules, of which the last decides.
const AUTHZ: &str = "{ rules: [
    { name: suspended, when: 'request.headers[\"x-state\"] == \"suspended\"', effect: deny },
    { name: debug, when: 'request.method == \"TRACE\" || request.path.startsWith(\"/debug\")', effect: deny },
    { name: staff, when: '\"staff\" in auth.groups', effect: allow },
    { name: own, when: 'params.id == auth.subject', effect: allow },
    { name: read, when: 'request.method in [\"GET\", \"HEAD\"] && request.path.startsWith(\"/users/\")', effect: allow }] }";

/// Those that are nothing by themselves: they ask a server, or look at who calls or at a certificate.
const ELSEWHERE: &[&str] = &["acl", "ext_auth", "ldap_auth", "mtls", "opa", "rbac", "scopes", "upstream_auth"];

/// What the `full` scenario of the benchmark beside peers has.
const FULL: &str = "
      key_auth: {}
      rate_limit: { limits: [{ limit: 1000000/second, by: consumer }] }
      headers: { request: { set: { x-gate: tollgate } }, response: { set: { x-gate: tollgate }, remove: [server] } }";

/// A program, and the hand of its clock: no limit takes as many requests as a benchmark makes, so each comes a
/// microsecond and more after the one before.
fn program(access: &str, policies: &str) -> (Arc<Program>, Arc<AtomicU64>) {
    let text = format!(
        "
version: 1
listeners: [{{ name: public, address: '127.0.0.1:0' }}]
upstreams: [{{ name: u, targets: [{{ url: 'http://127.0.0.1:1' }}] }}]
consumers: [{{ name: mobile, credentials: [{{ key: mobile-key-of-24-letters }}] }}]
apis:
  - name: users
    access: {access}
    policies: {policies}
    routes: [{{ match: {{ path: '/users/{{id}}' }}, to: u }}]
"
    );
    let (clock, hand) = Clock::manual();
    (testing::program_in(&text, &Environment { clock, ..testing::environment() }), hand)
}

/// A request that has found its route.
fn exchange(program: &Arc<Program>) -> Box<Exchange> {
    let request = Request::get("/users/42?debug=1&page=2")
        .header("host", "api.example.com")
        .header("user-agent", "bench/1.0")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip, br")
        .header("origin", "https://shop.example.com")
        .header("x-api-key", "mobile-key-of-24-letters")
        .header("x-internal", "1")
        .body(Body::Empty);
    let mut x = testing::exchange_of(program, request.unwrap());
    match program.listeners[0].as_ref().unwrap().table.find(&x) {
        Found::Route(route, captures) => (x.route, x.captures) = (route, captures),
        other => panic!("{other:?}"),
    }
    x
}

/// Runs the request sides of these steps, as the pipeline does.
fn run(steps: &[Planned], x: &mut Exchange) {
    for planned in steps {
        match planned.step.request(x) {
            Verdict::Done(Outcome::Next) => {}
            _ => panic!("{} does not let the request pass", planned.kind),
        }
    }
}

fn each(c: &mut Criterion) {
    for policy in POLICIES.iter().filter(|policy| !ELSEWHERE.contains(&policy.kind)) {
        let Some((kind, setting)) = SETTINGS.iter().find(|(kind, _)| *kind == policy.kind) else {
            panic!("no setting of `{}` to measure", policy.kind)
        };
        measure(c, kind, &program("public", &format!("{{ {kind}: {setting} }}")));
    }
}

/// Several limits at once, in each way to count, told to the client and not.
fn limits(c: &mut Criterion) {
    for algorithm in ["gcra", "sliding_window", "fixed_window"] {
        let by = |by: &str| format!("{{ limit: 1000000/second, by: {by}, algorithm: {algorithm} }}");
        let three = ["global", "client", "{ header: x-internal }"].map(by).join(", ");
        for (name, headers) in [("told", "[ietf]"), ("quiet", "[]")] {
            let policy = format!("{{ rate_limit: {{ limits: [{three}], headers: {headers} }} }}");
            measure(c, &format!("rate_limit/three/{algorithm}/{name}"), &program("public", &policy));
        }
    }
}

/// A list of a million addresses that do not touch.
fn lists(c: &mut Criterion) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let list: String = (0..1_000_000).map(|at| format!("{}\n", Ipv4Addr::from(0x0a00_0000 + 2 * at))).collect();
    std::fs::write(file.path(), list).unwrap();
    let policy = format!("{{ ip: {{ deny: {{ files: '{}' }} }} }}", file.path().display());
    measure(c, "ip/million", &program("public", &policy));
}

fn chain(c: &mut Criterion) {
    measure(c, "full", &program("identified", FULL));
}

fn measure(c: &mut Criterion, name: &str, (program, hand): &(Arc<Program>, Arc<AtomicU64>)) {
    let plan = program.plan(exchange(program).route);
    assert!(!plan.steps.is_empty());
    c.bench_function(&format!("steps/{name}"), |b| {
        b.iter_batched(
            || exchange(program),
            |mut x| {
                hand.fetch_add(2_000, Relaxed);
                run(&plan.steps, black_box(&mut x));
                x
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = each, limits, lists, chain }
criterion_main!(benches);
