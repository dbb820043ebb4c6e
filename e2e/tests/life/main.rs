//! Starting, reloading, draining.

mod load;

use std::io::Write as _;
use std::time::{Duration, Instant};

use e2e::client::{Client, get};
use e2e::{Gate, Upstream, until};
use load::Load;

fn configuration(upstream: &Upstream, revision: usize) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - {{ name: a, to: u, policies: {{ headers: {{ response: {{ set: {{ x-revision: "{revision}" }} }} }} }} }}
"#,
        upstream.address
    )
}

#[test]
fn a_reload_every_second_under_load_for_a_minute_fails_no_request() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 0));
    let load = Load::start(gate.address("public"));
    let started = Instant::now();
    let mut probes = 0;
    for revision in 1..=60 {
        let mut text = configuration(&upstream, revision);
        if revision % 2 == 1 {
            // A listener comes and goes, and so do a policy and an api.
            text = text.replace(":0\" }]", ":0\" }, { name: second, address: \"127.0.0.1:0\" }]");
            text.push_str("  - { name: b, path: /b, policies: { cors: { origins: [https://a.test] } }, to: u }\n");
        }
        gate.reload(&text);
        let answer = get(gate.address("public"), "/", &[]);
        assert_eq!(answer.header("x-revision"), Some(revision.to_string().as_str()));
        probes += 1;
        while started.elapsed() < Duration::from_secs(1) * u32::try_from(revision).unwrap() {
            load.more(1);
        }
        load.more(5);
    }
    assert!(started.elapsed() >= Duration::from_secs(60));
    let good = load.stop();
    // The gateway agrees about how many there were, and how they went.
    until("all are counted", || gate.metric("tollgate_requests_in_flight", &[]) == 0.0);
    let counted = |labels: &[&str]| gate.metric("tollgate_requests_total", labels);
    assert_eq!(counted(&["status=\"200\""]), (good + probes) as f64);
    assert_eq!(counted(&[]), counted(&["status=\"200\""]));
    assert_eq!(gate.metric("tollgate_errors_total", &[]) + gate.metric("tollgate_panics_total", &[]), 0.0);
    assert_eq!(gate.metric("tollgate_reloads_total", &["applied"]), 61.0);
}

#[test]
fn leaving_under_load_loses_no_request() {
    for round in 0..5 {
        let upstream = Upstream::text("hello");
        let mut text = configuration(&upstream, 0);
        text.push_str("drain: { delay: 200ms, timeout: 20s }\n");
        let gate = Gate::start(&text);
        let load = Load::start(gate.address("public"));
        load.more(20);
        load.may_leave();
        gate.signal("TERM");
        let left = gate.left();
        let good = load.stop();
        assert_eq!(upstream.requests(), good, "what was not answered was not begun either");
        assert_eq!(left.status.code(), Some(0), "round {round}; it said:\n{}", left.said);
    }
}

/// Requests on connections that the kernel has taken and the gateway has not: it is stopped meanwhile.
fn backlog(gate: &Gate, meanwhile: impl FnOnce()) -> Vec<Client> {
    gate.signal("STOP");
    let clients = (0..50).map(|at| {
        let mut client = Client::connect(gate.address("public"));
        client.send(format!("GET /{at} HTTP/1.1\r\nhost: a\r\n\r\n"));
        client
    });
    let clients = clients.collect();
    meanwhile();
    gate.signal("CONT");
    clients
}

#[test]
fn what_waits_to_be_accepted_is_answered_before_a_listener_goes() {
    let upstream = Upstream::text("hello");
    // It leaves altogether.
    let gate = Gate::start(&configuration(&upstream, 0));
    let clients = backlog(&gate, || gate.signal("TERM"));
    for mut client in clients {
        assert_eq!(client.read().map(|answer| answer.text()).as_deref(), Some("hello"));
    }
    assert_eq!(gate.left().status.code(), Some(0));
    // A reload removes the listener.
    let gate = Gate::start(&configuration(&upstream, 0));
    let other = configuration(&upstream, 1).replace("name: public", "name: other");
    let clients = backlog(&gate, || gate.rewrite(&other));
    for mut client in clients {
        assert_eq!(client.read().map(|answer| answer.text()).as_deref(), Some("hello"));
    }
    gate.until_said("reloaded");
    until("nobody listens there", || std::net::TcpStream::connect(gate.address("public")).is_err());
}

