//! What goes wrong, in Anthropic's words.
//! Source: Anthropic's "Errors".

use serde_json::Value;

use crate::translate::{Error, ErrorKind};
use crate::wire::json::object;
use crate::wire::openai_chat::too_long;

/// What a provider's failure is.
pub(crate) fn read_error(status: u16, body: &[u8]) -> Error {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    of_body(status, &value)
}

/// The same of a body that is read, or of an event in a stream (then the status is 0).
pub(super) fn of_body(status: u16, value: &Value) -> Error {
    let inner = value.get("error").unwrap_or(value);
    let text = |key: &str| inner.get(key).and_then(Value::as_str);
    let message = text("message").unwrap_or_default();
    let kind = match text("type") {
        Some("invalid_request_error") if too_long(message) => ErrorKind::ContextWindow,
        Some("invalid_request_error") if message.contains("credit balance") => ErrorKind::Quota,
        Some("invalid_request_error") => ErrorKind::BadRequest,
        Some("authentication_error") => ErrorKind::Authentication,
        Some("billing_error") => ErrorKind::Quota,
        Some("permission_error") => ErrorKind::Permission,
        Some("not_found_error") => ErrorKind::NotFound,
        Some("request_too_large") => ErrorKind::TooLarge,
        Some("rate_limit_error") => ErrorKind::RateLimit,
        Some("timeout_error") => ErrorKind::Timeout,
        Some("overloaded_error") => ErrorKind::Overloaded,
        Some("api_error") => ErrorKind::Server,
        _ if status == 0 => ErrorKind::Server,
        _ => ErrorKind::of_status(status),
    };
    let message = if message.is_empty() { format!("the provider answered {status}") } else { message.to_owned() };
    let mut error = Error::new(kind, message);
    error.code = text("type").map(str::to_owned);
    error
}

/// A failure as a body.
pub(crate) fn write_error(error: &Error, request_id: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |o| {
        o.str("type", "error");
        o.obj("error", |e| {
            e.str("type", word(error.kind));
            e.str("message", &error.message);
        });
        if !request_id.is_empty() {
            o.str("request_id", request_id);
        }
    });
    out
}

const fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest | ErrorKind::ContextWindow | ErrorKind::ContentPolicy => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::Quota | ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Server => "api_error",
    }
}
