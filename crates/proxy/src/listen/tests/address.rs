//! Addresses: what is refused before and at opening.

use std::net::TcpListener;

use super::kit::{Gate, environment, program};
use crate::exchange::testing;
use crate::listen::Gateway;

#[test]
fn wrong_listeners_are_problems_with_a_way_out() {
    for (listener, message, help) in [
        ("address: '8080'", "`8080` is not an address with a port", "write `0.0.0.0:8080` or `[::]:8080`"),
        ("address: ':8080'", "`:8080` is not", "write `0.0.0.0:8080`"),
        ("address: 'localhost:80'", "`localhost:80` is not", "write `127.0.0.1:80` or `[::1]:80`"),
        ("address: '10.0.0.1'", "`10.0.0.1` is not", "add the port"),
        ("address: 'example.com:80'", "`example.com:80` is not", "write an IP address and a port"),
        ("address: '0.0.0.0:1', protocols: []", "speaks no protocol", "`h1`, `h2`"),
        ("address: '0.0.0.0:1', limits: { headers: 0 }", "0 is out of bounds", "from 1 to 1000"),
        ("address: '0.0.0.0:1', limits: { header_bytes: 2MiB }", "out of bounds", "from 1024 bytes"),
        ("address: '0.0.0.0:1', limits: { streams_per_connection: 20000 }", "20000 is out of bounds", "to 10000"),
        ("address: '0.0.0.0:1', limits: { connections: 0 }", "0 is out of bounds", "from 1"),
        ("address: '0.0.0.0:1', limits: { idle_timeout: 0s }", "`idle_timeout` is no time", "30s"),
        ("address: '0.0.0.0:1', redirect_to_https: { status: 200 }", "200 is no status of a redirect", "308"),
    ] {
        let yaml = format!("version: 1\nlisteners: [{{ name: a, {listener} }}]\n");
        let found = testing::try_program(&yaml, &environment(1)).err().unwrap_or_else(|| panic!("{listener}: none"));
        assert!(found.contains(message), "{listener}: {found}");
        assert!(found.contains(help), "{listener}: {found}");
        assert_eq!(found.matches("error").count(), 1, "{listener}: {found}");
    }
    let twice = "version: 1\nlisteners: [{ name: a, address: '0.0.0.0:1' }, { name: b, address: '0.0.0.0:1' }]\n";
    let found = testing::try_program(twice, &environment(1)).err().expect("a problem");
    assert!(found.contains("listener `a` has this address already"), "{found}");
}

#[test]
fn every_address_that_is_taken_is_named_and_nothing_stays_open() {
    let taken: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one");
    let ports: Vec<String> = taken.iter().map(|at| at.local_addr().expect("it has one").to_string()).collect();
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: a, address: '{}' }}, {{ name: b, address: '{free}' }}, \
         {{ name: c, address: '{}' }}]\n",
        ports[0], ports[1]
    );
    let env = environment(2);
    let errors = Gateway::start(env.clone(), program(&yaml, &env)).err().expect("two are taken");
    let names: Vec<&str> = errors.iter().map(|error| error.listener.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    let said = errors[0].to_string();
    assert!(said.contains(&ports[0]) && said.contains("another process or listener has this address"), "{said}");
    TcpListener::bind(free).expect("it was given back");
}

#[test]
fn two_gateways_do_not_share_an_address_by_mistake() {
    let first = Gate::start("version: 1\nlisteners: [{ name: a, address: '127.0.0.1:0' }]\n");
    let yaml = format!("version: 1\nlisteners: [{{ name: a, address: '{}' }}]\n", first.address("a"));
    let env = environment(2);
    assert_eq!(Gateway::start(env.clone(), program(&yaml, &env)).err().expect("it is taken").len(), 1);
}

#[test]
fn an_unspecified_ipv6_address_takes_ipv4_too_unless_another_listener_does() {
    let gate = Gate::start("version: 1\nlisteners: [{ name: six, address: '[::]:0' }]\n");
    let port = gate.address("six").port();
    for address in ["127.0.0.1", "::1"] {
        let client = std::net::TcpStream::connect((address, port)).expect("both families are taken");
        drop(client);
    }
    drop(gate);
    let yaml = format!(
        "version: 1\nlisteners: [{{ name: four, address: '0.0.0.0:{port}' }}, {{ name: six, address: '[::]:{port}' }}]\n\
         apis: [{{ name: f, listeners: [four], access: public, to: {{ respond: {{ body: four }} }} }}, \
         {{ name: s, listeners: [six], access: public, to: {{ respond: {{ body: six }} }} }}]\n"
    );
    let _gate = Gate::start(&yaml);
    for (address, expected) in [("127.0.0.1", "four"), ("::1", "six")] {
        let stream = std::net::TcpStream::connect((address, port)).expect("it listens");
        assert_eq!(super::kit::Client::over(stream).get("/").body, expected);
    }
}
