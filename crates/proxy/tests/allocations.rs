//! The hot path has a gauge: how often a request allocates, all told, from its first byte to the next request's.
//! Allocating is about a tenth of what the gateway itself does for a bare request, so growth shows here first.
//!
//! The counts are of the whole process, so the client and the upstream of this test allocate nothing while it counts.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxy::clock::Clock;
use proxy::exchange::{Exchange, testing};
use proxy::listen::Gateway;
use proxy::policies::{Level, Needs, Stage, Step, Verdict};
use proxy::program::{Environment, Keep, Planned, Program};
use proxy::registry;
use proxy::telemetry::Telemetry;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests of a measurement.
const REQUESTS: usize = 300;

/// Notes how often and how much has been allocated so far, at every request.
struct Probe(Mutex<Vec<Cost>>);

/// Allocations (those that grew included) and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    allocations: usize,
    bytes: usize,
}

impl Step for Probe {
    fn request<'a>(&'a self, _: &'a mut Exchange) -> Verdict<'a> {
        let stats = ALLOCATOR.stats();
        let allocations = stats.allocations + stats.reallocations;
        self.0.lock().expect("not poisoned").push(Cost { allocations, bytes: stats.bytes_allocated });
        Verdict::NEXT
    }
}

impl Probe {
    /// What a request costs: the median, as buffers grow and timers fire now and then.
    fn median(&self) -> Cost {
        let noted = self.0.lock().expect("not poisoned");
        let mut between: Vec<Cost> = noted
            .windows(2)
            .map(|two| Cost {
                allocations: two[1].allocations - two[0].allocations,
                bytes: two[1].bytes - two[0].bytes,
            })
            .collect();
        assert_eq!(between.len(), REQUESTS - 1);
        between.sort_unstable();
        between[between.len() / 2]
    }
}

/// Answers every request on every connection with 1 KiB.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n{}", "x".repeat(1024));
                while read_head(&mut stream) {
                    stream.write_all(answer.as_bytes()).expect("it is open");
                }
            });
        }
    });
    address
}

fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = [0; 4096];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[length..]) {
            Ok(0) | Err(_) => return false,
            Ok(more) => length += more,
        }
    }
    true
}

/// Runs a configuration with the probe as the last step of every route, and asks it over and over.
fn measure(yaml: &str) -> Cost {
    let env = Environment {
        clock: Clock::system(),
        keep: Arc::new(Keep::default()),
        telemetry: Arc::new(Telemetry::new(1)),
        workers: 1,
        stores: Arc::default(),
        offline: false,
        registry: &registry::OWN,
    };
    let mut program: Program = Arc::into_inner(testing::program_in(yaml, &env)).expect("nobody else has it");
    let probe = Arc::new(Probe(Mutex::new(Vec::with_capacity(REQUESTS))));
    for plan in &mut program.routes {
        let mut steps = std::mem::take(&mut plan.steps).into_vec();
        steps.push(Planned {
            kind: "probe",
            name: "".into(),
            stage: Stage::Shape,
            level: Level::Route,
            when: None,
            needs: Needs::NONE,
            keep_head: false,
            step: probe.clone(),
        });
        plan.steps = steps.into();
    }
    let gateway = Gateway::start(env, program).unwrap_or_else(|errors| panic!("{errors:?}"));
    let (_, address) = gateway.addresses().pop().expect("a listener");
    let mut client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    for _ in 0..REQUESTS {
        ask(&mut client);
    }
    gateway.drain(Duration::ZERO);
    probe.median()
}

/// Sends a request and reads its answer.
fn ask(client: &mut TcpStream) {
    let request = b"GET /api/v1/users/7 HTTP/1.1\r\nHost: gate.example\r\nUser-Agent: probe\r\nAccept: */*\r\n\r\n";
    client.write_all(request).expect("it is open");
    let mut answer = [0; 8192];
    let mut length = 0;
    while !complete(&answer[..length]) {
        let more = client.read(&mut answer[length..]).expect("it is open");
        assert!(more > 0, "it ended after {length} bytes");
        length += more;
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..length]));
}

/// Whether a response is whole: all of this test have 1 KiB.
fn complete(read: &[u8]) -> bool {
    read.windows(4).position(|end| end == b"\r\n\r\n").is_some_and(|head| read.len() >= head + 4 + 1024)
}

/// One test, as the counts are of the whole process.
#[test]
fn a_request_allocates_within_its_budget() {
    let listeners = "version: 1\nlisteners: [{ name: main, address: '127.0.0.1:0' }]\naccess_log: 'off'\n";
    let bare = format!(
        "{listeners}upstreams: [{{ name: up, targets: [{{ url: 'http://{}' }}] }}]\n\
         apis: [{{ name: all, access: public, routes: [{{ match: {{ path: '/api/v1/users/{{id}}' }}, to: up }}] }}]\n",
        upstream()
    );
    let own = format!(
        "{listeners}apis: [{{ name: all, access: public, to: {{ respond: {{ body: '{}' }} }} }}]\n",
        "x".repeat(1024)
    );
    let three = "{ limit: 1000000/s, by: client }, { limit: 1000000/s, by: { header: user-agent }, algorithm: sliding_window }, \
                 { limit: 1000000/s, by: global, algorithm: fixed_window }";
    let policies = format!("policies: {{ rate_limit: {{ limits: [{three}], headers: [] }} }}");
    let limited = own.replace("access: public,", &format!("access: public, {policies},"));
    // What it takes as this is written. A change that needs more has to say why here.
    for (what, yaml, budget) in [
        // One more than it was: the fields that the gateway adds are a list, so that no map has to grow for them.
        ("bare", bare, Cost { allocations: 13, bytes: 16 << 10 }),
        ("the gateway's own answer", own, Cost { allocations: 9, bytes: 12 << 10 }),
        // Counting costs no allocation; only telling clients does.
        ("that with three limits", limited, Cost { allocations: 9, bytes: 12 << 10 }),
    ] {
        let cost = measure(&yaml);
        assert!(cost.allocations > 0, "nothing is counted");
        assert!(cost.allocations <= budget.allocations && cost.bytes <= budget.bytes, "{what}: {cost:?}");
    }
}
