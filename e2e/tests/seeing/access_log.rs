//! The access log: what a record holds and hides, which requests have one, and what becomes of it in trouble.

use e2e::client::{self, Client};
use e2e::{Gate, Upstream};
use serde_json::Value;

use super::{configuration, metric, operations, records, until};

#[test]
fn credentials_never_reach_the_log() {
    let upstream = Upstream::start(|_| Some(e2e::response("200 OK", "set-cookie: id=s3cret\r\n", "hello")));
    let more = "  - name: keyed
    path: /keyed
    access: identified
    policies: { key_auth: { names: [{ query: pass }, x-door] } }
    to: up
consumers: [{ name: mobile, credentials: [{ key: s3cret-0123456789 }] }]
access_log:
  path: access.log
  redact: [x-tenant-number, shoe]
  fields: [path, query, referer, consumer, request.headers.authorization, request.headers.cookie, request.headers.x-api-key,
    request.headers.x-door, request.headers.x-tenant-number, request.headers.x-plain, response.headers.set-cookie]
";
    let gate = Gate::start(&configuration(upstream.address, more));
    let address = gate.address("public");
    let headers = [
        "authorization: Bearer s3cret",
        "cookie: id=s3cret",
        "x-api-key: s3cret",
        "x-tenant-number: s3cret",
        "x-plain: plain",
        "referer: https://me:s3cret@x.test/from?token=s3cret&page=2#s3cret",
    ];
    let query = "a=1&token=s3cret&Api_Key=s3cret&%74oken=s3cret&password=s3cret&shoe=s3cret&b=2";
    assert_eq!(client::get(address, &format!("/web/call?{query}"), &headers).status, 200);
    assert_eq!(client::get(address, "/keyed?pass=s3cret-0123456789", &[]).status, 200);
    assert_eq!(client::get(address, "/keyed", &["x-door: s3cret-0123456789"]).status, 200);
    assert_eq!(client::get(address, "/keyed?pass=s3cret-wrong", &[]).status, 401);

    let log = gate.folder().join("access.log");
    until("four records", || records(&log).len() == 4);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    let written = records(&log);
    let of = |path: &str| written.iter().filter(move |record| record["path"] == path).collect::<Vec<_>>();
    let call = of("/web/call")[0];
    let query = "a=1&token=***&Api_Key=***&%74oken=***&password=***&shoe=***&b=2";
    for (field, value) in [
        ("query", query),
        ("referer", "https://***@x.test/from?token=***&page=2#***"),
        ("request.headers.authorization", "***"),
        ("request.headers.x-plain", "plain"),
        ("response.headers.set-cookie", "***"),
    ] {
        assert_eq!(call[field], value, "{field} of {call}");
    }
    let keyed = of("/keyed");
    assert_eq!(keyed.iter().filter(|record| record["consumer"] == "mobile").count(), 2);
    // A good key is taken out of the query altogether.
    assert_eq!(keyed.iter().filter(|record| record["query"] == "pass=***").count(), 1);
    assert_eq!(keyed.iter().filter(|record| record["request.headers.x-door"] == "***").count(), 1);
}

