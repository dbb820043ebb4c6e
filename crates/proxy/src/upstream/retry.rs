//! What is tried again, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER};
use http::{Method, response};
use model::resource::{RetryWhen, StatusRange};
use tokio::time::Instant;

use super::Upstream;
use super::again::Again;
use super::budget::Budget;
use crate::random;

/// What is tried again.
pub(super) struct Retry {
    pub(super) attempts: u32,
    pub(super) when: Box<[RetryWhen]>,
    pub(super) methods: Box<[Method]>,
    pub(super) per_try: Option<Duration>,
    pub(super) backoff: Duration,
    pub(super) most: Duration,
    pub(super) share: f64,
    /// Bytes of a request body that are kept.
    pub(super) body: usize,
}

/// What is sent beside requests. It outlives programs.
#[derive(Debug, Default)]
pub(super) struct Extras {
    pub(super) retries: Budget,
    pub(super) hedges: Budget,
    /// How many were sent.
    pub(super) retried: AtomicU64,
    pub(super) hedged: AtomicU64,
    /// How many a budget or bound held back.
    pub(super) held_back: AtomicU64,
    /// Exchanges that are being tried again.
    retrying: AtomicU32,
}

/// Why a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The target could not be reached, and nothing was sent.
    Connect,
    /// The connection broke.
    Reset,
    /// The target refused the stream unseen.
    Refused,
    /// No response head in time.
    Late,
    /// For the sake of the client, or of the whole exchange.
    Final,
}

/// The tries of one exchange.
pub(super) struct Tries<'a> {
    retry: &'a Retry,
    extras: &'a Arc<Extras>,
    again: &'a Again,
    left: u32,
    done: u32,
}

impl<'a> Tries<'a> {
    /// The tries of a request that is about to go out.
    pub(super) fn new(retry: &'a Retry, extras: &'a Arc<Extras>, again: &'a Again) -> Self {
        Self { retry, extras, again, left: retry.attempts, done: 0 }
    }

    /// Whether the head is needed once more after it went out.
    pub(super) fn keeps_head(&self) -> bool {
        self.left > 0
    }

    /// The pause before another try, after one that failed so.
    pub(super) fn after_failure(&mut self, up: &Upstream, cause: Cause, total: Option<Instant>) -> Option<Duration> {
        let wanted = self.retry.when.iter().any(|when| {
            matches!(
                (when, cause),
                (RetryWhen::Connect, Cause::Connect)
                    | (RetryWhen::Reset, Cause::Reset)
                    | (RetryWhen::RefusedStream, Cause::Refused)
                    | (RetryWhen::Timeout, Cause::Late)
            )
        });
        if wanted && self.again.may_go_on(cause) { self.pause(up, Duration::ZERO, total) } else { None }
    }

    /// The same after one that was answered so.
    pub(super) fn after_answer(
        &mut self,
        up: &Upstream,
        head: &response::Parts,
        total: Option<Instant>,
    ) -> Option<Duration> {
        if self.left == 0 || !self.again.is_repeatable() {
            return None;
        }
        let status = head.status.as_u16();
        let grpc = || head.headers.get("grpc-status").and_then(|status| status.to_str().ok()?.parse::<u8>().ok());
        let wanted = self.retry.when.iter().any(|when| match when {
            RetryWhen::Status(range) => StatusRange::has(*range, status),
            RetryWhen::Grpc(code) => grpc() == Some(*code),
            _ => false,
        });
        if !wanted {
            return None;
        }
        let asked = asked_pause(&head.headers);
        if asked > self.retry.most { None } else { self.pause(up, asked, total) }
    }

    fn pause(&mut self, up: &Upstream, least: Duration, total: Option<Instant>) -> Option<Duration> {
        if self.left == 0 {
            return None;
        }
        let longest = self.retry.backoff.saturating_mul(1 << self.done.min(16)).min(self.retry.most);
        let drawn = longest.mul_f64(f64::from(random::below(1 << 20)) / f64::from(1 << 20));
        let pause = drawn.max(least);
        if total.is_some_and(|total| Instant::now() + pause >= total) {
            return None;
        }
        let full = up.breaker.as_ref().and_then(|breaker| breaker.retries);
        let full = full.is_some_and(|most| self.done == 0 && self.extras.retrying.load(Relaxed) >= most);
        if full || !self.extras.retries.spend(up.clock.now(), up.requests(), self.retry.share) {
            self.extras.held_back.fetch_add(1, Relaxed);
            return None;
        }
        if self.done == 0 {
            self.extras.retrying.fetch_add(1, Relaxed);
        }
        self.extras.retried.fetch_add(1, Relaxed);
        self.left -= 1;
        self.done += 1;
        Some(pause)
    }
}

impl Drop for Tries<'_> {
    fn drop(&mut self) {
        if self.done > 0 {
            self.extras.retrying.fetch_sub(1, Relaxed);
        }
    }
}

impl Upstream {
    /// Requests of clients that were sent so far.
    pub(super) fn requests(&self) -> u64 {
        let mut sent = 0;
        for target in &self.targets {
            target.each_endpoint(|endpoint| sent += endpoint.requests());
        }
        let own = self.extras.retried.load(Relaxed) + self.extras.hedged.load(Relaxed);
        sent.saturating_sub(own)
    }
}

/// What `Retry-After` asks for, in seconds; a date is taken for too long.
fn asked_pause(headers: &HeaderMap) -> Duration {
    match headers.get(RETRY_AFTER).map(|value| value.to_str().ok().and_then(|text| text.trim().parse().ok())) {
        None => Duration::ZERO,
        Some(Some(seconds)) => Duration::from_secs(seconds),
        Some(None) => Duration::MAX,
    }
}
