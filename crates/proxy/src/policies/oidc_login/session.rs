//! What a session is: who logged in, since when, and the tokens that the provider gave.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policies::claims::Meaning;

/// A session, as it is sealed or kept. Times are in milliseconds since 1970, so that a logout in the second of a login is
/// told from one before it.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Session {
    /// Its own id, new with every login.
    #[serde(rename = "i")]
    pub(super) id: String,
    /// When the login was.
    #[serde(rename = "s")]
    pub(super) started: u64,
    /// When it was used last, so far as that was written down.
    #[serde(rename = "u")]
    pub(super) used: u64,
    /// What the provider says of the user.
    #[serde(rename = "c")]
    pub(super) claims: Map<String, Value>,
    /// The provider's tokens.
    #[serde(rename = "t")]
    pub(super) tokens: Tokens,
}

/// Tokens of a provider, those that are of use.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(super) struct Tokens {
    /// For the upstream.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(super) access: Option<String>,
    /// When the access token is over.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) over: Option<u64>,
    /// When another is got.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(super) renew: Option<u64>,
    /// Gets another.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<String>,
    /// Says at logout whose it is.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
}

/// A session in use, and what it means.
pub(super) struct Live {
    pub(super) session: Arc<Session>,
    pub(super) meaning: Meaning,
    /// The name of the cookie that it came in, sealed.
    pub(super) cookie: Box<str>,
}

/// How long sessions last, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// Unused.
    pub(super) idle: u64,
    /// In all.
    pub(super) most: u64,
}

impl Session {
    /// A claim that is text.
    pub(super) fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Whether it is over by time. One from the future was made by a clock that is not this one.
    pub(super) fn is_over(&self, life: Life, now: u64) -> bool {
        const AHEAD: u64 = 60_000;
        self.started > now + AHEAD
            || now.saturating_sub(self.started) >= life.most
            || now.saturating_sub(self.used) >= life.idle
    }

    /// Whether its use is to be written down: seldom, as that costs a cookie.
    pub(super) fn is_stale(&self, life: Life, now: u64) -> bool {
        now.saturating_sub(self.used) >= life.idle / 10
    }

    /// Whether another access token is to be got, and can be.
    pub(super) fn wants_renewal(&self, now: u64) -> bool {
        self.tokens.refresh.is_some() && self.tokens.renew.is_some_and(|renew| now >= renew)
    }

    /// Whether its access token is over.
    pub(super) fn is_spent(&self, now: u64) -> bool {
        self.tokens.over.is_some_and(|over| now >= over)
    }
}
