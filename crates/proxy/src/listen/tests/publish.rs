//! Another program under load: listeners open and close, and no request fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

use super::kit::{Client, Gate, until};

fn yaml(listeners: &[(&str, &str)], body: &str) -> String {
    let listeners: Vec<String> =
        listeners.iter().map(|(name, address)| format!("{{ name: {name}, address: '{address}' }}")).collect();
    format!(
        "version: 1\nlisteners: [{}]\napis: [{{ name: all, access: public, to: {{ respond: {{ body: '{body}' }} }} }}]\n",
        listeners.join(", ")
    )
}

/// Asks without pause until told to stop; every answer must be whole. With `keep`, a connection is used until the
/// gateway says that it ends.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
enum Connections {
    Kept,
    New,
}

impl Load {
    fn on(address: SocketAddr, connections: Connections) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = |_| {
            let (stop, asked) = (stop.clone(), asked.clone());
            std::thread::spawn(move || {
                let mut client = None;
                while !stop.load(Relaxed) {
                    let mut using = client.take().unwrap_or_else(|| Client::connect(address));
                    let response = using.try_get("/").expect("no request is lost");
                    assert_eq!(response.status(), 200, "{}", response.head);
                    asked.fetch_add(1, Relaxed);
                    let ends = response.header("connection") == Some("close");
                    client = match connections {
                        Connections::Kept if !ends => Some(using),
                        Connections::Kept | Connections::New => None,
                    };
                }
            })
        };
        let threads = (0..4).map(ask).collect();
        Self { stop, threads, asked }
    }

    /// Waits for some more answers.
    fn more(&self) {
        let before = self.asked.load(Relaxed);
        until("the load goes on", || {
            assert!(!self.threads.iter().any(JoinHandle::is_finished), "a client failed");
            self.asked.load(Relaxed) > before + 50
        });
    }

    fn stop(self) {
        self.stop.store(true, Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("no request failed"));
    }
}

#[test]
fn the_program_changes_under_load() {
    let gate = Gate::start(&yaml(&[("main", "127.0.0.1:0")], "0"));
    let loads = [Connections::Kept, Connections::New].map(|kind| Load::on(gate.address("main"), kind));
    let mut kept = gate.connect("main");
    for revision in 1..10 {
        gate.publish(&yaml(&[("main", "127.0.0.1:0")], &revision.to_string()));
        // A connection that was there runs by the new program at once.
        assert_eq!(kept.get("/").body, revision.to_string());
        assert_eq!(gate.gateway.program().revision, revision + 1);
        loads.iter().for_each(Load::more);
    }
    loads.into_iter().for_each(Load::stop);
}

#[test]
fn listeners_come_and_go_under_load() {
    let gate = Gate::start(&yaml(&[("main", "127.0.0.1:0")], "x"));
    let main = gate.address("main");
    let load = Load::on(main, Connections::Kept);
    for _ in 0..3 {
        gate.publish(&yaml(&[("main", "127.0.0.1:0"), ("more", "127.0.0.1:0")], "x"));
        assert_eq!(gate.address("main"), main, "what stays is not opened anew");
        let more = gate.address("more");
        assert_eq!(Client::connect(more).get("/").body, "x");
        load.more();
        gate.publish(&yaml(&[("main", "127.0.0.1:0")], "x"));
        until("it is closed", || std::net::TcpStream::connect(more).is_err());
        load.more();
    }
    load.stop();
}

#[test]
fn a_listener_that_is_renamed_or_readdressed_loses_no_request() {
    let gate = Gate::start(&yaml(&[("main", "127.0.0.1:0")], "x"));
    let address = gate.address("main").to_string();
    // From here on by its real port, which is another address: opened before the old one is closed.
    gate.publish(&yaml(&[("main", &address)], "x"));
    let load = Load::on(address.parse().expect("an address"), Connections::Kept);
    for at in 0..4 {
        load.more();
        let name = if at % 2 == 0 { "other" } else { "main" };
        gate.publish(&yaml(&[(name, &address)], "x"));
        assert_eq!(gate.address(name).to_string(), address);
    }
    load.more();
    load.stop();
}

#[test]
fn connections_of_a_listener_that_is_gone_end_after_their_next_answer() {
    let gate = Gate::start(&yaml(&[("main", "127.0.0.1:0"), ("gone", "127.0.0.1:0")], "old"));
    let mut client = gate.connect("gone");
    assert_eq!(client.get("/").header("connection"), None);
    gate.publish(&yaml(&[("main", "127.0.0.1:0")], "new"));
    let response = client.get("/");
    assert_eq!((response.status(), response.body.as_str()), (200, "old"), "by the last program that knew the listener");
    assert_eq!(response.header("connection"), Some("close"));
    assert!(client.is_closed());
    until("nothing is left of it", || gate.connections() == 0);
}

#[test]
fn nothing_changes_where_a_listener_cannot_be_opened() {
    let gate = Gate::start(&yaml(&[("main", "127.0.0.1:0"), ("gone", "127.0.0.1:0")], "old"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one");
    let held = std::net::TcpListener::bind(taken).expect("it is free");
    let next = yaml(&[("main", "127.0.0.1:0"), ("new", "127.0.0.1:0"), ("taken", &taken.to_string())], "new");
    let errors = gate.gateway.publish(super::kit::program(&next, &gate.env)).expect_err("one is taken");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].listener, "taken");
    assert_eq!(gate.gateway.program().revision, 1);
    let names: Vec<String> = gate.gateway.addresses().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["main", "gone"]);
    assert_eq!(gate.connect("main").get("/").body, "old");
    assert_eq!(gate.connect("gone").get("/").body, "old");
    drop(held);
    gate.publish(&next);
    assert_eq!(gate.connect("taken").get("/").body, "new");
}
