//! `/metrics` after traffic that is known to the request.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use e2e::client::{self, Client};
use e2e::{Gate, Upstream};
use serde_json::Value;

use super::{configuration, metric, operations, records, until};

#[test]
fn log_and_metrics_agree_with_what_happened() {
    let upstream = Upstream::text("hello");
    let fields = "[status, path, query, route, upstream_address, bytes_in, bytes_out, finish, error, listener, \
                  request.headers.x-tenant, response.headers.content-type, duration, overhead]";
    let log = format!("access_log: {{ path: access.log, fields: {fields} }}\n");
    let gate = Gate::start(&configuration(upstream.address, &log));
    let address = gate.address("public");
    let call = client::call(address, "POST", "/web/call?a=1", &["x-tenant: \"acme\""], "12345");
    assert_eq!(call.status, 200);
    assert_eq!(client::get(address, "/web/no", &[]).status, 403);
    assert_eq!(client::get(address, "/nothing", &[]).status, 404);

    let log = gate.folder().join("access.log");
    until("three records", || records(&log).len() == 3);
    let written = records(&log);
    let call = written.iter().find(|record| record["path"] == "/web/call").expect("the call's record");
    for (field, value) in [
        ("status", Value::from(200)),
        ("query", "a=1".into()),
        ("route", "call".into()),
        ("upstream_address", upstream.address.to_string().into()),
        ("bytes_in", 5.into()),
        ("bytes_out", 5.into()),
        ("finish", "complete".into()),
        ("listener", "public".into()),
        ("request.headers.x-tenant", "\"acme\"".into()),
        ("response.headers.content-type", "text/plain".into()),
    ] {
        assert_eq!(call[field], value, "{field} of {call}");
    }
    let (duration, overhead) = (call["duration"].as_f64().unwrap(), call["overhead"].as_f64().unwrap());
    assert!(0.0 < overhead && overhead < duration, "{call}");
    let lost = written.iter().find(|record| record["path"] == "/nothing").expect("the record of what matched nothing");
    assert_eq!((&lost["status"], &lost["error"], lost.get("route")), (&404.into(), &"route.not_found".into(), None));

    let place = format!("upstream=\"up\",target=\"http://{0}\",address=\"{0}\"", upstream.address);
    for (series, value) in [
        (r#"tollgate_requests_total{listener="public",api="web",route="call",status="200"}"#, 1.0),
        (r#"tollgate_requests_total{listener="public",api="web",route="no",status="403"}"#, 1.0),
        (r#"tollgate_requests_total{listener="public",api="",route="",status="404"}"#, 1.0),
        (r#"tollgate_request_bytes_total{api="web",route="call"}"#, 5.0),
        (r#"tollgate_response_bytes_total{api="web",route="call"}"#, 5.0),
        (r#"tollgate_request_duration_seconds_count{api="web",route=""}"#, 2.0),
        (r#"tollgate_request_duration_seconds_bucket{api="web",route="",le="+Inf"}"#, 2.0),
        (r#"tollgate_request_overhead_seconds_count{api="web",route=""}"#, 2.0),
        (r#"tollgate_errors_total{code="route.not_found",blame="client"}"#, 1.0),
        (r#"tollgate_connections_accepted_total{listener="public"}"#, 3.0),
        (&format!("tollgate_upstream_requests_total{{{place}}}"), 1.0),
        (&format!("tollgate_upstream_errors_total{{{place}}}"), 0.0),
        (&format!("tollgate_upstream_connects_total{{{place},result=\"ok\"}}"), 1.0),
        (&format!("tollgate_upstream_connections{{{place},state=\"idle\"}}"), 1.0),
        (&format!("tollgate_upstream_connections{{{place},state=\"active\"}}"), 0.0),
        ("tollgate_access_log_records_total", 3.0),
        ("tollgate_requests_in_flight", 0.0),
        ("tollgate_workers", 2.0),
        ("tollgate_config_revision", 1.0),
        (r#"tollgate_reloads_total{result="applied"}"#, 1.0),
    ] {
        assert_eq!(metric(&gate, series), value, "{series}");
    }
    let sum = |name: &str| metric(&gate, &format!("tollgate_request_{name}_seconds_sum{{api=\"web\",route=\"\"}}"));
    assert!(0.0 < sum("overhead") && sum("overhead") < sum("duration"));
    until("the connections are closed", || metric(&gate, r#"tollgate_connections_open{listener="public"}"#) == 0.0);
    let open = operations(&gate, "/metrics", &["accept: application/openmetrics-text"]);
    assert!(open.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[test]
fn what_is_in_flight_is_seen_and_a_client_that_goes_away_is_no_longer() {
    let (release, waiting) = sync_channel::<()>(0);
    let waiting = Mutex::new(waiting);
    let upstream = Upstream::start(move |_| {
        let _ = waiting.lock().unwrap().recv();
        Some(e2e::response("200 OK", "", "late"))
    });
    let gate = Gate::start(&configuration(upstream.address, "access_log: { path: access.log }\n"));
    let place = format!("upstream=\"up\",target=\"http://{0}\",address=\"{0}\"", upstream.address);
    let in_flight = || {
        let [all, of_upstream, active] = [
            "tollgate_requests_in_flight",
            &format!("tollgate_upstream_requests_in_flight{{{place}}}"),
            &format!("tollgate_upstream_connections{{{place},state=\"active\"}}"),
        ]
        .map(|series| metric(&gate, series));
        (all, of_upstream, active)
    };
    let mut client = Client::connect(gate.address("public"));
    client.send("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n");
    until("the request is in flight", || in_flight() == (1.0, 1.0, 1.0));
    let shown = operations(&gate, "/upstreams", &[]).json();
    assert_eq!(shown["upstreams"][0]["targets"][0]["addresses"][0]["in_flight"], 1);
    release.send(()).unwrap();
    assert_eq!(client.read().unwrap().text(), "late");
    until("it is over", || in_flight() == (0.0, 0.0, 0.0));

    client.send("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n");
    until("another one is in flight", || in_flight() == (1.0, 1.0, 1.0));
    drop(client);
    until("nothing is left of it", || in_flight() == (0.0, 0.0, 0.0));
    assert_eq!(metric(&gate, r#"tollgate_requests_unfinished_total{finish="aborted"}"#), 1.0);
    let log = gate.folder().join("access.log");
    until("two records", || records(&log).len() == 2);
    assert_eq!((&records(&log)[1]["finish"], &records(&log)[1]["status"]), (&"aborted".into(), &0.into()));
}

#[test]
fn connections_that_are_turned_away_are_counted_with_the_reason() {
    let upstream = Upstream::text("hello");
    let text = configuration(upstream.address, "").replace(":0' }]", ":0', limits: { connections: 1 } }]");
    let gate = Gate::start(&text);
    let mut first = Client::connect(gate.address("public"));
    assert_eq!(first.call("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    assert!(Client::connect(gate.address("public")).is_closed());
    let refused = r#"tollgate_connections_refused_total{listener="public",reason="listener_limit"}"#;
    assert_eq!(metric(&gate, refused), 1.0);
    assert_eq!(metric(&gate, r#"tollgate_connections_open{listener="public"}"#), 1.0);
}

#[test]
fn nothing_that_clients_make_up_becomes_a_series() {
    let upstream = Upstream::text("hello");
    let more = "  - { name: keyed, path: /keyed, access: identified, policies: { key_auth: {} }, to: up }
consumers: [{ name: mobile, credentials: [{ key: mobile-key-0123456789 }] }]
access_log: 'off'
";
    let gate = Gate::start(&configuration(upstream.address, more));
    let mut client = Client::connect(gate.address("public"));
    let mut round = |at: usize| {
        for (request, status) in [
            (format!("GET /web/call?q={at} HTTP/1.1\r\nhost: h{at}.test\r\nx-{at}: {at}\r\n\r\n"), 200),
            (format!("X{at} /web/call HTTP/1.1\r\nhost: x\r\n\r\n"), 200),
            (format!("GET /nothing/{at} HTTP/1.1\r\nhost: x\r\n\r\n"), 404),
            (format!("GET /keyed HTTP/1.1\r\nhost: x\r\nx-api-key: made-up-{at}\r\n\r\n"), 401),
        ] {
            assert_eq!(client.call(&request).status, status, "{request}");
        }
    };
    let series = || {
        let text = operations(&gate, "/metrics", &[]).text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect::<BTreeSet<_>>()
    };
    round(0);
    let before = series();
    (1..100).for_each(&mut round);
    assert_eq!(series(), before);
    assert!(before.iter().all(|series| !series.contains("mobile") && !series.contains("made-up")));
}

#[test]
fn routes_are_told_apart_where_an_api_asks_for_it() {
    let upstream = Upstream::text("hello");
    let text = configuration(upstream.address, "").replace("path: /web\n", "path: /web\n    route_metrics: on\n");
    let gate = Gate::start(&text);
    for path in ["/web/call", "/web/call", "/web/no"] {
        client::get(gate.address("public"), path, &[]);
    }
    for (route, count) in [("call", 2.0), ("no", 1.0), ("", 0.0)] {
        let series = format!("tollgate_request_duration_seconds_count{{api=\"web\",route=\"{route}\"}}");
        assert_eq!(metric(&gate, &series), count, "{series}");
    }
}

#[test]
fn every_metric_is_in_the_catalogue_of_the_docs() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, ""));
    client::get(gate.address("public"), "/web/call", &[]);
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md")).unwrap();
    let text = operations(&gate, "/metrics", &[]).text();
    let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 20, "{text}");
    for name in names {
        assert!(docs.contains(&format!("| `{name}` |")), "{name}");
    }
}
