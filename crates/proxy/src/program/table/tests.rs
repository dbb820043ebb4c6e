//! The table from outside: configuration and requests in, routes out.

use std::sync::Arc;

use http::Request;
use model::load::{Options, read_text};
use model::problem::{Problems, Severity, Style, render};
use model::snapshot::Snapshot;

use super::*;
use crate::exchange::{Body, testing};
use crate::program::Program;

mod linear;
mod problems;

/// A snapshot of these apis; they may send to upstream `u`.
fn snapshot(apis: &str) -> (Snapshot, model::load::Loaded) {
    let text = format!(
        "version: 1\nupstreams: [{{ name: u, targets: [{{ url: \"http://127.0.0.1:1\" }}] }}]\n\
         listeners: [{{ name: l, address: \"127.0.0.1:0\" }}]\napis:\n{apis}"
    );
    let mut loaded = read_text("test.yaml", &text, &Options::sealed());
    let root = loaded.root.as_ref().expect("a document");
    let snapshot = model::resolve::resolve(root, &mut loaded.problems);
    match snapshot {
        Some(snapshot) => (snapshot, loaded),
        None => panic!("{}", render(&loaded.problems, &loaded.sources, Style::Plain)),
    }
}

/// The table of a snapshot, with the name of each route.
fn build(snapshot: &Snapshot, problems: &mut Problems) -> (Table, Vec<String>) {
    let mut entries = Vec::new();
    let mut names = Vec::new();
    for (at, published) in snapshot.apis.iter().enumerate() {
        for (place, (name, route)) in published.routes.iter().enumerate() {
            let path = format!("apis[{at}].routes[{place}].match");
            let id = RouteId(names.len() as u32);
            entries.push(Entry { id, api: &published.api, name, route, path, knows_places: true });
            names.push(format!("{}/{name}", *published.api.name));
        }
    }
    (Table::build(&entries, problems), names)
}

/// A table without problems.
struct Sample {
    table: Table,
    names: Vec<String>,
    program: Arc<Program>,
}

impl Sample {
    fn new(apis: &str) -> Self {
        let (snapshot, mut loaded) = snapshot(apis);
        let (table, names) = build(&snapshot, &mut loaded.problems);
        assert!(loaded.problems.is_empty(), "{}", render(&loaded.problems, &loaded.sources, Style::Plain));
        Self { table, names, program: testing::exchange(Request::new(Body::Empty)).local.program.clone() }
    }

    /// `METHOD target [header: value]…` to `route {captures}`, `405 methods` or `404`.
    fn ask(&self, line: &str) -> String {
        let x = self.exchange(line);
        match self.table.find(&x) {
            Found::None => "404".to_owned(),
            Found::Method(allow) => format!("405 {}", allow.to_str().unwrap()),
            Found::Route(id, captures) => {
                let name = &self.names[id.0 as usize];
                let captured: Vec<String> = captures.iter().map(|(name, value)| format!("{name}={value}")).collect();
                if captured.is_empty() { name.clone() } else { format!("{name} {}", captured.join(" ")) }
            }
        }
    }
}

impl Sample {
    /// The request, by the client that its line names.
    fn exchange(&self, line: &str) -> Box<Exchange> {
        let mut x = testing::exchange_of(&self.program, request(line));
        if let Some((_, client)) = line.split_once(" | client: ") {
            x.client = client.split(" | ").next().unwrap().parse().unwrap();
        }
        x
    }

    /// The route that takes the request and those that would if it were not there, as it is explained.
    fn taking(&self, line: &str) -> Vec<String> {
        let mut taking = Vec::new();
        for candidate in self.table.candidates(&self.exchange(line)) {
            match candidate.verdict {
                Verdict::Taken => assert!(taking.is_empty(), "{line}: the first takes it"),
                Verdict::Later => assert!(!taking.is_empty(), "{line}: another goes before"),
                Verdict::Missed | Verdict::Near(_) => continue,
            }
            assert!(candidate.conditions.iter().all(|condition| condition.holds), "{line}: {candidate:?}");
            taking.push(candidate.route);
        }
        taking
    }
}

