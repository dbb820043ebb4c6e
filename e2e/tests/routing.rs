//! Routing as a client sees it.

use e2e::client::{call, get};
use e2e::{Gate, Upstream};

const CONFIGURATION: &str = r#"
version: 1
listeners:
  - { name: public, address: "127.0.0.1:0" }
apis:
  - name: hosts
    hosts: [exact.test]
    to: { respond: { status: 200, body: exact } }
  - name: wildcard
    hosts: ["*.wild.test"]
    to: { respond: { status: 200, body: wildcard } }
  - name: users
    path: /users
    routes:
      - { name: me, match: { path: /me }, to: { respond: { status: 200, body: me } } }
      - { name: one, match: { path: "/{id}", methods: [GET] }, to: { respond: { status: 200, body: "one {{ params.id }}" } } }
      - { name: files, match: { path: "/{id}/files/{rest*}" }, to: { respond: { status: 200, body: "{{ params.id }}: {{ params.rest }}" } } }
      - { name: regex, match: { regex: "/by-year/(?<year>[0-9]{4})" }, to: { respond: { status: 200, body: "year {{ params.year }}" } } }
      - { name: beta, priority: 4, match: { path: /conditions, headers: { x-beta: yes } }, to: { respond: { status: 200, body: header } } }
      - { name: query, priority: 3, match: { path: /conditions, query: { v: { prefix: "2" } } }, to: { respond: { status: 200, body: query } } }
      - { name: cookie, priority: 2, match: { path: /conditions, cookies: { flag: { is: present } } }, to: { respond: { status: 200, body: cookie } } }
      - { name: expression, priority: 1, match: { path: /conditions, when: 'request.headers["user-agent"].startsWith("probe")' }, to: { respond: { status: 200, body: cel } } }
      - { name: rest, match: { path: /conditions }, to: { respond: { status: 200, body: plain } } }
  - name: local
    path: /local
    routes:
      - { match: { client: ["127.0.0.0/8"] }, to: { respond: { status: 200, body: loopback } } }
      - { to: { respond: { status: 403, body: far } } }
"#;

#[test]
fn the_most_specific_route_answers() {
    let gate = Gate::start(CONFIGURATION);
    let address = gate.address("public");
    for (path, headers, status, body) in [
        ("/", &["host: exact.test"][..], 200, "exact"),
        ("/", &["host: EXACT.test:8080"], 200, "exact"),
        ("/", &["host: a.b.wild.test"], 200, "wildcard"),
        ("/users/me", &[], 200, "me"),
        ("/users/7", &[], 200, "one 7"),
        ("/users/7/files/a/b.txt", &[], 200, "7: a/b.txt"),
        ("/users/by-year/2026", &[], 200, "year 2026"),
        ("/users/conditions", &[], 200, "plain"),
        ("/users/conditions", &["x-beta: yes"], 200, "header"),
        ("/users/conditions?v=21", &[], 200, "query"),
        ("/users/conditions?v=12", &[], 200, "plain"),
        ("/users/conditions", &["cookie: a=b; flag=1"], 200, "cookie"),
        ("/users/conditions", &["user-agent: probe/1"], 200, "cel"),
        ("/users/../users/./me", &[], 200, "me"),
        ("/users/%6d%65", &[], 200, "me"),
        ("/local", &[], 200, "loopback"),
    ] {
        let answer = get(address, path, headers);
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{path} {headers:?}");
    }
}

#[test]
fn what_no_route_takes_is_a_problem_document() {
    let gate = Gate::start(CONFIGURATION);
    let address = gate.address("public");
    let answer = get(address, "/usersx", &[]);
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(answer.json()["code"], "route.not_found");
    let answer = call(address, "DELETE", "/users/7", &[], "");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(answer.json()["code"], "route.method_not_allowed");
}

#[test]
fn malformed_paths_are_refused() {
    let gate = Gate::start(CONFIGURATION);
    for path in ["/users/%zz", "/users/%00", "/users/%"] {
        let answer = get(gate.address("public"), path, &[]);
        assert_eq!((answer.status, answer.json()["status"].as_u64()), (400, Some(400)), "{path}");
    }
}

#[test]
fn the_api_path_is_kept_or_stripped_by_choice() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - {{ name: kept, path: /kept, to: u }}
  - {{ name: stripped, path: /stripped, path_mode: strip, to: u }}
"#,
        upstream.address
    ));
    for path in ["/kept/a?b=1", "/stripped/a?b=1", "/stripped"] {
        assert_eq!(get(gate.address("public"), path, &[]).text(), "hello");
    }
    let lines: Vec<String> = upstream.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /kept/a?b=1 HTTP/1.1", "GET /a?b=1 HTTP/1.1", "GET / HTTP/1.1"]);
}
