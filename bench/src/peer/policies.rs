//! Policies and settings of upstreams that are measured one by one.

use std::net::SocketAddr;

use super::Setup;

/// What of Tollgate's policies a setup has.
pub(super) fn policies(setup: Setup) -> &'static str {
    match setup {
        Setup::KeyAuth => "{ key_auth: { names: x-api-key } }",
        Setup::RateLimit => {
            "{ rate_limit: { limits: [{ limit: 1000000/second, by: client }, { limit: 60000000/minute, by: api }, \
             { limit: 3600000000/hour, by: global }] } }"
        }
        Setup::RedisLimit => {
            "{ rate_limit: { store: redis, limits: [{ limit: 1000000/second, by: client }, \
             { limit: 60000000/minute, by: api }, { limit: 3600000000/hour, by: global }] } }"
        }
        Setup::Jwt => {
            "{ jwt: { issuers: [{ issuer: bench, audience: bench, keys: [{ pem: \"${file:token.pem}\" }] }] } }"
        }
        _ => "{}",
    }
}

/// The targets of a setup's upstream.
pub(super) fn targets(setup: Setup, upstream: SocketAddr) -> String {
    let target = format!("{{ url: \"http://{upstream}\" }}");
    if setup == Setup::HashBalance { format!("[{target}, {target}]") } else { format!("[{target}]") }
}

/// What else its upstream has.
pub(super) fn care(setup: Setup) -> &'static str {
    match setup {
        Setup::HashBalance => "balance: { hash: { header: host } }",
        Setup::Retries => "retry: { attempts: 2, when: [connect, reset, refused_stream, 502, 503, 504], budget: 20% }",
        Setup::Breaker => "breaker: { requests: 100000, error_rate: 50%, slow_rate: 50%, slow_after: 1s }",
        _ => "tags: [bench]",
    }
}

/// Where its requests go.
pub(super) fn to(setup: Setup) -> &'static str {
    if setup == Setup::Split { "[{ upstream: bench, weight: 95 }, { upstream: beside, weight: 5 }]" } else { "bench" }
}
