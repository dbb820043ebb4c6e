//! What it takes to send a request once more: that it may be, and its body.

use http::header::HeaderName;

use super::Upstream;
use super::forward::Outbound;
use super::replay::Replay;
use super::retry::Cause;
use super::serve::is_idempotent;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Bytes of a body that are kept where nobody says.
const USUAL: usize = 64 << 10;

/// A request that may go out more than once.
pub(super) struct Again {
    /// Whether it may be executed twice.
    repeatable: bool,
    has_body: bool,
    body: Option<Replay>,
}

impl Upstream {
    /// What it takes to send this request once more, where this upstream ever does; its body is kept from now on.
    pub(super) fn again(&self, outbound: &mut Outbound) -> Option<Again> {
        if self.retry.is_none() && self.fallback.is_none() && self.hedge.is_none() || outbound.sent.upgrade.is_some() {
            return None;
        }
        let request = &mut outbound.request;
        let listed = self.retry.as_ref().is_some_and(|retry| retry.methods.contains(request.method()));
        let says_so = listed || request.headers().contains_key(&IDEMPOTENCY_KEY);
        let repeatable = says_so || is_idempotent(request.method());
        let most = self.retry.as_ref().map_or(USUAL, |retry| retry.body);
        let has_body = outbound.sent.has_body;
        let body = has_body.then(|| {
            let replay = Replay::new(std::mem::take(request.body_mut()), most);
            *request.body_mut() = replay.reader();
            replay
        });
        Some(Again { repeatable, has_body, body })
    }
}

impl Again {
    /// Whether it may be sent again after a try that failed so.
    pub(super) fn may_go_on(&self, cause: Cause) -> bool {
        let unseen = matches!(cause, Cause::Connect | Cause::Refused);
        cause != Cause::Final && (unseen || self.repeatable) && self.is_whole()
    }

    /// Whether it may be executed twice.
    pub(super) fn is_repeatable(&self) -> bool {
        self.repeatable && self.is_whole()
    }

    /// Whether it may be sent twice at the same time: a body has one reader.
    pub(super) fn may_hedge(&self) -> bool {
        self.repeatable && !self.has_body
    }

    fn is_whole(&self) -> bool {
        self.body.as_ref().is_none_or(Replay::is_whole)
    }

    /// Gives the request its body again.
    pub(super) fn refill(&self, outbound: &mut Outbound) {
        if let Some(body) = &self.body {
            *outbound.request.body_mut() = body.reader();
        }
    }
}
