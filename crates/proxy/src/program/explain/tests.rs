use std::sync::Arc;

use super::*;
use crate::exchange::testing;

const CONFIGURATION: &str = "
version: 1
listeners:
  - { name: public, address: '0.0.0.0:8080', policies: { headers: { response: { set: { x-gate: t } } } } }
  - { name: plain, address: '0.0.0.0:80', redirect_to_https: { port: 8443 } }
upstreams:
  - { name: users, targets: [{ url: 'http://127.0.0.1:9001' }] }
  - name: next
    targets: [{ url: 'http://127.0.0.1:9002' }, { url: 'http://127.0.0.1:9003' }]
    balance: { hash: { header: x-user } }
    health: { active: { path: /healthz, interval: 5s }, passive: { consecutive_errors: 5 } }
    retry: { attempts: 2, budget: 20% }
    hedge: { budget: 5% }
    breaker: { error_rate: 50%, requests: 100 }
    fallback: { upstream: users }
trusted_proxies: [10.0.0.0/8]
consumers: [{ name: app, credentials: [{ key: sixteen-characters-and-more }] }]
apis:
  - name: users
    hosts: [api.example.com, '*.example.com']
    path: /users
    path_mode: strip
    access: identified
    listeners: [public]
    policies: { key_auth: {} }
    routes:
      - name: read
        match: { path: '/{id}', methods: [GET] }
        policies: { rate_limit: [{ name: burst, limits: [{ limit: 10/second }] }] }
        to: [{ upstream: users, weight: 3 }, { upstream: next, weight: 1 }]
      - { name: write, match: { path: '/{id}', methods: [POST], headers: { x-tenant: acme } }, to: users }
      - { name: photos, match: { path: '/{id}/photos/' }, to: users }
      - { name: rest, to: { respond: { status: 404 } } }
  - { name: other, hosts: [other.example.org], listeners: [public], to: { respond: { status: 200 } } }
";

fn ask(method: &str, url: &str, headers: &[&str]) -> Explanation {
    let headers: Vec<String> = headers.iter().map(|line| (*line).to_owned()).collect();
    let probe = Probe::new(method, url, &headers).unwrap();
    explain(&testing::program(CONFIGURATION), probe).unwrap()
}

