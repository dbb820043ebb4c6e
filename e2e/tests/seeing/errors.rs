//! The gateway's own answers, and what it says of its own time.

use std::net::TcpListener;

use e2e::client::{self, call};
use e2e::{Gate, Upstream};

use super::{configuration, metric, records, until};

#[test]
fn errors_are_problem_documents_that_name_the_request_and_no_address() {
    // A port that was free a moment ago: nobody answers there.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let more = "      - { name: post, match: { path: /post, methods: [POST] }, to: up }
  - { name: keyed, path: /keyed, access: identified, policies: { key_auth: {} }, to: up }
access_log: { path: access.log, fields: [path, status, error, request_id, error_cause] }
";
    let text = configuration(nobody, more).replace(":0' }]", ":0', policies: { request_id: {} } }]");
    let gate = Gate::start(&text);
    let cases = [
        ("GET", "/nothing", 404, "route.not_found", "client"),
        ("GET", "/web/post", 405, "route.method_not_allowed", "client"),
        ("GET", "/keyed", 401, "auth.missing", "client"),
        ("GET", "/web/call", 502, "upstream.connect", "upstream"),
    ];
    let log = gate.folder().join("access.log");
    for (at, (method, path, status, code, blame)) in cases.into_iter().enumerate() {
        let answer = call(gate.address("public"), method, path, &[], "");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let document = answer.json();
        let mut members: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["code", "detail", "request_id", "status", "title", "type"]);
        assert_eq!((&document["status"], &document["code"]), (&status.into(), &code.into()));
        assert_eq!(document["request_id"].as_str(), answer.header("x-request-id"));
        assert!(!answer.text().contains(&nobody.port().to_string()), "{}", answer.text());
        assert_eq!(metric(&gate, &format!("tollgate_errors_total{{code=\"{code}\",blame=\"{blame}\"}}")), 1.0);
        until("its record", || records(&log).len() == at + 1);
        let record = records(&log).pop().unwrap();
        assert_eq!((&record["error"], &record["request_id"]), (&document["code"], &document["request_id"]));
        assert_eq!(record["error_cause"].is_string(), code == "upstream.connect", "{record}");
    }
    let answer = call(gate.address("public"), "GET", "/web/post", &[], "");
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[test]
fn server_timing_is_what_the_record_says() {
    let upstream = Upstream::text("hello");
    let text = |more: &str| {
        let log = "access_log: { path: access.log, fields: [overhead, upstream_time] }\n";
        configuration(upstream.address, &format!("{log}{more}"))
    };
    let gate = Gate::start(&text("server_timing: on\n"));
    let answer = client::get(gate.address("public"), "/web/call", &[]);
    let timing = answer.header("server-timing").expect("server_timing is on");
    let part = |name: &str| {
        let part = timing.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix(";dur="));
        part.unwrap_or_else(|| panic!("{name} is not in {timing}")).parse::<f64>().unwrap()
    };
    let log = gate.folder().join("access.log");
    until("the record", || records(&log).len() == 1);
    let record = &records(&log)[0];
    for (name, field) in [("gateway", "overhead"), ("upstream", "upstream_time")] {
        let written = record[field].as_f64().unwrap() * 1e3;
        assert!((part(name) - written).abs() < 0.002, "{timing} is not {record}");
        assert!(part(name) > 0.0, "{timing}");
    }
    let own = client::get(gate.address("public"), "/web/no", &[]);
    assert!(own.header("server-timing").is_some_and(|timing| !timing.contains("upstream")));
    gate.reload(&text(""));
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).header("server-timing"), None);
}
