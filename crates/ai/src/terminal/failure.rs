//! What goes wrong, as the gateway's errors: what callers see is written in their own format.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use model::resource::{FailureCause, ModelRetry};
use proxy::exchange::{AttemptOutcome, Blame, Code, Error};

use crate::translate::{Error as Told, ErrorKind};

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal, $blame:ident;)*) => {
        $(pub(crate) static $name: Code =
            Code { name: $code, status: $status, title: $title, blame: Blame::$blame, proxy_status: None };)*
        /// All of them.
        pub(crate) const ALL: &[&Code] = &[$(&$name),*];
    };
}

/// The codes of this terminal.
pub(crate) mod codes {
    use super::{Blame, Code};

    codes! {
        UNSEEN = "ai.unseen", 403, "Not served where policies cannot look", Client;
        NOT_SERVED = "ai.not_served", 404, "No such call of a model", Client;
        BAD_REQUEST = "ai.bad_request", 400, "Not a request that a model takes", Client;
        UNSUPPORTED = "ai.unsupported", 400, "The model's provider cannot do this", Client;
        UNKNOWN_MODEL = "ai.unknown_model", 404, "No such model", Client;
        MODEL_GONE = "ai.model_gone", 410, "The model is gone", Client;
        CONTEXT_WINDOW = "ai.context_window", 400, "Too long for the model", Client;
        CONTENT_POLICY = "ai.content_policy", 400, "The provider will not treat of this", Client;
        TOO_LARGE = "ai.too_large", 413, "Too large for the provider", Client;
        RATE_LIMITED = "ai.rate_limited", 429, "Too many calls for the provider", Upstream;
        OVERLOADED = "ai.overloaded", 503, "The provider has too much to do", Upstream;
        TIMEOUT = "ai.timeout", 504, "The provider took too long", Upstream;
        PROVIDER_FAILED = "ai.provider_failed", 502, "The provider failed", Upstream;
        BAD_OUTPUT = "ai.bad_output", 502, "The answer is not what was asked for", Upstream;
        BAD_ANSWER = "ai.bad_answer", 502, "The provider's answer makes no sense", Upstream;
    }
}

/// Why an attempt gave no answer.
pub(super) struct Missed {
    /// What kind of failure.
    pub(super) kind: ErrorKind,
    /// In words that may be shown.
    pub(super) message: String,
    /// When the provider says that it may be asked again.
    pub(super) retry_after: Option<HeaderValue>,
    /// Whether another key of the provider may do better.
    pub(super) of_key: bool,
    /// Which provider.
    pub(super) provider: Arc<str>,
    /// How the attempt is counted.
    pub(super) outcome: AttemptOutcome,
    /// Whether it answered, and nothing that makes sense.
    pub(super) senseless: bool,
}

impl Missed {
    /// Nobody serves this model.
    pub(super) fn nobody(model: &Arc<str>) -> Self {
        Self {
            kind: ErrorKind::Server,
            message: "The model has nobody who serves it.".to_owned(),
            retry_after: None,
            of_key: false,
            provider: model.clone(),
            outcome: AttemptOutcome::Server,
            senseless: false,
        }
    }

    /// It answered, and nothing that makes sense.
    pub(super) fn senseless(self) -> Self {
        Self { senseless: true, ..self }
    }

    /// In which of the ways that configuration names it failed.
    pub(super) fn cause(&self) -> Option<FailureCause> {
        Some(match self.outcome {
            AttemptOutcome::Connect => FailureCause::Connect,
            AttemptOutcome::Timeout => FailureCause::Timeout,
            AttemptOutcome::FirstToken => FailureCause::FirstToken,
            AttemptOutcome::RateLimit => FailureCause::RateLimit,
            AttemptOutcome::Overloaded => FailureCause::Overloaded,
            AttemptOutcome::Server | AttemptOutcome::Broken => FailureCause::Server,
            AttemptOutcome::Refused => FailureCause::Refused,
            AttemptOutcome::NotFound => FailureCause::NotFound,
            AttemptOutcome::ContextWindow => FailureCause::ContextWindow,
            AttemptOutcome::ContentPolicy => FailureCause::ContentPolicy,
            AttemptOutcome::BadRequest
            | AttemptOutcome::Ok
            | AttemptOutcome::Continued
            | AttemptOutcome::Lost
            | AttemptOutcome::Cancelled => return None,
        })
    }