#[test]
fn a_listener_that_moves_opens_before_its_sibling_closes() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 0));
    let old = gate.address("public");
    let new = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let load = Load::start(old);
    load.more(20);
    // At every moment one of both can be connected to: whoever finds the old one closed finds the new one open.
    let watcher = std::thread::spawn(move || {
        while std::net::TcpStream::connect(old).is_ok() {}
        std::net::TcpStream::connect(new).is_ok()
    });
    load.may_leave();
    gate.reload(&configuration(&upstream, 1).replace("127.0.0.1:0", &new.to_string()));
    assert!(watcher.join().unwrap(), "both were closed");
    assert_eq!(get(new, "/", &[]).text(), "hello");
    load.stop();
}

#[test]
fn a_listener_that_cannot_be_opened_changes_nothing() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 0));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
    let load = Load::start(gate.address("public"));
    gate.rewrite(&configuration(&upstream, 1).replace("127.0.0.1:0", &taken.1.to_string()));
    gate.until_said(&taken.1.to_string());
    load.more(20);
    assert_eq!(get(gate.address("public"), "/", &[]).header("x-revision"), Some("0"));
    load.stop();
}

#[test]
fn readiness_fails_first_and_the_slow_request_completes() {
    let (go, gone) = std::sync::mpsc::sync_channel::<()>(1);
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::start(move |_| {
        gone.lock().unwrap().recv_timeout(e2e::PATIENCE).ok()?;
        Some(e2e::response("200 OK", "", "slow but sure"))
    });
    let mut text = configuration(&upstream, 0);
    text.push_str("drain: { delay: 300ms, timeout: 20s }\n");
    let gate = Gate::start(&text);
    let operations = gate.address("operations");
    assert_eq!(get(operations, "/readyz", &["host: localhost"]).status, 200);
    let mut client = Client::connect(gate.address("public"));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let deadline = Instant::now() + e2e::PATIENCE;
    while upstream.seen().is_empty() {
        assert!(Instant::now() < deadline, "the request arrives");
        std::thread::yield_now();
    }
    gate.signal("TERM");
    gate.until_said("leaving");
    assert_eq!(get(operations, "/readyz", &["host: localhost"]).status, 503);
    assert_eq!(get(operations, "/healthz", &["host: localhost"]).status, 200);
    go.send(()).unwrap();
    let answer = client.read().expect("the accepted request is answered");
    assert_eq!(answer.text(), "slow but sure");
    assert_eq!(gate.left().status.code(), Some(0));
}

#[test]
fn what_takes_too_long_is_cut_and_a_second_signal_does_not_wait() {
    for (drain, signals) in [("timeout: 500ms", 1), ("timeout: 30s", 2), ("delay: 30s", 2)] {
        let upstream = e2e::Held::start();
        let gate = Gate::start(&format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis: [{{ name: a, to: u }}]
drain: {{ {drain} }}
"#,
            upstream.address
        ));
        let mut client = Client::connect(gate.address("public"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let (_stream, _) = upstream.accept();
        let started = Instant::now();
        gate.signal("TERM");
        gate.until_said("leaving");
        (1..signals).for_each(|_| gate.signal("TERM"));
        let left = gate.left();
        assert_eq!(left.status.code(), Some(0), "{drain}: {}", left.said);
        assert!(started.elapsed() < Duration::from_secs(10), "{drain}: {:?}", started.elapsed());
        assert!(client.is_closed());
    }
}

#[test]
fn a_bad_configuration_keeps_the_old_one_and_says_why() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 1));
    gate.rewrite("version: 1\napis: [{ name: a, to: nowhere }]\n");
    gate.until_said("unknown upstream `nowhere`");
    let answer = get(gate.address("public"), "/", &[]);
    assert_eq!((answer.status, answer.header("x-revision")), (200, Some("1")));
    let health = get(gate.address("operations"), "/healthz?verbose", &["host: localhost"]);
    assert!(health.text().contains("nowhere"), "{}", health.text());
    let metrics = get(gate.address("operations"), "/metrics", &["host: localhost"]).text();
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("tollgate_reloads_total") && line.contains("refused") && line.ends_with(" 1")),
        "{metrics}"
    );
    gate.reload(&configuration(&upstream, 2));
    assert_eq!(get(gate.address("public"), "/", &[]).header("x-revision"), Some("2"));
}

#[test]
fn sighup_reloads() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 1));
    gate.signal("HUP");
    assert!(gate.until_said("reloaded").contains("SIGHUP"));
}

#[test]
fn a_configuration_with_problems_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(folder.path().join("tollgate.yaml")).unwrap();
    writeln!(
        file,
        "version: 1\napis: [{{ name: a, to: usres, polices: {{}} }}]\nupstreams: [{{ name: users, targets: [] }}]"
    )
    .unwrap();
    let run = std::process::Command::new(e2e::binary()).arg("run").current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{said}");
    for part in ["tollgate.yaml:2:", "did you mean `users`?", "did you mean `policies`?"] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}
