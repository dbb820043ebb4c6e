//! Starting, reloading, draining.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use e2e::client::{Client, get};
use e2e::{Gate, Upstream};

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

/// Clients that call over and over on kept connections until told to stop. Each failed request is counted with its reason.
struct Load {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    threads: Vec<std::thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(address: std::net::SocketAddr, clients: usize) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..clients)
            .map(|_| {
                let (stop, good) = (stop.clone(), good.clone());
                std::thread::spawn(move || client(address, &stop, &good))
            })
            .collect();
        Self { stop, good, threads }
    }

    /// Waits until so many more requests went well.
    fn more(&self, count: usize) {
        let wanted = self.good.load(Ordering::SeqCst) + count;
        let deadline = Instant::now() + e2e::PATIENCE;
        while self.good.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < deadline, "no progress");
            std::thread::yield_now();
        }
    }

    /// Stops and gives every failure.
    fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let failures =
            self.threads.into_iter().flat_map(|thread| thread.join().expect("a client does not panic")).collect();
        (self.good.load(Ordering::SeqCst), failures)
    }
}

/// A connection that closes between requests after `Connection: close` is no failure: that is how draining looks.
fn client(address: std::net::SocketAddr, stop: &AtomicBool, good: &AtomicUsize) -> Vec<String> {
    let mut failures = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let Ok(stream) = std::net::TcpStream::connect(address) else {
            // Refused: it has stopped accepting. Nothing was accepted, so nothing was lost.
            std::thread::yield_now();
            continue;
        };
        let mut client = Client::over(stream);
        let mut first = true;
        while !stop.load(Ordering::SeqCst) {
            if client.try_send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").is_err() {
                break;
            }
            match client.read() {
                Some(answer) if answer.status == 200 => {
                    good.fetch_add(1, Ordering::SeqCst);
                    if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                        break;
                    }
                }
                Some(answer) => failures.push(format!("status {}: {}", answer.status, answer.text())),
                None if first => {
                    failures.push("accepted, then closed without an answer".to_owned());
                    break;
                }
                None => {
                    failures.push("a kept connection closed under a request".to_owned());
                    break;
                }
            }
            first = false;
        }
    }
    failures
}

#[test]
fn a_reload_every_second_under_load_fails_no_request() {
    // A minute where time allows (TOLLGATE_LONG=1, as before a release), ten seconds otherwise.
    let rounds = if std::env::var_os("TOLLGATE_LONG").is_some() { 60 } else { 10 };
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 0));
    let load = Load::start(gate.address("public"), 8);
    for revision in 1..=rounds {
        gate.reload(&configuration(&upstream, revision));
        load.more(500);
        let answer = get(gate.address("public"), "/", &[]);
        assert_eq!(answer.header("x-revision"), Some(revision.to_string().as_str()));
    }
    let (good, failures) = load.stop();
    assert_eq!(failures, Vec::<String>::new(), "of {good} requests");
}

#[test]
fn leaving_under_load_loses_no_request() {
    let upstream = Upstream::text("hello");
    let mut text = configuration(&upstream, 0);
    text.push_str("drain: { delay: 200ms, timeout: 10s }\n");
    let gate = Gate::start(&text);
    let load = Load::start(gate.address("public"), 8);
    load.more(500);
    gate.signal("TERM");
    let left = gate.left();
    let (good, failures) = load.stop();
    assert_eq!(failures, Vec::<String>::new(), "of {good} requests; it said:\n{}", left.said);
    assert_eq!(left.status.code(), Some(0), "{}", left.said);
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
fn a_listener_moves_without_a_gap() {
    let upstream = Upstream::text("hello");
    let gate = Gate::start(&configuration(&upstream, 0));
    let old = gate.address("public");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = configuration(&upstream, 1).replace("127.0.0.1:0", &free.to_string());
    let load = Load::start(old, 4);
    load.more(100);
    gate.reload(&text);
    assert_eq!(get(free, "/", &[]).text(), "hello");
    let (good, failures) = load.stop();
    assert_eq!(failures, Vec::<String>::new(), "of {good} requests");
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