fn request(line: &str) -> Request<Body> {
    let mut parts = line.split(" | ");
    let (method, target) = parts.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for header in parts {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(Body::Empty).unwrap()
}

fn check(apis: &str, cases: &[(&str, &str)]) {
    let sample = Sample::new(apis);
    for (line, expected) in cases {
        assert_eq!(sample.ask(line), *expected, "{line}");
    }
}

#[test]
fn paths_are_relative_to_the_api() {
    check(
        "
- name: users
  path: /users/
  routes:
    - { name: list, match: { path: / }, to: u }
    - { name: one, match: { path: '/{id}' }, to: u }
    - { name: me, match: { path: /me }, to: u }
    - { name: photo, match: { path: '/{id}/photos/{photo}' }, to: u }
    - { name: slash, match: { path: '/{id}/photos/' }, to: u }
    - { name: files, match: { path: '/{id}/files/{rest*}' }, to: u }
    - { name: numbers, match: { regex: '/(?<major>[0-9]+)\\.(?<minor>[0-9]+)/(?:x|y)' }, to: u }
    - { name: odd, match: { prefix: /me/caf\u{e9}%7e/ }, to: u }
",
        &[
            ("GET /users", "users/list"),
            ("GET /users/", "users/list"),
            ("GET /users2", "404"),
            ("GET /", "404"),
            ("GET /users/7", "users/one id=7"),
            ("GET /users/7/", "404"),
            ("GET /users/me", "users/me"),
            ("GET /users/me/photos/9", "users/photo id=me photo=9"),
            ("GET /users/7/photos/", "users/slash id=7"),
            ("GET /users/7/photos", "404"),
            ("GET /users//photos/9", "404"),
            ("GET /users/7/files/a/b//c/", "users/files id=7 rest=a/b//c/"),
            ("GET /users/7/files/", "404"),
            ("GET /users/7/files", "404"),
            ("GET /users/1.20/x", "users/numbers major=1 minor=20"),
            ("GET /users/1.20/xy", "404"),
            ("GET /users/me/caf%C3%A9~", "users/odd"),
            ("GET /users/me/caf%C3%A9~/x", "users/odd"),
            ("GET /users/me/caf%C3%A9~x", "404"),
            ("GET /USERS", "404"),
            ("OPTIONS *", "404"),
        ],
    );
}

#[test]
fn the_most_specific_path_goes_first() {
    check(
        "
- name: a
  routes:
    - { name: all, to: u }
    - { name: prefix, match: { prefix: /x }, to: u }
    - { name: longer, match: { prefix: /x/y }, to: u }
    - { name: rest, match: { path: '/x/y/{rest*}' }, to: u }
    - { name: param, match: { path: '/x/{b}/z' }, to: u }
    - { name: first, match: { path: '/{a}/y/z' }, to: u }
    - { name: exact, match: { path: /x/y/z }, to: u }
    - { name: regex, match: { regex: '/r.*' }, to: u }
    - { name: end, match: { path: /x }, to: u }
",
        &[
            ("GET /x/y/z", "a/exact"),
            ("GET /x/w/z", "a/param b=w"),
            ("GET /w/y/z", "a/first a=w"),
            ("GET /x/y/w", "a/rest rest=w"),
            ("GET /x/y/", "a/longer"),
            ("GET /x/y", "a/longer"),
            ("GET /x/yy", "a/prefix"),
            ("GET /x", "a/end"),
            ("GET /r/y/z", "a/first a=r"),
            ("GET /r/y", "a/regex"),
            ("GET /s/y", "a/all"),
            ("GET /", "a/all"),
        ],
    );
}

#[test]
fn goes_back_where_the_most_specific_does_not_hold() {
    check(
        "
- name: a
  routes:
    - { name: literal, match: { path: /a/b/c, methods: [POST] }, to: u }
    - { name: mixed, match: { path: '/a/{x}/d' }, to: u }
    - { name: params, match: { path: '/{x}/{y}/{z}', headers: { deep: 'yes' } }, to: u }
    - { name: rest, match: { path: '/a/{rest*}', query: { q: { is: present } } }, to: u }
- name: h
  hosts: [h.example]
  routes: [{ name: x, match: { path: /a/b/c, methods: [PUT] }, to: u }]
",
        &[
            ("POST /a/b/c", "a/literal"),
            ("GET /a/b/c", "405 POST"),
            ("GET /a/b/d", "a/mixed x=b"),
            ("GET /a/b/c | deep: yes", "a/params x=a y=b z=c"),
            ("GET /a/b/c?q", "a/rest rest=b/c"),
            ("POST /a/b/c | host: h.example", "a/literal"),
            ("PUT /a/b/c | host: h.example", "h/x"),
            ("GET /a/b/c | host: h.example", "405 POST, PUT"),
        ],
    );
}

#[test]
fn hosts() {
    check(
        "
- { name: any, to: u }
- { name: exact, hosts: [API.example.com., '[2001:DB8:0::1]', '::1'], to: u }
- { name: deep, hosts: ['*.api.example.com'], to: u }
- { name: wild, hosts: ['*.example.com', '*.other.org'], to: u }
",
        &[
            ("GET / | host: api.example.com", "exact/0"),
            ("GET / | host: API.EXAMPLE.com:8080", "exact/0"),
            ("GET / | host: [2001:db8::1]:80", "exact/0"),
            ("GET / | host: [::1]", "exact/0"),
            ("GET / | host: a.api.example.com", "deep/0"),
            ("GET / | host: a.b.c.api.example.com", "deep/0"),
            ("GET / | host: www.example.com", "wild/0"),
            ("GET / | host: a.b.example.com", "wild/0"),
            ("GET / | host: x.other.org", "wild/0"),
            ("GET / | host: example.com", "any/0"),
            ("GET / | host: notexample.com", "any/0"),
            ("GET / | host: com", "any/0"),
            ("GET /", "any/0"),
        ],
    );
}

#[test]
fn methods() {
    check(
        "
- name: a
  routes:
    - { name: read, match: { path: /, methods: [GET] }, to: u }
    - { name: write, match: { path: /, methods: [POST, PURGE] }, to: u }
    - { name: get, match: { path: /h, methods: [GET] }, to: u }
    - { name: head, match: { path: /h, methods: [HEAD] }, to: u }
    - { name: own, match: { path: /o, methods: [BREW] }, to: u }
",
        &[
            ("GET /", "a/read"),
            ("HEAD /", "a/read"),
            ("POST /", "a/write"),
            ("PURGE /", "a/write"),
            ("DELETE /", "405 GET, HEAD, POST, PURGE"),
            ("BREW /", "405 GET, HEAD, POST, PURGE"),
            ("HEAD /h", "a/head"),
            ("GET /h", "a/get"),
            ("BREW /o", "a/own"),
            ("BREWS /o", "405 BREW"),
        ],
    );
}

#[test]
fn conditions() {
    check(
        "
- name: a
  routes:
    - { name: exact, match: { path: /h, headers: { X-A: one } }, to: u }
    - { name: prefix, match: { path: /h, headers: { x-a: { prefix: tw } } }, priority: 1, to: u }
    - { name: regex, match: { path: /h, headers: { x-a: { regex: 't[hr]+ee' } } }, to: u }
    - { name: absent, match: { path: /h, headers: { x-a: { is: absent } } }, to: u }
    - { name: not, match: { path: /n, headers: { x-a: { not: one } } }, to: u }
    - { name: query, match: { path: /q, query: { 'a b': 'c&d' } }, to: u }
    - { name: cookie, match: { path: /c, cookies: { SID: { regex: '[0-9]+' } } }, to: u }
    - { name: near, match: { path: /ip, client: [192.0.2.0/24, '2001:db8::/32'] }, to: u }
    - { name: two, match: { path: /s, headers: { x-a: one, x-b: one } }, to: u }
    - { name: one, match: { path: /s, headers: { x-a: one } }, to: u }
    - { name: kinds, match: { path: /s, methods: [GET], query: { q: one } }, to: u }
    - { name: low, match: { path: /p, headers: { x-a: one } }, to: u }
    - { name: high, match: { path: /p, headers: { x-b: one } }, priority: 1, to: u }
    - { name: none, match: { path: /p }, priority: 9, to: u }
    - { name: when, match: { path: '/w/{x}', when: \"request.headers['x-a'] == 'one' && client.address == '192.0.2.7'\" }, to: u }
    - { name: plain, match: { path: '/w/{x}' }, to: u }
",
        &[
            ("GET /h | x-a: one", "a/exact"),
            ("GET /h | x-a: two", "a/prefix"),
            ("GET /h | x-a: three", "a/regex"),
            ("GET /h | x-a: threes", "404"),
            ("GET /h | x-a: zero | x-a: one", "a/exact"),
            ("GET /h", "a/absent"),
            ("GET /n", "a/not"),
            ("GET /n | x-a: two", "a/not"),
            ("GET /n | x-a: one", "404"),
            ("GET /n | x-a: two | x-a: one", "404"),
            ("GET /q?a+b=c%26d", "a/query"),
            ("GET /q?x&a%20b=x&a%20b=c%26d", "a/query"),
            ("GET /q?a+b=c", "404"),
            ("GET /q", "404"),
            ("GET /c | cookie: a=1; SID=42; b=2", "a/cookie"),
            ("GET /c | cookie: a=1 | cookie: SID=42", "a/cookie"),
            ("GET /c | cookie: SID = \"42\"", "a/cookie"),
            ("GET /c | cookie: sid=42", "404"),
            ("GET /c | cookie: SID=x", "404"),
            ("GET /ip", "a/near"),
            ("GET /s?q=one | x-a: one | x-b: one", "a/kinds"),
            ("GET /s | x-a: one | x-b: one", "a/two"),
            ("GET /s | x-a: one", "a/one"),
            ("GET /p | x-a: one | x-b: one", "a/high"),
            ("GET /p | x-a: one", "a/low"),
            ("GET /p", "a/none"),
            ("GET /w/1 | x-a: one", "a/when x=1"),
            ("GET /w/1", "a/plain x=1"),
        ],
    );
}

#[test]
fn versions() {
    check(
        "
- { name: p1, path: /p, version: { name: v1 }, routes: [{ match: { path: '/{id}' }, to: u }] }
- { name: p2, path: /p, version: { name: v2, in: path }, to: u }
- { name: h1, path: /h, version: { name: v1, in: header }, to: u }
- { name: h2, path: /h, version: { name: v2, in: header }, to: u }
- { name: m1, path: /m, version: { name: v1, in: media_type }, to: u }
- { name: m2, path: /m, version: { name: v1.1, in: media_type }, to: u }
- { name: q1, path: /q, version: { name: v1, in: query }, to: u }
- { name: q0, path: /q, to: u }
",
        &[
            ("GET /p/v1/7", "p1/0 id=7"),
            ("GET /p/v2", "p2/0"),
            ("GET /p", "404"),
            ("GET /h | accept-version: v1", "h1/0"),
            ("GET /h | accept-version: v2", "h2/0"),
            ("GET /h | accept-version: v3", "404"),
            ("GET /m | accept: application/vnd.users.v1+json", "m1/0"),
            ("GET /m | accept: text/html, Application/VND.users.V1+json;q=0.5", "m1/0"),
            ("GET /m | accept: application/vnd.users.v1", "m1/0"),
            ("GET /m | accept: application/vnd.users.v1.1+json", "m2/0"),
            ("GET /m | accept: application/users.v1+json", "404"),
            ("GET /m | accept: application/vnd.usersv1+json", "404"),
            ("GET /m", "404"),
            ("GET /q?version=v1", "q1/0"),
            ("GET /q?version=v2", "q0/0"),
        ],
    );
}

#[test]
fn a_large_table_is_right() {
    let mut apis = String::new();
    for api in 0..300 {
        apis += &format!("- name: api{api}\n  path: /svc{api}\n  hosts: [h{}.example]\n  routes:\n", api % 7);
        for route in 0..10 {
            apis += &format!("    - {{ name: r{route}, match: {{ path: '/things{route}/{{id}}' }}, to: u }}\n");
        }
    }
    let sample = Sample::new(&apis);
    for api in (0..300).step_by(37) {
        for route in 0..10 {
            let line = format!("GET /svc{api}/things{route}/x{api} | host: h{}.example", api % 7);
            assert_eq!(sample.ask(&line), format!("api{api}/r{route} id=x{api}"));
            let line = format!("GET /svc{api}/things{route}/x{api} | host: h{}.example", (api + 1) % 7);
            assert_eq!(sample.ask(&line), "404");
        }
    }
}
