//! What goes wrong, in OpenAI's words and those of compatible hosts.
//! Source: OpenAI's "Error codes"; the error object of its API reference.

use serde_json::Value;

use crate::translate::{Error, ErrorKind};
use crate::wire::json::object;

/// What a provider's failure is.
pub(crate) fn read_error(status: u16, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    of_body(status, &value)
}

/// The same of a body that is read, or of an event in a stream (then the status is 0).
pub(crate) fn of_body(status: u16, value: &Value) -> Error {
    // Gemini's compatibility wraps the object in a list.
    let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    let inner = value.get("error").filter(|inner| !inner.is_null()).unwrap_or(value);
    let text = |key: &str| {
        inner.get(key).and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    };
    let message = inner.as_str().map(str::to_owned).or_else(|| text("message")).or_else(|| text("detail"));
    let message = message.filter(|text| !text.is_empty());
    let code = text("code");
    let kind = text("type");
    let kind = of_words(status, code.as_deref(), kind.as_deref(), message.as_deref().unwrap_or_default());
    let mut error = Error::new(kind, message.unwrap_or_else(|| format!("the provider answered {status}")));
    error.code = code;
    error.param = text("param");
    error
}

fn of_words(status: u16, code: Option<&str>, kind: Option<&str>, message: &str) -> ErrorKind {
    for word in [code, kind].into_iter().flatten() {
        return match word {
            "context_length_exceeded" | "string_above_max_length" => ErrorKind::ContextWindow,
            "content_filter" | "content_policy_violation" | "data_inspection_failed" => ErrorKind::ContentPolicy,
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" | "insufficient_balance" => {
                ErrorKind::Quota
            }
            "rate_limit_exceeded" | "rate_limit_error" | "rate_limit_reached_error" => ErrorKind::RateLimit,
            "invalid_api_key" | "authentication_error" => ErrorKind::Authentication,
            "model_not_found" => ErrorKind::NotFound,
            // OpenAI says of its overload only by the status that it is one.
            "server_error" | "api_error" | "internal_error" if !matches!(status, 503 | 529) => ErrorKind::Server,
            "engine_overloaded" | "overloaded_error" | "engine_overloaded_error" => ErrorKind::Overloaded,
            _ => continue,
        };
    }
    if matches!(status, 0 | 400 | 413 | 422) && too_long(message) {
        return ErrorKind::ContextWindow;
    }
    match (status, code.and_then(|code| code.parse().ok())) {
        (0, Some(told @ 400..=599)) => ErrorKind::of_status(told),
        (0, _) => ErrorKind::Server,
        _ => ErrorKind::of_status(status),
    }
}

/// Hosts have no common code for a prompt that does not fit, but few ways to say it.
pub(crate) fn too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "context length",
        "context window",
        "prompt is too long",
        "maximum context",
        "input is too long",
        "too many input tokens",
        "exceeds the maximum number of tokens",
        "input token count",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// A failure as a body.
pub(crate) fn write_error(error: &Error) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |o| {
        o.obj("error", |e| {
            e.str("message", &error.message);
            e.str("type", word(error.kind));
            match &error.param {
                Some(param) => e.str("param", param),
                None => e.null("param"),
            }
            // The gateway's own codes have a point in them; a provider's may be in the words of another format.
            let own = error.code.as_deref().filter(|code| code.contains('.'));
            match own.or(code(error.kind)).or(error.code.as_deref()) {
                Some(code) => e.str("code", code),
                None => e.null("code"),
            }
        });
    });
    out
}

const fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest
        | ErrorKind::ContextWindow
        | ErrorKind::ContentPolicy
        | ErrorKind::NotFound
        | ErrorKind::TooLarge => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::Quota => "insufficient_quota",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Server => "server_error",
    }
}

const fn code(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::ContextWindow => Some("context_length_exceeded"),
        ErrorKind::ContentPolicy => Some("content_policy_violation"),
        ErrorKind::Authentication => Some("invalid_api_key"),
        ErrorKind::Quota => Some("insufficient_quota"),
        ErrorKind::NotFound => Some("model_not_found"),
        ErrorKind::RateLimit => Some("rate_limit_exceeded"),
        _ => None,
    }
}
