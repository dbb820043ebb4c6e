//! What can be seen of a gateway from outside: the access log, the metrics, the operations port, its own log.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use e2e::client::{self, Answer, Client};
use e2e::{Gate, PATIENCE, Upstream};
use serde_json::Value;

const API: &str = "
version: 1
workers: 2
listeners: [{ name: public, address: '127.0.0.1:0' }]
upstreams: [{ name: up, targets: [{ url: 'http://UPSTREAM' }] }]
apis:
  - name: web
    path: /web
    routes:
      - { name: call, match: { path: /call }, to: up }
      - { name: no, match: { path: /no }, to: { respond: { status: 403, body: no } } }
";

fn configuration(upstream: SocketAddr, more: &str) -> String {
    format!("{}{more}", API.replace("UPSTREAM", &upstream.to_string()))
}

/// What the operations port says at this path.
fn operations(gate: &Gate, path: &str, headers: &[&str]) -> Answer {
    let mut all = vec!["host: 127.0.0.1"];
    all.extend(headers);
    client::get(gate.address("operations"), path, &all)
}

/// A metric's value; 0 where it is not there.
fn metric(gate: &Gate, series: &str) -> u64 {
    let text = operations(gate, "/metrics", &[]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).unwrap_or("0");
    line.parse().unwrap_or_else(|_| panic!("{series} is {line}"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn log_and_metrics_agree_with_what_happened() {
    let upstream = Upstream::text("hello");
    let fields = "[status, path, query, route, upstream_address, bytes_in, bytes_out, finish, error, listener, \
                  request.headers.x-tenant, response.headers.content-type, request.headers.authorization, duration, overhead]";
    let gate = Gate::start(&configuration(
        upstream.address,
        &format!("access_log: {{ path: access.log, fields: {fields} }}\nserver_timing: on\n"),
    ));
    let address = gate.address("public");
    let answer = client::call(
        address,
        "POST",
        "/web/call?a=1&token=secret",
        &["x-tenant: \"acme\"", "authorization: Bearer secret"],
        "12345",
    );
    assert_eq!(answer.status, 200);
    let timing = answer.header("server-timing").expect("server_timing is on");
    assert!(timing.starts_with("gateway;dur=") && timing.contains(", upstream;dur="), "{timing}");
    assert_eq!(client::get(address, "/web/no", &[]).status, 403);
    assert_eq!(client::get(address, "/nothing", &[]).status, 404);

    let log = gate.folder().join("access.log");
    until("three records", || records(&log).len() == 3);
    let written = records(&log);
    let call = written.iter().find(|record| record["path"] == "/web/call").expect("the call's record");
    for (field, value) in [
        ("status", Value::from(200)),
        ("query", "a=1&token=***".into()),
        ("route", "call".into()),
        ("upstream_address", upstream.address.to_string().into()),
        ("bytes_in", 5.into()),
        ("bytes_out", 5.into()),
        ("finish", "complete".into()),
        ("listener", "public".into()),
        ("request.headers.x-tenant", "\"acme\"".into()),
        ("response.headers.content-type", "text/plain".into()),
        ("request.headers.authorization", "***".into()),
    ] {
        assert_eq!(call[field], value, "{field} of {call}");
    }
    let (duration, overhead) = (call["duration"].as_f64().unwrap(), call["overhead"].as_f64().unwrap());
    assert!(0.0 < overhead && overhead < duration, "{call}");
    let lost = written.iter().find(|record| record["path"] == "/nothing").expect("the record of what matched nothing");
    assert_eq!((&lost["status"], &lost["error"], lost.get("route")), (&404.into(), &"route.not_found".into(), None));

    for (series, value) in [
        (r#"tollgate_requests_total{listener="public",api="web",route="call",status="200"}"#, 1),
        (r#"tollgate_requests_total{listener="public",api="web",route="no",status="403"}"#, 1),
        (r#"tollgate_requests_total{listener="public",api="",route="",status="404"}"#, 1),
        (r#"tollgate_request_bytes_total{api="web",route="call"}"#, 5),
        (r#"tollgate_response_bytes_total{api="web",route="call"}"#, 5),
        (r#"tollgate_request_duration_seconds_count{api="web",route=""}"#, 2),
        (r#"tollgate_errors_total{code="route.not_found",blame="client"}"#, 1),
        (r#"tollgate_connections_accepted_total{listener="public"}"#, 3),
        ("tollgate_access_log_records_total", 3),
        ("tollgate_requests_in_flight", 0),
        ("tollgate_workers", 2),
        ("tollgate_config_revision", 1),
        (r#"tollgate_reloads_total{result="applied"}"#, 1),
    ] {
        assert_eq!(metric(&gate, series), value, "{series}");
    }
    until("the connections are closed", || metric(&gate, r#"tollgate_connections_open{listener="public"}"#) == 0);
    let open = operations(&gate, "/metrics", &["accept: application/openmetrics-text"]);
    assert!(open.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[test]
fn a_log_that_is_moved_away_and_reopened_loses_nothing() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "access_log: { path: access.log }\n"));
    let (log, moved) = (gate.folder().join("access.log"), gate.folder().join("moved.log"));
    let mut client = Client::connect(gate.address("public"));
    let mut call = || assert_eq!(client.call("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    (0..50).for_each(|_| call());
    std::fs::rename(&log, &moved).unwrap();
    (0..50).for_each(|_| call());
    gate.signal("USR1");
    until("the file is there again", || log.exists());
    (0..50).for_each(|_| call());
    assert_eq!(gate.leave().status.code(), Some(0));
    // The folder is gone with the gate: what was written was counted before.
}

#[test]
fn a_clean_exit_loses_no_record() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, ""));
    let mut client = Client::connect(gate.address("public"));
    for _ in 0..100 {
        assert_eq!(client.call("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    }
    let left = gate.leave();
    assert_eq!(left.status.code(), Some(0), "{}", left.said);
    let records: Vec<Value> = left.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 100);
    assert!(records.iter().all(|record| record["status"] == 200 && record["upstream"] == "up"));
}

#[test]
fn a_full_disk_costs_records_and_no_request() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "access_log: { path: /dev/full }\n"));
    let mut client = Client::connect(gate.address("public"));
    for _ in 0..20 {
        assert_eq!(client.call("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    }
    until("they are counted", || metric(&gate, r#"tollgate_access_log_dropped_total{reason="failed"}"#) == 20);
    assert_eq!(gate.leave().said.matches("the log cannot be written").count(), 1);
}

#[test]
fn a_log_that_cannot_be_opened_refuses_the_reload() {
    let upstream = Upstream::text("hello");
    let good = configuration(upstream.address, "access_log: { path: access.log }\n");
    let gate = Gate::start(&good);
    gate.rewrite(&good.replace("access.log", "none/access.log"));
    gate.until_said("not reloaded");
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    assert_eq!(metric(&gate, r#"tollgate_reloads_total{result="refused"}"#), 1);
    let health = operations(&gate, "/healthz?verbose", &[]).json();
    assert_eq!(
        (&health["status"], &health["revision"], &health["reload"]["status"]),
        (&"ok".into(), &1.into(), &"refused".into())
    );
    assert!(health["reload"]["problems"].as_str().unwrap().contains("access log"), "{health}");

    gate.reload(&good.replace("access.log", "other.log"));
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    until("the new log is written", || records(&gate.folder().join("other.log")).len() == 1);
    until("the old log is whole", || records(&gate.folder().join("access.log")).len() == 1);
    let health = operations(&gate, "/healthz", &["accept: application/json"]).json();
    assert_eq!((&health["revision"], &health["reload"]["status"]), (&2.into(), &"ok".into()));
}

#[test]
fn the_operations_port_shows_and_changes_nothing() {
    let upstream = Upstream::text("hello");
    let more = "operations: { address: '127.0.0.1:0', hosts: [gate.internal], socket: tollgate.sock }
consumers: [{ name: mobile, credentials: [{ key: the-key-of-mobile }] }]
log: { level: warn }
";
    let gate = Gate::start_with(
        &configuration(upstream.address, more).replace("name: web\n", "name: web\n    tags: ['${env:TAG}']\n"),
        &[],
        &[("TAG", "tag-from-outside")],
    );
    let port = gate.address("operations");
    for (host, status) in [
        ("127.0.0.1", 200),
        ("localhost:9901", 200),
        ("gate.internal", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        assert_eq!(client::get(port, "/metrics", &[&format!("host: {host}")]).status, status, "{host}");
    }
    for (method, path, status) in [
        ("POST", "/metrics", 405),
        ("DELETE", "/config", 405),
        ("PUT", "/log/level", 403),
        ("POST", "/log/level", 405),
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/", 200),
        ("GET", "/readyz", 200),
        ("GET", "/explain", 400),
    ] {
        let answer = client::call(port, method, path, &["host: localhost"], "");
        assert_eq!(answer.status, status, "{method} {path}");
        if status >= 400 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.json()["status"], status);
        }
    }
    let shown = operations(&gate, "/config", &[]);
    assert!(
        !shown.text().contains("the-key-of-mobile") && !shown.text().contains("tag-from-outside"),
        "{}",
        shown.text()
    );
    let shown = shown.json();
    assert_eq!(shown["revision"], 1);
    assert_eq!(shown["hash"], operations(&gate, "/healthz?verbose", &[]).json()["hash"]);
    assert_eq!(shown["configuration"]["consumers"][0]["credentials"][0]["key"], "***");
    assert_eq!(shown["configuration"]["apis"][0]["tags"][0], "***");
    let upstreams = operations(&gate, "/upstreams", &[]).json();
    assert_eq!(upstreams["upstreams"][0]["targets"][0]["addresses"][0]["address"], upstream.address.to_string());

    let socket = gate.folder().join("tollgate.sock");
    let about = std::fs::metadata(&socket).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_eq!(operations(&gate, "/log/level", &[]).text(), "warn\n");
    let answer =
        over(&socket, "PUT /log/level HTTP/1.1\r\nhost: gate\r\ncontent-length: 5\r\nconnection: close\r\n\r\ndebug");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("debug\n"), "{answer}");
    assert_eq!(operations(&gate, "/log/level", &[]).text(), "debug\n");
    let answer =
        over(&socket, "PUT /log/level HTTP/1.1\r\nhost: gate\r\ncontent-length: 4\r\nconnection: close\r\n\r\nloud");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(operations(&gate, "/log/level", &[]).text(), "debug\n");
}

fn over(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("it connects");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn readiness_ends_before_accepting_does() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "drain: { delay: 20s }\n"));
    assert_eq!(operations(&gate, "/readyz", &[]).status, 200);
    gate.signal("TERM");
    until("it is not ready any more", || operations(&gate, "/readyz", &[]).status == 503);
    assert_eq!(operations(&gate, "/healthz", &[]).status, 200);
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    // A second signal cuts the delay short.
    assert_eq!(gate.leave().status.code(), Some(0));
}

#[test]
fn the_own_log_is_text_or_json_as_the_configuration_says() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "log: { format: json }\n"));
    let text = configuration(upstream.address, "log: { format: text, level: info }\n");
    gate.reload(&text);
    let quiet = configuration(upstream.address, "log: { level: error }\n");
    gate.rewrite(&quiet);
    until("the level is the new one", || operations(&gate, "/log/level", &[]).text() == "error\n");
    let left = gate.leave();
    let mut lines = left.said.lines().filter(|line| line.contains("reloaded"));
    // The second reload made it quiet before it could say so.
    let line = lines.next_back().expect("a line of the first reload");
    assert!(line.contains("INFO tollgate::reload: reloaded") && !line.contains('\u{1b}'), "{line}");
    assert!(!left.said.contains("leaving"), "{}", left.said);
}
