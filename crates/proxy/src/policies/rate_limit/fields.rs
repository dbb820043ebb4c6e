//! What a client is told of its limits: `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers), and the `X-RateLimit-*` that many clients know.

use http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::SmallVec;

use super::Limit;
use super::gcra::seconds;
use crate::exchange::Exchange;

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static STATE: HeaderName = HeaderName::from_static("ratelimit");
static X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A family of header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RateLimitFields")]
pub(crate) enum Family {
    /// `RateLimit-Policy` and `RateLimit`: every limit by name, with its quota (`q`) in each window (`w`, seconds), how
    /// many remain (`r`) and in how many seconds all are there again (`t`).
    Ietf,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (in seconds) of the limit with the fewest
    /// remaining.
    X,
}

/// The fields of one policy, as far as they are the same for every exchange.
pub(super) struct Fields {
    policy: Option<HeaderValue>,
    x: bool,
}

impl Fields {
    pub(super) fn new(families: &[Family], limits: &[Limit]) -> Self {
        let described: Vec<String> = limits.iter().map(Limit::described).collect();
        let policy = HeaderValue::try_from(described.join(", ")).ok().filter(|_| families.contains(&Family::Ietf));
        Self { policy, x: families.contains(&Family::X) }
    }

    /// Puts them on the answer. `due` is each limit's due time, in order.
    pub(super) fn put(&self, x: &mut Exchange, limits: &[Limit], due: &[u64], now: u64) {
        if let Some(policy) = &self.policy {
            x.reply_header(POLICY.clone(), policy.clone());
            // Written on the stack: the one allocation is the header value's own.
            let mut text: SmallVec<[u8; 192]> = SmallVec::new();
            for (at, (limit, due)) in limits.iter().zip(due).enumerate() {
                let (left, reset) = (limit.gcra.left(*due, now), seconds(limit.gcra.reset(*due, now)));
                text.extend_from_slice(if at == 0 { b"\"" } else { b", \"" });
                text.extend_from_slice(limit.name.as_bytes());
                text.extend_from_slice(b"\";r=");
                text.extend_from_slice(itoa::Buffer::new().format(left).as_bytes());
                text.extend_from_slice(b";t=");
                text.extend_from_slice(itoa::Buffer::new().format(reset).as_bytes());
            }
            if let Ok(value) = HeaderValue::from_bytes(&text) {
                x.reply_header(STATE.clone(), value);
            }
        }
        let tightest = limits.iter().zip(due).min_by_key(|(limit, due)| limit.gcra.left(**due, now));
        if let (true, Some((limit, due))) = (self.x, tightest) {
            x.reply_header(X_LIMIT.clone(), HeaderValue::from(limit.rate.count()));
            x.reply_header(X_REMAINING.clone(), HeaderValue::from(limit.gcra.left(*due, now)));
            x.reply_header(X_RESET.clone(), HeaderValue::from(seconds(limit.gcra.reset(*due, now))));
        }
    }

    /// Takes the upstream's fields of the same names away, where a client could not tell them from ours.
    pub(super) fn replace(&self, x: &mut Exchange) {
        if let (true, Some(response)) = (self.x, &mut x.response) {
            for name in [&X_LIMIT, &X_REMAINING, &X_RESET] {
                response.headers.remove(name);
            }
        }
    }
}
