//! What a client is told of its limits: `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers), and the `X-RateLimit-*` that many clients know.

use http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

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
    limits: Box<[Member]>,
    /// The most bytes of `RateLimit`.
    most: usize,
}

/// A limit's part of the fields.
struct Member {
    quota: u64,
    /// What stands before its numbers.
    opening: Box<[u8]>,
}

impl Member {
    fn new(at: usize, told: &Told) -> Self {
        let comma = if at == 0 { "" } else { ", " };
        Self { quota: told.quota, opening: format!("{comma}\"{}\";r=", told.name).into_bytes().into() }
    }

    /// The most that it can be long: two numbers of twenty digits.
    fn most(&self) -> usize {
        self.opening.len() + ";t=".len() + 40
    }
}

/// As much is written without an allocation.
const USUAL: usize = 320;

impl Fields {
    pub(crate) fn new(families: &[Family], limits: Vec<Told>) -> Self {
        let described: Vec<String> = limits.iter().map(Told::described).collect();
        let policy = HeaderValue::try_from(described.join(", ")).ok().filter(|_| families.contains(&Family::Ietf));
        let limits: Box<[Member]> = limits.iter().enumerate().map(|(at, told)| Member::new(at, told)).collect();
        let most = limits.iter().map(Member::most).sum();
        Self { policy, x: families.contains(&Family::X), limits, most }
    }

    /// Whether there are any.
    pub(crate) fn are_there(&self) -> bool {
        self.policy.is_some() || self.x
    }

    /// Puts them on the answer. `stands` are the limits', in order.
    pub(crate) fn put(&self, x: &mut Exchange, stands: &[Stand]) {
        if let Some(policy) = &self.policy {
            x.reply_header(POLICY.clone(), policy.clone());
            let value = match self.most {
                // The one allocation is the header value's own.
                0..=USUAL => self.state(&mut [0; USUAL], stands),
                most => self.state(&mut vec![0; most], stands),
            };
            if let Some(value) = value {
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

    /// `RateLimit`, written into this room.
    fn state(&self, room: &mut [u8], stands: &[Stand]) -> Option<HeaderValue> {
        let mut line = Line { room, end: 0 };
        for (limit, stand) in self.limits.iter().zip(stands) {
            line.push(&limit.opening);
            line.push(itoa::Buffer::new().format(stand.left).as_bytes());
            line.push(b";t=");
            line.push(itoa::Buffer::new().format(stand.reset).as_bytes());
        }
        HeaderValue::from_bytes(line.room.get(..line.end)?).ok()
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

/// Text that is written piece by piece into room that is there.
struct Line<'a> {
    room: &'a mut [u8],
    end: usize,
}

impl Line<'_> {
    fn push(&mut self, piece: &[u8]) {
        if let Some(room) = self.room.get_mut(self.end..self.end + piece.len()) {
            room.copy_from_slice(piece);
            self.end += piece.len();
        }
    }
}
