//! Bounds of connections and heads.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::kit::{Client, Gate, echo, tcp, until};

#[test]
fn heads_over_their_bounds_are_refused() {
    let gate = Gate::start(&echo("header_bytes: 4KiB, headers: 10, uri_bytes: 1KiB"));
    let fields = |count: usize, size: usize| -> String {
        (0..count).map(|at| format!("x-{at}: {}\r\n", "v".repeat(size))).collect()
    };
    for (path, fields, status) in [
        ("/".to_owned(), fields(9, 10), 200),
        ("/".to_owned(), fields(3, 1200), 200),
        ("/".to_owned(), fields(1, 300_000), 431),
        (format!("/{}", "p".repeat(1000)), fields(1, 1), 200),
    ] {
        let mut client = gate.connect("main");
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: gate\r\n"));
        // The gateway may have answered and closed before all of it was sent.
        let _ = client.stream.write_all(format!("{fields}\r\n").as_bytes());
        assert_eq!(client.response().status(), status, "{} bytes of path, {} of fields", path.len(), fields.len());
    }
}

#[test]
fn more_headers_than_usual_may_be_allowed() {
    let gate = Gate::start(&echo("headers: 300"));
    let fields: String = (0..290).map(|at| format!("x-{at}: v\r\n")).collect();
    let mut client = gate.connect("main");
    client.send(&format!("GET / HTTP/1.1\r\nHost: gate\r\n{fields}\r\n"));
    assert_eq!(client.response().status(), 200);
}

#[test]
fn a_head_that_does_not_come_in_time_ends_its_connection() {
    let gate = Gate::start(&echo("header_timeout: 300ms, idle_timeout: 30s"));
    for (sent, before) in [("GET / HT", false), ("PRI * HTTP/2.0\r\n", false), ("GET / HTTP/1.1\r\nHost: g", true)] {
        let mut client = gate.connect("main");
        if before {
            assert_eq!(client.get("/").status(), 200);
        }
        let started = Instant::now();
        client.send(sent);
        // Only HTTP/1 can be answered.
        if !sent.starts_with("PRI") {
            let response = client.response();
            assert_eq!(response.status(), 408);
            assert_eq!(response.header("connection"), Some("close"));
            assert!(response.body.contains("request.head_timeout"), "{}", response.body);
        }
        assert!(client.is_closed());
        assert!(started.elapsed() >= Duration::from_millis(290), "{sent:?} after {:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(5), "{sent:?} after {:?}", started.elapsed());
    }
}

#[test]
fn trickling_bytes_do_not_buy_time() {
    let gate = Gate::start(&echo("header_timeout: 300ms, idle_timeout: 30s"));
    let mut stream = tcp(gate.address("main"));
    let started = Instant::now();
    let head = b"GET / HTTP/1.1\r\nHost: gate\r\nx-slow: ".iter().chain(std::iter::repeat(&b'a'));
    for byte in head {
        use std::io::Write;
        if stream.write_all(&[*byte]).is_err() || started.elapsed() > Duration::from_secs(10) {
            break;
        }
        // Paces the client: what is tested is that it is ended meanwhile.
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_connection_without_any_request_ends_silently() {
    let gate = Gate::start(&echo("header_timeout: 200ms, idle_timeout: 30s"));
    assert!(gate.connect("main").is_closed());
    // Empty lines are no request.
    let mut client = gate.connect("main");
    client.send("\r\n\r\n");
    assert!(client.is_closed());
    let mut client = gate.connect("main");
    assert_eq!(client.get("/").status(), 200);
    client.send("\r\n");
    assert!(client.is_closed());
}

#[test]
fn an_idle_connection_ends() {
    let gate = Gate::start(&echo("idle_timeout: 300ms"));
    let mut client = gate.connect("main");
    assert_eq!(client.get("/").status(), 200);
    let started = Instant::now();
    assert!(client.is_closed());
    assert!(started.elapsed() >= Duration::from_millis(250), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_connection_that_was_parked_goes_on() {
    let gate = Gate::start(&echo(""));
    let mut client = gate.connect("main");
    for _ in 0..2 {
        assert_eq!(client.get("/").status(), 200);
        // Longer than it takes to give the buffers back.
        std::thread::park_timeout(Duration::from_millis(2500));
    }
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(gate.connections(), 1);
}

#[test]
fn a_listener_has_no_more_connections_than_allowed() {
    let gate = Gate::start(&echo("connections: 3, header_timeout: 60s"));
    let mut held: Vec<Client> = (0..3).map(|_| gate.connect("main")).collect();
    until("all are counted", || gate.connections() == 3);
    assert!(gate.connect("main").is_closed());
    assert_eq!(held[0].get("/").status(), 200);
    held.pop();
    until("one is gone", || gate.connections() == 2);
    assert_eq!(gate.connect("main").get("/").status(), 200);
    assert_eq!(gate.metric("tollgate_connections_refused_total{listener=\"main\",reason=\"listener_limit\"}"), 1);
}

#[test]
fn a_client_has_no_more_connections_than_allowed() {
    let yaml = echo("connections_per_client: 2, header_timeout: 60s").replace("127.0.0.1:0", "0.0.0.0:0");
    let gate = Gate::start(&yaml);
    let port = gate.address("main").port();
    let mut held: Vec<Client> = (0..2).map(|_| Client::connect(([127, 0, 0, 1], port).into())).collect();
    until("all are counted", || gate.connections() == 2);
    assert!(Client::connect(([127, 0, 0, 1], port).into()).is_closed());
    // The bound is a new one at once, for connections that were there before too.
    gate.publish(&yaml.replace("connections_per_client: 2", "connections_per_client: 3"));
    held.push(Client::connect(([127, 0, 0, 1], port).into()));
    assert_eq!(held[2].get("/").status(), 200);
    assert!(Client::connect(([127, 0, 0, 1], port).into()).is_closed());
    assert_eq!(gate.metric("tollgate_connections_refused_total{listener=\"main\",reason=\"client_limit\"}"), 2);
}

#[test]
fn a_connection_carries_no_more_requests_than_allowed() {
    let gate = Gate::start(&echo("requests_per_connection: 3"));
    let mut client = gate.connect("main");
    for at in 1..=3 {
        let response = client.get("/");
        assert_eq!(response.header("connection"), (at == 3).then_some("close"), "request {at}");
    }
    assert!(client.is_closed());
}

#[test]
fn an_answer_before_the_end_of_a_body_arrives() {
    let gate = Gate::answering(&echo(""), super::panic::refuses());
    let mut client = gate.connect("main");
    client.send("POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 400000\r\n\r\n");
    // It is refused by its head; the body comes all the same.
    let _ = client.stream.write_all(&[b'x'; 400_000]);
    assert_eq!(client.response().body, "too large");
    assert!(client.is_closed());
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let gate = Gate::answering(&echo("body_timeout: 300ms"), super::panic::endless());
    let mut stream = tcp(gate.address("main"));
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n").expect("it is open");
    until("the exchange is open", || gate.gateway.in_flight() == 1);
    until("it is cut", || gate.gateway.in_flight() == 0 && gate.connections() == 0);
    let _ = stream.shutdown(Shutdown::Both);
}
