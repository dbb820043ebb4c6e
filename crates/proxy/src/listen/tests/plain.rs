//! HTTP/1 in the clear.

use super::kit::Gate;

const ONE: &str = "version: 1\nlisteners: [{ name: main, address: '127.0.0.1:0' }]\n";

#[test]
fn exchanges_run_one_after_another_on_a_connection() {
    for workers in [1, 3] {
        let gate = Gate::with_workers(ONE, workers);
        let mut client = gate.connect("main");
        for _ in 0..3 {
            let response = client.get("/nothing/here");
            assert_eq!(response.status(), 404);
            assert_eq!(response.header("content-type"), Some("application/problem+json"));
            assert!(response.body.contains("route.not_found"), "{}", response.body);
        }
        assert_eq!(gate.gateway.in_flight(), 0);
    }
}
