//! Tokens of a token server, and the way to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::header::HeaderValue;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Assertion, Collapse, Remote};
use crate::clock::{Clock, Time};
use crate::policies::query;
use crate::program::{KeyHash, sha256};
use crate::tokens::cache::Cache;
use crate::tokens::json;

/// How long a token is good where its server does not say.
const DEFAULT_LIFE: u64 = 60;
/// No token is kept for longer, whatever its server says.
const MOST_LIFE: u64 = 86_400;
/// The least time between two tokens that an upstream refuses.
const LEAST_AGE: Duration = Duration::from_secs(5);

/// What a token server gave.
#[derive(Clone)]
pub(crate) enum Got {
    /// A token, as a field.
    Token(HeaderValue),
    /// It does not give one for this caller.
    Refused,
    /// It cannot be asked.
    Nothing,
}

/// A token that is kept.
struct Kept {
    value: HeaderValue,
    got: Time,
    /// From when on another is got.
    renew: Time,
    /// From when on it is not shown.
    over: Time,
}

/// Tokens that outlive programs.
pub(crate) struct State {
    /// The gateway's own.
    own: ArcSwapOption<Kept>,
    /// Those in exchange for callers'.
    exchanged: Cache<Kept>,
    calls: Collapse<KeyHash, Got>,
    renewing: AtomicBool,
    /// When the last try failed: nanoseconds and one, 0 for never.
    failed: AtomicU64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            own: ArcSwapOption::empty(),
            exchanged: Cache::new(10_000, 16 << 20),
            calls: Collapse::new(1024),
            renewing: AtomicBool::new(false),
            failed: AtomicU64::new(0),
        }
    }
}

/// What a token server is asked.
pub(crate) enum Form {
    /// The same every time.
    Same(String),
    /// With a token that a key signs anew.
    Signed(Box<Assertion>),
}

/// A token server, and what it gave.
pub(crate) struct Tokens {
    pub(crate) remote: Remote,
    pub(crate) fields: HeaderMap,
    /// What is asked.
    pub(crate) form: Form,
    pub(crate) state: Arc<State>,
    pub(crate) clock: Clock,
}

impl Tokens {
    /// A token that is kept. One that is nearly over is renewed beside the traffic.
    pub(crate) fn known(self: &Arc<Self>, worker: usize, subject: &Arc<[u8]>) -> Option<HeaderValue> {
        let now = self.clock.now();
        if !subject.is_empty() {
            return self.state.exchanged.get(subject).filter(|kept| now < kept.over).map(|kept| kept.value.clone());
        }
        let kept = self.state.own.load();
        let kept = kept.as_ref().filter(|kept| now < kept.over)?;
        if now >= kept.renew && self.may_try(now) && !self.state.renewing.swap(true, SeqCst) {
            let tokens = self.clone();
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(async move {
                    tokens.get(worker, Arc::default()).await;
                    tokens.state.renewing.store(false, SeqCst);
                })),
                Err(_) => self.state.renewing.store(false, SeqCst),
            }
        }
        Some(kept.value.clone())
    }

    /// A failed try is not repeated at once.
    fn may_try(&self, now: Time) -> bool {
        match self.state.failed.load(SeqCst) {
            0 => true,
            failed => now.since(Time(failed - 1)) >= Duration::from_secs(1),
        }
    }

    /// Gets a token; who asks for the same meanwhile waits for the same call.
    pub(crate) async fn get(self: &Arc<Self>, worker: usize, subject: Arc<[u8]>) -> Got {
        if !self.may_try(self.clock.now()) {
            return Got::Nothing;
        }
        let (key, tokens) = (sha256(&subject), self.clone());
        let call = || async move { tokens.ask(worker, &subject).await };
        self.state.calls.run(key, call).await.unwrap_or(Got::Nothing)
    }

    /// An upstream refused the token: another one is got, unless this one is new.
    pub(crate) fn doubt(&self) {
        let now = self.clock.now();
        if self.state.own.load().as_ref().is_some_and(|kept| now.since(kept.got) >= LEAST_AGE) {
            self.state.own.store(None);
        }
    }

    async fn ask(&self, worker: usize, subject: &Arc<[u8]>) -> Got {
        let form = match &self.form {
            Form::Same(form) => Some(form.clone()),
            Form::Signed(assertion) => assertion.form(self.clock.wall().as_secs()),
        };
        let Some(mut form) = form else { return Got::Nothing };
        if !subject.is_empty() {
            let Ok(subject) = std::str::from_utf8(subject) else { return Got::Refused };
            query::push(&mut form, "subject_token", subject);
        }
        let failed = |why: String| {
            self.state.failed.store(self.clock.now().0 + 1, SeqCst);
            tracing::warn!(target: "tollgate::tokens", url = self.remote.url(), error = %why, "no token for an upstream");
            Got::Nothing
        };
        let answer = match self.remote.post_form(worker, form, self.fields.clone()).await {
            Ok(answer) => answer,
            Err(error) => return failed(error.to_string()),
        };
        let said = json::object(&answer.body);
        let text = |name: &str| said.as_ref().and_then(|said| said.get(name)).and_then(Value::as_str);
        if answer.status != StatusCode::OK {
            // The error code alone: a description may repeat what was sent.
            let error = text("error").filter(|error| error.len() < 64).unwrap_or_default();
            if !subject.is_empty() && matches!(error, "invalid_grant" | "invalid_request" | "invalid_target") {
                return Got::Refused;
            }
            return failed(format!("it answered {} {error}", answer.status.as_u16()));
        }
        let bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        let value =
            text("access_token").filter(|_| bearer).map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let Some(Ok(mut value)) = value else { return failed("the answer has no bearer token".to_owned()) };
        value.set_sensitive(true);
        let life =
            said.as_ref().and_then(|said| said.get("expires_in")).and_then(Value::as_u64).unwrap_or(DEFAULT_LIFE);
        self.keep(subject, value.clone(), life.min(MOST_LIFE));
        Got::Token(value)
    }

    /// Keeps a token for nine tenths of its life, and renews it after eight.
    fn keep(&self, subject: &Arc<[u8]>, value: HeaderValue, life: u64) {
        let got = self.clock.now();
        let tenths = |count: u64| got + Duration::from_millis(life * 100 * count);
        let kept = Arc::new(Kept { value, got, renew: tenths(8), over: tenths(9) });
        self.state.failed.store(0, SeqCst);
        if subject.is_empty() { self.state.own.store(Some(kept)) } else { self.state.exchanged.put(subject, kept) }
    }
}
