//! Which route takes a request: every predicate, the order among routes, versions, shares.

use std::process::Command;

use e2e::client::{call, get};
use e2e::{Gate, Upstream};

fn gate(apis: &str) -> Gate {
    Gate::start(&format!("version: 1\nlisteners: [{{ name: public, address: \"127.0.0.1:0\" }}]\napis:\n{apis}"))
}

/// A route of the api `a`, with what it matches; it answers with its name.
fn route(name: &str, matches: &str) -> String {
    format!("      - {{ name: {name}, {matches} to: {{ respond: {{ status: 200, body: {name} }} }} }}\n")
}

#[test]
fn every_condition_on_headers_query_and_cookies() {
    let conditions = [
        ("exact", "yes"),
        ("object", "{ exact: yes }"),
        ("prefix", "{ prefix: ye }"),
        ("regex", "{ regex: \"y[a-e]s\" }"),
        ("present", "{ is: present }"),
        ("absent", "{ is: absent }"),
        ("not", "{ not: yes }"),
        ("not-prefix", "{ not: { prefix: ye } }"),
    ];
    let mut routes = String::from("  - name: a\n    routes:\n");
    for place in ["headers", "query", "cookies"] {
        for (name, condition) in conditions {
            let matches = format!("match: {{ path: /{place}/{name}, {place}: {{ x-a: {condition} }} }},");
            routes.push_str(&route(&format!("{place}-{name}"), &matches));
        }
    }
    let gate = gate(&routes);
    // Which of the conditions hold for a value, for several of them, for none.
    for (values, holding) in [
        (&["yes"][..], &["exact", "object", "prefix", "regex", "present"][..]),
        (&["yellow"], &["prefix", "present", "not"]),
        (&["YES"], &["present", "not", "not-prefix"]),
        (&["yess"], &["prefix", "present", "not"]),
        (&["no", "yes"], &["exact", "object", "prefix", "regex", "present"]),
        (&[""], &["present", "not", "not-prefix"]),
        (&[], &["absent", "not", "not-prefix"]),
    ] {
        let fields: Vec<String> = values.iter().map(|value| format!("x-a: {value}")).collect();
        let cookies = values.iter().map(|value| format!("x-a={value}")).collect::<Vec<_>>().join("; ");
        let cookie = format!("cookie: other=1; {cookies}");
        let query = values.iter().map(|value| format!("&x-a={value}")).collect::<String>();
        for (name, _) in conditions {
            for place in ["headers", "query", "cookies"] {
                let headers: Vec<&str> = match place {
                    "headers" => fields.iter().map(String::as_str).collect(),
                    "cookies" => vec![&cookie],
                    _ => Vec::new(),
                };
                let query = if place == "query" { format!("?other=1{query}") } else { String::new() };
                let answer = get(gate.address("public"), &format!("/{place}/{name}{query}"), &headers);
                let expected = if holding.contains(&name) { 200 } else { 404 };
                assert_eq!(answer.status, expected, "{place} {name} of {values:?}");
            }
        }
    }
}

