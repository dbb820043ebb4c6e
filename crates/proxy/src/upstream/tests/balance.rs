//! Requests are spread as configured.

use std::sync::Arc;

use crate::program::Program;
use crate::upstream::testing::{Upstream, addresses, get, program, read, request, send, text};

async fn three() -> [Upstream; 3] {
    let one = async || Upstream::serve(async |_| text("ok")).await;
    [one().await, one().await, one().await]
}

fn weighted(upstreams: &[Upstream], weights: [u16; 3], balance: &str) -> Arc<Program> {
    let targets: Vec<String> = upstreams
        .iter()
        .zip(weights)
        .map(|(upstream, weight)| format!("{{ url: 'http://{}', weight: {weight} }}", upstream.address))
        .collect();
    program(&format!("targets: [{}], balance: {balance}", targets.join(", ")))
}

#[tokio::test]
async fn round_robin_follows_the_weights_exactly() {
    let upstreams = three().await;
    let program = weighted(&upstreams, [5, 0, 1], "round_robin");
    for _ in 0..60 {
        assert_eq!(get(&program, "/").await.0, 200);
    }
    let seen = upstreams.each_ref().map(|upstream| upstream.seen.requests());
    assert_eq!(seen, [50, 0, 10]);
}

#[tokio::test]
async fn random_follows_the_weights() {
    let upstreams = three().await;
    let program = weighted(&upstreams, [1, 1, 8], "random");
    for _ in 0..500 {
        assert_eq!(get(&program, "/").await.0, 200);
    }
    let seen = upstreams.each_ref().map(|upstream| upstream.seen.requests());
    assert!(seen[0] > 10 && seen[1] > 10 && (340..=460).contains(&seen[2]), "{seen:?}");
}

#[tokio::test]
async fn least_request_keeps_away_from_the_busy() {
    let upstreams = three().await;
    let program = weighted(&upstreams, [1, 1, 1], "least_request");
    // Responses that are not read are in flight; each goes where fewer are.
    let mut held = Vec::new();
    for _ in 0..30 {
        held.push(send(&program, request("/")).await);
    }
    let busy: Vec<u64> = addresses(&program).iter().map(|address| address.in_flight).collect();
    assert!(busy.iter().all(|count| (8..=12).contains(count)), "{busy:?}");
    for response in held {
        assert_eq!(read(response).await.0, 200);
    }
    assert!(addresses(&program).iter().all(|address| address.in_flight == 0));
}