#[test]
fn a_record_has_the_fields_that_were_chosen_in_their_order() {
    let upstream = Upstream::text("hello");
    let fields = "access_log: { path: access.log, fields: [status, method, bytes_out, error, protocol, consumer] }\n";
    // One worker, so that the records are in order.
    let gate = Gate::start(&configuration(upstream.address, fields).replace("workers: 2", "workers: 1"));
    client::get(gate.address("public"), "/web/call", &[]);
    client::get(gate.address("public"), "/nothing", &[]);
    let log = gate.folder().join("access.log");
    until("two records", || records(&log).len() == 2);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], r#"{"status":200,"method":"GET","bytes_out":5,"protocol":"HTTP/1.1"}"#);
    assert!(lines[1].starts_with(r#"{"status":404,"method":"GET","bytes_out":"#), "{text}");
    assert!(lines[1].ends_with(r#","error":"route.not_found","protocol":"HTTP/1.1"}"#), "{text}");
}

#[test]
fn a_template_makes_the_line_and_no_value_breaks_it() {
    let upstream = Upstream::text("hello");
    let template = r#"access_log:
  path: access.log
  format: template
  template: '{client} {{{consumer}}} "{method} {path} {protocol}" {status} {bytes_out} "{user_agent}" {query}'
"#;
    // One worker, so that the lines are in order.
    let gate = Gate::start(&configuration(upstream.address, template).replace("workers: 2", "workers: 1"));
    let address = gate.address("public");
    client::get(address, "/web/call", &["user-agent: probe/1"]);
    client::get(address, "/web/call?a=1&token=s3cret", &["user-agent: a\" 200 \"b\tc\\"]);
    let log = gate.folder().join("access.log");
    let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    until("two lines", || lines().len() == 2);
    assert_eq!(lines()[0], r#"127.0.0.1 {-} "GET /web/call HTTP/1.1" 200 5 "probe/1" -"#);
    assert!(
        lines()[1].starts_with(r#"127.0.0.1 {-} "GET /web/call HTTP/1.1" 200 5 "a\x22 200 \x22b\x09c\x5c" "#),
        "{}",
        lines()[1]
    );
    assert!(lines()[1].ends_with("a=1&token=***"), "{}", lines()[1]);
}

#[test]
fn a_sample_is_about_its_share_and_has_every_server_error() {
    const REQUESTS: usize = 400;
    let upstream = Upstream::text("hello");
    let settings = |sample: &str| {
        let more = "      - { name: broken, match: { path: /broken }, to: { respond: { status: 500 } } }\n";
        configuration(upstream.address, &format!("{more}access_log: {{ path: {sample}.log, sample: {sample}% }}\n"))
    };
    let gate = Gate::start(&settings("0"));
    let mut client = Client::connect(gate.address("public"));
    let mut count = |sample: &str| {
        for path in ["call", "broken"] {
            for _ in 0..REQUESTS {
                client.call(format!("GET /web/{path} HTTP/1.1\r\nhost: x\r\n\r\n"));
            }
        }
        let log = gate.folder().join(format!("{sample}.log"));
        let of = |status: u16| records(&log).iter().filter(|record| record["status"] == status).count();
        until("every error is there", || of(500) == REQUESTS);
        of(200)
    };
    assert_eq!(count("0"), 0);
    gate.reload(&settings("25"));
    let written = count("25");
    assert!((40..=160).contains(&written), "{written} of {REQUESTS}");
    gate.reload(&settings("100"));
    assert_eq!(count("100"), REQUESTS);
}

#[test]
fn a_log_that_is_off_writes_nothing() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "access_log: 'off'\n"));
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    assert_eq!(metric(&gate, "tollgate_access_log_records_total"), 0.0);
    assert_eq!(gate.leave().output, "");
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
fn a_reader_that_sleeps_costs_records_and_no_request() {
    const REQUESTS: usize = 800;
    // Nobody reads standard output before the gateway leaves; 6 KB a record fill the pipe and the 2 MiB behind it.
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "").replace("workers: 2", "workers: 1"));
    let mut client = Client::connect(gate.address("public"));
    let request = format!("GET /web/call HTTP/1.1\r\nhost: x\r\nuser-agent: {}\r\n\r\n", "x".repeat(6000));
    for _ in 0..REQUESTS {
        assert_eq!(client.call(&request).status, 200);
    }
    let dropped = metric(&gate, r#"tollgate_access_log_dropped_total{reason="full"}"#);
    assert!(dropped > 0.0, "800 records of 6 KB fit nowhere");
    assert_eq!(
        metric(&gate, r#"tollgate_requests_total{listener="public",api="web",route="call",status="200"}"#),
        800.0
    );
    let left = gate.leave();
    assert_eq!(left.status.code(), Some(0), "{}", left.said);
    let whole = left.output.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    assert!(0 < whole && whole as f64 + dropped <= REQUESTS as f64, "{whole} and {dropped}");
}

#[test]
fn a_full_disk_costs_records_and_no_request() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(upstream.address, "access_log: { path: /dev/full }\n"));
    let mut client = Client::connect(gate.address("public"));
    for _ in 0..20 {
        assert_eq!(client.call("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    }
    until("they are counted", || metric(&gate, r#"tollgate_access_log_dropped_total{reason="failed"}"#) == 20.0);
    assert_eq!(metric(&gate, "tollgate_access_log_records_total"), 0.0);
    assert_eq!(gate.leave().said.matches("the log cannot be written").count(), 1);
}

#[test]
fn a_removed_folder_costs_records_and_no_request_until_it_is_back() {
    let upstream = Upstream::text("hello");
    let logs = tempfile::tempdir().unwrap();
    let (folder, log) = (logs.path().join("logs"), logs.path().join("logs/access.log"));
    std::fs::create_dir(&folder).unwrap();
    let gate = Gate::start(&configuration(upstream.address, &format!("access_log: {{ path: {} }}\n", log.display())));
    let call = || assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    call();
    until("the first record", || records(&log).len() == 1);
    std::fs::remove_dir_all(&folder).unwrap();
    (0..5).for_each(|_| call());
    until("five are counted", || metric(&gate, r#"tollgate_access_log_dropped_total{reason="failed"}"#) == 5.0);
    gate.signal("USR1");
    call();
    until("six are", || metric(&gate, r#"tollgate_access_log_dropped_total{reason="failed"}"#) == 6.0);
    std::fs::create_dir(&folder).unwrap();
    call();
    until("the log is there again", || records(&log).len() == 1);
    assert_eq!(metric(&gate, "tollgate_access_log_records_total"), 2.0);
}

#[test]
fn a_log_that_cannot_be_opened_refuses_the_reload() {
    let upstream = Upstream::text("hello");
    let good = configuration(upstream.address, "access_log: { path: access.log }\n");
    let gate = Gate::start(&good);
    gate.rewrite(&good.replace("access.log", "none/access.log"));
    gate.until_said("not reloaded");
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    let health = operations(&gate, "/healthz?verbose", &[]).json();
    assert!(health["reload"]["problems"].as_str().unwrap().contains("access log"), "{health}");

    gate.reload(&good.replace("access.log", "other.log"));
    assert_eq!(client::get(gate.address("public"), "/web/call", &[]).status, 200);
    until("the new log is written", || records(&gate.folder().join("other.log")).len() == 1);
    until("the old log is whole", || records(&gate.folder().join("access.log")).len() == 1);
}
