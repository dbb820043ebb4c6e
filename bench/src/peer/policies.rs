//! Policies that are measured one by one.

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