    /// How long to wait before all are asked once more; none where the provider asks for more than may be.
    pub(super) fn wait(&self, retry: &ModelRetry, round: u32) -> Option<Duration> {
        let backoff = retry.backoff.get().saturating_mul(1 << round.min(10)).min(retry.longest.get());
        // Less up to half of it, so that those who failed together do not come back together.
        let less = backoff.mul_f64(f64::from(proxy::random::below(1000)) / 2000.0);
        let asked = self.retry_after.as_ref().and_then(|after| after.to_str().ok()?.trim().parse::<u32>().ok());
        match asked.map(|seconds| Duration::from_secs(u64::from(seconds))) {
            Some(asked) if asked > retry.longest.get() => None,
            Some(asked) => Some(asked.max(backoff.saturating_sub(less))),
            None => Some(backoff.saturating_sub(less)),
        }
    }

    /// Whether another target may do better. What the provider says of the request itself, another would say too.
    pub(super) fn may_go_on(&self) -> bool {
        self.outcome != AttemptOutcome::Cancelled
            && !matches!(
                self.kind,
                ErrorKind::BadRequest | ErrorKind::ContextWindow | ErrorKind::ContentPolicy | ErrorKind::TooLarge
            )
    }

    /// The answer, where nobody did better. That the gateway's own key is refused is not the caller's failure.
    pub(super) fn error(self) -> Error {
        let code = match self.kind {
            ErrorKind::BadRequest => &codes::BAD_REQUEST,
            ErrorKind::ContextWindow => &codes::CONTEXT_WINDOW,
            ErrorKind::ContentPolicy => &codes::CONTENT_POLICY,
            ErrorKind::TooLarge => &codes::TOO_LARGE,
            ErrorKind::RateLimit => &codes::RATE_LIMITED,
            ErrorKind::Overloaded => &codes::OVERLOADED,
            ErrorKind::Timeout => &codes::TIMEOUT,
            _ if self.senseless => &codes::BAD_ANSWER,
            ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::Quota
            | ErrorKind::NotFound
            | ErrorKind::Server => &codes::PROVIDER_FAILED,
        };
        let own = matches!(self.kind, ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::Quota);
        let detail = if own { "The provider refused the gateway.".to_owned() } else { self.message };
        let error = Error::new(code, detail);
        match self.retry_after {
            Some(after) => error.header(RETRY_AFTER, after),
            None => error,
        }
    }
}

/// An error of the gateway, whoever made it, as a failure in the canonical form.
pub(super) fn told(error: &Error) -> Told {
    let kind = match (error.code.name, error.code.status) {
        ("ai.context_window", _) => ErrorKind::ContextWindow,
        ("ai.content_policy" | "guardrail.blocked" | "guardrail.withheld", _) => ErrorKind::ContentPolicy,
        (_, 401) => ErrorKind::Authentication,
        (_, 402) => ErrorKind::Quota,
        (_, 403) => ErrorKind::Permission,
        (_, 404 | 405 | 410) => ErrorKind::NotFound,
        (_, 408 | 504) => ErrorKind::Timeout,
        (_, 413) => ErrorKind::TooLarge,
        (_, 429) => ErrorKind::RateLimit,
        (_, 503) => ErrorKind::Overloaded,
        (_, status) if status < 500 => ErrorKind::BadRequest,
        _ => ErrorKind::Server,
    };
    Told::new(kind, error.detail.clone()).code(error.code.name)
}
