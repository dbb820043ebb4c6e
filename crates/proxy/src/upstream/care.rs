//! What is tried again, asked beside and left alone, from what was written.

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use model::resource::{self, RetryWhen};

use super::breaker::Breaker;
use super::compile::Compiling;
use super::fallback::{Fallback, Respond};
use super::hedge::Hedge;
use super::retry::{Extras, Retry};
use crate::program::UpstreamId;

/// The most that are tried again.
const MOST_ATTEMPTS: u32 = 10;
/// The most bytes of a request body that are kept.
const MOST_BODY: u64 = 16 << 20;

impl Compiling<'_> {
    fn kept<T: Default + Send + Sync + 'static>(&self, what: &str) -> Arc<T> {
        self.env.keep.get(&format!("{what}|{}", *self.written.name), T::default)
    }

    /// What is sent beside requests.
    pub(super) fn extras(&self) -> Arc<Extras> {
        self.kept("extras")
    }

    /// What is tried again.
    pub(super) fn retry(&mut self) -> Option<Option<Retry>> {
        let Some(written) = &self.written.retry else { return Some(None) };
        let attempts = *written.attempts;
        if attempts == 0 || attempts > MOST_ATTEMPTS {
            let message = format!("`attempts` is from 1 to {MOST_ATTEMPTS}");
            return self.refuse(written.attempts.span, "retry.attempts", message, "2 is usual");
        }
        let mut methods = Vec::new();
        for method in written.methods.iter() {
            match Method::from_bytes(method.as_bytes()) {
                Ok(known) if method.chars().all(|letter| letter.is_ascii_uppercase()) => methods.push(known),
                _ => {
                    let message = format!("`{}` is no method", **method);
                    return self.refuse(method.span, "retry.methods", message, "write one such as `POST`");
                }
            }
        }
        if written.body.get() > MOST_BODY {
            let at = written.attempts.span;
            return self.refuse(at, "retry.body", "`body` is at most 16MiB", "each request may hold as much");
        }
        let when: Box<[RetryWhen]> = written.when.iter().map(|when| **when).collect();
        if when.is_empty() {
            let help = "`when: [connect, reset, 503]` is an example";
            return self.refuse(written.attempts.span, "retry.when", "nothing is tried again", help);
        }
        Some(Some(Retry {
            attempts,
            when,
            methods: methods.into(),
            per_try: some(written.per_try.get()),
            backoff: written.backoff.get(),
            most: written.backoff_at_most.get(),
            share: written.budget.fraction(),
            body: usize::try_from(written.body.get()).unwrap_or(0),
        }))
    }

    /// What is asked beside.
    pub(super) fn hedge(&mut self) -> Option<Option<Hedge>> {
        let Some(written) = &self.written.hedge else { return Some(None) };
        if let Some(after) = written.after.as_ref().filter(|after| after.is_zero()) {
            let help = "give a time, or leave it out for what 95 in a hundred took";
            return self.refuse(after.span, "hedge.after", "`after: 0s` would send every request twice", help);
        }
        let after = written.after.as_ref().map(|after| after.get());
        Some(Some(Hedge { after, share: written.budget.fraction(), seen: self.kept("seen") }))
    }

    /// When it is left alone.
    pub(super) fn breaker(&mut self) -> Option<Option<Breaker>> {
        let Some(written) = &self.written.breaker else { return Some(None) };
        let zero = |bound: Option<u32>| bound == Some(0);
        let at = written.window.span;
        if zero(written.requests) || zero(written.pending) || written.probes == 0 || written.min_requests == 0 {
            let message = "`requests`, `pending`, `probes` and `min_requests` are 1 or more";
            return self.refuse(at, "breaker", message, "leave out what is to have no bound");
        }
        if written.window.is_zero() || written.open_for.is_zero() {
            return self.refuse(at, "breaker", "`window` and `open_for` are above 0", "`10s` and `5s` are usual");
        }
        if [written.error_rate, written.slow_rate].iter().flatten().any(|rate| rate.millionths() == 0) {
            return self.refuse(at, "breaker", "a rate of 0% is always reached", "`50%` is usual");
        }
        Some(Some(Breaker {
            requests: written.requests.map(u64::from),
            pending: written.pending,
            retries: written.retries,
            error_rate: written.error_rate.map(model::value::Percent::fraction),
            slow_rate: written.slow_rate.map(model::value::Percent::fraction),
            slow_after: written.slow_after.get(),
            window: written.window.get(),
            least: u64::from(written.min_requests),
            open_for: written.open_for.get(),
            probes: written.probes,
            state: self.kept("breaker"),
        }))
    }

    /// What takes what it cannot.
    pub(super) fn fallback(&mut self, names: &dyn Fn(&str) -> Option<usize>) -> Option<Option<Fallback>> {
        match &self.written.fallback {
            None => Some(None),
            Some(resource::Fallback::Upstream(name)) => {
                let found = names(name).filter(|_| name.as_str() != self.written.name.as_str());
                let Some(id) = found.and_then(|at| u32::try_from(at).ok()) else {
                    let message = format!("there is no other upstream `{}`", **name);
                    return self.refuse(name.span, "fallback.upstream", message, "name one of `upstreams`");
                };
                Some(Some(Fallback::Upstream(UpstreamId(id))))
            }
            Some(resource::Fallback::Respond(written)) => {
                let status = StatusCode::from_u16(*written.status).ok();
                let content_type = HeaderValue::from_str(&written.content_type).ok();
                let Some((status, content_type)) = status.filter(|code| code.as_u16() >= 200).zip(content_type) else {
                    let help = "`{ status: 503, body: \"…\" }` is an example";
                    return self.refuse(written.status.span, "fallback.respond", "this is no answer", help);
                };
                let body = written.body.clone().into();
                Some(Some(Fallback::Respond(Respond { status, content_type, body })))
            }
        }
    }
}

fn some(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}