#[test]
fn a_route_is_explained() {
    let told = ask("GET", "http://API.example.com:8080/users/./7?a=b", &[]);
    assert_eq!(
        told.to_string(),
        "GET http://api.example.com/users/7?a=b
by listener public, from 127.0.0.1

route users/read
  + host api.example.com
  + path /users/{id}
  + method GET, HEAD
  = id: 7
  before users/rest, as its path pattern is more specific

policies, in running order
  identify   key_auth            set on the api
  limit      rate_limit (burst)  set on the route
  shape      headers             set on the listener
access identified: any known consumer, known by key_auth

ends in one of
  upstream users (http://127.0.0.1:9001) 75%
  upstream next (http://127.0.0.1:9002, http://127.0.0.1:9003) 25%
    balance: hash of header `x-user`
    checked: http /healthz every 5s
    ejected: after 5 errors in a row, at most 50%
    retry: up to 2 times, at most 20% of the requests
    hedge: a second try after 95 in 100 are answered, at most 5% of the requests
    breaker: open where 50% fail, at most 100 requests
    fallback: upstream users
  without `/users` at the beginning of the path

other routes
  users/write (/users/{id}, api.example.com): does not take it
    - method POST: does not hold
    - header `x-tenant` is `acme`: does not hold
  users/rest (/users/…, api.example.com): would take it, but comes later
  other/0 (/…, other.example.org): its host is other.example.org
"
    );
}

#[test]
fn near_misses_are_told() {
    let nearly = |url: &str| {
        let told = ask("GET", url, &[]).to_string();
        let (_, others) = told.split_once("other routes\n").unwrap();
        others.trim().to_owned()
    };
    let told = nearly("http://x.example.com:8080/users/7/photos");
    assert!(told.contains("users/photos (/users/{id}/photos/, *.example.com): with a slash at the end"), "{told}");
    let told = nearly("http://x.example.com:8080/user/7");
    assert!(told.contains("users/read (/users/{id}, *.example.com): `/users/7` would match"), "{told}");
    let told = nearly("http://x.example.com:8080/USERS/7");
    assert!(told.contains("users/read (/users/{id}, *.example.com): `/users/7` would match"), "{told}");
    let told = nearly("http://example.com:8080/users/7");
    assert!(told.contains("users/read (/users/{id}, api.example.com): its host is api.example.com"), "{told}");
}

#[test]
fn what_is_answered_before_a_route_is_told_too() {
    let outcome = |method: &str, url: &str, headers: &[&str]| {
        let text = ask(method, url, headers).to_string();
        text.lines().nth(3).unwrap().to_owned()
    };
    assert_eq!(outcome("GET", "http://a/x", &[]), "answered 308, redirected to https://a:8443/x");
    assert_eq!(outcome("DELETE", "http://a.example.com:8080/users/7/photos", &[]), "route users/rest",);
    assert_eq!(
        outcome("GET", "http://a.example.com:8080/nothing", &[]),
        "answered 404 route.not_found: No route matches this request."
    );
    assert_eq!(
        outcome("GET", "http://a:8080/%zz", &[]),
        "answered 400 request.path_refused: The path has a `%` that does not begin an escape."
    );
}

#[test]
fn a_method_that_no_route_takes() {
    let yaml = CONFIGURATION.replace("      - { name: rest, to: { respond: { status: 404 } } }\n", "");
    let told = explain(
        &testing::program(&yaml),
        Probe::new("PUT", "http://api.example.com:8080/users/7", &["x-tenant: acme".to_owned()]).unwrap(),
    );
    let told = told.unwrap();
    assert!(
        matches!(&told.outcome, Told::Refused { status: 405, detail, .. } if detail.ends_with("It takes GET, HEAD, POST.")),
        "{told}"
    );
    assert!(told.to_string().contains("- method POST: does not hold"), "{told}");
}

#[test]
fn the_listener_and_the_client_are_chosen() {
    let program = testing::program(CONFIGURATION);
    let seen = |url: &str, listener: Option<&str>, client: Option<&str>| {
        let mut probe = Probe::new("GET", url, &["X-Forwarded-For: 192.0.2.1".to_owned()]).unwrap();
        probe.listener = listener.map(ToOwned::to_owned);
        probe.client = client.map(|client| client.parse().unwrap());
        explain(&program, probe).map(|told| format!("{} {}", told.request.listener, told.request.client))
    };
    assert_eq!(seen("http://a/", None, None), Ok("plain 127.0.0.1".to_owned()));
    assert_eq!(seen("http://a:8080/", None, Some("10.1.1.1")), Ok("public 192.0.2.1".to_owned()));
    assert_eq!(seen("/users", Some("public"), Some("::1")), Ok("public ::1".to_owned()));
    assert_eq!(seen("/", Some("pubic"), None), Err("there is no listener `pubic`; did you mean `public`?".to_owned()));
}

#[test]
fn nothing_is_counted() {
    let program = testing::program(CONFIGURATION);
    let metrics = |program: &Arc<Program>| program.telemetry.metrics(program, crate::telemetry::Format::Prometheus);
    let requests =
        |text: &str| text.lines().filter(|line| line.contains("request")).map(ToOwned::to_owned).collect::<Vec<_>>();
    let before = requests(&metrics(&program));
    explain(&program, Probe::new("GET", "http://api.example.com:8080/users/7", &[]).unwrap()).unwrap();
    assert_eq!(requests(&metrics(&program)), before);
}

#[test]
fn it_is_data_too() {
    let told = serde_json::to_value(ask("GET", "http://api.example.com:8080/users/7", &[])).unwrap();
    assert_eq!(told["outcome"], serde_json::json!({ "kind": "route", "route": "users/read" }));
    assert_eq!(told["captures"], serde_json::json!([{ "name": "id", "value": "7" }]));
    assert_eq!(told["candidates"][1]["verdict"]["kind"], "taken");
    assert_eq!(told["policies"][0]["kind"], "key_auth");
    assert_eq!(told["terminal"]["arms"][1]["share"], 25.0);
}

#[test]
fn bad_questions_are_refused() {
    for (method, url, header, expected) in [
        ("G T", "/", "a: b", "`G T` is not a method"),
        ("GET", "ftp://a/", "a: b", "the scheme is http or https"),
        ("GET", "http://a/ b", "a: b", "is not a URL"),
        ("GET", "/", "a", "is not a header"),
        ("GET", "/", "a b: c", "is not a header"),
    ] {
        let error = Probe::new(method, url, &[header.to_owned()]).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