#[test]
fn expressions_over_head_and_connection() {
    let routes = String::from("  - name: a\n    routes:\n");
    let table = [
        ("tenant", r#"request.headers["x-tenant"] == "a" && request.path.startsWith("/w")"#),
        ("cookie", r#"request.cookies.kind == "b""#),
        ("query", r#"int(request.query.n) > 10"#),
        ("local", r#"client.address == "127.0.0.1" && connection.listener == "public" && request.method == "PATCH""#),
        ("network", r#"inNetwork(client.address, "10.0.0.0/8")"#),
    ];
    let routes = table.iter().enumerate().fold(routes, |routes, (at, (name, when))| {
        routes + &route(name, &format!("priority: {at}, match: {{ when: '{when}' }},"))
    });
    let gate = gate(&(routes + &route("rest", "")));
    for (method, path, headers, expected) in [
        ("GET", "/w", &["x-tenant: a"][..], "tenant"),
        ("GET", "/v", &["x-tenant: a"], "rest"),
        ("GET", "/", &["cookie: kind=b"], "cookie"),
        ("GET", "/?n=11", &[], "query"),
        ("GET", "/?n=9", &[], "rest"),
        ("GET", "/?n=x", &[], "rest"),
        ("PATCH", "/", &[], "local"),
        ("GET", "/", &[], "rest"),
    ] {
        assert_eq!(
            call(gate.address("public"), method, path, headers, "").text(),
            expected,
            "{method} {path} {headers:?}"
        );
    }
}

#[test]
fn the_most_specific_goes_first_whatever_the_order_in_the_file() {
    let routes = [
        route("rest", ""),
        route("prefix", "match: { prefix: /a },"),
        route("longer", "match: { prefix: /a/b },"),
        route("tail", "match: { path: \"/a/b/{rest*}\" },"),
        route("regex", "match: { regex: \"/a/b/[0-9]+\" },"),
        route("capture", "match: { path: \"/a/b/{id}\" },"),
        route("exact", "match: { path: /a/b/c },"),
        route("method", "match: { path: /a/b/c, methods: [POST] },"),
        route("both", "match: { path: /a/b/c, methods: [POST], headers: { x-a: b } },"),
        route("low", "match: { path: /tie, headers: { x-a: b } },"),
        route("high", "priority: 1, match: { path: /tie, query: { a: b } },"),
    ];
    let hosts = |name: &str, hosts: &str| {
        format!("  - {{ name: {name}, hosts: [{hosts}], to: {{ respond: {{ status: 200, body: {name} }} }} }}\n")
    };
    let hosts = [hosts("exact-host", "api.shop.test"), hosts("wide", "\"*.test\""), hosts("narrow", "\"*.shop.test\"")];
    let any = |routes: &mut dyn Iterator<Item = &String>| {
        format!("  - name: a\n    routes:\n{}", routes.map(String::as_str).collect::<String>())
    };
    let forward = hosts.concat() + &any(&mut routes.iter());
    let backward = any(&mut routes.iter().rev()) + &hosts.iter().rev().map(String::as_str).collect::<String>();
    for apis in [forward, backward] {
        let gate = gate(&apis);
        for (method, path, headers, expected) in [
            ("GET", "/z", &["host: other"][..], "rest"),
            ("GET", "/a/x/y", &["host: other"], "prefix"),
            ("GET", "/a/b", &["host: other"], "longer"),
            ("GET", "/a/b/x/y", &["host: other"], "tail"),
            ("GET", "/a/b/7", &["host: other"], "capture"),
            ("GET", "/a/b/c", &["host: other"], "exact"),
            ("POST", "/a/b/c", &["host: other"], "method"),
            ("POST", "/a/b/c", &["host: other", "x-a: b"], "both"),
            ("GET", "/tie?a=b", &["host: other", "x-a: b"], "high"),
            ("GET", "/tie", &["host: other", "x-a: b"], "low"),
            ("GET", "/a/b/c", &["host: api.shop.test"], "exact-host"),
            ("GET", "/a/b/c", &["host: API.SHOP.TEST.:81"], "exact-host"),
            ("GET", "/a/b/c", &["host: other.shop.test"], "narrow"),
            ("GET", "/a/b/c", &["host: a.b.shop.test"], "narrow"),
            ("GET", "/a/b/c", &["host: shop.test"], "wide"),
            ("GET", "/a/b/c", &["host: test"], "exact"),
        ] {
            let answer = call(gate.address("public"), method, path, headers, "");
            assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{method} {path} {headers:?}");
        }
    }
}

#[test]
fn ambiguous_routes_are_a_problem_at_check() {
    let check = |one: &str, other: &str| {
        let folder = tempfile::tempdir().unwrap();
        let apis = format!("  - name: a\n    routes:\n{}{}", route("one", one), route("other", other));
        let text = format!("version: 1\nlisteners: [{{ name: public, address: \"127.0.0.1:0\" }}]\napis:\n{apis}");
        std::fs::write(folder.path().join("tollgate.yaml"), text).unwrap();
        let check = Command::new(e2e::binary()).arg("check").current_dir(folder.path()).output().unwrap();
        (check.status.code(), String::from_utf8_lossy(&check.stderr).into_owned())
    };
    for (one, other, good) in [
        ("match: { path: \"/{id}\" },", "match: { path: \"/{name}\" },", false),
        ("match: { path: /a, headers: { x-a: b } },", "match: { path: /a, query: { a: b } },", false),
        ("match: { path: /a, methods: [GET, POST] },", "match: { path: /a, methods: [POST] },", false),
        ("match: { path: /a, headers: { x-a: b } },", "priority: 1, match: { path: /a, query: { a: b } },", true),
        ("match: { path: /a, methods: [GET] },", "match: { path: /a, methods: [POST] },", true),
        ("match: { path: /a, headers: { x-a: b } },", "match: { path: /a, headers: { x-a: c } },", true),
        ("match: { path: /a, client: [10.0.0.0/8] },", "match: { path: /a, client: [192.168.0.0/16] },", true),
    ] {
        let (code, said) = check(one, other);
        assert_eq!(code == Some(0), good, "{one} {other}: {said}");
        assert!(good || said.contains("ambiguous"), "{said}");
    }
}

#[test]
fn a_version_is_said_in_the_path_a_header_a_media_type_or_the_query() {
    let api = |name: &str, place: &str, version: &str, answer: &str| {
        format!(
            "  - {{ name: {name}, path: /{place}, version: {{ name: {version}, in: {place} }}, \
             to: {{ respond: {{ status: 200, body: {answer} }} }} }}\n"
        )
    };
    let places = ["path", "header", "media_type", "query"];
    let apis = places.map(|place| {
        let name = place.replace('_', "-");
        api(&format!("{name}-one"), place, "v1", "one") + &api(&format!("{name}-two"), place, "v2", "two")
    });
    let gate = gate(&apis.concat());
    for (path, headers, expected) in [
        ("/path/v1/x", &[][..], Some("one")),
        ("/path/v2", &[], Some("two")),
        ("/path/v3", &[], None),
        ("/header/x", &["accept-version: v1"], Some("one")),
        ("/header/x", &["accept-version: v2"], Some("two")),
        ("/header/x", &[], None),
        ("/media_type", &["accept: application/vnd.shop.v1+json"], Some("one")),
        ("/media_type", &["accept: text/html, application/vnd.shop.v2+json;q=0.9"], Some("two")),
        ("/media_type", &["accept: application/vnd.shop.v3+json"], None),
        ("/media_type", &["accept: */*"], None),
        ("/query?version=v2", &[], Some("two")),
        ("/query?version=v1&a=b", &[], Some("one")),
        ("/query", &[], None),
    ] {
        let answer = get(gate.address("public"), path, headers);
        match expected {
            Some(text) => assert_eq!(answer.text(), text, "{path} {headers:?}"),
            None => assert_eq!(answer.status, 404, "{path} {headers:?}"),
        }
    }
}

#[test]
fn a_route_is_shared_among_upstreams_by_weight_and_by_condition() {
    let upstreams = ["stable", "next", "beta"].map(Upstream::text);
    let named = ["stable", "next", "beta"].iter().zip(&upstreams);
    let named = named.map(|(name, to)| format!("{{ name: {name}, targets: [{{ url: \"http://{}\" }}] }}", to.address));
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{}]
apis:
  - name: a
    to:
      - {{ when: 'request.headers["x-beta"] == "yes"', upstream: beta }}
      - {{ upstream: stable, weight: 80 }}
      - {{ upstream: next, weight: 20 }}
"#,
        named.collect::<Vec<_>>().join(", ")
    ));
    for _ in 0..20 {
        assert_eq!(get(gate.address("public"), "/", &["x-beta: yes"]).text(), "beta");
    }
    for _ in 0..300 {
        assert_ne!(get(gate.address("public"), "/", &[]).text(), "beta");
    }
    // A share of 20 % of 300, and six times its spread.
    let next = upstreams[1].seen().len();
    assert!((60 - 42..=60 + 42).contains(&next), "{next} of 300");
}
