//! Expressions and templates: what it costs to ask one, and to compile one.
//!
//! `cargo bench -p tollgate-proxy --bench expressions`
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark: what fails here fails it")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use model::load::Spanned;
use proxy::exchange::{Body, Exchange, testing};
use proxy::expr::{Expr, Scope, Template};

const EXPRESSIONS: &[(&str, &str)] = &[
    ("header_and_prefix", "request.headers['x-user'] == 'ann' && request.path.startsWith('/api')"),
    ("header_absent", "has(request.headers['x-none'])"),
    ("one_of_many", "request.method in ['PUT', 'POST', 'PATCH', 'DELETE']"),
    ("regex", "request.path.matches('^/api/v[0-9]+/')"),
    ("network", "inNetwork(client.address, '10.0.0.0/8', '192.0.2.0/24')"),
    ("query", "request.query.page == '2'"),
    ("cookie", "request.cookies.theme == 'dark'"),
    ("arithmetic", "int(request.query.page) * 2 > 3"),
    ("list", "request.path.split('/').exists(part, part == 'users')"),
    ("text", "request.host + request.path"),
];

const TEMPLATES: &[(&str, &str, &str)] = &[
    ("literal", "text/plain", "pong\n"),
    ("text", "text/plain", "{{ request.method }} {{ request.path }} by {{ request.headers['x-user'] }}"),
    ("json", "application/json", r#"{"path": {{ request.path }}, "by": "{{ request.headers["x-user"] }}"}"#),
    ("loop", "text/html", "{% for name in request.query %}<li>{{ name }}: {{ request.query[name] }}</li>{% endfor %}"),
];

fn exchange() -> Box<Exchange> {
    let request = Request::get("/api/v1/users/42?page=2&q=a+b")
        .header("host", "api.example.com")
        .header("user-agent", "bench/1.0")
        .header("cookie", "sid=0123456789abcdef; theme=dark")
        .header("x-user", "ann")
        .body(Body::Empty);
    testing::exchange(request.unwrap())
}

fn expression(source: &str) -> Expr {
    Expr::compile(&Spanned::from(source.to_owned()), Scope::Request).unwrap()
}

fn template(source: &str, content_type: &str) -> Template {
    Template::compile(&Spanned::from(source.to_owned()), content_type, Scope::Request).unwrap()
}

fn expressions(c: &mut Criterion) {
    let x = exchange();
    for (name, source) in EXPRESSIONS {
        let compiled = expression(source);
        assert!(!compiled.value(&x).is_absent());
        c.bench_function(&format!("expression/{name}"), |b| b.iter(|| compiled.value(black_box(&x)).is_absent()));
    }
    c.bench_function("expression/compile", |b| b.iter(|| expression(black_box(EXPRESSIONS[0].1))));
}

fn templates(c: &mut Criterion) {
    let x = exchange();
    for (name, content_type, source) in TEMPLATES {
        let compiled = template(source, content_type);
        c.bench_function(&format!("template/{name}"), |b| b.iter(|| compiled.render(black_box(&x)).unwrap()));
    }
    let (_, content_type, source) = TEMPLATES[1];
    c.bench_function("template/compile", |b| b.iter(|| template(black_box(source), content_type)));
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = expressions, templates }
criterion_main!(benches);
