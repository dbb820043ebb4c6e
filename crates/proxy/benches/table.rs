//! The route table: finding a route among 10 and among 10,000, and building 10,000.
//!
//! `cargo bench -p tollgate-proxy --bench table`
#![expect(clippy::expect_used, clippy::unwrap_used, clippy::vec_box, reason = "a benchmark: what fails here fails it")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Request;
use model::load::{Options, read_text};
use model::problem::Problems;
use model::snapshot::Snapshot;
use proxy::exchange::{Body, Exchange, testing};
use proxy::program::RouteId;
use proxy::program::table::{Entry, Found, Table};

/// So many apis of ten routes each, on a few hosts.
fn snapshot(apis: usize) -> Snapshot {
    let mut text = "version: 1\nupstreams: [{ name: u, targets: [{ url: 'http://127.0.0.1:1' }] }]\napis:\n".to_owned();
    for api in 0..apis {
        text += &format!("- name: api{api}\n  path: /service-{api}\n  hosts: [h{}.example.com]\n  routes:\n", api % 5);
        for route in 0..5 {
            text += &format!("    - {{ name: a{route}, match: {{ path: '/things-{route}/{{id}}' }}, to: u }}\n");
            text +=
                &format!("    - {{ name: b{route}, match: {{ prefix: /static-{route}, methods: [GET] }}, to: u }}\n");
        }
    }
    let mut loaded = read_text("bench.yaml", &text, &Options::sealed());
    let root = loaded.root.expect("a document");
    model::resolve::resolve(&root, &mut loaded.problems).expect("a snapshot")
}

fn entries(snapshot: &Snapshot) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for published in &snapshot.apis {
        for (name, route) in &published.routes {
            let id = RouteId(u32::try_from(entries.len()).unwrap());
            entries.push(Entry { id, api: &published.api, name, route, path: String::new(), knows_places: true });
        }
    }
    entries
}

fn table(snapshot: &Snapshot) -> Table {
    let mut problems = Problems::new();
    let table = Table::build(&entries(snapshot), &mut problems);
    assert!(problems.is_empty());
    table
}

/// Requests for a spread of routes, each `tail` within its api.
fn requests(apis: usize, tail: &str) -> Vec<Box<Exchange>> {
    let program = testing::exchange(Request::new(Body::Empty)).local.program.clone();
    let chosen = (0..64).map(|at| at * 7919 % apis);
    let made = chosen.map(|api| {
        let request =
            Request::get(format!("/service-{api}/{tail}?a=b")).header("host", format!("h{}.example.com", api % 5));
        testing::exchange_of(&Arc::clone(&program), request.body(Body::Empty).unwrap())
    });
    made.collect()
}

fn find(c: &mut Criterion) {
    for (label, apis) in [("10", 1), ("10000", 1000)] {
        let table = table(&snapshot(apis));
        for (kind, tail) in
            [("template", "things-3/42"), ("prefix", "static-3/css/main.css"), ("none", "nothing/at/all")]
        {
            let exchanges = requests(apis, tail);
            let mut next = exchanges.iter().cycle();
            c.bench_function(&format!("find/{label}/{kind}"), |b| {
                b.iter(|| {
                    let found = table.find(black_box(next.next().unwrap()));
                    assert_eq!(matches!(found, Found::Route(..)), kind != "none");
                    found
                });
            });
        }
    }
}

fn build(c: &mut Criterion) {
    let snapshot = snapshot(1000);
    c.bench_function("build/10000", |b| {
        b.iter_batched(
            || entries(&snapshot),
            |entries| Table::build(&entries, &mut Problems::new()),
            BatchSize::LargeInput,
        );
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = find, build }
criterion_main!(benches);
