//! What it costs to read, change and check bodies.
//!
//! `cargo bench -p tollgate-proxy --bench shaping`
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark: what fails here fails it"
)]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Request;
use proxy::exchange::{Body, Exchange, testing};
use proxy::policies::{Outcome, Verdict};
use proxy::program::Program;
use proxy::program::table::Found;

/// Orders as JSON, about this large.
fn orders(bytes: usize) -> Bytes {
    let mut text = String::from("{\"page\": 1, \"orders\": [");
    let mut nth = 0;
    while text.len() < bytes {
        text += if nth == 0 { "" } else { "," };
        text += &format!(
            "{{\"id\": {}, \"mail\": \"user{nth}@example.com\", \"state\": \"{}\", \"internal\": {{\"score\": 0.{nth}}}, \
             \"address\": {{\"city\": \"Köln\", \"zip\": \"5066{nth}\"}}, \"tags\": [\"a\", \"b\"]}}",
            1_000 + nth,
            if nth % 3 == 0 { "closed" } else { "open" },
        );
        nth += 1;
    }
    text += "]}";
    text.into()
}

fn program(policies: &str) -> Arc<Program> {
    testing::program(&format!(
        "
version: 1
listeners: [{{ name: public, address: '127.0.0.1:0' }}]
apis: [{{ name: a, policies: {policies}, to: {{ respond: {{}} }} }}]
"
    ))
}

fn exchange(program: &Arc<Program>, path: &str, body: &Bytes) -> Box<Exchange> {
    let request = Request::post(path).header("content-type", "application/json").body(Body::from(body.clone()));
    let mut x = testing::exchange_of(program, request.unwrap());
    match program.listeners[0].as_ref().unwrap().table.find(&x) {
        Found::Route(route, captures) => (x.route, x.captures) = (route, captures),
        other => panic!("{other:?}"),
    }
    x
}

fn measure(c: &mut Criterion, name: &str, policies: &str, path: &str, body: &Bytes) {
    let program = program(policies);
    let plan = program.plan(exchange(&program, path, body).route);
    c.bench_function(&format!("shaping/{name}/{}", body.len()), |b| {
        b.iter_batched(
            || exchange(&program, path, body),
            |mut x| {
                for planned in &plan.steps {
                    match planned.step.request(black_box(&mut x)) {
                        Verdict::Done(Outcome::Next) => {}
                        Verdict::Done(Outcome::Fail(error)) => panic!("{error}"),
                        _ => panic!("{} does not let the request pass", planned.kind),
                    }
                }
                x
            },
            BatchSize::SmallInput,
        );
    });
}

/// What a mapping and a template take.
fn transform(c: &mut Criterion) {
    let body = orders(4 << 10);
    let map = "{ transform: { request: { map: [
        { remove: ['orders.*.internal'] },
        { rename: { 'orders.*.mail': email } },
        { move: { 'orders.*.address.city': 'orders.*.city' } },
        { filter: { at: orders, keep: [{ path: state, equals: open }] } },
        { set: { source: gate } }] } } }";
    measure(c, "transform/map", map, "/", &body);
    let one = "{ transform: { request: { map: [remove: [page]] } } }";
    measure(c, "transform/one", one, "/", &body);
    let template = "{ transform: { request: { template: '{\"all\": {{ body.orders }}, \"n\": {{ body.page }}}' } } }";
    measure(c, "transform/template", template, "/", &body);
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = transform }
criterion_main!(benches);
