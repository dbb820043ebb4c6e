//! What a client is told of its limits: `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers), and the `X-RateLimit-*` that many clients know.

use http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::SmallVec;

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

/// What a client is told of where nothing else is said.
pub(crate) fn ietf() -> Vec<Family> {
    vec![Family::Ietf]
}

/// A limit as clients are told of it.
pub(crate) struct Told {
    /// Its name.
    pub(crate) name: String,
    /// How many in a window.
    pub(crate) quota: u64,
    /// The window in seconds, where it is a whole number of them that is always the same.
    pub(crate) window: Option<u64>,
}

impl Told {
    /// The member of `RateLimit-Policy`.
    fn described(&self) -> String {
        match self.window {
            Some(window) => format!("\"{}\";q={};w={window}", self.name, self.quota),
            None => format!("\"{}\";q={}", self.name, self.quota),
        }
    }
}

/// How a limit stands: how many remain, and in how many seconds all are there again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) left: u64,
    pub(crate) reset: u64,
}

/// The fields of one policy, as far as they are the same for every exchange.
pub(crate) struct Fields {
    policy: Option<HeaderValue>,
    x: bool,
    limits: Box<[Told]>,
}

impl Fields {
    pub(crate) fn new(families: &[Family], limits: Vec<Told>) -> Self {
        let described: Vec<String> = limits.iter().map(Told::described).collect();
        let policy = HeaderValue::try_from(described.join(", ")).ok().filter(|_| families.contains(&Family::Ietf));
        Self { policy, x: families.contains(&Family::X), limits: limits.into() }
    }

    /// Whether there are any.
    pub(crate) fn are_there(&self) -> bool {
        self.policy.is_some() || self.x
    }

    /// Puts them on the answer. `stands` are the limits', in order.
    pub(crate) fn put(&self, x: &mut Exchange, stands: &[Stand]) {
        if let Some(policy) = &self.policy {
            x.reply_header(POLICY.clone(), policy.clone());
            // Written on the stack: the one allocation is the header value's own.
            let mut text: SmallVec<[u8; 192]> = SmallVec::new();
            for (at, (limit, stand)) in self.limits.iter().zip(stands).enumerate() {
                text.extend_from_slice(if at == 0 { b"\"" } else { b", \"" });
                text.extend_from_slice(limit.name.as_bytes());
                text.extend_from_slice(b"\";r=");
                text.extend_from_slice(itoa::Buffer::new().format(stand.left).as_bytes());
                text.extend_from_slice(b";t=");
                text.extend_from_slice(itoa::Buffer::new().format(stand.reset).as_bytes());
            }
            if let Ok(value) = HeaderValue::from_bytes(&text) {
                x.reply_header(STATE.clone(), value);
            }
        }
        if !self.x {
            return;
        }
        if let Some((limit, stand)) = self.limits.iter().zip(stands).min_by_key(|(_, stand)| stand.left) {
            x.reply_header(X_LIMIT.clone(), HeaderValue::from(limit.quota));
            x.reply_header(X_REMAINING.clone(), HeaderValue::from(stand.left));
            x.reply_header(X_RESET.clone(), HeaderValue::from(stand.reset));
        }
    }

    /// Takes the upstream's fields of the same names away, where a client could not tell them from ours.
    pub(crate) fn replace(&self, x: &mut Exchange) {
        if let (true, Some(response)) = (self.x, &mut x.response) {
            for name in [&X_LIMIT, &X_REMAINING, &X_RESET] {
                response.headers.remove(name);
            }
        }
    }
}
