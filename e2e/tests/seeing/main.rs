//! What can be seen of a gateway from outside: the access log, the metrics, the operations port, its own log, its errors.

mod access_log;
mod errors;
mod metrics;
mod operations;
mod own_log;
mod rotation;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::client::{self, Answer};
use e2e::{Gate, PATIENCE};
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

/// A small api in front of this upstream, and more settings.
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
fn metric(gate: &Gate, series: &str) -> f64 {
    let text = operations(gate, "/metrics", &[]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).unwrap_or("0");
    line.parse().unwrap_or_else(|_| panic!("{series} is {line}"))
}

/// Looks until it holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The records of a JSON log, each line of it whole.
fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
