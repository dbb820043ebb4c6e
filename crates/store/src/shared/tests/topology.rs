//! Sentinel and Cluster, each of real servers on ports of their own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::value::Secret;

use super::super::*;
use super::server::PATIENCE;
use super::{rule, take, until};

/// A redis-server, ended when it is dropped.
struct Node {
    child: Child,
    port: u16,
}

impl Node {
    fn start(folder: &Path, words: &[&str]) -> Self {
        let port = free();
        let home = folder.join(port.to_string());
        std::fs::create_dir(&home).unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
        command.arg("--dir").arg(&home).args(words);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let node = Self { child, port };
        node.until("PING", "PONG");
        node
    }

    /// What it says to a command.
    fn say(&self, words: &str) -> String {
        say(self.port, words)
    }

    fn until(&self, words: &str, said: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.say(words).contains(said) {
            assert!(Instant::now() < deadline, "{words}: {}", self.say(words));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn say(port: u16, words: &str) -> String {
    let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(words.split(' ')).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn options(ports: &[u16], topology: Topology) -> SharedOptions {
    let urls = ports.iter().map(|port| Secret::new(format!("redis://127.0.0.1:{port}"))).collect();
    SharedOptions { urls, topology, patience: Duration::from_secs(2), ..SharedOptions::default() }
}

/// Takes until the server decides; what it decided.
async fn decided(shared: &Arc<Shared>, takes: &[Take<'_>]) -> Decision {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let decision = shared.take(takes).await;
        if decision.by == By::Server {
            return decision;
        }
        assert!(Instant::now() < deadline, "the server does not decide");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_cluster_counts_the_limits_of_a_request_on_one_node() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes: Vec<Node> = (0..3)
        .map(|_| {
            Node::start(
                folder.path(),
                &[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &free().to_string(),
                    "--cluster-require-full-coverage",
                    "no",
                    "--cluster-node-timeout",
                    "2000",
                ],
            )
        })
        .collect();
    let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let made =
        Command::new("redis-cli").args(["--cluster", "create", "--cluster-yes"]).args(&addresses).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    for node in &nodes {
        node.until("CLUSTER INFO", "cluster_state:ok");
    }
    let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
    // One address is enough to begin with.
    let gateways = [
        Shared::open(options(&ports[..1], Topology::Cluster)).unwrap(),
        Shared::open(options(&ports, Topology::Cluster)).unwrap(),
    ];
    until("they see one another", || gateways.iter().all(|shared| shared.is_up() && shared.gateways() == 2)).await;
    for at in 0..30 {
        let keys = [format!("{{api:{at}/}}:a"), format!("{{api:{at}/}}:b")];
        let takes = [take(&keys[0], rule(Algorithm::Gcra, 3)), take(&keys[1], rule(Algorithm::Fixed, 9))];
        let mut passed = 0;
        for shared in gateways.iter().cycle().take(6) {
            let decision = shared.take(&takes).await;
            assert_eq!(decision.by, By::Server, "{at}");
            passed += usize::from(decision.refused.is_none());
        }
        assert_eq!(passed, 3, "{at}");
    }
    let counts: Vec<usize> = nodes.iter().map(|node| node.say("DBSIZE").trim().parse().unwrap()).collect();
    assert!(counts.iter().all(|count| *count > 0), "each has its part: {counts:?}");
    // A node that goes takes its own keys alone with it.
    nodes.last_mut().unwrap().end();
    let alive = &nodes[..2];
    let gone = |key: &str| {
        !alive.iter().any(|node| {
            let slot: u32 = node.say(&format!("CLUSTER KEYSLOT tollgate:limit:{key}")).trim().parse().unwrap();
            // Three nodes share the slots evenly, in order.
            slot < 10_923
        })
    };
    let (mut here, mut away) = (0, 0);
    for at in 100..130 {
        let key = format!("{{api:{at}/}}:a");
        let takes = [take(&key, rule(Algorithm::Gcra, 3))];
        if gone(&key) {
            away += 1;
            let decision = gateways[1].take(&takes).await;
            assert_eq!((decision.by, decision.refused), (By::Gone(WhenGone::Local), None));
        } else {
            here += 1;
            assert_eq!(decided(&gateways[1], &takes).await.refused, None);
        }
    }
    assert!(here > 0 && away > 0, "{here} {away}");
}

#[tokio::test]
async fn sentinel_names_the_next_master_and_nothing_is_refilled() {
    let folder = tempfile::tempdir().unwrap();
    let mut master = Node::start(folder.path(), &[]);
    let replica = Node::start(
        folder.path(),
        &["--replicaof", "127.0.0.1", &master.port.to_string(), "--repl-diskless-sync-delay", "0"],
    );
    replica.until("INFO replication", "master_link_status:up");
    let text = format!(
        "sentinel monitor gate 127.0.0.1 {} 1\nsentinel down-after-milliseconds gate 500\nsentinel failover-timeout gate 5000\n",
        master.port
    );
    let file = folder.path().join("sentinel.conf");
    std::fs::write(&file, text).unwrap();
    let port = free();
    let mut command = Command::new("redis-server");
    command
        .arg(&file)
        .args(["--sentinel", "--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(folder.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let sentinel = Node { child, port };
    sentinel.until("PING", "PONG");
    sentinel.until("SENTINEL replicas gate", &replica.port.to_string());
    let shared = Shared::open(options(&[port], Topology::Sentinel { master: "gate".to_owned() })).unwrap();
    until("connected", || shared.is_up()).await;
    let takes = [take("k", rule(Algorithm::Gcra, 10))];
    for left in [9, 8, 7] {
        let decision = shared.take(&takes).await;
        assert_eq!((decision.by, decision.readings[0].left), (By::Server, left));
    }
    master.end();
    until("it is noticed", || !shared.is_up()).await;
    until("there is a new master", || shared.is_up()).await;
    replica.until("ROLE", "master");
    let decision = decided(&shared, &takes).await;
    assert!(decision.readings[0].left <= 6, "{decision:?}");
}
